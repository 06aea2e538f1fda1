"""Takes a school's turn at a destination: what waits is composed into a package, sent, and settled by its outcome.

A package is written down before it is sent and sent as it was until its outcome is known, so that a kill at any line
loses nothing and doubles nothing: the destination knows a repeated package by its id and each record by its version.
Refuses to compose anew while a package is open, and to go on where the destination does not answer.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import structlog

from chassis.clock import VIETNAM, Clock
from chassis.database import Database
from chassis.scopes import Scopes
from services.sync.convert.outgoing import Form, compose, form_of
from services.sync.convert.packages import Head, Item, written
from services.sync.domain.composing import CompositionError, Content, digest_of
from services.sync.domain.deliveries import (
    Outlet,
    PackageTooLargeError,
    Parcel,
    SchoolRefusedError,
    StillWorkingError,
    UnreachableError,
    Verdict,
)
from services.sync.domain.destinations import (
    BREAK_AFTER,
    MOST_ATTEMPTS,
    Destination,
    ExchangeForm,
    Kind,
    PackageState,
    PushState,
    next_version,
    pause_after,
    retry_after,
)
from services.sync.store import destinations as store
from services.sync.store import outgoing, pushes
from services.sync.store.outgoing import Composed, Settled, Waiting
from services.sync.store.pushes import Claimed, Package
from services.sync.usecases.outlets import Outlets

LEASE: Final = timedelta(seconds=12)  # How long a school stays claimed by a worker that was killed.
RENEW_SECONDS: Final = 4.0
TURN_SECONDS: Final = 10.0  # Then another school has its turn.
PROBE_SECONDS: Final = 20.0
PROBE_WAIT: Final = timedelta(seconds=1)
STILL_WORKING: Final = timedelta(seconds=2)
SCHOOL_RETRY: Final = timedelta(minutes=10)
SLICE: Final = 100
LEVEL: Final = "level:"
NO_LEVEL: Final = "00"
NO_VERDICT: Final = "NO_VERDICT"  # The outcome of a package does not name the record.
TOO_LARGE: Final = "TOO_LARGE"  # Not even alone is it taken.

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Pushing:
    """What pushing works with. Opened by wiring."""

    database: Database
    outlets: Outlets
    scopes: Scopes
    clock: Clock
    stirred: asyncio.Event = field(default_factory=asyncio.Event)  # Set when something was noted in this process.

    def local(self) -> datetime:
        """The present moment in the zone of schools."""
        return self.clock.now().astimezone(VIETNAM)


class _TakenApartError(Exception):
    """A package was too large; its records wait for packages of at most `size`."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


async def take_turn(pushing: Pushing) -> bool:
    """Serve one school that is due at a destination that may be called; False: there is none."""
    async with pushing.database.connection() as reads:
        every = await store.destinations(reads)
    now = pushing.local()
    callable_now = {one.code: one for one in every if one.is_open(now) and pushing.outlets.of(one) is not None}
    if not callable_now:
        return False
    async with pushing.database.transaction() as writes:
        now = pushing.clock.now()
        claimed = await pushes.claim(writes, list(callable_now), now=now, until=now + LEASE)
    if claimed is None:
        return False
    destination = callable_now[claimed.destination]
    if destination.open_until is not None and not await _probes(pushing, destination):
        # Another worker tries whether it answers again.
        async with pushing.database.transaction() as writes:
            await pushes.end_turn(writes, claimed, done=False, next_attempt_time=pushing.clock.now() + PROBE_WAIT)
        return False
    async with _renewed(pushing, claimed):
        await _serve(pushing, destination, claimed)
    return True


async def _probes(pushing: Pushing, destination: Destination) -> bool:
    """Whether this worker is the one that tries a destination which did not answer."""
    async with pushing.database.transaction() as writes:
        return await store.take_probe(writes, destination.code, now=pushing.clock.now(), seconds=PROBE_SECONDS)


@asynccontextmanager
async def _renewed(pushing: Pushing, claimed: Claimed) -> AsyncIterator[None]:
    """Keeps the school claimed while it is served."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            async with pushing.database.transaction() as writes:
                await pushes.renew(writes, claimed, until=pushing.clock.now() + LEASE)

    task = asyncio.create_task(renew())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _serve(pushing: Pushing, destination: Destination, claimed: Claimed) -> None:
    """Send packages of a school until nothing waits, its time is over or something is in the way."""
    end = time.monotonic() + TURN_SECONDS
    done, next_time = False, None
    try:
        while time.monotonic() < end and not done:
            try:
                done = not await _send_one(pushing, destination, claimed)
            except _TakenApartError as apart:
                # For the rest of the turn: the next one tries the size that is set once more.
                destination = replace(destination, package_size=apart.size)
    except StillWorkingError:
        next_time = pushing.clock.now() + STILL_WORKING
    except UnreachableError as error:
        next_time = await _unreachable(pushing, destination, error)
    except SchoolRefusedError as error:
        chance = random.random()  # noqa: S311  spreads retries
        next_time = pushing.clock.now() + retry_after(claimed.attempt_count + 4, chance=chance, longest=SCHOOL_RETRY)
        async with pushing.database.transaction() as writes:
            await store.note_answer(writes, destination.code)
            await pushes.note_problem(writes, claimed, reason=error.reason, vi=error.vi, en=error.en)
    async with pushing.database.transaction() as writes:
        if done:
            await outgoing.withhold(writes, destination.code, claimed.school_id, now=pushing.clock.now())
        await pushes.end_turn(writes, claimed, done=done, next_attempt_time=next_time)


async def _unreachable(pushing: Pushing, destination: Destination, error: UnreachableError) -> datetime:
    """Count the failure and open the circuit after several in a row; returns when to try again."""
    now, chance = pushing.clock.now(), random.random()  # noqa: S311  spreads retries
    async with pushing.database.transaction() as writes:
        current = await store.destination(writes, destination.code)
        failures = (current.failure_count if current else 0) + 1
        until = now + pause_after(failures, chance=chance)
        opened = until if failures >= BREAK_AFTER else None
        await store.note_failure(
            writes,
            destination.code,
            reason=error.reason,
            vi=f"{error.vi} Hệ thống tự gửi lại.",
            en=f"{error.en} It is tried again.",
            open_until=opened,
        )
    log.warning(
        "destination does not answer",
        action="destinations.unreachable",
        destination=destination.code,
        reason=error.reason,
        failures=failures,
    )
    return until


async def _send_one(pushing: Pushing, destination: Destination, claimed: Claimed) -> bool:
    """Send one package of a school, the open one first; False: nothing waits."""
    async with pushing.database.connection() as reads:
        package = await pushes.open_package(reads, destination.code, claimed.school_id)
    if package is None:
        package = await _composed(pushing, destination, claimed)
    if package is None:
        return False
    if package.body:
        outlet = pushing.outlets.of(destination, form=ExchangeForm(package.form))
        assert outlet is not None, "only destinations with a way are served"
        await _send(pushing, destination, claimed, outlet, package)
    return True


async def _composed(pushing: Pushing, destination: Destination, claimed: Claimed) -> Package | None:
    """Compose what waits into a package and write it down; None: nothing waits. Without a body: nothing can be sent."""
    form = form_of(destination.kind)
    now, package_id = pushing.clock.now(), uuid4()
    async with pushing.database.connection() as reads:
        found = await outgoing.waiting(
            reads, destination.code, claimed.school_id, now=now, most=destination.package_size
        )
    if not found:
        return None
    unit_code, level = _place(pushing, destination, claimed.school_id)
    items, composed = await _items(form, found)
    first = found[0]
    record_type = first.record_type + (form.delete_offset if first.deleted else 0)
    head = Head(package_id, unit_code, claimed.school_id, level, first.school_year, record_type, now)
    package = Package(
        package_id=package_id,
        unit_code=unit_code,
        level=level,
        school_year=first.school_year,
        record_type=record_type,
        state=int(PackageState.MADE),
        record_count=len(items),
        body=written(head, items, form, destination=destination) if items else b"",
        create_time=now,
        form=int(destination.form),
        cancels=first.deleted,
    )
    try:
        await _write_down(pushing, destination, claimed, package, composed)
    except _WithheldMeanwhileError:
        return replace(package, body=b"")
    return package


class _WithheldMeanwhileError(Exception):
    """A record was deleted, erased or restricted while it was composed: the package is not written, but made anew."""


async def _write_down(
    pushing: Pushing, destination: Destination, claimed: Claimed, package: Package, composed: Sequence[Composed]
) -> None:
    """Write a package down with what it holds; raises `_WithheldMeanwhileError`."""
    code, school_id = destination.code, claimed.school_id
    async with pushing.database.transaction() as writes:
        if package.body:
            await pushes.add_package(writes, code, school_id, package)
        if not await outgoing.note_composed(
            writes, code, school_id, package.package_id, composed, now=package.create_time
        ):
            raise _WithheldMeanwhileError


async def _items(form: Form, found: Sequence[Waiting]) -> tuple[list[Item], list[Composed]]:
    items: list[Item] = []
    composed: list[Composed] = []
    for number, one in enumerate(found):
        if number % SLICE == SLICE - 1:
            await asyncio.sleep(0)
        version = next_version(one.version, one.position)
        content: Content = {}
        if form.composers and not one.deleted:
            try:
                content = compose(form, one.type, one.row, key=one.key)
            except CompositionError as error:
                told = {"reason": error.reason, "field": error.field, "vi": error.vi, "en": error.en}
                composed.append(
                    Composed(one.type, one.key, one.position, one.deleted, one.version, None, failed=True, **told)
                )
                continue
        event = "CANCEL" if one.deleted else "UPDATE" if one.accepted_version else "NEW"
        items.append(Item(one.record_id, one.type, one.key, event, version, one.position, content))
        digest = digest_of(content) if form.composers else None
        composed.append(Composed(one.type, one.key, one.position, one.deleted, version, digest))
    return items, composed


def _place(pushing: Pushing, destination: Destination, school_id: int) -> tuple[str, str]:
    """The code a destination knows a school by, and its level."""
    tree, today = pushing.scopes.tree, pushing.clock.today()
    alias = tree.alias(school_id, "moet", today)
    unit = tree.unit(school_id)
    labels = unit.labels if unit else ()
    level = min((label.removeprefix(LEVEL) for label in labels if label.startswith(LEVEL)), default=NO_LEVEL)
    if alias is None and destination.kind is Kind.MINISTRY:
        raise SchoolRefusedError(
            "NO_SCHOOL_CODE",
            vi="Đơn vị chưa có mã trường của Bộ (moet:…) nên chưa gửi được. Hãy bổ sung mã cho đơn vị.",
            en="The unit has no code of the ministry (moet:…), without which nothing can be sent. Give it one.",
        )
    if destination.kind is Kind.MINISTRY and alias is not None:
        return alias.partition(":")[2], level
    return alias or str(school_id), level


async def _send(pushing: Pushing, destination: Destination, claimed: Claimed, outlet: Outlet, package: Package) -> None:
    """Send a package and settle it; whatever is raised leaves it open, to be sent again as it is."""
    async with pushing.database.transaction() as writes:
        slot = await store.next_slot(writes, destination.code, now=pushing.clock.now())
        body = await pushes.mark_sent(writes, package.package_id)
        sent = await outgoing.attempts(writes, package.package_id)
    if body is None:
        return
    await asyncio.sleep(max((slot - pushing.clock.now()).total_seconds(), 0))
    parcel = Parcel(
        package.package_id,
        package.unit_code,
        package.level,
        body,
        list(sent),
        sent_before=package.state == PackageState.SENT,
    )
    try:
        verdicts = await outlet.push(parcel)
    except PackageTooLargeError as error:
        if len(sent) > 1:
            await _take_apart(pushing, package.package_id)
            raise _TakenApartError(len(sent) // 2) from error
        verdicts = [Verdict(one, taken=False, reason=TOO_LARGE) for one in sent]
    settled = _settled(pushing, verdicts, sent, cancels=package.cancels)
    await _settle(pushing, destination, claimed, package.package_id, settled)


async def _take_apart(pushing: Pushing, package_id: UUID) -> None:
    """Close a package that is too large; its records go again at once, in smaller ones."""
    now = pushing.clock.now()
    async with pushing.database.transaction() as writes:
        if await pushes.close_package(writes, package_id, now=now):
            await outgoing.release(writes, package_id, now=now)


def _settled(
    pushing: Pushing, verdicts: Sequence[Verdict], sent: dict[str, tuple[int, int]], *, cancels: bool
) -> list[Settled]:
    """What verdicts mean for the records that were sent; what is said nothing of goes again."""
    now, settled = pushing.clock.now(), list[Settled]()
    said = {str(one.record_id).lower(): one for one in verdicts}
    for record_id, (version, attempts) in sent.items():
        one = said.get(record_id) or Verdict(record_id, taken=False, reason=NO_VERDICT, may_pass=True)
        held = one.held
        if one.taken and one.version > version:
            # Somebody else wrote a higher version there: ours goes above it.
            state, retry = PushState.TO_REPEAT, now
        elif one.taken:
            state, retry, held = PushState.ACCEPTED, None, not cancels
        elif one.may_pass and attempts + 1 < MOST_ATTEMPTS:
            state, retry = PushState.TO_REPEAT, now + retry_after(attempts, chance=random.random())  # noqa: S311
        else:
            state, retry = PushState.FAILED, None
        told = (one.reason, one.field, one.message[:500])
        settled.append(Settled(record_id, int(state), max(one.version, version), held, *told, retry_time=retry))
    return settled


async def _settle(
    pushing: Pushing, destination: Destination, claimed: Claimed, package_id: UUID, settled: Sequence[Settled]
) -> None:
    now = pushing.clock.now()
    async with pushing.database.transaction() as writes:
        if not await pushes.close_package(writes, package_id, now=now):
            return
        accepted = await outgoing.settle(writes, destination.code, claimed.school_id, package_id, settled, now=now)
        if accepted:
            await pushes.note_success(writes, destination.code, claimed.school_id, now=now)
        await store.note_answer(writes, destination.code)
        await pushes.note_problem(writes, claimed, reason="", vi="", en="")
