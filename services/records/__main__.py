"""`python -m services.records` serves; `migrate` brings the database up to date, `verify-access-log` checks the log."""

from chassis.server import run
from services.records.settings import Settings
from services.records.wiring import COMMANDS, build

if __name__ == "__main__":
    run("records", build, Settings, commands=COMMANDS)
