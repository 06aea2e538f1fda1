"""Transfers as they are kept, and the working days their steps may take."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.persons import PUPIL
from services.records.domain.transfers import Side, State, Step, Transfer
from services.records.store.tables import erased_record, restricted_record
from services.records.store.tables import transfer as table
from services.records.store.tables import transfer_step as steps
from services.records.store.tables import transfer_term as terms

_COLUMNS = (
    table.c.transfer_id,
    table.c.releasing_id,
    table.c.pupil_key,
    table.c.school_year,
    table.c.receiving_id,
    table.c.receiving_key,
    table.c.between_provinces,
    table.c.opened_by_receiving,
    table.c.state,
    table.c.due_date,
    table.c.term_source,
)
_NO_DUE_DATE = date.max  # Where those that have ended stand in the order.


def _withheld(school_id: sa.ColumnElement[int], key: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Whether a pupil's record is erased or restricted."""
    return sa.or_(
        *(
            sa.exists().where(one.c.school_id == school_id, one.c.type == PUPIL.number, one.c.key == key)
            for one in (erased_record, restricted_record)
        )
    )


_SHOWN = sa.not_(
    sa.or_(_withheld(table.c.releasing_id, table.c.pupil_key), _withheld(table.c.receiving_id, table.c.receiving_key))
)


async def term_of(
    connection: AsyncConnection, state: State, *, between_provinces: bool, day: date
) -> tuple[int, str] | None:
    """The working days that a step may take from a day on, and what says so; None: nothing does."""
    query = sa.select(terms.c.working_days, terms.c.source).where(
        terms.c.step == state.value, terms.c.between_provinces == between_provinces, terms.c.valid.contains(day)
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else (row[0], row[1])


async def add_transfer(
    connection: AsyncConnection, opened: Transfer, *, request_id: str, digest: bytes, opener_id: int, now: datetime
) -> tuple[Transfer | None, bytes, bool]:
    """Open a transfer: it, its digest and whether it is new. The one opened before with this request id, else none
    where another one of the pupil is under way.
    """
    values = {column.name: getattr(opened, column.name) for column in _COLUMNS if column.name != "transfer_id"}
    values |= {"state_time": now, "create_time": now, "request_id": request_id, "digest": digest}
    added = await connection.execute(
        insert(table).values(**values, opener_id=opener_id).on_conflict_do_nothing().returning(table.c.transfer_id)
    )
    new = added.scalar_one_or_none() is not None
    query = sa.select(table.c.transfer_id, table.c.digest).where(
        table.c.opener_id == opener_id, table.c.request_id == request_id
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None, b"", False
    if new:
        await _add_step(connection, row[0], opened.steps[0], number=1)
    return (await transfers(connection, [row[0]]))[0], row[1], new


async def under_way(connection: AsyncConnection, releasing_id: int, pupil_keys: Collection[str]) -> list[int]:
    """The numbers of these pupils' transfers that are under way, of each pupil at most one."""
    query = sa.select(table.c.transfer_id).where(
        table.c.releasing_id == releasing_id, table.c.pupil_key.in_(pupil_keys), table.c.due_date.is_not(None)
    )
    return list((await connection.execute(query.order_by(table.c.transfer_id))).scalars())


async def held_transfer(connection: AsyncConnection, transfer_id: int) -> Transfer | None:
    """A transfer that nobody else changes until the transaction ends."""
    lock = sa.select(table.c.transfer_id).where(table.c.transfer_id == transfer_id).with_for_update()
    if (await connection.execute(lock)).one_or_none() is None:
        return None
    return (await transfers(connection, [transfer_id]))[0]


async def keep_step(connection: AsyncConnection, changed: Transfer) -> None:
    """Keep a transfer as it is now, with its last step."""
    query = table.update().where(table.c.transfer_id == changed.transfer_id)
    await connection.execute(
        query.values(
            state=changed.state.value,
            due_date=changed.due_date,
            term_source=changed.term_source,
            receiving_key=changed.receiving_key,
            state_time=changed.steps[-1].step_time,
        )
    )
    await _add_step(connection, changed.transfer_id, changed.steps[-1], number=len(changed.steps))


async def transfers(connection: AsyncConnection, transfer_ids: Collection[int]) -> list[Transfer]:
    """Transfers with their steps, in the order of their numbers."""
    query = sa.select(*_COLUMNS).where(table.c.transfer_id.in_(transfer_ids)).order_by(table.c.transfer_id)
    return await _with_steps(connection, list(await connection.execute(query)))


async def shown_transfer(connection: AsyncConnection, transfer_id: int) -> Transfer | None:
    """A transfer, unless a record that it names is erased or restricted."""
    query = sa.select(*_COLUMNS).where(table.c.transfer_id == transfer_id, _SHOWN)
    found = await _with_steps(connection, list(await connection.execute(query)))
    return found[0] if found else None


async def transfers_page(
    connection: AsyncConnection,
    *,
    schools: Collection[int],
    states: Collection[State],
    late_on: date | None,
    after: tuple[date, int] | None,
    most: int,
) -> list[Transfer]:
    """Transfers that these schools have a part in and that may be shown, by due date.

    `late_on` a day: those whose clock is over then.
    """
    due = sa.func.coalesce(table.c.due_date, _NO_DUE_DATE)
    mine = sa.any_(sa.cast(sorted(schools), ARRAY(sa.BigInteger)))
    query = (
        sa.select(*_COLUMNS)
        .where(sa.or_(table.c.releasing_id == mine, table.c.receiving_id == mine), _SHOWN)
        .order_by(due, table.c.transfer_id)
        .limit(most)
    )
    if states:
        query = query.where(table.c.state.in_(sorted(states)))
    if late_on is not None:
        query = query.where(table.c.due_date < late_on)
    if after is not None:
        query = query.where(sa.tuple_(due, table.c.transfer_id) > sa.tuple_(*map(sa.literal, after)))
    return await _with_steps(connection, list(await connection.execute(query)))


async def transfers_of(connection: AsyncConnection, records: Iterable[tuple[int, str]]) -> list[Transfer]:
    """The transfers of pupils that may be shown, by school and key at either side, the newest first."""
    wanted = sorted(set(records))
    if not wanted:
        return []
    query = (
        sa.select(*_COLUMNS)
        .where(
            sa.or_(
                sa.tuple_(table.c.releasing_id, table.c.pupil_key).in_(wanted),
                sa.tuple_(table.c.receiving_id, table.c.receiving_key).in_(wanted),
            ),
            _SHOWN,
        )
        .order_by(table.c.transfer_id.desc())
    )
    return await _with_steps(connection, list(await connection.execute(query)))


async def take_late(connection: AsyncConnection, today: date, *, most: int) -> list[Transfer]:
    """Transfers whose clock is over and that nobody was told of yet; they count as told. One replica gets each."""
    late = (
        sa.select(table.c.transfer_id)
        .where(table.c.due_date < today, table.c.told_late.is_distinct_from(table.c.due_date))
        .order_by(table.c.due_date)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    query = table.update().where(table.c.transfer_id.in_(late)).values(told_late=table.c.due_date)
    told = (await connection.execute(query.returning(table.c.transfer_id))).scalars().all()
    return await transfers(connection, told) if told else []


async def _add_step(connection: AsyncConnection, transfer_id: int, step: Step, *, number: int) -> None:
    await connection.execute(
        steps.insert().values(
            transfer_id=transfer_id,
            number=number,
            state=step.state.value,
            side=step.side.value,
            note=step.note,
            step_by=step.step_by,
            step_time=step.step_time,
        )
    )


async def _with_steps(connection: AsyncConnection, rows: list[Any]) -> list[Transfer]:
    """Transfers of rows, each with its steps: one query for all of them."""
    if not rows:
        return []
    query = sa.select(steps).where(steps.c.transfer_id.in_([row[0] for row in rows])).order_by(steps.c.number)
    taken: dict[int, list[Step]] = defaultdict(list)
    for one in await connection.execute(query):
        taken[one.transfer_id].append(Step(State(one.state), Side(one.side), one.note, one.step_by, one.step_time))
    made = [Transfer(*row) for row in rows]
    return [replace(one, state=State(one.state), steps=tuple(taken[one.transfer_id])) for one in made]
