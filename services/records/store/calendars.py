"""Calendars as they are kept: every import a row, the newest of a unit and school year holds."""

import json
from collections.abc import Collection
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.calendars import Calendar, Holiday, Term
from services.records.store.tables import school_calendar as table

_COLUMNS = (
    table.c.unit_id,
    table.c.school_year,
    table.c.opening_day,
    table.c.terms,
    table.c.holidays,
    table.c.source,
    table.c.confirmed,
    table.c.revision,
    table.c.create_time,
    table.c.created_by,
    table.c.first_day,
)
_HOLDING = (
    sa.select(*_COLUMNS)
    .ext(distinct_on(table.c.unit_id, table.c.school_year))
    .order_by(table.c.unit_id, table.c.school_year, table.c.revision.desc())
)


async def calendars_of(
    connection: AsyncConnection, unit_ids: Collection[int], years: Collection[int] = ()
) -> list[Calendar]:
    """The calendars that hold of these units themselves, in these school years; none: in all."""
    query = _HOLDING.where(table.c.unit_id == sa.any_(sa.cast(sorted(unit_ids), ARRAY(sa.BigInteger))))
    if years:
        query = query.where(table.c.school_year.in_(sorted(years)))
    return [_read(row) for row in await connection.execute(query)]


async def every_calendar(connection: AsyncConnection) -> list[Calendar]:
    """The calendars that hold of all units and school years."""
    return [_read(row) for row in await connection.execute(_HOLDING)]


async def add_calendar(
    connection: AsyncConnection, calendar: Calendar, *, request_id: str, digest: bytes
) -> tuple[Calendar, bytes, bool]:
    """Keep a calendar, unless the unit has one with this request id: what is kept, its digest, whether it is new."""
    values = {
        "unit_id": calendar.unit_id,
        "school_year": calendar.school_year,
        "opening_day": calendar.opening_day,
        "terms": [_plain(one) for one in calendar.terms],
        "holidays": [_plain(one) for one in calendar.holidays],
        "source": calendar.source,
        "confirmed": calendar.confirmed,
        "create_time": calendar.create_time,
        "created_by": calendar.created_by,
        "first_day": calendar.first_day,
        "request_id": request_id,
        "digest": digest,
    }
    added = await connection.execute(
        insert(table).values(**values).on_conflict_do_nothing().returning(table.c.revision)
    )
    new = added.scalar_one_or_none() is not None
    query = sa.select(*_COLUMNS, table.c.digest).where(
        table.c.unit_id == calendar.unit_id, table.c.request_id == request_id
    )
    row = (await connection.execute(query)).one()
    return _read(row[:-1]), row[-1], new


def _plain(one: Term | Holiday) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, date) else value for name, value in _fields(one)}


def _fields(one: Term | Holiday) -> list[tuple[str, Any]]:
    return [(name, getattr(one, name)) for name in type(one).__slots__]


def _read(row: Any) -> Calendar:
    unit_id, year, opening_day, terms, holidays, *rest = row
    terms, holidays = (json.loads(part) if isinstance(part, str) else part for part in (terms, holidays))
    return Calendar(
        unit_id,
        year,
        opening_day,
        tuple(Term(**_dated(one)) for one in terms),
        tuple(Holiday(**_dated(one)) for one in holidays),
        *rest,
    )


def _dated(one: dict[str, Any]) -> dict[str, Any]:
    return one | {name: date.fromisoformat(one[name]) for name in ("first_day", "last_day")}
