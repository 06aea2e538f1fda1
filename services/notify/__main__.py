"""Starts notify: `python -m services.notify` serves, `python -m services.notify migrate` migrates."""

from chassis.server import run
from services.notify.settings import Settings
from services.notify.wiring import build

if __name__ == "__main__":
    run("notify", build, Settings)
