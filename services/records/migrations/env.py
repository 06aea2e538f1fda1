"""Alembic's entry: everything about running is the chassis' business."""

from chassis.migrations_env import run

run()
