"""Starts reporting: `python -m services.reporting` serves; `migrate`, `verify` and `rebuild` do what they say."""

from chassis.server import run
from services.reporting.settings import Settings
from services.reporting.wiring import COMMANDS, build

if __name__ == "__main__":
    run("reporting", build, Settings, commands=COMMANDS)
