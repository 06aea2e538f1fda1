"""A supervisor in a session of its own, followed through the state it writes; and `down`, which stops any supervisor.

Refuses to signal a process that does not hold the folder's lock.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from rich.console import Console

from deploy.local.errors import NotStarted
from deploy.local.folder import DataFolder
from deploy.local.processes import last_words
from deploy.local.settings import CHECKOUT, FleetSettings

START_LIMIT = 330.0  # Seconds in which no part comes up: longer than any of them waits for itself.
STOP_LIMIT = 12.0


class Detached:
    """The supervisor as a child that stays when this process ends."""

    def __init__(self, settings: FleetSettings, folder: DataFolder) -> None:
        self._folder = folder
        self._log = folder.log("supervisor")
        with self._log.open("ab") as output:
            self._start = output.tell()
            self._child = subprocess.Popen(
                [sys.executable, "-m", "deploy.local", "up", "--no-demo", "--quiet"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=CHECKOUT,
                env={**os.environ, "IOCEDU_DATA": str(settings.data)},
                start_new_session=True,
            )

    async def until_running(self, started: Callable[[str], None]) -> str:
        """The public host:port once everything serves; `started` hears of each part. NotStarted says why not."""
        told: set[str] = set()
        end = time.monotonic() + START_LIMIT
        while self._child.poll() is None and time.monotonic() < end:
            state = self._folder.state()
            if state.get("pid") == self._child.pid:
                for part in state["parts"]:
                    if part["state"] == "ready" and part["name"] not in told:
                        told.add(part["name"])
                        started(part["name"])
                        end = time.monotonic() + START_LIMIT
                if state["phase"] == "running":
                    return str(state["gateway"])
            await asyncio.sleep(0.1)
        said = last_words(self._log, start=self._start).removeprefix("iocedu: ")
        raise NotStarted(said or f"no part of the fleet has come up for {START_LIMIT:.0f} s (log: {self._log})")

    def stop(self) -> None:
        """Stop it, if it still runs."""
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(STOP_LIMIT)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()


def down(settings: FleetSettings, *, console: Console) -> int:
    """Stop the fleet in this folder, wherever it was started; returns the exit status."""
    folder = DataFolder(settings.data)
    pid = folder.state().get("pid")
    if not folder.locked or pid is None:
        console.print(f"nothing runs in {settings.data}")
        return 0
    began = time.monotonic()
    for number, limit in ((signal.SIGTERM, STOP_LIMIT), (signal.SIGKILL, 3.0)):
        os.kill(pid, number)
        end = time.monotonic() + limit
        while folder.locked and time.monotonic() < end:
            time.sleep(0.05)
        if not folder.locked:
            console.print(f"stopped after {time.monotonic() - began:.1f} s")
            return 0
    raise NotStarted(f"the fleet (process {pid}) does not end")
