# ruff: noqa: S608 (statements are put together from constants of these modules; nothing comes from outside)
"""Counts anew from the facts what the projection follows by differences: to verify that both agree, and to repair.

The two are written independently on purpose: a recount knows neither old values nor order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import lock_keys
from services.reporting.domain.figures import ClassFigures, SchoolFigures
from services.reporting.store import absences
from services.reporting.store.facts import COUNTED, DROPPED, LIMITED, PLACE_DIFFERS, PLACED, SEATED, SEATS
from services.reporting.store.projection import SCHOOL_LOCKS, Changed


@dataclass(frozen=True)
class Difference:
    """A figure that is not what a recount gives."""

    table: str
    key: tuple[Any, ...]
    kept: Any
    recounted: Any


async def differences(connection: AsyncConnection, schools: Sequence[int] | None = None) -> list[Difference]:
    """Where the projection and a recount differ, of all schools or the given ones; both seen at one moment each."""
    given = {"schools": None if schools is None else list(schools)}
    found: list[Difference] = []
    for table, statement in _COMPARE.items():
        for *key, kept, recounted in await connection.execute(statement, given):
            found.append(Difference(table, tuple(key), kept, recounted))
    return found


async def schools(connection: AsyncConnection) -> list[int]:
    """Every school that any projection knows."""
    return list(await connection.scalars(_SCHOOLS))


async def repair(connection: AsyncConnection, wanted: Sequence[int]) -> Changed:
    """Put the recounted figures of schools in place of the kept ones where any differ; says what they are now."""
    await lock_keys(connection, wanted, space=SCHOOL_LOCKS)
    for statement in (_RECOUNT_FACTS, _PLACE_FACTS):
        await connection.execute(statement, {"schools": list(wanted)})
    wrong = sorted({int(found.key[0]) for found in await differences(connection, wanted)})
    if not wrong:
        return Changed()
    position = await connection.scalar(_ADVANCE)
    given = {"schools": wrong, "version": position}
    for table in ("stock", "class_figure", *_FILL):
        await connection.execute(sa.text(f"DELETE FROM {table} WHERE school_id = ANY(:schools)"), {"schools": wrong})
    await connection.execute(_FILL_STOCKS, given)
    for statement in _FILL.values():
        await connection.execute(statement, {"schools": wrong})
    classes = await connection.execute(_FILL_CLASSES, given)
    totals = await connection.execute(_FILL_SCHOOLS, given)
    return Changed(
        schools=[SchoolFigures(*row) for row in totals],
        classes=[ClassFigures(*row) for row in classes],
    )


_OF_SCHOOLS = "(CAST(:schools AS bigint[]) IS NULL OR school_id = ANY(CAST(:schools AS bigint[])))"

_CLASSES = f"""
SELECT given.school_id, given.school_year, given.class_key, given.size, given.beside, given.level, given.grade,
    given.name, given.active, coalesce(norm.size_limit, 0) AS size_limit, coalesce(norm.source, '') AS limit_source,
    given.active AND coalesce(norm.size_limit, 0) BETWEEN 1 AND given.size + given.beside - 1 AS oversize
FROM (
    SELECT school_id, school_year, class_key,
        (count(*) FILTER (WHERE measure = 'pupils' AND counted))::integer AS size,
        (count(*) FILTER (WHERE measure = 'pupils' AND beside))::integer AS beside,
        coalesce(max(level) FILTER (WHERE measure = 'classes'), '') AS level,
        coalesce(max(grade) FILTER (WHERE measure = 'classes'), '') AS grade,
        coalesce(max(name) FILTER (WHERE measure = 'classes'), '') AS name,
        coalesce(bool_or(counted) FILTER (WHERE measure = 'classes'), false) AS active
    FROM fact WHERE class_key <> '' AND school_year > 0 AND {_OF_SCHOOLS}
    GROUP BY school_id, school_year, class_key
) AS given LEFT JOIN norm ON {LIMITED}
"""
_STOCKS = f"""
SELECT school_id, school_year, measure, level, grade, sex, ethnic_group, count(*) AS value
FROM fact WHERE counted AND {_OF_SCHOOLS}
GROUP BY school_id, school_year, measure, level, grade, sex, ethnic_group
UNION ALL
SELECT school_id, school_year, 'classes_oversize', level, grade, '', '', count(*)
FROM ({_CLASSES}) AS classes WHERE oversize GROUP BY school_id, school_year, level, grade
"""
_TOTALS = f"""
SELECT school_id, school_year, count(*) FILTER (WHERE measure = 'pupils' AND counted) AS pupil_count,
    count(*) FILTER (WHERE measure = 'classes' AND counted) AS class_count,
    count(*) FILTER (WHERE measure = 'staff' AND counted) AS staff_count
FROM fact WHERE school_year > 0 AND {_OF_SCHOOLS} GROUP BY school_id, school_year
"""
_TALLIES = f"""
SELECT school_id, school_year, split_part(tally, '|', 1) AS measure, level, grade, sex,
    substr(tally, strpos(tally, '|') + 1) AS item, sum(amount) AS value
FROM fact, unnest(tallies, amounts) AS given(tally, amount)
WHERE counted AND school_year > 0 AND {_OF_SCHOOLS} GROUP BY 1, 2, 3, 4, 5, 6, 7
UNION ALL
SELECT school_id, school_year, 'dropouts', level, grade, sex, '||', count(*)
FROM fact WHERE dropped AND school_year > 0 AND {_OF_SCHOOLS} GROUP BY school_id, school_year, level, grade, sex
"""
_DAYS = f"""
SELECT school_id, school_year, day, 'registers' AS measure, count(*) AS value
FROM fact WHERE measure = 'registers' AND counted AND school_year > 0 AND {_OF_SCHOOLS}
GROUP BY school_id, school_year, day
UNION ALL
SELECT school_id, school_year, day, split_part(tally, '|', 1), sum(amount)
FROM fact, unnest(tallies, amounts) AS given(tally, amount)
WHERE measure = 'registers' AND counted AND school_year > 0 AND {_OF_SCHOOLS} GROUP BY 1, 2, 3, 4
"""
_SESSIONS = f"""
SELECT school_id, school_year, class_key, count(*) AS session_count
FROM fact WHERE measure = 'registers' AND counted AND school_year > 0 AND {_OF_SCHOOLS}
GROUP BY school_id, school_year, class_key
"""
_ABSENCES = absences.COUNTS.format(of=_OF_SCHOOLS)
# Where a table is no more than sums: its key, and what they are recounted by.
_SUMS = {
    "tally": ("school_id, school_year, measure, level, grade, sex, item", "value", _TALLIES),
    "day_tally": ("school_id, school_year, day, measure", "value", _DAYS),
    "class_session": ("school_id, school_year, class_key", "session_count", _SESSIONS),
    "pupil_absence": (
        "school_id, school_year, pupil_key",
        "session_count * 1000 + counted_day_count",
        _ABSENCES,
    ),
}

# A row that stands for nothing (no pupil, no class, no member of staff) is no difference to its absence.
_COMPARE = {
    "stock": sa.text(f"""
        SELECT school_id, school_year, measure, level, grade, sex, ethnic_group, kept.value, recounted.value
        FROM (SELECT * FROM stock WHERE value <> 0 AND {_OF_SCHOOLS}) AS kept
        FULL JOIN ({_STOCKS}) AS recounted USING (school_id, school_year, measure, level, grade, sex, ethnic_group)
        WHERE kept.value IS DISTINCT FROM recounted.value
    """),
    "class_figure": sa.text(f"""
        SELECT school_id, school_year, class_key, CAST(kept.content AS text), CAST(recounted.content AS text)
        FROM (
            SELECT school_id, school_year, class_key,
                ROW(size, coalesce(beside, 0), level, grade, name, active, size_limit, limit_source, oversize)
                AS content
            FROM class_figure WHERE ({SEATS} <> 0 OR name <> '') AND {_OF_SCHOOLS}
        ) AS kept FULL JOIN (
            SELECT school_id, school_year, class_key,
                ROW(size, beside, level, grade, name, active, size_limit, limit_source, oversize) AS content
            FROM ({_CLASSES}) AS classes WHERE {SEATS} <> 0 OR name <> ''
        ) AS recounted USING (school_id, school_year, class_key)
        WHERE kept.content IS DISTINCT FROM recounted.content
    """),
    "school_figure": sa.text(f"""
        SELECT school_id, school_year, CAST(kept.content AS text), CAST(recounted.content AS text)
        FROM (
            SELECT school_id, school_year, ROW(pupil_count, class_count, staff_count) AS content
            FROM school_figure WHERE pupil_count + class_count + staff_count <> 0 AND {_OF_SCHOOLS}
        ) AS kept FULL JOIN (
            SELECT school_id, school_year, ROW(pupil_count, class_count, staff_count) AS content
            FROM ({_TOTALS}) AS totals WHERE pupil_count + class_count + staff_count <> 0
        ) AS recounted USING (school_id, school_year)
        WHERE kept.content IS DISTINCT FROM recounted.content
    """),
}
for _table, (_key, _value, _recounted) in _SUMS.items():
    _COMPARE[_table] = sa.text(f"""
        SELECT {_key}, kept.amount, recounted.amount
        FROM (SELECT {_key}, {_value} AS amount FROM {_table} WHERE {_OF_SCHOOLS}) AS kept
        FULL JOIN (SELECT {_key}, {_value} AS amount FROM ({_recounted}) AS counted) AS recounted USING ({_key})
        WHERE coalesce(kept.amount, 0) <> coalesce(recounted.amount, 0)
    """)
# Registers and results that do not lie where their class and pupil do.
_COMPARE["fact"] = sa.text(f"""
    SELECT stored.school_id, stored.measure, stored.key, stored.level, place.level
    FROM fact AS stored JOIN ({PLACED.format(of_schools=_OF_SCHOOLS)}) AS place USING (school_id, measure, key)
    WHERE {PLACE_DIFFERS}
""")

_SCHOOLS = sa.text(
    "SELECT school_id FROM fact UNION SELECT school_id FROM stock UNION SELECT school_id FROM class_figure"
    " UNION SELECT school_id FROM school_figure ORDER BY 1"
)
_ADVANCE = sa.text("UPDATE head SET position = position + 1 RETURNING position")

# The rules of counting may be others than when a fact came.
_RECOUNT_FACTS = sa.text(f"""
UPDATE fact AS stored SET counted = given.counted, beside = given.beside, dropped = given.dropped
FROM (
    SELECT given.school_id, given.measure, given.key, rule.status IS NOT NULL AS counted,
        seat.status IS NOT NULL AS beside, lost.status IS NOT NULL AS dropped
    FROM fact AS given LEFT JOIN counting_rule AS rule ON {COUNTED} LEFT JOIN counting_rule AS lost ON {DROPPED}
    LEFT JOIN counting_rule AS seat ON {SEATED}
    WHERE given.school_id = ANY(CAST(:schools AS bigint[])) AND given.measure NOT IN ('registers', 'results')
) AS given
WHERE stored.school_id = given.school_id AND stored.measure = given.measure AND stored.key = given.key
    AND (stored.counted, coalesce(stored.beside, false), stored.dropped)
        <> (given.counted, given.beside, given.dropped)
""")
_PLACE_FACTS = sa.text(f"""
UPDATE fact AS stored SET level = place.level, grade = place.grade, sex = place.sex, counted = place.counted
FROM ({PLACED.format(of_schools=_OF_SCHOOLS)}) AS place
WHERE stored.school_id = place.school_id AND stored.measure = place.measure AND stored.key = place.key
    AND {PLACE_DIFFERS}
""")
_FILL_STOCKS = sa.text(
    f"INSERT INTO stock (school_id, school_year, measure, level, grade, sex, ethnic_group, value) {_STOCKS}"
)
_FILL = {
    "tally": sa.text(f"INSERT INTO tally (school_id, school_year, measure, level, grade, sex, item, value) {_TALLIES}"),
    "day_tally": sa.text(f"INSERT INTO day_tally (school_id, school_year, day, measure, value) {_DAYS}"),
    "class_session": sa.text(
        f"INSERT INTO class_session (school_id, school_year, class_key, session_count) {_SESSIONS}"
    ),
    "pupil_absence": sa.text(
        f"INSERT INTO pupil_absence (school_id, school_year, pupil_key, session_count, counted_day_count) {_ABSENCES}"
    ),
}
_FILL_CLASSES = sa.text(
    "INSERT INTO class_figure (school_id, school_year, class_key, size, beside, level, grade, name, active, size_limit,"
    " limit_source, version) SELECT school_id, school_year, class_key, size, beside, level, grade, name, active,"
    f" size_limit, limit_source, CAST(:version AS bigint) FROM ({_CLASSES}) AS classes"
    f" RETURNING school_id, school_year, class_key, name, grade, {SEATS}, size_limit, limit_source, active, version"
)
_FILL_SCHOOLS = sa.text(f"""
INSERT INTO school_figure AS stored (school_id, school_year, pupil_count, class_count, staff_count, version)
SELECT school_id, school_year, coalesce(pupil_count, 0), coalesce(class_count, 0), coalesce(staff_count, 0),
    CAST(:version AS bigint)
FROM ({_TOTALS}) AS totals
FULL JOIN (SELECT school_id, school_year FROM school_figure WHERE {_OF_SCHOOLS}) AS present
    USING (school_id, school_year)
ON CONFLICT (school_id, school_year) DO UPDATE SET pupil_count = excluded.pupil_count,
    class_count = excluded.class_count, staff_count = excluded.staff_count, version = excluded.version
RETURNING school_id, school_year, pupil_count, class_count, staff_count, version
""")
