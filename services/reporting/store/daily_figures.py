"""Queries on the key figures kept by day: the newest value of a day stays."""

from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

Kept = tuple[int, str, float]  # Unit, indicator, value.


async def keep(connection: AsyncConnection, rows: Sequence[Kept], *, school_year: int, day: date) -> None:
    """Keep a day's values in place of earlier ones of the same day."""
    units, indicators, values = zip(*rows, strict=True) if rows else ((), (), ())
    given = {
        "units": list(units),
        "indicators": list(indicators),
        "values": list(values),
        "school_year": school_year,
        "day": day,
    }
    await connection.execute(_KEEP, given)


async def previous(
    connection: AsyncConnection, unit_id: int, *, school_year: int, before: date, since: date
) -> dict[str, tuple[float, date]]:
    """By indicator the value of the newest day before one, not older than `since`, and that day."""
    given = {"unit_id": unit_id, "school_year": school_year, "before": before, "since": since}
    return {indicator: (value, day) for indicator, value, day in await connection.execute(_PREVIOUS, given)}


async def forget(connection: AsyncConnection, *, before: date) -> None:
    """Forget the days before one."""
    await connection.execute(_FORGET, {"before": before})


_KEEP = sa.text(
    "INSERT INTO daily_figure AS kept (unit_id, indicator, school_year, day, value)"
    " SELECT unit_id, indicator, :school_year, :day, value FROM unnest(CAST(:units AS bigint[]),"
    " CAST(:indicators AS text[]), CAST(:values AS double precision[])) AS given(unit_id, indicator, value)"
    " ORDER BY unit_id, indicator ON CONFLICT (unit_id, indicator, school_year, day)"
    " DO UPDATE SET value = excluded.value WHERE kept.value <> excluded.value"
)
_PREVIOUS = sa.text(
    "SELECT DISTINCT ON (indicator) indicator, value, day FROM daily_figure WHERE unit_id = :unit_id"
    " AND school_year = :school_year AND day < :before AND day >= :since ORDER BY indicator, day DESC"
)
_FORGET = sa.text("DELETE FROM daily_figure WHERE day < :before")
