"""Timers in: connections follow the tree of units whenever it has changed and as days pass; imports are worked on, rows
that a lifted lock held are taken once more, schools are looked at for how far they are connected, records are passed on
to destinations, and what is old is forgotten.

Every replica runs all of it.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from chassis.clock import Clock
from chassis.database import Database
from chassis.dead_letters import reason_of
from chassis.errors import Fault
from chassis.scope_tree import ScopeCalendar
from chassis.workers import Worker
from services.sync.clients.records import Records
from services.sync.domain.destinations import Destination
from services.sync.store import (
    batches,
    declarations,
    destinations,
    imports,
    pushes,
    quarantine,
    reconciliations,
    sandboxes,
)
from services.sync.store.coverage import prune_days
from services.sync.usecases import coverage, noting
from services.sync.usecases.connections import follow_tree
from services.sync.usecases.coverage import Coverage
from services.sync.usecases.imports.office import Office
from services.sync.usecases.imports.working import work_on_next
from services.sync.usecases.intake import Intake
from services.sync.usecases.partner_connections import publish_narrowing
from services.sync.usecases.partners import Partners, publish_keyring
from services.sync.usecases.pushing import Pushing, take_turn
from services.sync.usecases.replaying import replay_next_unlocked
from services.sync.usecases.telling import tell

IDLE_SECONDS: Final = 0.5  # A push worker without work looks again, sooner when something was noted here.
TELL_SECONDS: Final = 1.0
AFTER_FAILURE_SECONDS: Final = 1.0
PRUNE_SECONDS: Final = 600.0
PRUNED_AT_ONCE: Final = 1000
LOOK_SECONDS: Final = 1.0

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


def importers(office: Office) -> list[Worker]:
    """The workers that work on imports: two, so that a long one does not hold up the others."""
    return [
        Worker(f"importer-{number}", partial(_repeat, office.rung, partial(work_on_next, office), "imports"))
        for number in (1, 2)
    ]


def replayer(intake: Intake) -> Worker:
    """The worker that takes rows once more which a lifted lock held."""
    return Worker("replayer", partial(_repeat, asyncio.Event(), partial(replay_next_unlocked, intake), "replay"))


def keyring_publisher(partners: Partners) -> Worker:
    """The worker that publishes the keys of partners and what they may read: at once when some were changed, else as
    time passes.
    """

    async def publish() -> bool:
        if await publish_keyring(partners):
            log.info("keys of partners published", action="partners.keys_published")
        if await publish_narrowing(partners):
            log.info("what partners may read published", action="partners.narrowing_published")
        return False

    return Worker("keyring-publisher", partial(_repeat, partners.rung, publish, "partners.keys"))


async def _repeat(rung: asyncio.Event, work: Callable[[], Awaitable[bool]], name: str, stop: asyncio.Event) -> None:
    """Work as long as there is work; then look again when rung, or after a while. Stopped, leaves work to another."""
    stopping = asyncio.ensure_future(stop.wait())
    while not stopping.done():
        working = asyncio.ensure_future(work())
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            working.cancel()
        more = False
        try:
            more = await working
        except asyncio.CancelledError:
            if not stopping.done():
                raise
        except Exception as error:  # noqa: BLE001 (whatever is away, the next look goes on)
            log.warning("work failed", action=f"{name}.failed", reason=reason_of(error))
        if not more and not stopping.done():
            rung.clear()
            heard = asyncio.ensure_future(rung.wait())
            await asyncio.wait([heard, stopping], timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            heard.cancel()


@dataclass(frozen=True, slots=True)
class Kept:
    """How long things are kept."""

    batches: timedelta
    quarantined: timedelta
    files: timedelta
    outcomes: timedelta


def pruner(database: Database, clock: Clock, *, kept: Kept) -> Worker:
    """Forgets batches sources no longer repeat, quarantined rows nobody asks for any more, files with imports, and what
    became of packages and which records differed long ago.
    """

    async def run(stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await prune(database, clock, kept=kept)
            except Exception as error:  # noqa: BLE001 (the next look prunes what this one did not)
                log.warning("batches not pruned", action="sync.prune_failed", reason=reason_of(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), PRUNE_SECONDS)

    return Worker("pruner", run)


async def prune(database: Database, clock: Clock, *, kept: Kept) -> tuple[int, int, int]:
    """Forget what is old, a thousand a transaction; returns how many batches, quarantined rows and files."""
    counts = []
    for forget, age in (
        (batches.prune, kept.batches),
        (quarantine.prune, kept.quarantined),
        (imports.prune_files, kept.files),
        (imports.prune, kept.batches),
        (prune_days, kept.batches),
        (declarations.prune, kept.batches),
        (declarations.prune_questions, kept.quarantined),
        (sandboxes.prune, kept.batches),
        (pushes.prune_outcomes, kept.outcomes),
        (reconciliations.prune_differences, kept.outcomes),
    ):
        total, gone = 0, PRUNED_AT_ONCE
        while gone == PRUNED_AT_ONCE:
            async with database.transaction() as writes:
                gone = await forget(writes, before=clock.now() - age, most=PRUNED_AT_ONCE)
            total += gone
        counts.append(total)
    forgotten, rows, uploads, *_ = counts
    return forgotten, rows, uploads


def follower(pushing: Pushing, records: Records, own: Sequence[Destination], *, every_seconds: float) -> Worker:
    """The worker that notes for each destination what changes; `own` are those that settings name."""

    async def follow_all() -> None:
        async with pushing.database.transaction() as writes:
            for one in own:
                await destinations.keep_endpoint(writes, one)
        async with pushing.database.connection() as reads:
            every = await destinations.destinations(reads)
        for one in every:
            if noted := await noting.follow(pushing, records, one):
                log.info("changes noted", action="destinations.noted", destination=one.code, count=noted)
                pushing.stirred.set()

    return _repeated("destinations", follow_all, every_seconds=every_seconds)


def pushers(pushing: Pushing, *, count: int) -> list[Worker]:
    """The workers that push, a school at a time each."""

    async def push_all() -> None:
        pushing.stirred.clear()
        while await take_turn(pushing):
            pass

    return [
        _repeated(f"pusher-{number}", push_all, every_seconds=IDLE_SECONDS, sooner=pushing.stirred)
        for number in range(count)
    ]


def teller(pushing: Pushing) -> Worker:
    """The worker that counts schools anew where something changed, and tells of it."""

    async def tell_all() -> None:
        while await tell(pushing.database, pushing.scopes, pushing.clock):
            pass

    return _repeated("pushes-told", tell_all, every_seconds=TELL_SECONDS)


def coverage_keeper(judge: Coverage, *, every_seconds: float) -> Worker:
    """The worker that looks at schools that are due; at first at all of them, as rules may be others by now, and again
    whenever calendars are told that differ.
    """
    told: frozenset[ScopeCalendar] | None = None

    async def look_at_all() -> None:
        nonlocal told
        if told != (calendars := judge.scopes.tree.calendars):
            await coverage.look_anew(judge)
            told = calendars
        while await coverage.look(judge):
            pass

    return _repeated("coverage", look_at_all, every_seconds=every_seconds)


def _repeated(
    name: str, work: Callable[[], Awaitable[None]], *, every_seconds: float, sooner: asyncio.Event | None = None
) -> Worker:
    """Work that is done again and again, whatever it meets; what is away is waited for."""

    async def run(stop: asyncio.Event) -> None:
        stopping = asyncio.ensure_future(stop.wait())
        while not stopping.done():
            working = asyncio.ensure_future(work())
            await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                working.cancel()
                await asyncio.gather(working, return_exceptions=True)
                return
            if error := working.exception():
                await _put_up_with(name, error)
            woken = asyncio.ensure_future((sooner or asyncio.Event()).wait())
            await asyncio.wait([woken, stopping], timeout=every_seconds, return_when=asyncio.FIRST_COMPLETED)
            woken.cancel()

    return Worker(name, run)


async def _put_up_with(name: str, error: BaseException) -> None:
    if isinstance(error, Fault):
        log.warning("work waits", action="destinations.wait", worker=name, reason=error.reason)
    else:
        log.error("work failed", action="destinations.failed", worker=name, exc_info=error)
    await asyncio.sleep(AFTER_FAILURE_SECONDS)
