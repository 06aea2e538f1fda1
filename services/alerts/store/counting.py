"""Counts what facts are made of, from what is kept of classes, pupils, registers and results: each time anew."""

# ruff: noqa: S608 (statements are put together of our own texts)

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.arrays import columns, unnested
from services.alerts.domain import CLASS_SIZE
from services.alerts.domain.early_warning import Marks
from services.alerts.store.projection import ClassYear, Identity, StageOf, fetch


class PupilRow(NamedTuple):
    """What is kept of a pupil."""

    school_id: int
    key: str
    deleted: bool
    school_year: int
    class_key: str
    grade: str
    in_stock: bool


class ClassStage(NamedTuple):
    """Results of a class at a stage."""

    school_id: int
    school_year: int
    stage: str
    grade: str
    class_key: str
    pupils: int
    failing: int
    mark_sum: float
    mark_count: int


class Reported(NamedTuple):
    """What a school reported of a day's attendance."""

    expected: int
    reported: int
    last_day: date | None


async def away_of_classes(connection: AsyncConnection, classes: Iterable[ClassYear]) -> set[Identity]:
    """Pupils who were ever away in a register of these class-years."""
    return {tuple(row) for row in await fetch(connection, _AWAY_OF_CLASSES, *_given(classes, _OF_CLASS))}


async def pupils(connection: AsyncConnection, identities: Iterable[Identity]) -> list[PupilRow]:
    """These pupils, as far as they are known and something may be made of them."""
    return [PupilRow(*row) for row in await fetch(connection, _PUPILS, *_given(identities, _OF_PUPIL))]


async def away_days(
    connection: AsyncConnection, identities: Sequence[Identity]
) -> dict[tuple[int, str, int], dict[date, bool]]:
    """By school, pupil and school year: days absent from the main session, and whether without permission.

    A day's main session is the earliest that the class has a register for.
    """
    found: dict[tuple[int, str, int], dict[date, bool]] = {}
    for school_id, key, year, day, unexcused in await fetch(connection, _AWAY_DAYS, *_given(identities, _OF_PUPIL)):
        found.setdefault((school_id, key, year), {})[day] = unexcused
    return found


async def class_days(connection: AsyncConnection, classes: Iterable[ClassYear]) -> dict[ClassYear, list[date]]:
    """The days that these classes reported."""
    rows = await fetch(connection, _CLASS_DAYS, *_given(classes, _OF_CLASS))
    return {(school_id, year, class_key): days for school_id, year, class_key, days in rows}


async def class_names(connection: AsyncConnection, classes: Iterable[ClassYear]) -> dict[ClassYear, str]:
    """How these classes are called, as far as their sizes were told."""
    rows = await fetch(connection, _CLASS_NAMES, *_given(classes, _OF_CLASS), CLASS_SIZE)
    return {(school_id, year, class_key): name for school_id, year, class_key, name in rows}


async def newest_marks(
    connection: AsyncConnection, identities: Sequence[Identity], stages: Sequence[str]
) -> dict[tuple[int, str, int], Marks]:
    """By school, pupil and school year: the results of the latest stage."""
    rows = await fetch(connection, _MARKS, *_given(identities, _OF_PUPIL), list(stages))
    return {(school_id, key, year): Marks(*marks) for school_id, key, year, *marks in rows}


async def absence_before(
    connection: AsyncConnection, schools: Iterable[tuple[int, int]], *, most_days: int
) -> dict[ClassYear, list[tuple[date, int, int]]]:
    """By school, year and class (empty: the whole school): of the last day and the same weekday before, in falling.

    order, the day, pupils expected and pupils absent, by main sessions.
    """
    found: dict[ClassYear, list[tuple[date, int, int]]] = {}
    for school_id, year, class_key, day, scheduled, absent in await fetch(
        connection, _ABSENCE, *_given(schools, _OF_SCHOOL), most_days
    ):
        found.setdefault((school_id, year, class_key), []).append((day, scheduled, absent))
    return found


async def class_stages(connection: AsyncConnection, stages: Iterable[StageOf]) -> list[ClassStage]:
    """Results of every class of these schools at these stages."""
    return [ClassStage(*row) for row in await fetch(connection, _STAGES, *_given(stages, _OF_CLASS))]


async def reported(
    connection: AsyncConnection, schools: Iterable[int], *, day: date, school_year: int
) -> Mapping[int, Reported]:
    """By school: classes that have to report, those of them that did on a day, and the last day anything was."""
    rows = await fetch(connection, _REPORTED, sorted(schools), day, school_year)
    return {school_id: Reported(*counts) for school_id, *counts in rows}


async def stages_of(connection: AsyncConnection, identities: Sequence[Identity]) -> set[StageOf]:
    """The stages of which these pupils have results."""
    return {tuple(row) for row in await fetch(connection, _STAGES_OF, *_given(identities, _OF_PUPIL))}


async def figures(connection: AsyncConnection, schools: Iterable[int]) -> dict[tuple[int, int], tuple[int, int, int]]:
    """By school and school year: pupils, classes and staff."""
    rows = await fetch(connection, _FIGURES, sorted(schools))
    return {(school_id, year): (pupils, classes, staff) for school_id, year, pupils, classes, staff in rows}


async def peer_medians(
    connection: AsyncConnection, peers: Mapping[int, Sequence[int]], *, least: int
) -> dict[tuple[int, int], float]:
    """By school and school year: the median of pupils a class among its peers, where there are enough of them."""
    pairs = [(school_id, peer) for school_id, found in peers.items() for peer in found]
    if not pairs:
        return {}
    rows = await fetch(connection, _PEERS, *_given(pairs, _OF_PAIR), least)
    return {(school_id, year): float(median) for school_id, year, median in rows}


async def outcomes(
    connection: AsyncConnection, schools: Iterable[int], years: Iterable[int]
) -> list[tuple[int, str, int, str, bool, Any, int]]:
    """School, key, year, class, whether and when the pupil left school, and the weight of circumstances."""
    return [tuple(row) for row in await fetch(connection, _OUTCOMES, sorted(schools), sorted(years))]


def _given(rows: Iterable[tuple[Any, ...]], types: Sequence[str]) -> list[str]:
    return columns(sorted(set(rows)), types)


_OF_PUPIL = ("bigint", "text")
_OF_CLASS = ("bigint", "int", "text")
_OF_SCHOOL = ("bigint", "int")
_OF_PAIR = ("bigint", "bigint")
_PUPIL = f"{unnested(_OF_PUPIL)} AS given(school_id, key)"
_CLASS = f"{unnested(_OF_CLASS)} AS given(school_id, school_year, class_key)"
_MAIN = (
    "register.session = (SELECT min(main.session) FROM register AS main WHERE main.school_id = register.school_id"
    " AND main.school_year = register.school_year AND main.class_key = register.class_key"
    " AND main.day = register.day AND NOT main.deleted)"
)
_AWAY_OF_CLASSES = (
    f"SELECT DISTINCT absence.school_id, absence.pupil_key FROM {_CLASS} JOIN register USING"
    " (school_id, school_year, class_key) JOIN absence ON absence.school_id = register.school_id"
    " AND absence.register_key = register.key WHERE NOT register.deleted"
)
_PUPILS = (
    "SELECT school_id, key, deleted, school_year, class_key, grade, in_stock AND NOT deleted"
    f" FROM {_PUPIL} JOIN pupil USING (school_id, key) WHERE NOT restricted AND NOT EXISTS (SELECT FROM erased_pupil"
    " WHERE erased_pupil.school_id = pupil.school_id AND erased_pupil.key = pupil.key)"
)
_AWAY_DAYS = (
    "SELECT absence.school_id, absence.pupil_key, register.school_year, register.day, bool_or(absence.kind = 'K')"
    f" FROM {_PUPIL} JOIN absence ON absence.school_id = given.school_id AND absence.pupil_key = given.key"
    " JOIN register ON register.school_id = absence.school_id AND register.key = absence.register_key"
    f" WHERE NOT register.deleted AND {_MAIN} GROUP BY 1, 2, 3, 4"
)
_CLASS_DAYS = (
    f"SELECT school_id, school_year, class_key, array_agg(DISTINCT day) FROM {_CLASS} JOIN register USING"
    " (school_id, school_year, class_key) WHERE NOT deleted GROUP BY 1, 2, 3"
)
_CLASS_NAMES = (
    f"SELECT given.*, \"values\" ->> 'name' FROM {_CLASS} JOIN fact ON fact.unit_id = given.school_id"
    " AND fact.kind = $4 AND fact.subject = given.school_year || '/' || given.class_key WHERE \"values\" ? 'name'"
)
_MARKS = (
    "SELECT DISTINCT ON (result.school_id, result.pupil_key, result.school_year) result.school_id, result.pupil_key,"
    " result.school_year, result.stage, below_5, below_3_5, core_not_completed, conduct_failed"
    f" FROM {_PUPIL} JOIN result ON result.school_id = given.school_id AND result.pupil_key = given.key"
    " WHERE NOT deleted ORDER BY result.school_id, result.pupil_key, result.school_year,"
    " array_position($3::text[], result.stage) DESC, result.key"
)
# The last day of each school, and the same weekday of the weeks before; who did not report that day is left out.
_ABSENCE = f"""
WITH given AS (SELECT * FROM {unnested(_OF_SCHOOL)} AS given(school_id, school_year)),
newest AS (
    SELECT given.school_id, given.school_year, (SELECT max(day) FROM register
        WHERE register.school_id = given.school_id AND register.school_year = given.school_year AND NOT deleted) AS day
    FROM given
), main AS (
    SELECT register.school_id, register.school_year, class_key, register.day, scheduled, absent FROM newest
    JOIN register ON register.school_id = newest.school_id AND register.school_year = newest.school_year
        AND register.day = ANY(ARRAY(SELECT newest.day - 7 * week FROM generate_series(0, $3::int) AS week))
    WHERE NOT deleted AND {_MAIN}
)
SELECT school_id, school_year, coalesce(class_key, ''), day, sum(scheduled)::int, sum(absent)::int FROM main
GROUP BY GROUPING SETS ((school_id, school_year, day), (school_id, school_year, class_key, day))
ORDER BY 1, 2, 3, day DESC
"""
_STAGES = (
    "SELECT result.school_id, result.school_year, result.stage, pupil.grade, pupil.class_key, count(*)::int,"
    " (count(*) FILTER (WHERE failing))::int, sum(mark_sum), sum(mark_count)::int"
    f" FROM {unnested(_OF_CLASS)} AS given(school_id, school_year, stage)"
    " JOIN result USING (school_id, school_year, stage) JOIN pupil ON pupil.school_id = result.school_id"
    " AND pupil.key = result.pupil_key WHERE NOT result.deleted AND NOT pupil.deleted AND pupil.class_key <> ''"
    " GROUP BY 1, 2, 3, 4, 5"
)
_STAGES_OF = (
    f"SELECT DISTINCT result.school_id, result.school_year, result.stage FROM {_PUPIL} JOIN result"
    " ON result.school_id = given.school_id AND result.pupil_key = given.key WHERE NOT deleted"
)
_REPORTED = (
    "SELECT school_id, (SELECT count(*)::int FROM school_class WHERE school_class.school_id = given.school_id"
    " AND school_year = $3 AND NOT deleted),"
    " (SELECT count(DISTINCT class_key)::int FROM register JOIN school_class"
    " ON school_class.school_id = given.school_id"
    " AND school_class.key = register.class_key AND school_class.school_year = $3 AND NOT school_class.deleted"
    " WHERE register.school_id = given.school_id AND day = $2 AND NOT register.deleted),"
    " (SELECT max(day) FROM register WHERE register.school_id = given.school_id AND day <= $2 AND NOT deleted)"
    " FROM unnest($1::bigint[]) AS given(school_id)"
)
_FIGURES = (
    "SELECT school_id, school_year, pupils, classes, staff FROM school_figure WHERE school_id = ANY($1::bigint[])"
)
_PEERS = (
    "SELECT given.school_id, school_year, percentile_cont(0.5) WITHIN GROUP (ORDER BY pupils::float8 / classes)"
    f" FROM {unnested(_OF_PAIR)} AS given(school_id, peer_id) JOIN school_figure"
    " ON school_figure.school_id = given.peer_id WHERE classes > 0 GROUP BY 1, 2 HAVING count(*) >= $3"
)
_OUTCOMES = (
    "SELECT school_id, key, school_year, class_key, left_school, left_time, context FROM pupil"
    " WHERE school_id = ANY($1::bigint[]) AND school_year = ANY($2::int[]) AND NOT deleted"
)
