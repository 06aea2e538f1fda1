"""Calendars as records told them: the newest of each unit and school year."""

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.sync.domain.school_days import Span, UnitCalendar


async def keep_calendars(connection: AsyncConnection, calendars: Sequence[UnitCalendar]) -> int:
    """Keep those that are newer than what is known; returns how many were."""
    newest: dict[tuple[int, int], UnitCalendar] = {}
    for one in sorted(calendars, key=lambda one: one.revision):
        newest[one.unit_id, one.school_year] = one
    given = [newest[key] for key in sorted(newest)]
    columns: dict[str, list[Any]] = {
        name: [getattr(one, name) for one in given] for name in ("unit_id", "school_year", "revision", "source")
    }
    columns |= {name: [_written(getattr(one, name)) for one in given] for name in ("terms", "holidays")}
    return len((await connection.execute(_KEEP, columns)).all())


async def calendars(connection: AsyncConnection) -> list[UnitCalendar]:
    """All that are known."""
    rows = await connection.execute(_ALL)
    return [
        UnitCalendar(
            row.unit_id,
            row.school_year,
            revision=row.revision,
            terms=_read(row.terms),
            holidays=_read(row.holidays),
            source=row.source,
        )
        for row in rows
    ]


def _written(spans: Sequence[Span]) -> str:
    return json.dumps([[day.isoformat() for day in span] for span in spans])


def _read(spans: str) -> tuple[Span, ...]:
    return tuple((date.fromisoformat(first), date.fromisoformat(last)) for first, last in json.loads(spans))


_KEEP = sa.text(
    "INSERT INTO calendar AS held (unit_id, school_year, revision, source, terms, holidays)"
    " SELECT unit_id, school_year, revision, source, CAST(terms AS jsonb), CAST(holidays AS jsonb) FROM unnest("
    "CAST(:unit_id AS bigint[]), CAST(:school_year AS int[]), CAST(:revision AS bigint[]), CAST(:source AS text[]),"
    " CAST(:terms AS text[]), CAST(:holidays AS text[]))"
    " AS given(unit_id, school_year, revision, source, terms, holidays)"
    " ON CONFLICT (unit_id, school_year) DO UPDATE SET revision = excluded.revision, source = excluded.source,"
    " terms = excluded.terms, holidays = excluded.holidays WHERE held.revision < excluded.revision"
    " RETURNING unit_id"
)
_ALL = sa.text(
    "SELECT unit_id, school_year, revision, source, CAST(terms AS text) AS terms, CAST(holidays AS text) AS holidays"
    " FROM calendar"
)
