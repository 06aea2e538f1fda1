"""Requests of people about their data as they are kept."""

from collections.abc import Collection
from dataclasses import asdict, fields, replace
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.data_requests import OPEN, DataRequest, Filing, Kind, State, Term
from services.records.store.tables import data_request, data_request_term

_COLUMNS = tuple(data_request.c[field.name] for field in fields(DataRequest))


async def term_of(connection: AsyncConnection, kind: Kind, day: date) -> Term | None:
    """How many days a kind of request received on a day may take; None where nothing says so."""
    query = sa.select(data_request_term.c.days, data_request_term.c.extension_days, data_request_term.c.source).where(
        data_request_term.c.kind == kind.value, data_request_term.c.valid.contains(day)
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else Term(*row)


async def add_data_request(
    connection: AsyncConnection,
    filing: Filing,
    *,
    term: Term,
    due_date: date,
    request_id: str,
    digest: bytes,
    by: str,
    now: datetime,
) -> tuple[DataRequest, bytes]:
    """File a request, unless the school has one with this request id; returns what is kept, and its digest."""
    values = asdict(filing) | {
        "request_id": request_id,
        "digest": digest,
        "due_date": due_date,
        "extension_days": term.extension_days,
        "term_source": term.source,
        "state": State.RECEIVED.value,
        "create_time": now,
        "created_by": by,
    }
    await connection.execute(insert(data_request).values(**values).on_conflict_do_nothing())
    query = sa.select(*_COLUMNS, data_request.c.digest).where(
        data_request.c.school_id == filing.school_id, data_request.c.request_id == request_id
    )
    row = (await connection.execute(query)).one()
    return _read(row[:-1]), row[-1]


async def is_filed(connection: AsyncConnection, school_id: int, request_id: str) -> bool:
    """Whether the school has a request with this request id."""
    query = sa.select(sa.literal(1)).where(
        data_request.c.school_id == school_id, data_request.c.request_id == request_id
    )
    return (await connection.execute(query)).first() is not None


async def data_request_of(connection: AsyncConnection, *, school_id: int, data_request_id: int) -> DataRequest | None:
    """A request as it is now."""
    query = sa.select(*_COLUMNS).where(
        data_request.c.school_id == school_id, data_request.c.data_request_id == data_request_id
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _read(row)


async def held_data_request(connection: AsyncConnection, *, school_id: int, data_request_id: int) -> DataRequest | None:
    """A request that nobody else changes until the transaction ends."""
    query = (
        sa.select(*_COLUMNS)
        .where(data_request.c.school_id == school_id, data_request.c.data_request_id == data_request_id)
        .with_for_update()
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _read(row)


async def keep_data_request(connection: AsyncConnection, changed: DataRequest) -> None:
    """Keep a request as it is now."""
    values = asdict(changed)
    identity = {name: values.pop(name) for name in ("school_id", "data_request_id")}
    query = data_request.update().values(**values)
    await connection.execute(query.where(*(data_request.c[name] == value for name, value in identity.items())))


async def data_requests_page(
    connection: AsyncConnection,
    *,
    schools: Collection[int],
    states: Collection[State],
    overdue_on: date | None,
    after: tuple[date, int, int] | None,
    most: int,
) -> list[DataRequest]:
    """Requests of these schools by due date; `overdue_on` a day: those that are open and past their due date then."""
    place = (data_request.c.due_date, data_request.c.school_id, data_request.c.data_request_id)
    query = (
        sa.select(*_COLUMNS)
        .where(data_request.c.school_id == sa.any_(sa.cast(sorted(schools), ARRAY(sa.BigInteger))))
        .order_by(*place)
        .limit(most)
    )
    if states:
        query = query.where(data_request.c.state.in_(sorted(states)))
    if overdue_on is not None:
        query = query.where(data_request.c.state.in_(sorted(OPEN)), data_request.c.due_date < overdue_on)
    if after is not None:
        query = query.where(sa.tuple_(*place) > sa.tuple_(*map(sa.literal, after)))
    return [_read(row) for row in await connection.execute(query)]


def _read(row: Any) -> DataRequest:
    kept = DataRequest(*row)
    return replace(kept, kind=Kind(kept.kind), state=State(kept.state))
