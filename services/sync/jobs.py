"""Timers in: whenever the tree of units has changed, and every minute for days that pass, connections follow it."""

import asyncio

import structlog

from chassis.errors import Fault
from chassis.workers import Worker
from services.sync.usecases.connections import follow_tree
from services.sync.usecases.intake import Intake

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
