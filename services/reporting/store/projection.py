# ruff: noqa: S608 (statements are put together from constants of these modules; nothing comes from outside)
"""Follows changes: facts under a guard by feed position, and what derives from them by exact differences.

`merge` is given changes in any order, repeated or not, of any schools; the stocks afterwards are those a recount would
give. The schools' locks make the differences of two writers follow each other; the head, taken after the heavy part,
makes versions rise in the order of commits.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import copy_rows, lock_keys
from services.reporting.domain.figures import ClassFigures, FactRow, SchoolFigures

SCHOOL_LOCKS = 1  # Space of the advisory locks on schools.

# The columns of a `FactRow`, in its order.
FACT_COLUMNS = (
    "school_id", "measure", "key", "position", "school_year", "level", "grade", "sex", "ethnic_group", "class_key",
    "name", "status",
)  # fmt: skip


@dataclass(frozen=True)
class Changed:
    """Figures that a merge changed."""

    schools: Sequence[SchoolFigures] = ()
    classes: Sequence[ClassFigures] = ()


async def hold_schools(connection: AsyncConnection, schools: Iterable[int]) -> None:
    """Lock schools until the transaction ends.

    Whoever merges more than once in a transaction holds all schools first: each merge takes the head, and who has the
    head must not wait for a school whose holder waits for the head.
    """
    await lock_keys(connection, schools, space=SCHOOL_LOCKS)


async def merge(
    connection: AsyncConnection, rows: Sequence[FactRow], *, data_time: datetime | None = None, again: bool = False
) -> Changed:
    """Bring facts and figures up to the given changes, inside the connection's transaction.

    `again` lets a change of the very position that is stored pass once more, for a rebuild.
    """
    if not rows:
        if data_time is not None:
            await connection.execute(_ADVANCE, {"steps": 0, "data_time": data_time})
        return Changed()
    await hold_schools(connection, (row[0] for row in rows))
    await _prepare(connection)
    await copy_rows(connection, "pg_temp.incoming", FACT_COLUMNS, rows)
    merged = await connection.execute(_MERGE_FACTS, {"again": int(again)})
    if not merged.rowcount:
        await connection.execute(_ADVANCE, {"steps": 0, "data_time": data_time})
        return Changed()
    await connection.execute(_ADD_STOCKS)
    position = await connection.scalar(_ADVANCE, {"steps": 1, "data_time": data_time})
    classes = await connection.execute(_MERGE_CLASSES, {"version": position})
    schools = await connection.execute(_ADD_SCHOOLS, {"version": position})
    return Changed(
        schools=[SchoolFigures(*row[:-1]) for row in schools if row.moved],
        classes=[ClassFigures(*row) for row in classes],
    )


async def facts_of(connection: AsyncConnection, school_id: int, keys: Sequence[tuple[str, str]]) -> int:
    """How many of these facts of a school, by measure and key, still say something."""
    measures, names = zip(*keys, strict=True) if keys else ((), ())
    given = {"school": school_id, "measures": list(measures), "keys": list(names)}
    return int(await connection.scalar(_FACTS_OF, given) or 0)


async def connect_schools(
    connection: AsyncConnection,
    connections: Sequence[tuple[int, datetime | None, datetime | None]],
    *,
    data_time: datetime | None,
) -> None:
    """Note when schools first and last sent something: rows of school, first and last time; repeats change nothing."""
    await hold_schools(connection, (school for school, _, _ in connections))
    ids, first, last = zip(*connections, strict=True) if connections else ((), (), ())
    given = {"schools": list(ids), "first": list(first), "last": list(last)}
    fresh = await connection.scalar(_COUNT_NEWLY_CONNECTED, given)
    position = await connection.scalar(_ADVANCE, {"steps": int(bool(fresh)), "data_time": data_time})
    await connection.execute(_MERGE_CONNECTIONS, {**given, "version": position})


async def _prepare(connection: AsyncConnection) -> None:
    """Give this session its working tables, empty; several statements in one round trip."""
    raw = (await connection.get_raw_connection()).driver_connection
    assert raw is not None
    await raw.execute(_WORKING_TABLES)


_WORKING_TABLES = """
CREATE TEMPORARY TABLE IF NOT EXISTS incoming (school_id bigint, measure text, key text, position bigint,
    school_year integer, level text, grade text, sex text, ethnic_group text, class_key text, name text, status text)
    ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS delta (school_id bigint, school_year integer, measure text, level text,
    grade text, sex text, ethnic_group text, class_key text, change integer) ON COMMIT DELETE ROWS;
DELETE FROM incoming;
DELETE FROM delta;
"""

# A rule or norm applies to a school year when it is in force on the year's first day.
_IN_FORCE = (
    "{rule}.valid_from <= make_date(greatest({row}.school_year, 1), 8, 1)"
    " AND ({rule}.valid_to IS NULL OR {rule}.valid_to > make_date(greatest({row}.school_year, 1), 8, 1))"
)
COUNTED = (
    f"rule.measure = given.measure AND rule.status = given.status AND {_IN_FORCE.format(rule='rule', row='given')}"
)
LIMITED = (
    "norm.measure = 'class_size' AND norm.level = given.level AND norm.grade = given.grade"
    f" AND {_IN_FORCE.format(rule='norm', row='given')}"
)

# One difference per fact before and after; a fact that moved nowhere leaves none. School year 0 is that of a record
# which is gone, and which may never have been seen.
_MERGE_FACTS = sa.text(f"""
WITH newest AS (
    SELECT DISTINCT ON (given.school_id, given.measure, given.key) given.*, rule.status IS NOT NULL AS counted
    FROM incoming AS given LEFT JOIN counting_rule AS rule ON {COUNTED}
    ORDER BY given.school_id, given.measure, given.key, given.position DESC
), merged AS (
    INSERT INTO fact AS stored (school_id, measure, key, position, school_year, level, grade, sex, ethnic_group,
        class_key, name, status, counted)
    SELECT school_id, measure, key, position, school_year, level, grade, sex, ethnic_group, class_key, name, status,
        counted
    FROM newest
    ON CONFLICT (school_id, measure, key) DO UPDATE SET position = excluded.position,
        school_year = excluded.school_year, level = excluded.level, grade = excluded.grade, sex = excluded.sex,
        ethnic_group = excluded.ethnic_group, class_key = excluded.class_key, name = excluded.name,
        status = excluded.status, counted = excluded.counted
    WHERE stored.position < excluded.position + :again
    RETURNING new.school_id, new.measure,
        old.school_year AS old_year, old.level AS old_level, old.grade AS old_grade, old.sex AS old_sex,
        old.ethnic_group AS old_group, old.class_key AS old_class, old.counted::integer AS old_counted,
        new.school_year AS new_year, new.level AS new_level, new.grade AS new_grade, new.sex AS new_sex,
        new.ethnic_group AS new_group, new.class_key AS new_class, new.counted::integer AS new_counted,
        (old.school_year, old.level, old.grade, old.sex, old.ethnic_group, old.class_key, old.counted, old.name)
        IS DISTINCT FROM
        (new.school_year, new.level, new.grade, new.sex, new.ethnic_group, new.class_key, new.counted, new.name)
        AS moved
)
INSERT INTO delta (school_id, school_year, measure, level, grade, sex, ethnic_group, class_key, change)
SELECT school_id, old_year, measure, old_level, old_grade, old_sex, old_group, old_class, -old_counted
FROM merged WHERE moved AND old_year > 0
UNION ALL
SELECT school_id, new_year, measure, new_level, new_grade, new_sex, new_group, new_class, new_counted
FROM merged WHERE moved AND new_year > 0
""")

_ADD_STOCKS = sa.text("""
INSERT INTO stock AS stored (school_id, school_year, measure, level, grade, sex, ethnic_group, value)
SELECT school_id, school_year, measure, level, grade, sex, ethnic_group, sum(change)
FROM delta GROUP BY school_id, school_year, measure, level, grade, sex, ethnic_group HAVING sum(change) <> 0
ON CONFLICT (school_id, school_year, measure, level, grade, sex, ethnic_group)
DO UPDATE SET value = stored.value + excluded.value
""")

_MERGE_CLASSES = sa.text(f"""
WITH touched AS (
    SELECT school_id, school_year, class_key, coalesce(sum(change) FILTER (WHERE measure = 'pupils'), 0) AS difference
    FROM delta WHERE class_key <> '' AND (measure = 'classes' OR change <> 0)
    GROUP BY school_id, school_year, class_key
), given AS (
    SELECT touched.*, coalesce(fact.level, '') AS level, coalesce(fact.grade, '') AS grade,
        coalesce(fact.name, '') AS name, coalesce(fact.counted, false) AS active
    FROM touched LEFT JOIN fact ON fact.school_id = touched.school_id AND fact.measure = 'classes'
        AND fact.key = touched.class_key AND fact.school_year = touched.school_year
), merged AS (
    INSERT INTO class_figure AS stored (school_id, school_year, class_key, size, level, grade, name, active, size_limit,
        limit_source, version)
    SELECT given.school_id, given.school_year, given.class_key, given.difference, given.level, given.grade, given.name,
        given.active, coalesce(norm.size_limit, 0), coalesce(norm.source, ''), :version
    FROM given LEFT JOIN norm ON {LIMITED}
    ON CONFLICT (school_id, school_year, class_key) DO UPDATE SET size = stored.size + excluded.size,
        level = excluded.level, grade = excluded.grade, name = excluded.name, active = excluded.active,
        size_limit = excluded.size_limit, limit_source = excluded.limit_source, version = excluded.version
    WHERE (excluded.size, stored.level, stored.grade, stored.name, stored.active, stored.size_limit,
            stored.limit_source)
        IS DISTINCT FROM
        (0, excluded.level, excluded.grade, excluded.name, excluded.active, excluded.size_limit,
            excluded.limit_source)
    RETURNING new.*, old.level AS old_level, old.grade AS old_grade, old.oversize AS old_oversize
), counted AS (
    INSERT INTO stock AS stored (school_id, school_year, measure, level, grade, sex, ethnic_group, value)
    SELECT school_id, school_year, 'classes_oversize', level, grade, '', '', sum(change)
    FROM (
        SELECT school_id, school_year, level, grade, 1 AS change FROM merged WHERE oversize
        UNION ALL
        SELECT school_id, school_year, old_level, old_grade, -1 FROM merged WHERE old_oversize
    ) AS differences
    GROUP BY school_id, school_year, level, grade HAVING sum(change) <> 0
    ON CONFLICT (school_id, school_year, measure, level, grade, sex, ethnic_group)
    DO UPDATE SET value = stored.value + excluded.value
)
SELECT school_id, school_year, class_key, name, grade, size, size_limit, limit_source, active, version FROM merged
""")

_ADD_SCHOOLS = sa.text("""
INSERT INTO school_figure AS stored (school_id, school_year, pupil_count, class_count, staff_count, version)
SELECT school_id, school_year,
    coalesce(sum(change) FILTER (WHERE measure = 'pupils'), 0),
    coalesce(sum(change) FILTER (WHERE measure = 'classes'), 0),
    coalesce(sum(change) FILTER (WHERE measure = 'staff'), 0),
    :version
FROM delta GROUP BY school_id, school_year
ON CONFLICT (school_id, school_year) DO UPDATE SET pupil_count = stored.pupil_count + excluded.pupil_count,
    class_count = stored.class_count + excluded.class_count, staff_count = stored.staff_count + excluded.staff_count,
    version = excluded.version
RETURNING new.school_id, new.school_year, new.pupil_count, new.class_count, new.staff_count, new.version,
    (old.pupil_count, old.class_count, old.staff_count)
    IS DISTINCT FROM (new.pupil_count, new.class_count, new.staff_count) AS moved
""")

_FACTS_OF = sa.text(
    "SELECT count(*) FROM fact JOIN unnest(CAST(:measures AS text[]), CAST(:keys AS text[])) AS given(measure, key)"
    " USING (measure, key) WHERE school_id = :school AND school_year <> 0"
)

_ADVANCE = sa.text(
    "UPDATE head SET position = position + :steps, data_time = greatest(data_time, CAST(:data_time AS timestamptz))"
    " RETURNING position"
)

_GIVEN_CONNECTIONS = (
    "(SELECT school_id, min(first) AS first, max(last) AS last FROM unnest(CAST(:schools AS bigint[]),"
    " CAST(:first AS timestamptz[]), CAST(:last AS timestamptz[])) AS given(school_id, first, last) GROUP BY school_id)"
    " AS given"
)
_COUNT_NEWLY_CONNECTED = sa.text(
    f"SELECT count(*) FROM {_GIVEN_CONNECTIONS} LEFT JOIN connection AS stored USING (school_id)"
    " WHERE given.first IS NOT NULL AND stored.first_accept_time IS NULL"
)
_MERGE_CONNECTIONS = sa.text(
    "INSERT INTO connection AS stored (school_id, first_accept_time, last_accept_time, version)"
    f" SELECT school_id, first, last, :version FROM {_GIVEN_CONNECTIONS}"
    " ON CONFLICT (school_id) DO UPDATE SET"
    " first_accept_time = least(stored.first_accept_time, excluded.first_accept_time),"
    " last_accept_time = greatest(stored.last_accept_time, excluded.last_accept_time),"
    " version = CASE WHEN stored.first_accept_time IS NULL AND excluded.first_accept_time IS NOT NULL"
    " THEN excluded.version ELSE stored.version END"
)
