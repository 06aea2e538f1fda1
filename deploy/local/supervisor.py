"""Runs one fleet until it is told to stop, and writes how it is for the other commands to read.

Refuses to run beside another fleet in the same folder.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

from deploy.local.errors import NotStarted
from deploy.local.fleet import Fleet, Progress

STOP_LIMIT = 9.5
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(Exception):  # noqa: N818  told to stop is no error
    """A signal asked to stop before the work was done."""


class Supervisor:
    """One fleet under signals: the first one stops it in order, a second one at once."""

    def __init__(self, fleet_of: Callable[[Callable[[], None]], Fleet]) -> None:
        self.fleet = fleet_of(self.write)
        self._phase = "starting"
        self._message = ""
        self._started = datetime.now(UTC)
        self._stop = asyncio.Event()

    def write(self) -> None:
        """Write the state file."""
        self.fleet.folder.write_state(
            {
                "pid": os.getpid(),
                "phase": self._phase,
                "message": self._message,
                "gateway": self.fleet.gateway,
                "started": self._started.isoformat(timespec="seconds"),
                "parts": self.fleet.describe(),
            }
        )

    @contextlib.asynccontextmanager
    async def running(self, progress: Progress) -> AsyncIterator[Fleet]:
        """The fleet, started; stopped when the block is left. NotStarted says why it cannot start."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._told)
        with self.fleet.folder.lock():
            try:
                self._enter("starting")
                await self.until_told(self.fleet.start(progress))
                self._enter("running")
                yield self.fleet
            except NotStarted as error:
                self._message = str(error)
                raise
            finally:
                self._enter("stopping")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.fleet.stop(), STOP_LIMIT)
                self._enter("failed" if self._message else "stopped")

    async def until_told(self, work: Awaitable[None]) -> None:
        """Await `work`; Stopped when a signal comes first, and the work is cancelled."""
        task = asyncio.ensure_future(work)
        told = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait((task, told), return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if task.cancelled():
            raise Stopped
        task.result()

    async def told(self) -> None:
        """Return once a signal asks to stop."""
        await self._stop.wait()

    def _told(self) -> None:
        if self._stop.is_set():
            os._exit(130)  # every child dies with this process
        self._stop.set()

    def _enter(self, phase: str) -> None:
        self._phase = phase
        self.write()
