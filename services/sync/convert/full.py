"""Declarations of everything: which records rows are, deletions of what is lacking, and what became of it."""

import asyncio
from collections.abc import Iterable, Sequence

from iocedu.records.v1 import records_pb2
from iocedu.records.v1.resources_pb2 import Row
from iocedu.sync.v1 import quarantine_pb2, sync_pb2

from services.sync.convert.checks import FindSchool
from services.sync.convert.rows import SLICE, Checked, Noted, Same, Unread, content_of
from services.sync.domain.batches import RowState
from services.sync.domain.collections import RECORDS
from services.sync.domain.full import MOST_NAMED, Decision, Declaration, FullOf, FullState, Lacking, Presence, number_of
from services.sync.domain.problems import Problem


async def note_presence(
    presence: Presence, rows: Iterable[Row | Unread | Same], full_of: FullOf, find: FindSchool
) -> None:
    """Note which records of the declared place rows are, refused ones too, and where that cannot be told.

    A row that cannot be read but for some of its fields says which one it is; one that is refused for its school, not
    known or outside the unit, may be of the declared one.
    """
    member = RECORDS[full_of.collection]
    for place, made in enumerate(rows):
        if place % SLICE == SLICE - 1:
            await asyncio.sleep(0)
        row = made.rest if isinstance(made, Unread) else made
        name = row.WhichOneof("record") if isinstance(row, Row) else None
        if not isinstance(row, Row) or name is None or (name == member and not row.key):
            presence.unsure += 1
        elif name != member:
            continue
        elif not isinstance(school_id := find(row.school), int):
            presence.unsure += 1
        elif school_id == full_of.school_id:
            presence.numbers.add(number_of(row.key))
            if row.previous_key:
                presence.numbers.add(number_of(row.previous_key))


def deletions(keys: Iterable[str], full_of: FullOf) -> list[Row]:
    """The rows that say that records are gone."""
    rows = [Row(school=str(full_of.school_id), key=key, version=full_of.version, deleted=True) for key in keys]
    for row in rows:
        getattr(row, RECORDS[full_of.collection]).SetInParent()
    return rows


async def questions(rows: Sequence[Row], full_of: FullOf, problem: Problem, checked: Checked) -> Checked:
    """Deletions that wait for a person, as rows that were held."""
    checked.states = bytearray([RowState.HELD]) * len(rows)
    for index, row in enumerate(rows):
        checked.noted.append(Noted(index, RowState.HELD, row.key, full_of.school_id, problem, content_of(row)))
        if index % SLICE == SLICE - 1:
            await asyncio.sleep(0)
    return checked


def full_copy(full_of: FullOf, lacks: Lacking) -> records_pb2.FullCopy:
    """What records is to note of a declaration."""
    return records_pb2.FullCopy(
        school=str(full_of.school_id),
        collection=full_of.collection,
        school_year=full_of.school_year,
        version=full_of.version,
        awaited_keys=sorted(lacks.awaited),
    )


def full_outcome(
    state: FullState,
    keys: Sequence[str] = (),
    *,
    present: Presence,
    count: int,
    awaited: int = 0,
    lacks: Lacking | None = None,
    states: bytes = b"",
    held: int = 0,
) -> sync_pb2.FullOutcome:
    """What became of a declaration of `count` batches; `keys` are gone by it, `states` tells of their deletions."""
    gone = [key for key, state in zip(keys, states, strict=True) if state not in _STAYS] if states else list(keys)
    return sync_pb2.FullOutcome(
        state=state.value,  # type: ignore[arg-type]  # the number is the enum's
        disappeared_count=len(gone),
        disappeared_keys=gone[:MOST_NAMED],
        locked_count=states.count(RowState.HELD),
        refused_count=states.count(RowState.REJECTED),
        newer_count=states.count(RowState.STALE) + (lacks.newer if lacks else 0),
        batch_count=count,
        awaited_batch_count=awaited,
        unsure_count=present.unsure,
        held_count=held,
    )


def tell_before(outcome: sync_pb2.FullOutcome, before: Iterable[str]) -> None:
    """Tell of what went with a call that was cut, beside what went with this one."""
    keys = sorted(before)
    outcome.disappeared_count += len(keys)
    outcome.held_count += len(keys)
    told = sorted([*outcome.disappeared_keys, *keys])[:MOST_NAMED]
    del outcome.disappeared_keys[:]
    outcome.disappeared_keys.extend(told)


def disappearance(one: Declaration, *, name: str) -> quarantine_pb2.Disappearance:
    """A declaration a person is asked about, or was; `name` is the school's."""
    outcome, decision = sync_pb2.FullOutcome.FromString(one.outcome), one.decision or Decision("", "")
    told = quarantine_pb2.Disappearance(
        school_id=one.full_of.school_id,
        school_name=name,
        school_year=one.full_of.school_year,
        collection=one.full_of.collection,
        source=one.source,
        declaration_id=one.full_of.declaration_id,
        state=one.state.value,  # type: ignore[arg-type]  # the number is the enum's
        disappeared_count=outcome.disappeared_count,
        held_count=outcome.held_count,
        decided_by=decision.subject,
        decision_reason=decision.reason,
    )
    told.create_time.FromDatetime(one.create_time)
    if decision.time is not None:
        told.decide_time.FromDatetime(decision.time)
    return told


_STAYS = frozenset({RowState.HELD, RowState.REJECTED, RowState.STALE})


def declared(message: sync_pb2.FullOf, school_id: int, *, batch_id: str) -> FullOf:
    """What a batch declares; one that is alone is everything by itself, under its own id."""
    alone = not message.declaration_id
    return FullOf(
        school_id,
        message.school_year,
        message.collection,
        message.version,
        batch_id if alone else message.declaration_id,
        1 if alone else message.batch_count,
    )
