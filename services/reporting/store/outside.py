"""What figures rest on beside the stocks: when schools last sent something, registers of one day, residents, targets.

Small tables, read as they stand when a question needs them. Refuses nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting.domain.figures import TargetRow


class PopulationRow(NamedTuple):
    """Residents of one age."""

    unit_id: int
    year: int
    age: int
    residents: int
    source: str


class AbsenceDay(NamedTuple):
    """Sessions missed in a school on a day, of so many, and the median share on the days before that have registers."""

    school_id: int
    scheduled: int
    absent: int
    day_count: int
    usual_share: float


async def years_with_data(connection: AsyncConnection) -> set[int]:
    """School years for which any school has sent anything."""
    found = await connection.scalars(
        sa.text("SELECT DISTINCT school_year FROM school_figure WHERE pupil_count + class_count + staff_count > 0")
    )
    return set(found)


async def last_accepts(connection: AsyncConnection) -> Mapping[int, datetime]:
    """When each school last sent something that was taken."""
    # One row of arrays: a row each would cost a question more than its figures.
    found = await connection.execute(
        sa.text(
            "SELECT array_agg(school_id) AS schools, array_agg(last_accept_time) AS instants FROM connection"
            " WHERE last_accept_time IS NOT NULL"
        )
    )
    row = found.one()
    return dict(zip(row.schools or (), row.instants or (), strict=True))


async def registered(connection: AsyncConnection, day: date) -> frozenset[int]:
    """The schools that have a register of a day."""
    found = await connection.scalars(
        sa.text("SELECT DISTINCT school_id FROM day_tally WHERE day = :day AND measure = 'registers' AND value > 0"),
        {"day": day},
    )
    return frozenset(found)


async def absence_days(
    connection: AsyncConnection, day: date, *, school_year: int, weeks: int, least_absent: int
) -> list[AbsenceDay]:
    """Schools of so many absences on a day, beside the same weekday of the weeks before."""
    days = [day - timedelta(weeks=number) for number in range(weeks + 1)]
    asked = {"day": day, "days": days, "school_year": school_year, "least": least_absent}
    return [AbsenceDay(*row) for row in await connection.execute(_ABSENCE_DAYS, asked)]


async def population(connection: AsyncConnection, year: int) -> Mapping[int, Mapping[int, int]]:
    """Residents of a year by unit, then age."""
    residents: dict[int, dict[int, int]] = {}
    found = await connection.execute(
        sa.text("SELECT unit_id, age, residents FROM population WHERE year = :year"), {"year": year}
    )
    for row in found:
        residents.setdefault(row.unit_id, {})[row.age] = row.residents
    return residents


async def targets(connection: AsyncConnection, years: Sequence[int]) -> Mapping[tuple[int, int, str], TargetRow]:
    """Targets of school years, by unit, year and indicator."""
    found = await connection.execute(
        sa.text(
            "SELECT unit_id, school_year, indicator, value, source FROM target"
            " WHERE school_year = ANY(CAST(:years AS integer[]))"
        ),
        {"years": list(years)},
    )
    return {(row.unit_id, row.school_year, row.indicator): TargetRow(*row) for row in found}


async def store_population(connection: AsyncConnection, rows: Sequence[PopulationRow], *, subject: str) -> None:
    """Replace the residents of the units and years given."""
    given = _columns(rows, PopulationRow._fields)
    await connection.execute(
        sa.text(
            "DELETE FROM population USING (SELECT DISTINCT unit_id, year FROM unnest(CAST(:unit_id AS bigint[]),"
            " CAST(:year AS integer[])) AS given(unit_id, year)) AS given"
            " WHERE population.unit_id = given.unit_id AND population.year = given.year"
        ),
        {name: given[name] for name in ("unit_id", "year")},
    )
    await connection.execute(
        sa.text(
            "INSERT INTO population (unit_id, year, age, residents, source, imported_by)"
            " SELECT given.*, :subject FROM unnest(CAST(:unit_id AS bigint[]), CAST(:year AS integer[]),"
            " CAST(:age AS integer[]), CAST(:residents AS bigint[]), CAST(:source AS text[])) AS given"
        ),
        {**given, "subject": subject},
    )


async def store_targets(connection: AsyncConnection, rows: Sequence[TargetRow], *, subject: str) -> None:
    """Set targets; one that is there is replaced."""
    await connection.execute(
        sa.text(
            "INSERT INTO target (unit_id, school_year, indicator, value, source, set_by)"
            " SELECT given.*, :subject FROM unnest(CAST(:unit_id AS bigint[]), CAST(:school_year AS integer[]),"
            " CAST(:indicator AS text[]), CAST(:value AS double precision[]), CAST(:source AS text[])) AS given"
            " ON CONFLICT (unit_id, school_year, indicator) DO UPDATE SET value = excluded.value,"
            " source = excluded.source, set_by = excluded.set_by, set_time = now()"
        ),
        {**_columns(rows, TargetRow._fields), "subject": subject},
    )


async def list_population(
    connection: AsyncConnection, units: Sequence[int], *, year: int, after: tuple[int, int], limit: int
) -> list[Any]:
    """Units and years with residents by age, those after a unit and year."""
    found = await connection.execute(
        sa.text(
            "SELECT unit_id, year, array_agg(age ORDER BY age) AS ages, array_agg(residents ORDER BY age) AS counts,"
            " max(source) AS source, max(import_time) AS import_time FROM population"
            " WHERE unit_id = ANY(CAST(:units AS bigint[])) AND (:year = 0 OR year = :year)"
            " AND (unit_id, year) > (:unit, :after_year)"
            " GROUP BY unit_id, year ORDER BY unit_id, year LIMIT :limit"
        ),
        {"units": list(units), "year": year, "unit": after[0], "after_year": after[1], "limit": limit},
    )
    return list(found)


async def list_targets(
    connection: AsyncConnection, units: Sequence[int], *, school_year: int, after: tuple[int, int, str], limit: int
) -> list[Any]:
    """Targets of units, those after a unit, year and indicator."""
    found = await connection.execute(
        sa.text(
            "SELECT unit_id, school_year, indicator, value, source, set_time FROM target"
            " WHERE unit_id = ANY(CAST(:units AS bigint[])) AND (:year = 0 OR school_year = :year)"
            " AND (unit_id, school_year, indicator) > (:unit, :after_year, :indicator)"
            " ORDER BY unit_id, school_year, indicator LIMIT :limit"
        ),
        {
            "units": list(units),
            "year": school_year,
            "unit": after[0],
            "after_year": after[1],
            "indicator": after[2],
            "limit": limit,
        },
    )
    return list(found)


def _columns(rows: Sequence[tuple[Any, ...]], names: Sequence[str]) -> dict[str, list[Any]]:
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


_ABSENCE_DAYS = sa.text("""
WITH registered AS (
    SELECT school_id, day, sum(value) FILTER (WHERE measure = 'sessions_scheduled') AS scheduled,
        coalesce(sum(value) FILTER (WHERE measure = 'sessions_absent'), 0) AS absent
    FROM day_tally
    WHERE school_year = :school_year AND day = ANY(CAST(:days AS date[]))
        AND measure IN ('sessions_scheduled', 'sessions_absent')
    GROUP BY school_id, day HAVING sum(value) FILTER (WHERE measure = 'sessions_scheduled') > 0
)
SELECT present.school_id, present.scheduled::bigint, present.absent::bigint, count(*) AS day_count,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY earlier.absent::double precision / earlier.scheduled) AS usual_share
FROM registered AS present JOIN registered AS earlier ON earlier.school_id = present.school_id AND earlier.day < :day
WHERE present.day = :day AND present.absent >= :least
GROUP BY present.school_id, present.scheduled, present.absent
""")
