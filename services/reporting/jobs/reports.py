"""Timers of reports: locks to ask of records, reminders, exports. Replicas share the work by claiming rows.

A look that fails, whatever the reason, is made again: it stops neither the other looks nor the process.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from chassis.dead_letters import reason_of
from chassis.logs import said
from chassis.workers import Worker

Look = Callable[[], Awaitable[int]]
REST_SECONDS = 0.05  # Between two looks while there is work.

log = structlog.get_logger(__name__)


def looking(name: str, look: Look, *, every_seconds: float, ready: Callable[[], bool] = lambda: True) -> Worker:
    """A worker that looks again at once while there is work, and else now and then; not before it is `ready`."""

    async def run(stop: asyncio.Event) -> None:
        while not stop.is_set():
            done = 0
            try:
                done = await look() if ready() else 0
            except Exception as error:  # noqa: BLE001 (the next look sees what this one did not)
                log.warning(
                    "look failed", action="reports.look_failed", look=name, reason=reason_of(error), error=said(error)
                )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), REST_SECONDS if done else every_seconds)

    return Worker(name, run)
