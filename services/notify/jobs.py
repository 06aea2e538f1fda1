"""Timers in: announcements leave, fill inboxes and remind when their time has come.

Replicas share the work by claiming rows. Whatever fails is tried again at the next look and stops nothing else.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from chassis.clock import Clock
from chassis.database import Database
from chassis.dead_letters import reason_of
from chassis.logs import said
from chassis.scopes import Scopes
from chassis.workers import Worker
from services.notify.usecases import sending

LOOK_SECONDS = 1.0

log = structlog.get_logger(__name__)


class AnnouncementTimer:
    """Looks once a second, and at once when something was decided in this process."""

    def __init__(self, database: Database, scopes: Scopes, clock: Clock, *, wake: Callable[[], None]) -> None:
        self._database = database
        self._scopes = scopes
        self._clock = clock
        self._wake = wake
        self._asked = asyncio.Event()
        self.worker = Worker("announcements", self._run)

    def ask(self) -> None:
        """Look at once."""
        self._asked.set()

    async def _run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._asked.clear()
            for look in (self._send, self._deliver, self._remind):
                await _tried(look(stop))
            await _either(stop, self._asked, seconds=LOOK_SECONDS)

    async def _send(self, stop: asyncio.Event) -> None:
        more = True
        while more and not stop.is_set():
            async with self._database.transaction() as connection:
                more = await sending.send_due(connection, self._scopes, self._clock)

    async def _deliver(self, stop: asyncio.Event) -> None:
        count = 1
        while count and not stop.is_set():
            async with self._database.transaction() as connection:
                count = await sending.deliver_awaited(connection, now=self._clock.now())
            if count:
                self._wake()

    async def _remind(self, stop: asyncio.Event) -> None:
        more = True
        while more and not stop.is_set():
            async with self._database.transaction() as connection:
                more = await sending.remind_due(connection, now=self._clock.now())
            if more:
                self._wake()


async def _tried(look: Awaitable[None]) -> None:
    try:
        await look
    except Exception as error:  # noqa: BLE001 (the next look sees what this one did not)
        log.warning("timer failed", action="timer.failed", reason=reason_of(error), error=said(error))


async def _either(*events: asyncio.Event, seconds: float) -> None:
    tasks = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
