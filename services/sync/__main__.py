"""Starts sync: `python -m services.sync` serves, `python -m services.sync migrate` brings its database up to date."""

import os

from chassis.server import run
from services.sync.settings import Settings
from services.sync.wiring import build

if __name__ == "__main__":
    # Files are opened by processes of their own; gRPC need not survive the fork, and would say so each time.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
    run("sync", build, Settings)
