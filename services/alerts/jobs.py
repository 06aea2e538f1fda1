"""Timers in: looks at the facts that change by time alone, such as a school's silence, when their time has come, and
lets open alerts follow rules that were withdrawn or came into force.

Replicas share the work by claiming rows, so that each fact is looked at once. A database that is away delays the look.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database
from chassis.errors import Fault
from chassis.workers import Worker
from services.alerts import usecases
from services.alerts.domain import Change
from services.alerts.usecases.evaluate import Moment

CLAIM = 1000

log = structlog.get_logger(__name__)


class _Look(Protocol):
    def __call__(
        self, connection: AsyncConnection, moment: Moment, *, limit: int
    ) -> Awaitable[tuple[int, list[Change]]]: ...


def timer(
    database: Database, *, moment: Callable[[], Moment], wake: Callable[[], None], every_seconds: float
) -> Worker:
    """The worker that looks at due facts and outdated alerts; `wake` is called after each commit of a change."""

    async def run(stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                for looking in (usecases.look_at_due_facts, usecases.follow_rules):
                    while await _look(database, looking, moment(), wake=wake) == CLAIM and not stop.is_set():
                        pass
            except Fault as fault:
                log.warning("timer failed", action="timer.failed", reason=fault.reason)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), every_seconds)

    return Worker("timer", run)


async def _look(database: Database, looking: _Look, moment: Moment, *, wake: Callable[[], None]) -> int:
    """Look once, at most at `CLAIM` things; returns how many there were."""
    async with database.transaction() as connection:
        looked, changes = await looking(connection, moment, limit=CLAIM)
    if changes:
        wake()
    return looked
