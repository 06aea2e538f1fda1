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
from services.reporting.domain.figures import ClassFigures, DetailRow, FactRow, SchoolFigures
from services.reporting.store import absences, facts
from services.reporting.store.facts import LIMITED, SEATS

SCHOOL_LOCKS = 1  # Space of the advisory locks on schools.


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
    connection: AsyncConnection,
    rows: Sequence[FactRow],
    details: Sequence[DetailRow] = (),
    *,
    data_time: datetime | None = None,
    again: bool = False,
) -> Changed:
    """Bring facts and figures up to the given changes, inside the connection's transaction.

    `details` hold what some of the rows add to beside their own number. `data_time` is when the changes were committed
    where they came from; its day is when they became known. `again` lets a change of the very position that is stored
    pass once more, for a rebuild.
    """
    if not rows:
        if data_time is not None:
            await connection.execute(_ADVANCE, {"steps": 0, "data_time": data_time})
        return Changed()
    await hold_schools(connection, (row[0] for row in rows))
    await _prepare(connection)
    await copy_rows(connection, "pg_temp.incoming", facts.FACT_COLUMNS, rows)
    if details:
        await copy_rows(connection, "pg_temp.detail", facts.DETAIL_COLUMNS, details)
    if not await _merge_facts(connection, {row[1] for row in rows}, again=again):
        await connection.execute(_ADVANCE, {"steps": 0, "data_time": data_time})
        return Changed()
    known = {"known": data_time}
    await connection.execute(_ADD_STOCKS)
    await connection.execute(_ADD_TALLIES)
    await connection.execute(_ADD_MOVEMENTS, known)
    position = await connection.scalar(_ADVANCE, {"steps": 1, "data_time": data_time})
    classes = await connection.execute(_MERGE_CLASSES, {"version": position, **known})
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


async def _merge_facts(connection: AsyncConnection, measures: set[str], *, again: bool) -> int:
    """Merge what was copied; says how many facts were not there as given."""
    attached = measures.intersection(facts.ATTACHED)
    merged = 0
    if "registers" in attached:
        await absences.note_classes(connection)
    if measures - attached:
        merged += (await connection.execute(facts.MERGE_FACTS, {"again": int(again)})).rowcount
    if attached:
        merged += (await connection.execute(facts.MERGE_ATTACHED, {"again": int(again)})).rowcount
    if measures.intersection({"pupils", "classes"}) and await connection.scalar(facts.HAS_ATTACHED):
        merged += (await connection.execute(facts.FOLLOW_PARENTS)).rowcount
    if merged and "registers" in attached:
        await absences.follow_registers(connection)
        await connection.execute(_ADD_SESSIONS)
        await connection.execute(_ADD_DAYS)
    return merged


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
    await raw.execute(facts.WORKING_TABLES)


_ADD_STOCKS = sa.text("""
INSERT INTO stock AS stored (school_id, school_year, measure, level, grade, sex, ethnic_group, value)
SELECT school_id, school_year, measure, level, grade, sex, ethnic_group, sum(change)
FROM delta WHERE item IS NULL
GROUP BY school_id, school_year, measure, level, grade, sex, ethnic_group HAVING sum(change) <> 0
ON CONFLICT (school_id, school_year, measure, level, grade, sex, ethnic_group)
DO UPDATE SET value = stored.value + excluded.value
""")

_ADD_TALLIES = sa.text("""
INSERT INTO tally AS stored (school_id, school_year, measure, level, grade, sex, item, value)
SELECT school_id, school_year, measure, level, grade, sex, item, sum(change)
FROM delta WHERE item IS NOT NULL
GROUP BY school_id, school_year, measure, level, grade, sex, item HAVING sum(change) <> 0
ON CONFLICT (school_id, school_year, measure, level, grade, sex, item)
DO UPDATE SET value = stored.value + excluded.value
""")

# The day of Asia/Ho_Chi_Minh on which a change was committed where it came from; now, where nobody says.
_KNOWN_DAY = "(coalesce(CAST(:known AS timestamptz), now()) AT TIME ZONE 'Asia/Ho_Chi_Minh')::date"
_ADD_MOVEMENT = (
    "ON CONFLICT (school_id, school_year, day, measure, level, grade, sex, item)"
    " DO UPDATE SET change = stored.change + excluded.change"
)
# Registers have a day of their own.
_ADD_MOVEMENTS = sa.text(f"""
INSERT INTO movement AS stored (school_id, school_year, day, measure, level, grade, sex, item, change)
SELECT school_id, school_year, {_KNOWN_DAY}, measure, level, grade, sex, coalesce(item, ''), sum(change)
FROM delta WHERE day IS NULL
GROUP BY school_id, school_year, measure, level, grade, sex, coalesce(item, '') HAVING sum(change) <> 0
{_ADD_MOVEMENT}
""")

_ADD_DAYS = sa.text("""
INSERT INTO day_tally AS stored (school_id, school_year, day, measure, value)
SELECT school_id, school_year, day, measure, sum(change)
FROM delta WHERE day IS NOT NULL GROUP BY school_id, school_year, day, measure HAVING sum(change) <> 0
ON CONFLICT (school_id, school_year, day, measure) DO UPDATE SET value = stored.value + excluded.value
""")

_ADD_SESSIONS = sa.text("""
INSERT INTO class_session AS stored (school_id, school_year, class_key, session_count)
SELECT school_id, school_year, class_key, sum(change)
FROM delta WHERE measure = 'registers' AND item IS NULL GROUP BY school_id, school_year, class_key
HAVING sum(change) <> 0
ON CONFLICT (school_id, school_year, class_key)
DO UPDATE SET session_count = stored.session_count + excluded.session_count
""")

_MERGE_CLASSES = sa.text(f"""
WITH touched AS (
    SELECT school_id, school_year, class_key, coalesce(sum(change) FILTER (WHERE measure = 'pupils'), 0) AS difference,
        coalesce(sum(beside) FILTER (WHERE measure = 'pupils'), 0) AS beside
    FROM delta WHERE class_key <> '' AND item IS NULL
        AND (measure = 'classes' OR (measure = 'pupils' AND (change, beside) <> (0, 0)))
    GROUP BY school_id, school_year, class_key
), given AS (
    SELECT touched.*, coalesce(fact.level, '') AS level, coalesce(fact.grade, '') AS grade,
        coalesce(fact.name, '') AS name, coalesce(fact.counted, false) AS active
    FROM touched LEFT JOIN fact ON fact.school_id = touched.school_id AND fact.measure = 'classes'
        AND fact.key = touched.class_key AND fact.school_year = touched.school_year
), merged AS (
    INSERT INTO class_figure AS stored (school_id, school_year, class_key, size, beside, level, grade, name, active,
        size_limit, limit_source, version)
    SELECT given.school_id, given.school_year, given.class_key, given.difference, given.beside, given.level,
        given.grade, given.name, given.active, coalesce(norm.size_limit, 0), coalesce(norm.source, ''), :version
    FROM given LEFT JOIN norm ON {LIMITED}
    ON CONFLICT (school_id, school_year, class_key) DO UPDATE SET size = stored.size + excluded.size,
        beside = coalesce(stored.beside, 0) + excluded.beside,
        level = excluded.level, grade = excluded.grade, name = excluded.name, active = excluded.active,
        size_limit = excluded.size_limit, limit_source = excluded.limit_source, version = excluded.version
    WHERE (excluded.size, excluded.beside, stored.level, stored.grade, stored.name, stored.active, stored.size_limit,
            stored.limit_source)
        IS DISTINCT FROM
        (0, 0, excluded.level, excluded.grade, excluded.name, excluded.active, excluded.size_limit,
            excluded.limit_source)
    RETURNING new.*, old.level AS old_level, old.grade AS old_grade, old.oversize AS old_oversize
), difference AS (
    SELECT school_id, school_year, level, grade, sum(change) AS change
    FROM (
        SELECT school_id, school_year, level, grade, 1 AS change FROM merged WHERE oversize
        UNION ALL
        SELECT school_id, school_year, old_level, old_grade, -1 FROM merged WHERE old_oversize
    ) AS differences
    GROUP BY school_id, school_year, level, grade HAVING sum(change) <> 0
), known AS (
    INSERT INTO movement AS stored (school_id, school_year, day, measure, level, grade, sex, item, change)
    SELECT school_id, school_year, {_KNOWN_DAY}, 'classes_oversize', level, grade, '', '', change FROM difference
    {_ADD_MOVEMENT}
), counted AS (
    INSERT INTO stock AS stored (school_id, school_year, measure, level, grade, sex, ethnic_group, value)
    SELECT school_id, school_year, 'classes_oversize', level, grade, '', '', change FROM difference
    ON CONFLICT (school_id, school_year, measure, level, grade, sex, ethnic_group)
    DO UPDATE SET value = stored.value + excluded.value
)
SELECT school_id, school_year, class_key, name, grade, {SEATS}, size_limit, limit_source, active, version FROM merged
""")

_ADD_SCHOOLS = sa.text("""
INSERT INTO school_figure AS stored (school_id, school_year, pupil_count, class_count, staff_count, version)
SELECT school_id, school_year,
    coalesce(sum(change) FILTER (WHERE measure = 'pupils' AND item IS NULL), 0),
    coalesce(sum(change) FILTER (WHERE measure = 'classes' AND item IS NULL), 0),
    coalesce(sum(change) FILTER (WHERE measure = 'staff' AND item IS NULL), 0),
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
