"""Rows of sources stored, each with its own outcome; a repeated request answers the same.

Requests that come together share a transaction, and each keeps its own answer, its own events and its own trace. The
order matters: the schools are locked before anything is read or written, so that two batches that share schools never
wait for each other in a circle, and what is looked at stays true until it is written: what is locked, too. A row that
would change what is locked is held, and its neighbours go on. A higher version of the same content is noted all the
same: the content stays, and a later row must still be known as late.
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
from services.records.convert.events import RECORDS_CHANGED, Accepted, pack_changes
from services.records.convert.incoming import Batch, Entry, Values, column_values
from services.records.convert.outcomes import answer_of
from services.records.domain import problems
from services.records.domain.locks import Lock, OpenLocks
from services.records.domain.objects import ObjectSpec
from services.records.domain.persons import PUPIL
from services.records.domain.versions import Outcome, Stored, classify
from services.records.store import bulk, keys, locks, persons, requests
from services.records.store.driver import begin
from services.records.store.keys import Rename
from services.records.usecases.vocabulary import Vocabulary

LANES: Final = 3  # transactions under way at once
MOST_ROWS: Final = 5_000  # rows of one transaction, unless one request brings more
MOST_WAITING: Final = 40_000  # rows that wait for a transaction; who brings more is told to come again


def applying(database: Database, clock: Clock) -> Grouped[Batch, bytes]:
    """What takes batches and gives each its serialized answer once it is durable."""
    vocabulary = Vocabulary(database)

    async def work(batches: Sequence[Batch]) -> list[bytes]:
        await vocabulary.learn(batches)
        async with database.transaction() as connection:
            return await apply_rows(connection, batches, now=clock.now())

    return Grouped(work, lanes=LANES, most=MOST_ROWS, bound=MOST_WAITING, weigh=lambda batch: batch.count)


async def apply_rows(connection: AsyncConnection, batches: Sequence[Batch], *, now: datetime) -> list[bytes]:
    """Store batches in the order given; raises REQUEST_ID_REUSED when the id of one came with another."""
    schools = {school_id for batch in batches for school_id in batch.school_ids}
    await bulk.lock_schools(connection, schools)
    await begin(connection)  # Where no school is known nothing has begun the transaction yet.
    collections = {spec.collection for batch in batches for spec in batch.entries}
    closed = OpenLocks(await locks.open_locks(connection, schools, collections) if schools else ())
    pupils = any(PUPIL in batch.entries for batch in batches)
    elsewhere = await persons.counted_elsewhere(connection, schools) if pupils else frozenset()
    answers: dict[str, bytes] = {}
    # What is found wrong is noted with a batch; a batch that is tried again begins without it.
    for group in _apart([replace(batch, problems=dict(batch.problems)) for batch in batches]):
        answers |= await _apply_group(connection, group, closed=closed, elsewhere=elsewhere, now=now)
    return [answers[batch.request_id] for batch in batches]


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
    closed: OpenLocks,
    elsewhere: Collection[tuple[int, str]],
    now: datetime,
) -> dict[str, bytes]:
    """Store batches that have nothing in common; the answers by request id."""
    earlier = await requests.answered(connection, [batch.request_id for batch in group])
    for batch in group:
        if batch.request_id in earlier and earlier[batch.request_id][0] != batch.digest:
            raise request_id_reused(batch.request_id)
    answers = {request_id: answer for request_id, (_, answer) in earlier.items()}
    new = [batch for batch in group if batch.request_id not in earlier]
    outcomes: list[dict[int, Outcome]] = [{} for _ in new]
    accepted: list[list[Accepted]] = [[] for _ in new]
    for spec in dict.fromkeys(spec for batch in new for spec in batch.entries):
        await _store(connection, spec, list(zip(new, outcomes, accepted, strict=True)), closed=closed, now=now)
    leaving = []
    for batch, taken in zip(new, accepted, strict=True):
        packed = await pack_changes(batch, sorted(taken, key=lambda one: one[0]), elsewhere=elsewhere)
        leaving += [outbox.Outgoing(RECORDS_CHANGED, one.payload, one.count, parent=batch.trace) for one in packed]
    await outbox.append(connection, leaving)
    kept = {batch.request_id: answer_of(batch, known) for batch, known in zip(new, outcomes, strict=True)}
    rows = [(batch.request_id, batch.digest, kept[batch.request_id]) for batch in new]
    if faster := await requests.keep_answers(connection, rows, now=now):
        # No school kept the two apart, so neither stored anything: the answer of the one that came first counts.
        known = await requests.answered(connection, sorted(faster))
        for batch in new:
            if batch.request_id in faster and known[batch.request_id][0] != batch.digest:
                raise request_id_reused(batch.request_id)
        kept |= {request_id: answer for request_id, (_, answer) in known.items()}
    return answers | kept


async def _store(
    connection: AsyncConnection,
    spec: ObjectSpec,
    parts: Sequence[tuple[Batch, dict[int, Outcome], list[Accepted]]],
    *,
    closed: OpenLocks,
    now: datetime,
) -> None:
    """Store the rows of one type of some batches, and note what became of each row."""
    identities = [entry[:2] for batch, _, _ in parts for entry in batch.entries.get(spec, ())]
    minding = closed.concern(spec)
    stored = await bulk.stored_versions(connection, spec, identities, places=minding)
    inserted, replaced = list[Values](), list[Values]()
    raised: dict[bulk.Identity, int] = {}
    renames: list[Rename] = []
    for batch, outcomes, accepted in parts:
        entries = batch.entries.get(spec, ())
        fresh, changed, noted = _sort_out(entries, stored, batch=batch, outcomes=outcomes)
        made: list[tuple[list[Values], Entry, Values]] = []
        for rows, chosen in ((inserted, fresh), (replaced, changed)):
            values = await column_values(spec, chosen, batch=batch, now=now)
            taken = [entry for entry in chosen if entry[4] not in batch.problems]
            if minding and (held := _held(spec, taken, values, stored, closed=closed)):
                outcomes.update(dict.fromkeys(held, Outcome.HELD))
                batch.problems.update({index: problems.locked(lock) for index, lock in held.items()})
            made += [(rows, entry, row) for entry, row in zip(taken, values, strict=True)]
        late = _share_fate(spec, entries, batch=batch, outcomes=outcomes, renames=renames) if batch.renamed else ()
        for rows, entry, row in made:
            if entry[4] not in batch.problems and entry[4] not in late:
                rows.append(row)
                accepted.append((entry[4], entry[0], spec))
        raised |= {entry[:2]: entry[2] for entry in noted if entry[4] not in batch.problems}
    if inserted:
        await bulk.insert_records(connection, spec, inserted)
    if replaced:
        await bulk.replace_records(connection, spec, replaced)
    if raised:
        await bulk.raise_versions(connection, spec, raised)
    if renames:
        await keys.keep_renames(connection, renames, now=now)


def _sort_out(
    entries: Sequence[Entry],
    stored: dict[bulk.Identity, Stored],
    *,
    batch: Batch,
    outcomes: dict[int, Outcome],
) -> tuple[list[Entry], list[Entry], list[Entry]]:
    """Decide each row: those to insert, those to store over what is there, those whose version alone is noted."""
    chosen: dict[Outcome, list[Entry]] = {Outcome.NEW: [], Outcome.CHANGED: [], Outcome.RAISED: []}
    for entry in entries:
        school_id, key, version, content_hash, index = entry
        held = stored.get((school_id, key))
        outcome = classify(held, version=version, content_hash=content_hash, source=batch.source)
        outcomes[index] = outcome
        if outcome in chosen:
            chosen[outcome].append(entry)
        elif outcome is Outcome.OTHER_SOURCE and held is not None:
            batch.problems[index] = problems.other_source(held.source, held.version)
        elif outcome is Outcome.VERSION_REUSED:
            batch.problems[index] = problems.version_reused(version)
    return chosen[Outcome.NEW], chosen[Outcome.CHANGED], chosen[Outcome.RAISED]


def _share_fate(
    spec: ObjectSpec,
    entries: Sequence[Entry],
    *,
    batch: Batch,
    outcomes: dict[int, Outcome],
    renames: list[Rename],
) -> set[int]:
    """A row with a previous key and the tombstone of that key are stored both or not at all; notes which were renamed.

    Returns the rows that would be stored, but come later than what is under the previous key.
    """
    late: set[int] = set()
    schools = {entry[4]: entry[0] for entry in entries}
    for tombstone, index in batch.renamed.items():
        if index not in schools:
            continue
        refused = batch.problems
        if tombstone in refused and index not in refused:
            refused[index] = replace(refused[tombstone], field="previous_key")
            outcomes[index] = outcomes[tombstone]
        elif index in refused:
            refused.setdefault(tombstone, refused[index])
        elif outcomes[tombstone] is Outcome.STALE:
            if outcomes[index] in (Outcome.NEW, Outcome.CHANGED):
                outcomes[index] = Outcome.STALE
                late.add(index)
        else:
            row = batch.rows[index]
            renames.append(Rename(schools[index], spec.number, row.previous_key, row.key))
    return late


def _held(
    spec: ObjectSpec,
    entries: Sequence[Entry],
    values: Sequence[Values],
    stored: dict[bulk.Identity, Stored],
    *,
    closed: OpenLocks,
) -> dict[int, Lock]:
    """Those of the rows, by index, that would change what is locked, and the locks."""
    found: dict[int, Lock] = {}
    for entry, row in zip(entries, values, strict=True):
        before = stored.get(entry[:2])
        lock = closed.broken_by(spec, row, stood=before.place if before else None)
        if lock is not None:
            found[entry[4]] = lock
    return found


def request_id_reused(request_id: str) -> Fault:
    """What is said to a request id that came with another request."""
    return Fault(
        Kind.INVALID,
        "REQUEST_ID_REUSED",
        vi=f"Mã yêu cầu «{request_id}» đã dùng cho một yêu cầu khác. Hãy dùng mã mới.",
        en=f"The request id {request_id} was used for another request. Use a new one.",
        metadata={"request_id": request_id},
    )
