"""Starts sync: `python -m services.sync` serves, `python -m services.sync migrate` brings its database up to date."""

from chassis.server import run
from services.sync.settings import Settings
from services.sync.wiring import build

if __name__ == "__main__":
    run("sync", build, Settings)
