"""Timers in: connections follow the tree of units whenever it has changed and as days pass; what is old is forgotten.

Every replica runs both.
"""

import asyncio
import contextlib
from datetime import timedelta
from typing import Final

import structlog

from chassis.clock import Clock
from chassis.database import Database
from chassis.dead_letters import reason_of
from chassis.errors import Fault
from chassis.workers import Worker
from services.sync.store import batches, quarantine
from services.sync.usecases.connections import follow_tree
from services.sync.usecases.intake import Intake

PRUNE_SECONDS: Final = 600.0
PRUNED_AT_ONCE: Final = 1000

log = structlog.get_logger(__name__)


def connections(intake: Intake, *, every_seconds: float) -> Worker:
    """The worker that lets connections follow the tree; it outlives a database or a broker that is away."""

    async def run(stop: asyncio.Event) -> None:
        stopping = asyncio.ensure_future(stop.wait())
        while not stopping.done():
            changed = asyncio.ensure_future(intake.scopes.changed())
            try:
                await _follow(intake)
                await asyncio.wait([changed, stopping], timeout=every_seconds, return_when=asyncio.FIRST_COMPLETED)
            finally:
                changed.cancel()

    return Worker("connections", run)


async def _follow(intake: Intake) -> None:
    try:
        count = await follow_tree(intake)
    except Fault as fault:
        log.warning("connections wait", action="connections.wait", reason=fault.reason)
        return
    if count:
        log.info("connections follow the tree", action="connections.followed", count=count)


def pruner(database: Database, clock: Clock, *, batches_kept: timedelta, quarantined_kept: timedelta) -> Worker:
    """Forgets batches sources no longer repeat, and quarantined rows nobody asks for any more."""

    async def run(stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await prune(database, clock, batches_kept=batches_kept, quarantined_kept=quarantined_kept)
            except Exception as error:  # noqa: BLE001 (the next look prunes what this one did not)
                log.warning("batches not pruned", action="sync.prune_failed", reason=reason_of(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), PRUNE_SECONDS)

    return Worker("pruner", run)


async def prune(
    database: Database, clock: Clock, *, batches_kept: timedelta, quarantined_kept: timedelta
) -> tuple[int, int]:
    """Forget old batches and quarantined rows, a thousand a transaction; returns how many of each."""
    counts = []
    for forget, kept in ((batches.prune, batches_kept), (quarantine.prune, quarantined_kept)):
        total, gone = 0, PRUNED_AT_ONCE
        while gone == PRUNED_AT_ONCE:
            async with database.transaction() as writes:
                gone = await forget(writes, before=clock.now() - kept, most=PRUNED_AT_ONCE)
            total += gone
        counts.append(total)
    forgotten, rows = counts
    return forgotten, rows
