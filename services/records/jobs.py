"""What records does by itself: publishes units and grants, links persons, erases, forgets old answers, seals the log.

Every replica runs all of it; the database lets one at a time do the work.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final, Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.bus import Bus
from chassis.clock import Clock
from chassis.database import Database
from chassis.logs import said
from chassis.scopes import Scopes
from chassis.workers import Worker
from services.records.convert.rules import load_erasure_rules, load_retention_rules
from services.records.domain.retention import ATTENDANCE_NAMES, rule_in_force
from services.records.domain.sealing import Anchor
from services.records.domain.transfers import Transfer
from services.records.store import history, requests, scopes
from services.records.store.anchors import STREAM, Anchors
from services.records.store.brought import prune_brought
from services.records.usecases import persons
from services.records.usecases.erasing import carry_out_next
from services.records.usecases.persons import Turn, link_changes
from services.records.usecases.publish import is_published, publish_scopes
from services.records.usecases.retention import Retained, due, retain_attendance
from services.records.usecases.sealing import SEALED_AT_ONCE, anchor_head, check_whole_log, seal_entries
from services.records.usecases.transfers import above_both, tell_late

POLL_SECONDS: Final = 0.25  # finds what other replicas changed; our own changes wake the publisher
CHECK_SECONDS: Final = 10.0  # how soon a bucket that lost its content is filled again
PRUNE_SECONDS: Final = 600.0
LINK_SECONDS: Final = 1.0  # how soon a change of a record is looked at
REST: Final = 1  # times what a turn took, while more is waiting
REST_BESIDE_PUSHES: Final = 9  # the same while the feed grows
LONGEST_REST: Final = 2.0
RETAIN_SECONDS: Final = 86_400.0
ERASE_SECONDS: Final = 1.0  # how soon a request that was granted is carried out
PRUNED_AT_ONCE: Final = 1000
SEAL_SECONDS: Final = 1.0
LATE_SECONDS: Final = 5.0
ANCHOR_GRACE_SECONDS: Final = 15.0  # what an anchor that is due may still take

log = structlog.get_logger(__name__)


class Forget(Protocol):
    """Forgets at most so much of what is older than an instant; says how much."""

    async def __call__(self, connection: AsyncConnection, /, *, before: datetime, most: int) -> int:
        """Within the connection's transaction."""


class ScopePublisher:
    """Publishes the tree at start, after each change, on each new day, and now and then to mend a lost bucket."""

    def __init__(self, database: Database, bus: Bus, clock: Clock, *, administrators: Sequence[str]) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._administrators = administrators
        self._changed = asyncio.Event()
        self._published_day: date | None = None
        self._checked_at = float("-inf")
        self.worker = Worker("scope-publisher", self._run)

    def wake(self) -> None:
        """Say that units or grants were changed."""
        self._changed.set()

    async def _run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                if await self._due():
                    await self._publish()
            except Exception as error:  # noqa: BLE001 (whatever is away, the next look finds the change again)
                log.warning("scopes not published", action="scopes.publish_failed", error=said(error))
            await self._wait(stop)

    async def _due(self) -> bool:
        self._changed.clear()
        if self._published_day != self._clock.today():
            return True
        now = asyncio.get_running_loop().time()
        async with self._database.connection() as connection:
            if now - self._checked_at > CHECK_SECONDS:
                self._checked_at = now
                return not await is_published(connection, self._bus)
            version, published = await scopes.scope_versions(connection)
        return version != published

    async def _publish(self) -> None:
        day = self._clock.today()
        async with self._database.transaction() as connection:
            if await publish_scopes(connection, self._bus, administrators=self._administrators, day=day):
                self._published_day = day

    async def _wait(self, stop: asyncio.Event) -> None:
        waiting = [asyncio.ensure_future(event.wait()) for event in (stop, self._changed)]
        await asyncio.wait(waiting, timeout=POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for one in waiting:
            one.cancel()


def linker(database: Database, clock: Clock) -> Worker:
    """Links records to persons behind the change feed: a tenth of the time while it grows, so that pushes come first,
    and half of it afterwards.
    """

    async def run(stop: asyncio.Event) -> None:
        end = 0
        while not stop.is_set():
            began = time.monotonic()
            try:
                turn = await link_changes(database, clock)
            except Exception as error:  # noqa: BLE001 (whatever is away, the next look goes on where this one began)
                log.warning("records not linked", action="persons.link_failed", error=said(error))
                turn = Turn(waiting=False, end=end)
            rest = rest_after(turn, time.monotonic() - began, end=end)
            end = turn.end
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), rest)

    return Worker("person-linker", run)


def rest_after(turn: Turn, seconds: float, *, end: int) -> float:
    """How long to rest after a turn that took so long, where the feed ended at a place before it."""
    if not turn.waiting:
        return LINK_SECONDS
    return min((REST_BESIDE_PUSHES if turn.end > end else REST) * seconds, LONGEST_REST)


def transfer_clock(database: Database, scopes: Scopes, clock: Clock) -> Worker:
    """Tells of transfers whose clock is over: the late school, and the units above both that may decide now."""

    def nearest(transfer: Transfer) -> list[int]:
        """The nearest unit above both schools."""
        tree, today = scopes.tree, clock.today()
        return above_both(transfer, lambda one: tree.above(one, today))[:1]

    async def run(stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                while await tell_late(database, clock.today(), above_both=nearest) and not stop.is_set():
                    pass
            except Exception as error:  # noqa: BLE001 (the next look tells what this one did not)
                log.warning("late transfers not told", action="transfers.tell_failed", error=said(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LATE_SECONDS)

    return Worker("transfer-clock", run)


async def rebuild_persons(database: Database) -> int:
    """Let the projection of persons be built anew, and say so; the running service does it behind the feed."""
    gone = await persons.rebuild_persons(database)
    sys.stdout.write(f"{gone} links to no record are gone; the running service reads all records again\n")
    return 0


def eraser(database: Database, clock: Clock) -> Worker:
    """Carries out granted erasures and objections, one after the other."""

    async def run(stop: asyncio.Event) -> None:
        rules = load_erasure_rules()
        while not stop.is_set():
            try:
                more = await carry_out_next(database, clock, rules)
            except Exception as error:  # noqa: BLE001 (what was not done now is done at a later look)
                log.warning("request not carried out", action="erasures.failed", error=said(error))
                more = False
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 0 if more else ERASE_SECONDS)

    return Worker("eraser", run)


def retainer(database: Database, clock: Clock) -> Worker:
    """Lets go, once a day, what is kept no longer. Replicas may do so at once: a repeat finds nothing."""

    async def run(stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await retain(database, clock)
            except Exception as error:  # noqa: BLE001 (the next look goes on where this one stopped)
                log.warning("not retained by rule", action="retention.failed", error=said(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), RETAIN_SECONDS)

    return Worker("retainer", run)


async def retain(database: Database, clock: Clock) -> Retained | None:
    """Let go what the rule of today keeps no longer."""
    rule = rule_in_force(load_retention_rules(), ATTENDANCE_NAMES, clock.today())
    done = await retain_attendance(database, clock, rule) if rule is not None else None
    if done is not None:
        log.info(
            "names of old registers are gone",
            action="retention.done",
            before=done.before.isoformat(),
            changed=done.changed,
            locked=done.locked,
        )
    return done


async def report_retention(database: Database, clock: Clock, *, dry_run: bool) -> int:
    """Let go what is kept no longer, or only say what would; print it by rule."""
    today = clock.today()
    for what in dict.fromkeys(one.what for one in load_retention_rules()):
        rule = rule_in_force(load_retention_rules(), what, today)
        if rule is None or rule.kept_days is None:
            sys.stdout.write(f"{what}: kept for ever{f' ({rule.source})' if rule else ''}\n")
            continue
        async with database.connection() as connection:
            wanted = await due(connection, rule, today=today)
        sys.stdout.write(f"{what}: kept {rule.kept_days} days ({rule.source})\n")
        if wanted is None:
            sys.stdout.write("  nothing is that old and not done yet\n")
        elif dry_run:
            sys.stdout.write(f"  {wanted.changed} registers of {wanted.first} to {wanted.before} would lose names\n")
        elif (done := await retain_attendance(database, clock, rule)) is not None:
            sys.stdout.write(f"  {done.changed} registers have lost names, {done.locked} are locked\n")
    return 0


def pruner(database: Database, clock: Clock, *, answers_kept: timedelta, brought_kept: timedelta) -> Worker:
    """Forgets answers to ApplyRows that are older than sources repeat, and where requests came from and history that
    are kept no longer.
    """

    async def run(stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await prune(database, requests.prune_answers, before=clock.now() - answers_kept)
                await prune(database, prune_brought, before=clock.now() - brought_kept)
                await prune_history(database, clock=clock)
            except Exception as error:  # noqa: BLE001 (the next look prunes what this one did not)
                log.warning("not pruned", action="records.prune_failed", error=said(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), PRUNE_SECONDS)

    return Worker("pruner", run)


async def prune(database: Database, forget: Forget, *, before: datetime) -> int:
    """Forget what is older than an instant, a thousand a transaction; returns how much."""
    total = 0
    while True:
        async with database.transaction() as connection:
            gone = await forget(connection, before=before, most=PRUNED_AT_ONCE)
        total += gone
        if gone < PRUNED_AT_ONCE:
            return total


async def prune_history(database: Database, *, clock: Clock) -> int:
    """Forget states that are kept no longer, a thousand a transaction; returns how many."""
    total = 0
    async with database.transaction() as connection:
        horizons = await history.begin_pruning(connection, now=clock.now())
    for spec, before in horizons:
        gone = PRUNED_AT_ONCE
        while gone == PRUNED_AT_ONCE:
            async with database.connection() as connection:
                gone = await history.prune_states(connection, spec, before=before, most=PRUNED_AT_ONCE)
            total += gone
    return total


def sealer(database: Database, anchors: Anchors, *, anchor_seconds: float) -> Worker:
    """Seals the access log as it grows, and anchors its end now and then."""

    async def run(stop: asyncio.Event) -> None:
        anchor_due = 0.0
        while not stop.is_set():
            try:
                while await seal_entries(database) == SEALED_AT_ONCE and not stop.is_set():
                    pass
                now = asyncio.get_running_loop().time()
                if now >= anchor_due:
                    await anchor_head(database, anchors)
                    anchor_due = now + anchor_seconds
            except Exception as error:  # noqa: BLE001 (what was not sealed or anchored now is later)
                log.warning("access log not sealed", action="access_log.seal_failed", error=said(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), SEAL_SECONDS)

    return Worker("access-sealer", run)


async def verify_access_log(
    database: Database,
    anchors: Anchors | None,
    *,
    given: Sequence[Anchor],
    since: datetime | None,
    anchor_seconds: float,
) -> int:
    """Check the access log and print what was found; the exit status says whether anything is wrong.

    No anchors at a broker are wrong beside a log that is long enough for one: whoever makes the chain anew could else
    do away with them.
    """
    held = await anchors.every() if anchors is not None else []
    compared = [anchor for anchor in (*given, *held) if since is None or anchor.time >= since]
    found = await check_whole_log(database, compared)
    gone = anchors is not None and not held and found.seconds > anchor_seconds + ANCHOR_GRACE_SECONDS
    if found.wrong is not None:
        entry = f"entry {found.wrong.entry_id}" if found.wrong.entry_id else "no entry"
        sys.stdout.write(f"WRONG at place {found.wrong.sequence}, {entry}: {found.wrong.what}\n")
    if gone:
        sys.stdout.write(
            f"WRONG: the broker holds no anchor (stream {STREAM}), so the chain may have been made anew;"
            " compare it with anchors that the service's log told: --anchor PLACE:HASH\n"
        )
    oldest = f", the broker's oldest of {held[0].time.isoformat(timespec='seconds')}" if held else ""
    sys.stdout.write(
        f"{found.head.sequence} entries are in order, up to {found.head.sequence}:{found.head.hash.hex()};"
        f" {found.met} of {len(compared)} anchors agree{oldest}; {found.waiting} entries wait for their seal\n"
    )
    return 1 if gone or found.wrong is not None else 0
