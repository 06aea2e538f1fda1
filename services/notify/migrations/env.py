"""Runs the revisions in `versions`; how is decided by the chassis."""

from chassis.migrations_env import run

run()
