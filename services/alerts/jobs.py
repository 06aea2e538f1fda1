"""Timers in: looks at the facts that change by time alone, such as a school's silence, when their time has come.

Replicas share the work by claiming rows, so that each fact is looked at once. A database that is away delays the look.
"""

import asyncio
import contextlib
from collections.abc import Callable

import structlog

from chassis.database import Database
from chassis.errors import Fault
from chassis.workers import Worker
from services.alerts import usecases
from services.alerts.usecases.evaluate import Moment

CLAIM = 1000

log = structlog.get_logger(__name__)


def timer(
    database: Database, *, moment: Callable[[], Moment], wake: Callable[[], None], every_seconds: float
) -> Worker:
    """The worker that looks at due facts; `wake` is called after each commit of a change."""

    async def run(stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                while await look(database, moment(), wake=wake) == CLAIM and not stop.is_set():
                    pass
            except Fault as fault:
                log.warning("due facts not looked at", action="timer.failed", reason=fault.reason)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), every_seconds)

    return Worker("timer", run)


async def look(database: Database, moment: Moment, *, wake: Callable[[], None]) -> int:
    """Look once at what is due, at most `CLAIM` facts; returns how many there were."""
    async with database.transaction() as connection:
        looked, changes = await usecases.look_at_due_facts(connection, moment, limit=CLAIM)
    if changes:
        wake()
    return looked
