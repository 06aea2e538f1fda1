"""Rows of sources stored, each with its own outcome; a repeated request answers the same.

Requests that come together share a transaction, and each keeps its own answer, its own events and its own trace. The
order matters: the schools are locked before anything is read or written, so that two batches that share schools never
wait for each other in a circle, and what is looked at stays true until it is written: what is locked and who owns what,
too. A row that would change what is locked is held, and its neighbours go on. A higher version of the same content is
noted all the same: the content stays, and a later row must still be known as late.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import outbox
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import Fault, Kind
from chassis.grouping import Grouped
from services.records.convert.events import RECORDS_CHANGED, pack_changes
from services.records.convert.incoming import Batch
from services.records.convert.outcomes import answer_of
from services.records.convert.rules import load_erasure_rules
from services.records.convert.withholding import followers
from services.records.domain.edits import Kept
from services.records.domain.erasing import Identity, Withheld
from services.records.domain.persons import PUPIL
from services.records.store import brought, bulk, edits, keys, persons, requests
from services.records.store.driver import begin
from services.records.store.full_copies import keep_full_copies
from services.records.store.sandboxes import sandboxed
from services.records.store.withheld import follow_restrictions
from services.records.usecases.bounds import Bounds, bounds_of
from services.records.usecases.deciding import Decided, decide, give_up
from services.records.usecases.vocabulary import Vocabulary

LANES: Final = 3  # transactions under way at once
MOST_ROWS: Final = 5_000  # rows of one transaction, unless one request brings more
MOST_WAITING: Final = 40_000  # rows that wait for a transaction; who brings more is told to come again


def applying(database: Database, clock: Clock) -> Grouped[Batch, bytes]:
    """What takes batches and gives each its serialized answer once it is durable."""
    vocabulary = Vocabulary(database)

    async def work(batches: Sequence[Batch]) -> list[bytes]:
        await vocabulary.learn([batch for batch in batches if not batch.validate_only])
        async with database.transaction() as connection:
            return await apply_rows(connection, batches, now=clock.now())

    return Grouped(work, lanes=LANES, most=MOST_ROWS, bound=MOST_WAITING, weigh=lambda batch: batch.count)


async def apply_rows(connection: AsyncConnection, batches: Sequence[Batch], *, now: datetime) -> list[bytes]:
    """Store batches in the order given; raises REQUEST_ID_REUSED when the id of one came with another."""
    schools = {school_id for batch in batches for school_id in batch.school_ids}
    await bulk.lock_schools(connection, schools)
    await begin(connection)  # Where no school is known nothing has begun the transaction yet.
    collections = {spec.collection for batch in batches for spec in batch.entries}
    bounds = await bounds_of(connection, schools, collections, now=now)
    pupils = any(PUPIL in batch.entries for batch in batches)
    elsewhere = await persons.counted_elsewhere(connection, schools) if pupils else frozenset()
    untold = await sandboxed(connection, schools)
    answers: list[bytes] = []
    # What is found wrong is noted with a batch; a batch that is tried again begins without it.
    for group in _apart([replace(batch, problems=dict(batch.problems)) for batch in batches]):
        answered = await _apply_group(connection, group, bounds=bounds, elsewhere=elsewhere, untold=untold, now=now)
        answers += [answered[batch.request_id] for batch in group]
    return answers


def _apart(batches: Sequence[Batch]) -> Iterator[list[Batch]]:
    """Runs of batches that share neither a school nor a request id, so that one does not build on another."""
    group: list[Batch] = []
    schools, ids = set[int](), set[str]()
    for batch in batches:
        if batch.request_id in ids or not schools.isdisjoint(batch.school_ids):
            yield group
            group, schools, ids = [], set(), set()
        group.append(batch)
        schools |= batch.school_ids
        ids.add(batch.request_id)
    yield group


async def _apply_group(
    connection: AsyncConnection,
    group: Sequence[Batch],
    *,
    bounds: Bounds,
    elsewhere: Collection[tuple[int, str]],
    untold: Collection[int],
    now: datetime,
) -> dict[str, bytes]:
    """Store batches that have nothing in common; the answers by request id."""
    earlier = await requests.answered(connection, [batch.request_id for batch in group])
    for batch in group:
        if batch.request_id in earlier and earlier[batch.request_id][0] != batch.digest:
            raise request_id_reused(batch.request_id)
    answers = {request_id: answer for request_id, (_, answer) in earlier.items()}
    new = [batch for batch in group if batch.request_id not in earlier]
    decided = [Decided() for _ in new]
    for spec in dict.fromkeys(spec for batch in new for spec in batch.entries):
        await decide(connection, spec, list(zip(new, decided, strict=True)), bounds=bounds, now=now)
    for batch, one in zip(new, decided, strict=True):
        if batch.atomic:
            give_up(batch, one)
    kept = {batch.request_id: answer_of(batch, one.outcomes) for batch, one in zip(new, decided, strict=True)}
    meant = [(batch, one) for batch, one in zip(new, decided, strict=True) if not batch.validate_only]
    await _write(connection, [one for _, one in meant], now=now)
    changing = [batch for batch, one in meant if one.accepted and batch.edit is None]
    await brought.keep_brought(connection, {one.request_id: one.brought for one in changing if one.brought}, now=now)
    await _note_full_copies(connection, [batch for batch, _ in meant], bounds=bounds)
    restricted = (
        await _restrict(connection, meant, withheld=bounds.withheld) if bounds.withheld.restricted else frozenset()
    )
    await _tell(connection, meant, elsewhere=elsewhere, restricted=restricted, untold=untold)
    # A correction that was refused may be sent again under its id: what was in its way may be gone.
    rows = [
        (batch.request_id, batch.digest, kept[batch.request_id])
        for batch, one in meant
        if batch.edit is None or one.accepted
    ]
    if faster := await requests.keep_answers(connection, rows, now=now):
        # No school kept the two apart, so neither stored anything: the answer of the one that came first counts.
        known = await requests.answered(connection, sorted(faster))
        for batch in new:
            if batch.request_id in faster and known[batch.request_id][0] != batch.digest:
                raise request_id_reused(batch.request_id)
        kept |= {request_id: answer for request_id, (_, answer) in known.items()}
    return answers | kept


async def _note_full_copies(connection: AsyncConnection, batches: Sequence[Batch], *, bounds: Bounds) -> None:
    """Keep what was told completely, also for batches that follow in the same transaction."""
    copies = [batch.full_copy for batch in batches if batch.full_copy]
    if copies:
        await keep_full_copies(connection, copies)
    for copy in copies:
        bounds.copies.take(copy)


async def _tell(
    connection: AsyncConnection,
    meant: Sequence[tuple[Batch, Decided]],
    *,
    elsewhere: Collection[tuple[int, str]],
    restricted: Collection[Identity],
    untold: Collection[int],
) -> None:
    """Let the events leave that tell what was stored, but in `untold` schools, and keep who corrected what and why."""
    leaving = []
    corrected = []
    for batch, one in meant:
        accepted = sorted(one.accepted, key=lambda row: row[0])
        packed = await pack_changes(batch, accepted, elsewhere=elsewhere, restricted=restricted, untold=untold)
        leaving += [outbox.Outgoing(RECORDS_CHANGED, each.payload, each.count, parent=batch.trace) for each in packed]
        if batch.edit is not None:
            by, reason = batch.edit.by, batch.edit.reason
            corrected += [Kept(school_id, batch.request_id, by, reason) for _, school_id, _ in one.accepted]
    await outbox.append(connection, leaving)
    if corrected:
        await edits.keep_edits(connection, corrected)


async def _restrict(
    connection: AsyncConnection, meant: Sequence[tuple[Batch, Decided]], *, withheld: Withheld
) -> Collection[Identity]:
    """Restrict what was stored of, or in the place of, what is restricted; returns all that is."""
    rules = load_erasure_rules()
    found = [pair for batch, one in meant for pair in followers(batch, one.accepted, withheld=withheld, rules=rules)]
    if found:
        await follow_restrictions(connection, found)
    return {*withheld.restricted, *(follower for follower, _ in found)}


async def _write(connection: AsyncConnection, decided: Sequence[Decided], *, now: datetime) -> None:
    """Write what was decided of batches that have nothing in common."""
    for spec in dict.fromkeys(spec for one in decided for spec in one.writes):
        parts = [one.writes[spec] for one in decided if spec in one.writes]
        if inserted := [row for part in parts for row in part.inserted]:
            await bulk.insert_records(connection, spec, inserted)
        if replaced := [row for part in parts for row in part.replaced]:
            await bulk.replace_records(connection, spec, replaced)
        if raised := {identity: version for part in parts for identity, version in part.raised.items()}:
            await bulk.raise_versions(connection, spec, raised)
        if renames := [rename for part in parts for rename in part.renames]:
            await keys.keep_renames(connection, renames, now=now)


def request_id_reused(request_id: str) -> Fault:
    """What is said to a request id that came with another request."""
    return Fault(
        Kind.INVALID,
        "REQUEST_ID_REUSED",
        vi=f"Mã yêu cầu «{request_id}» đã dùng cho một yêu cầu khác. Hãy dùng mã mới.",
        en=f"The request id {request_id} was used for another request. Use a new one.",
        metadata={"request_id": request_id},
    )
