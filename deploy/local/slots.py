"""A part's life within the fleet: its state, its restarts with growing delays, and how it is shown.

Refuses to restart what was killed on purpose: only an explicit start brings that back.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import grpc
import httpx

from deploy.local.errors import NotStarted
from deploy.local.parts import Part
from deploy.local.processes import PING_LIMIT, Process

FIRST_DELAY, LONGEST_DELAY = 0.2, 20.0
STEADY = 60.0  # Whoever ran this long is restarted without the delay its earlier deaths had earned.


class State(StrEnum):
    """How a part is."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    UNREADY = "unready"  # It runs, but says it cannot serve.
    RESTARTING = "restarting"
    KILLED = "killed"
    STOPPED = "stopped"


class Slot:
    """A part with its life so far; `on_change` hears of every new state."""

    def __init__(
        self, name: str, part: Part, *, address: str, log: Path, on_change: Callable[[], None], metrics: str = ""
    ) -> None:
        self.name = name
        self.part = part
        self.address = address
        self.metrics = metrics  # Where it shows them; empty: it shows none.
        self.log = log
        self.restarts = 0
        self.detail = ""
        self.ended = ""  # How it ended by itself the last time, without what it said: "ended by signal 9".
        self.ended_time: datetime | None = None
        self.state = State.WAITING
        self._on_change = on_change
        self._since = 0.0
        self._delay = FIRST_DELAY
        self._revival: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        process = self.part.process
        return process.pid if process is not None and process.alive else None

    def describe(self) -> dict[str, Any]:
        """As `status --json` shows it."""
        return {
            "name": self.name,
            "state": self.state.value,
            "pid": self.pid,
            "address": self.address,
            "metrics": self.metrics,
            "restarts": self.restarts,
            "ended": self.ended,
            "ended_time": self.ended_time.isoformat(timespec="seconds") if self.ended_time else None,
            "detail": self.detail,
            "log": str(self.log),
        }

    async def start(self) -> float:
        """Start the part; the seconds it took. NotStarted says why it cannot."""
        began = time.monotonic()
        self._become(State.STARTING)
        await self.part.start()
        self._since = time.monotonic()
        self._become(State.READY)
        return self._since - began

    async def stop(self, *, grace: float) -> None:
        """End the part."""
        await self._stop_reviving()
        await self.part.stop(grace=grace)
        self._become(State.STOPPED)

    async def kill(self) -> None:
        """Kill the part as a crash would and leave it dead."""
        await self._stop_reviving()
        self._become(State.KILLED)
        self.part.kill()

    def watch(self) -> None:
        """Begin to start it again when it has died."""
        if self.state not in (State.READY, State.UNREADY) or self.pid is not None:
            return
        self.ended, self.ended_time = _end(self.part.process), datetime.now(UTC)
        self.detail = f"{self.ended}: {_last_words(self.part.process)}".rstrip(": ")
        self._become(State.RESTARTING)
        self._revival = asyncio.create_task(self._revive())

    async def ping(self) -> None:
        """Ask it whether it serves."""
        if self.state not in (State.READY, State.UNREADY):
            return
        try:
            await self.part.ping()
        except Exception as error:  # noqa: BLE001  whatever it is, the part does not serve
            now, detail = State.UNREADY, _said(error)
        else:
            now, detail = State.READY, self.detail if self.state is State.READY else ""
        # It may have been killed or stopped while it was asked.
        if self.state in (State.READY, State.UNREADY) and now is not self.state:
            self.detail = detail
            self._become(now)

    async def _revive(self) -> None:
        if time.monotonic() - self._since > STEADY:
            self._delay = FIRST_DELAY
        while True:
            await asyncio.sleep(self._delay)
            self._delay = min(self._delay * 2, LONGEST_DELAY)
            self.restarts += 1
            try:
                await self.start()
            except NotStarted as error:
                self.detail = str(error)
                self._become(State.RESTARTING)
            else:
                return

    async def _stop_reviving(self) -> None:
        task, self._revival = self._revival, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _become(self, state: State) -> None:
        self.state = state
        self._on_change()


def _said(error: Exception) -> str:
    """Why a part does not serve: that it was slow to answer is not that it said so."""
    slow = isinstance(error, TimeoutError | httpx.TimeoutException)
    if slow or (isinstance(error, grpc.aio.AioRpcError) and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED):
        return f"did not answer within {PING_LIMIT:.0f} s"
    return str(error)[:300] or type(error).__name__


def _end(process: Process | None) -> str:
    """How a process ended."""
    code = process.returncode if process is not None else None
    if code is None:
        return "ended"
    return f"ended by exit status {code}" if code >= 0 else f"ended by signal {-code}"


def _last_words(process: Process | None) -> str:
    return process.last_words()[-300:] if process is not None else ""
