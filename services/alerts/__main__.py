"""Starts alerts: `python -m services.alerts` serves, `python -m services.alerts migrate` migrates."""

from chassis.server import run
from services.alerts.settings import Settings
from services.alerts.wiring import build

if __name__ == "__main__":
    run("alerts", build, Settings)
