"""What becomes of each row of a batch, and what is to be written for it; nothing is written here.

That is why a batch can be looked at without storing it, and why one that is stored whole or not at all can be given up
once every row of it is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.convert.events import Accepted
from services.records.convert.incoming import Batch, Entry, Values, column_values
from services.records.convert.rules import load_erasure_rules
from services.records.convert.withholding import withhold
from services.records.domain import problems
from services.records.domain.edits import Edit, etag_of
from services.records.domain.full_copies import FullCopy
from services.records.domain.locks import Lock, OpenLocks
from services.records.domain.objects import CONTENT_HASH, SOURCE, VERSION, ObjectSpec
from services.records.domain.versions import DELETED_HASH, Outcome, Stored, classify
from services.records.store import bulk, lookup
from services.records.store.keys import Rename
from services.records.usecases.bounds import Bounds

_STORED: Final = frozenset({Outcome.NEW, Outcome.CHANGED})
STORING: Final = frozenset({Outcome.NEW, Outcome.CHANGED, Outcome.RAISED})
_STANDING: Final = frozenset({Outcome.CHANGED, Outcome.RAISED, Outcome.UNCHANGED})  # no newer version was there


@dataclass(slots=True)
class Writes:
    """What is to be written of one type."""

    inserted: list[Values] = field(default_factory=list)
    replaced: list[Values] = field(default_factory=list)
    raised: dict[bulk.Identity, int] = field(default_factory=dict)
    renames: list[Rename] = field(default_factory=list)


@dataclass(slots=True)
class Decided:
    """What becomes of a batch. What is wrong with rows is noted with the batch."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    accepted: list[Accepted] = field(default_factory=list)
    writes: dict[ObjectSpec, Writes] = field(default_factory=dict)


async def decide(
    connection: AsyncConnection,
    spec: ObjectSpec,
    parts: Sequence[tuple[Batch, Decided]],
    *,
    bounds: Bounds,
    now: datetime,
) -> None:
    """Decide the rows of one type of some batches."""
    if bounds.withheld:
        for batch, _ in parts:
            withhold(
                spec, batch.entries.get(spec, ()), batch=batch, withheld=bounds.withheld, rules=load_erasure_rules()
            )
    identities = [entry[:2] for batch, _ in parts for entry in batch.entries.get(spec, ())]
    minding = bounds.closed.concern(spec)
    stored = await bulk.stored_versions(connection, spec, identities, places=minding)
    for batch, decided in parts:
        entries, outcomes = batch.entries.get(spec, ()), decided.outcomes
        writes = decided.writes[spec] = Writes()
        if batch.edit is None:
            fresh, changed, noted = _sort_out(spec, entries, stored, batch=batch, outcomes=outcomes, bounds=bounds)
        else:
            changed = await _corrections(connection, spec, entries, batch=batch, edit=batch.edit)
            fresh, noted = [], []
            outcomes.update((entry[4], Outcome.CHANGED) for entry in changed)
        made: list[tuple[list[Values], Entry, Values]] = []
        for rows, chosen in ((writes.inserted, fresh), (writes.replaced, changed)):
            values = await column_values(spec, chosen, batch=batch, now=now)
            taken = [entry for entry in chosen if entry[4] not in batch.problems]
            if minding and (held := _held(spec, taken, values, stored, closed=bounds.closed)):
                outcomes.update(dict.fromkeys(held, Outcome.HELD))
                batch.problems.update({index: problems.locked(lock) for index, lock in held.items()})
            made += [(rows, entry, row) for entry, row in zip(taken, values, strict=True)]
        renames = writes.renames
        late: set[int] = set()
        if batch.renamed:
            late = _share_fate(spec, entries, stored, batch=batch, outcomes=outcomes, renames=renames)
        for rows, entry, row in made:
            if entry[4] not in batch.problems and entry[4] not in late:
                rows.append(row)
                decided.accepted.append((entry[4], entry[0], spec))
        writes.raised |= {entry[:2]: entry[2] for entry in noted if entry[4] not in batch.problems}


def give_up(batch: Batch, decided: Decided) -> None:
    """Let nothing of a batch be written of which a row is refused or held; what would have been says so."""
    first = min((index for index in batch.problems if index < batch.count), default=None)
    if first is None:
        return
    for index, outcome in decided.outcomes.items():
        if outcome in STORING:
            batch.problems.setdefault(batch.renamed.get(index, index), problems.batch_refused(first))
    decided.accepted.clear()
    decided.writes.clear()


def _sort_out(
    spec: ObjectSpec,
    entries: Sequence[Entry],
    stored: dict[bulk.Identity, Stored],
    *,
    batch: Batch,
    outcomes: dict[int, Outcome],
    bounds: Bounds,
) -> tuple[list[Entry], list[Entry], list[Entry]]:
    """Decide each row: those to insert, those to store over what is there, those whose version alone is noted."""
    chosen: dict[Outcome, list[Entry]] = {outcome: [] for outcome in STORING}
    owners, source = bounds.owners, batch.source
    told = {school_id for school_id in batch.school_ids if bounds.copies.concern(school_id, spec.collection, source)}
    for entry in entries:
        school_id, key, version, content_hash, index = entry
        held = stored.get((school_id, key))
        owner = owners.of(school_id, spec.collection)
        outcome = classify(held, version=version, content_hash=content_hash, source=source, owner=owner)
        gone = held is None or held.content_hash == DELETED_HASH
        if gone and school_id in told and outcome in _STORED and content_hash != DELETED_HASH:
            year = getattr(batch.rows[index], spec.field).school_year
            place = FullCopy(school_id, spec.collection, year, source, version)
            outcome = Outcome.STALE if bounds.copies.outdate(place, key) else outcome
        outcomes[index] = outcome
        if index in batch.problems:
            continue
        if outcome in chosen:
            chosen[outcome].append(entry)
        elif outcome is Outcome.OTHER_SOURCE and owner is not None:
            batch.problems[index] = problems.handed_over(spec.collection, owner, held.version if held else 0)
        elif outcome is Outcome.OTHER_SOURCE and held is not None:
            batch.problems[index] = problems.other_source(held.source, held.version)
        elif outcome is Outcome.VERSION_REUSED:
            batch.problems[index] = problems.version_reused(version)
    return chosen[Outcome.NEW], chosen[Outcome.CHANGED], chosen[Outcome.RAISED]


async def _corrections(
    connection: AsyncConnection, spec: ObjectSpec, entries: Sequence[Entry], *, batch: Batch, edit: Edit
) -> list[Entry]:
    """Rows that correct the very record that was seen, each under version and hash of what its source sent."""
    held = await lookup.records_by_key(connection, spec, [entry[:2] for entry in entries], withheld=True)
    chosen: list[Entry] = []
    for school_id, key, _, _, index in entries:
        record = held.get((school_id, key))
        if record is None or etag_of(record) != edit.etag:
            version, source = (record[VERSION], record[SOURCE]) if record is not None else (0, "")
            batch.problems[index] = problems.etag_mismatch(edit.etag, version=version, source=source)
        else:
            chosen.append((school_id, key, record[VERSION], record[CONTENT_HASH], index))
    return chosen


def _share_fate(
    spec: ObjectSpec,
    entries: Sequence[Entry],
    stored: dict[bulk.Identity, Stored],
    *,
    batch: Batch,
    outcomes: dict[int, Outcome],
    renames: list[Rename],
) -> set[int]:
    """A row with a previous key and the tombstones of the keys before are stored all or not at all; notes the renames.

    Two records that are both there are never made one: the one under the new key may be somebody else's. Returns the
    rows that would be stored, but come later than what is under a previous key.
    """
    late: set[int] = set()
    schools = {entry[4]: entry[0] for entry in entries}
    for index, tombstones in _ended(batch).items():
        if index not in schools:
            continue
        _refuse_together(batch, index, tombstones, stored, school_id=schools[index], outcomes=outcomes)
        if index in batch.problems:
            continue
        if any(outcomes[tombstone] is Outcome.STALE for tombstone in tombstones):
            if outcomes[index] in (Outcome.NEW, Outcome.CHANGED):
                outcomes[index] = Outcome.STALE
                late.update((index, *tombstones))
        else:
            renames += [
                Rename(schools[index], spec.number, _key(batch, tombstone), _key(batch, batch.renamed[tombstone]))
                for tombstone in tombstones
            ]
    for one in batch.followed:
        if (last := batch.last(one)) in schools:
            outcomes[one] = outcomes[last]
            if last in batch.problems:
                batch.problems.setdefault(one, batch.problems[last])
    return late


def _ended(batch: Batch) -> dict[int, list[int]]:
    """The tombstones that a row with a previous key brings, with those of the rows that it followed."""
    found: dict[int, list[int]] = {}
    for tombstone, index in batch.renamed.items():
        found.setdefault(batch.last(index), []).append(tombstone)
    return found


def _refuse_together(
    batch: Batch,
    index: int,
    tombstones: Sequence[int],
    stored: dict[bulk.Identity, Stored],
    *,
    school_id: int,
    outcomes: dict[int, Outcome],
) -> None:
    """Refuse a row and its tombstones where one of them is refused, or where more than one record is there."""
    refused = batch.problems
    there = [one for one in (*tombstones, index) if _is_there(stored.get((school_id, _key(batch, one))))]
    if len(there) > 1 and not batch.rows[index].deleted and all(outcomes[one] in _STANDING for one in there):
        refused.setdefault(index, problems.key_taken(*(_key(batch, one) for one in there[:2])))
    wrong = next((one for one in tombstones if one in refused), None)
    if wrong is not None and index not in refused:
        refused[index] = replace(refused[wrong], field="previous_key")
        outcomes[index] = outcomes[wrong]
    if index in refused:
        for tombstone in tombstones:
            refused.setdefault(tombstone, refused[index])


def _is_there(held: Stored | None) -> bool:
    return held is not None and held.content_hash != DELETED_HASH


def _key(batch: Batch, index: int) -> str:
    return batch.rows[index].key


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
