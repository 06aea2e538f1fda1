"""Declarations of everything with their batches: noted as these arrive, concluded once, forgotten."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.sync.domain.batches import BatchKey
from services.sync.domain.full import Decision, Declaration, FullOf, FullState, Presence
from services.sync.domain.problems import MASS_DISAPPEARANCE
from services.sync.store.arrays import any_of
from services.sync.store.tables import declaration, declaration_batch, quarantined_row

_KEY: Final = ("school_id", "unit_id", "source", "declaration_id")


@dataclass(frozen=True, slots=True)
class Arrived:
    """A batch of a declaration."""

    key: BatchKey
    full_of: FullOf
    backfill: bool
    presence: Presence


async def find(reads: AsyncConnection, unit_id: int, source: str, full_of: FullOf) -> Declaration | None:
    """The declaration a batch belongs to; None: it is not known yet."""
    row = (await reads.execute(sa.select(declaration).where(_is(unit_id, source, full_of)))).one_or_none()
    return _declaration(row) if row else None


async def unit_of(reads: AsyncConnection, source: str, full_of: FullOf) -> int | None:
    """The unit for which a source has used an id of a school's declaration; None: for none yet."""
    table = declaration.c
    place = (table.school_id == full_of.school_id, table.source == source)
    asked = sa.select(table.unit_id).where(*place, table.declaration_id == full_of.declaration_id)
    return await reads.scalar(asked.order_by(table.create_time.desc()).limit(1))


async def found_below(
    reads: AsyncConnection, schools: Collection[int], source: str, declaration_id: str, *, most: int
) -> list[Declaration]:
    """The declarations of a source under an id of these schools: of each school the newest."""
    table = declaration.c
    asked = sa.select(declaration).where(table.school_id == any_of(schools), table.source == source)
    asked = asked.where(table.declaration_id == declaration_id).ext(distinct_on(table.school_id))
    asked = asked.order_by(table.school_id, table.create_time.desc()).limit(most)
    return list(map(_declaration, await reads.execute(asked)))


async def asking(
    reads: AsyncConnection,
    schools: Collection[int],
    *,
    decided: bool,
    after: tuple[datetime, int, str, str] | None,
    most: int,
) -> list[Declaration]:
    """The declarations of these schools that wait for a person, and those `decided` on; newest first.

    `after` is create time, school, source and id of the last one before.
    """
    table = declaration.c
    wanted = table.state == FullState.HELD.value
    if decided:
        wanted = sa.or_(wanted, table.decided_by != "")
    order = sa.tuple_(table.create_time, table.school_id, table.source, table.declaration_id)
    asked = sa.select(declaration).where(table.school_id == any_of(schools), wanted)
    if after is not None:
        asked = asked.where(order < sa.tuple_(*map(sa.literal, after)))
    asked = asked.order_by(*(one.desc() for one in order.clauses)).limit(most)
    return list(map(_declaration, await reads.execute(asked)))


async def of_school(writes: AsyncConnection, school_id: int) -> list[Declaration]:
    """The declarations of a school; held until the transaction ends."""
    asked = sa.select(declaration).where(declaration.c.school_id == school_id).with_for_update()
    return list(map(_declaration, await writes.execute(asked)))


async def keep_outcome(writes: AsyncConnection, one: Declaration, outcome: bytes) -> None:
    """Keep what became of a declaration with something taken out."""
    where = _is(one.unit_id, one.source, one.full_of)
    await writes.execute(declaration.update().where(where).values(outcome=outcome))


async def of_schools(reads: AsyncConnection, schools: Collection[int]) -> list[Declaration]:
    """The declarations of schools, in the order they came."""
    asked = sa.select(declaration).where(declaration.c.school_id == any_of(schools))
    return list(map(_declaration, await reads.execute(asked.order_by(declaration.c.create_time))))


async def note(writes: AsyncConnection, arrived: Iterable[Arrived], *, now: datetime) -> None:
    """Note batches of declarations, and these with their first."""
    for one in sorted(arrived, key=_order):
        place = _place(one.key.unit_id, one.key.source, one.full_of)
        given = insert(declaration).values(
            **place,
            school_year=one.full_of.school_year,
            collection=one.full_of.collection,
            version=one.full_of.version,
            batch_count=one.full_of.batch_count,
            backfill=one.backfill,
            state=FullState.OPEN.value,
            outcome=b"",
            decided_by="",
            decision_reason="",
            create_time=now,
        )
        counted = sa.func.greatest(declaration.c.batch_count, given.excluded.batch_count)
        await writes.execute(given.on_conflict_do_update(index_elements=_KEY, set_={"batch_count": counted}))
        numbers, unsure = one.presence.packed(), one.presence.unsure
        batch = {**place, "batch_id": one.key.batch_id, "numbers": numbers, "unsure_count": unsure}
        await writes.execute(insert(declaration_batch).values(batch).on_conflict_do_nothing())


async def arrived_by_now(reads: AsyncConnection, unit_id: int, source: str, full_of: FullOf) -> tuple[Presence, int]:
    """What stood in the batches of a declaration that arrived, and how many these are."""
    table, presence, count = declaration_batch, Presence(), 0
    asked = sa.select(table.c.numbers, table.c.unsure_count)
    asked = asked.where(*(table.c[name] == value for name, value in _place(unit_id, source, full_of).items()))
    for row in await reads.execute(asked):
        presence.add(row.numbers, unsure=row.unsure_count)
        count += 1
    return presence, count


async def is_superseded(reads: AsyncConnection, source: str, full_of: FullOf) -> bool:
    """Whether a declaration of the same place in a higher version is done, or waits for a person."""
    later = _same(source, full_of).where(declaration.c.version > full_of.version)
    ended = declaration.c.state.in_((FullState.DONE.value, FullState.HELD.value))
    return bool(await reads.scalar(sa.select(later.where(ended).exists())))


async def conclude(
    writes: AsyncConnection,
    unit_id: int,
    source: str,
    full_of: FullOf,
    *,
    expected: FullState,
    state: FullState,
    outcome: bytes,
    decision: Decision | None = None,
) -> bool:
    """Say what became of a declaration; False: another call did so, and its word counts.

    A rejection comes too late, too, once somebody is confirming: some of it may be gone already.
    What stood in its batches is kept no longer than it is needed: until a person has answered.
    """
    values: dict[str, Any] = {"state": state.value, "outcome": outcome}
    if decision is not None:
        values |= _decided(decision)
    where = sa.and_(_is(unit_id, source, full_of), declaration.c.state == expected.value)
    if state is FullState.REJECTED:
        where = sa.and_(where, declaration.c.decided_by == "")
    first = bool((await writes.execute(declaration.update().where(where).values(values))).rowcount)
    if first and state is not FullState.HELD:
        await _drop_batches(writes, unit_id, source, full_of)
    return first


async def begin_confirming(
    writes: AsyncConnection, unit_id: int, source: str, full_of: FullOf, decision: Decision
) -> bool:
    """Write down that a declaration's deletions are about to be made, before any is; False: it waits no more.

    What a lost call began can be gone on with, and nobody can reject it any more.
    """
    where = sa.and_(_is(unit_id, source, full_of), declaration.c.state == FullState.HELD.value)
    return bool((await writes.execute(declaration.update().where(where).values(_decided(decision)))).rowcount)


async def supersede(writes: AsyncConnection, source: str, full_of: FullOf) -> None:
    """Take away the questions that earlier declarations of the same place wait with."""
    earlier = _same(source, full_of).where(
        declaration.c.version <= full_of.version, declaration.c.state == FullState.HELD.value
    )
    for row in list(await writes.execute(earlier)):
        one = _declaration(row)
        if one.full_of.declaration_id != full_of.declaration_id:
            await writes.execute(
                declaration.update()
                .where(_is(one.unit_id, source, one.full_of))
                .values(state=FullState.SUPERSEDED.value)
            )
            await drop_question(writes, one.unit_id, source, one.full_of)
            await _drop_batches(writes, one.unit_id, source, one.full_of)


async def asked_keys(reads: AsyncConnection, unit_id: int, source: str, full_of: FullOf) -> list[str]:
    """Keys of the records that a declaration asks about."""
    return list(await reads.scalars(sa.select(quarantined_row.c.key).where(_asks(unit_id, source, full_of))))


def _asks(unit_id: int, source: str, full_of: FullOf) -> "sa.ColumnElement[bool]":
    """The rows of the quarantine by which a declaration asks a person."""
    row = quarantined_row.c
    return sa.and_(
        row.place_id == full_of.school_id,
        row.unit_id == unit_id,
        row.source == source,
        row.batch_id == full_of.declaration_id,
        row.reason == MASS_DISAPPEARANCE,
    )


async def drop_question(writes: AsyncConnection, unit_id: int, source: str, full_of: FullOf) -> None:
    """Take the deletions of a declaration out of the quarantine that wait there for a person."""
    await writes.execute(quarantined_row.delete().where(_asks(unit_id, source, full_of)))


async def prune(writes: AsyncConnection, *, before: datetime, most: int) -> int:
    """Forget the oldest declarations begun before an instant that ask nobody; returns how many."""
    return await _prune(writes, declaration.c.state != FullState.HELD.value, before=before, most=most)


async def prune_questions(writes: AsyncConnection, *, before: datetime, most: int) -> int:
    """Forget those that still wait for a person, as their rows in the quarantine are forgotten; returns how many."""
    return await _prune(writes, declaration.c.state == FullState.HELD.value, before=before, most=most)


async def _prune(writes: AsyncConnection, state: "sa.ColumnElement[bool]", *, before: datetime, most: int) -> int:
    key = sa.tuple_(*(declaration.c[name] for name in _KEY))
    old = sa.select(*(declaration.c[name] for name in _KEY)).where(declaration.c.create_time < before, state)
    old = old.order_by(declaration.c.create_time).limit(most)
    return (await writes.execute(declaration.delete().where(key.in_(old)))).rowcount


async def _drop_batches(writes: AsyncConnection, unit_id: int, source: str, full_of: FullOf) -> None:
    table = declaration_batch
    place = _place(unit_id, source, full_of).items()
    await writes.execute(table.delete().where(*(table.c[name] == value for name, value in place)))


def _order(one: Arrived) -> tuple[object, ...]:
    key = one.key
    return one.full_of.school_id, key.unit_id, key.source, one.full_of.declaration_id, key.batch_id


def _place(unit_id: int, source: str, full_of: FullOf) -> dict[str, Any]:
    return dict(zip(_KEY, (full_of.school_id, unit_id, source, full_of.declaration_id), strict=True))


def _is(unit_id: int, source: str, full_of: FullOf) -> "sa.ColumnElement[bool]":
    return sa.and_(*(declaration.c[name] == value for name, value in _place(unit_id, source, full_of).items()))


def _same(source: str, full_of: FullOf) -> "sa.Select[Any]":
    """Declarations of the same school, school year, collection and source."""
    return sa.select(declaration).where(
        declaration.c.school_id == full_of.school_id,
        declaration.c.source == source,
        declaration.c.collection == full_of.collection,
        declaration.c.school_year == full_of.school_year,
    )


def _decided(decision: Decision) -> dict[str, Any]:
    return {"decided_by": decision.subject, "decision_reason": decision.reason, "decide_time": decision.time}


def _declaration(row: Any) -> Declaration:
    full_of = FullOf(row.school_id, row.school_year, row.collection, row.version, row.declaration_id, row.batch_count)
    decision = Decision(row.decided_by, row.decision_reason, row.decide_time) if row.decided_by else None
    state = FullState(row.state)
    return Declaration(row.unit_id, row.source, full_of, row.backfill, state, row.outcome, decision, row.create_time)
