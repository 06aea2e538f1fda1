"""Runs the migrations of a database that holds the chassis' tables only."""

from chassis.migrations_env import run

run()
