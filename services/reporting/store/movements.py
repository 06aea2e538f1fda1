"""How figures moved, by the day it became known, and what registers of a day add up to. Refuses nothing."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from datetime import date
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

FIRST_DAY = date(2000, 1, 1)


class Stood(NamedTuple):
    """A measure of one school as it stood at the end of a day, where anything moved since."""

    school_id: int
    measure: str
    combinations: Sequence[str]
    values_: Sequence[int]


class SchoolMoved(NamedTuple):
    """What became known of a school on days, counted from `FIRST_DAY`, of one measure and combination."""

    school_id: int
    measure: str
    combination: str
    days: Sequence[int]
    changes: Sequence[int]


async def stood_on(connection: AsyncConnection, *, school_year: int, day: date, measures: Sequence[str]) -> list[Stood]:
    """Measures of the schools of which anything became known after a day, less that; seen at one moment."""
    found = await connection.execute(_STOOD, {"school_year": school_year, "day": day, "measures": list(measures)})
    return [Stood(row.school_id, row.measure, row.combinations or (), row.values_ or ()) for row in found]


async def schools_moved(connection: AsyncConnection, *, school_year: int, after: int) -> frozenset[int]:
    """Schools of which anything has moved since a position of the head."""
    return frozenset(await connection.scalars(_SCHOOLS, {"school_year": school_year, "after": after}))


async def moved_by_school(
    connection: AsyncConnection,
    *,
    school_year: int,
    after: date,
    measures: Sequence[str],
    schools: Iterable[int],
    dimensions: AbstractSet[str],
) -> list[SchoolMoved]:
    """What became known of schools on each day after one; of combinations only the dimensions named are told apart."""
    asked = {
        "school_year": school_year,
        "day": after,
        "measures": list(measures),
        "schools": sorted(schools),
        "first": FIRST_DAY,
        **{name: name in dimensions for name in ("level", "grade", "sex")},
        "item": bool(dimensions & {"stage", "subject", "outcome"}),
    }
    return [SchoolMoved(*row) for row in await connection.execute(_BY_SCHOOL, asked)]


async def known_from(connection: AsyncConnection, *, school_year: int) -> date | None:
    """The first day on which anything of a school year became known; None where no day was noted."""
    found: date | None = await connection.scalar(
        sa.text("SELECT min(day) FROM movement WHERE school_year = :school_year"), {"school_year": school_year}
    )
    return found


async def register_sums(
    connection: AsyncConnection, *, school_year: int, until: date, measures: Sequence[str]
) -> dict[str, dict[int, int]]:
    """Sums of what registers up to a day say, by measure and school."""
    sums: dict[str, dict[int, int]] = {}
    found = await connection.execute(_UNTIL, {"school_year": school_year, "until": until, "measures": list(measures)})
    for row in found:
        sums.setdefault(row.measure, {})[row.school_id] = row.value
    return sums


async def registers_by_day(
    connection: AsyncConnection, *, first: date, last: date, measures: Sequence[str], schools: Sequence[int]
) -> list[Any]:
    """(day, measure, value) of schools' registers, by day."""
    asked = {"first": first, "last": last, "measures": list(measures), "schools": list(schools)}
    return list(await connection.execute(_DAYS, asked))


_COMBINATION = "concat_ws('|', level, grade, sex, CASE WHEN item = '' THEN '||' ELSE item END, '')"
_STOOD = sa.text(f"""
WITH touched AS (
    SELECT DISTINCT school_id, school_year, measure FROM movement
    WHERE school_year = :school_year AND day > :day AND measure = ANY(CAST(:measures AS text[]))
), counted AS (
    SELECT school_id, measure, {_COMBINATION} AS combination, sum(value)::bigint AS value
    FROM (
        SELECT school_id, measure, level, grade, sex, '' AS item, value
        FROM touched JOIN stock USING (school_id, school_year, measure)
        UNION ALL
        SELECT school_id, measure, level, grade, sex, item, value
        FROM touched JOIN tally USING (school_id, school_year, measure)
        UNION ALL
        SELECT school_id, measure, level, grade, sex, item, -change
        FROM touched JOIN movement USING (school_id, school_year, measure) WHERE day > :day
    ) AS present_less_moved GROUP BY 1, 2, 3 HAVING sum(value) <> 0
)
SELECT school_id, measure, array_agg(combination) FILTER (WHERE combination IS NOT NULL) AS combinations,
    array_agg(value) FILTER (WHERE combination IS NOT NULL) AS values_
FROM touched LEFT JOIN counted USING (school_id, measure) GROUP BY school_id, measure
""")  # noqa: S608  (a constant of this module)
_SCHOOLS = sa.text("SELECT school_id FROM school_figure WHERE school_year = :school_year AND version > :after")
_BY_SCHOOL = sa.text("""
WITH moved AS (
    SELECT school_id, day - CAST(:first AS date) AS day, measure,
        CASE WHEN :level THEN level ELSE '' END AS level, CASE WHEN :grade THEN grade ELSE '' END AS grade,
        CASE WHEN :sex THEN sex ELSE '' END AS sex, CASE WHEN :item THEN item ELSE '' END AS item,
        sum(change)::bigint AS change
    FROM movement
    WHERE school_year = :school_year AND day > :day AND measure = ANY(CAST(:measures AS text[]))
        AND school_id = ANY(CAST(:schools AS bigint[]))
    GROUP BY 1, 2, 3, 4, 5, 6, 7
)
SELECT school_id, measure,
    concat_ws('|', level, grade, sex, CASE WHEN item = '' THEN '||' ELSE item END, '') AS combination,
    array_agg(day) AS days, array_agg(change) AS changes
FROM moved GROUP BY school_id, measure, level, grade, sex, item
""")
_UNTIL = sa.text("""
SELECT measure, school_id, sum(value)::bigint AS value FROM day_tally
WHERE school_year = :school_year AND day <= :until AND measure = ANY(CAST(:measures AS text[])) GROUP BY 1, 2
""")
_DAYS = sa.text("""
SELECT day, measure, sum(value)::bigint AS value FROM day_tally
WHERE day BETWEEN :first AND :last AND measure = ANY(CAST(:measures AS text[]))
    AND school_id = ANY(CAST(:schools AS bigint[])) GROUP BY 1, 2 ORDER BY 1
""")
