"""Timers in: looks at the facts that change by time alone, such as a school's silence, when their time has come, and
lets open alerts follow rules that were withdrawn or came into force.

Replicas share the work by claiming rows, so that each fact is looked at once. A look that fails, whatever the reason,
is made again: it stops neither the other looks nor the process.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from chassis.database import Database
from chassis.dead_letters import reason_of
from chassis.logs import said
from chassis.workers import Worker
from services.alerts import usecases
from services.alerts.usecases.evaluate import Moment

CLAIM = 1000

log = structlog.get_logger(__name__)


def timer(
    database: Database, *, moment: Callable[[], Moment], wake: Callable[[], None], every_seconds: float
) -> Worker:
    """The worker that looks at due facts and outdated alerts; `wake` is called after each commit of a change."""

    async def look_at_facts(stop: asyncio.Event) -> None:
        looked = CLAIM
        while looked == CLAIM and not stop.is_set():
            async with database.transaction() as connection:
                looked, changes = await usecases.look_at_due_facts(connection, moment(), limit=CLAIM)
            if changes:
                wake()

    async def follow_rules(stop: asyncio.Event) -> None:
        after = -1
        while after and not stop.is_set():
            async with database.transaction() as connection:
                after, changes = await usecases.follow_rules(connection, moment(), limit=CLAIM, after=max(after, 0))
            if changes:
                wake()

    async def run(stop: asyncio.Event) -> None:
        while not stop.is_set():
            for looking in (look_at_facts, follow_rules):
                await _tried(looking(stop))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), every_seconds)

    return Worker("timer", run)


async def _tried(look: Awaitable[None]) -> None:
    try:
        await look
    except Exception as error:  # noqa: BLE001 (the next look sees what this one did not)
        log.warning("timer failed", action="timer.failed", reason=reason_of(error), error=said(error))
