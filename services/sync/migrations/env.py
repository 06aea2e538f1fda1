"""Runs sync's migrations on the connection the chassis hands in."""

from chassis.migrations_env import run

run()
