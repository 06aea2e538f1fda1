"""`python -m services.records` serves; `python -m services.records migrate` brings the database up to date."""

from chassis.server import run
from services.records.settings import Settings
from services.records.wiring import build

if __name__ == "__main__":
    run("records", build, Settings)
