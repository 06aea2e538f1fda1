"""Queries on extracts: asked for, approved, refused, listed; the cuts they are made of, and what cuts are made of."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting.domain.extracts import Cut, CutKey, Extract, Values, Wanted
from services.reporting.domain.rules import YearRules


async def add_extract(connection: AsyncConnection, wanted: Wanted, *, by: str, now: datetime) -> int:
    """Note what is asked for; its id."""
    given = {
        "unit_id": wanted.unit_id,
        "school_year": wanted.school_year,
        "columns": list(wanted.columns),
        "levels": list(wanted.levels),
        "format": wanted.format,
        "language": wanted.language,
        "purpose": wanted.purpose,
        "by": by,
        "now": now,
    }
    return int((await connection.execute(_ADD, given)).scalar_one())


async def find_extract(
    connection: AsyncConnection, extract_id: int, *, unit_id: int, lock: bool = False
) -> Extract | None:
    """An extract of a unit; locked, nobody else approves it meanwhile."""
    row = (await connection.execute(_LOCKED if lock else _ONE, {"extract_id": extract_id, "unit_id": unit_id})).first()
    return _extract(row) if row else None


async def approve(connection: AsyncConnection, extract_id: int, *, by: str, now: datetime, export_id: int) -> None:
    """Note who approved, and by which export it is made."""
    await connection.execute(_APPROVE, {"extract_id": extract_id, "by": by, "now": now, "export_id": export_id})


async def refuse(connection: AsyncConnection, extract_id: int, *, by: str, now: datetime, reason: str) -> None:
    """Note who refused, and why."""
    await connection.execute(_REFUSE, {"extract_id": extract_id, "by": by, "now": now, "reason": reason})


async def make_by(connection: AsyncConnection, extract_id: int, *, export_id: int) -> None:
    """Note by which export it is made from now on."""
    await connection.execute(_MAKE_BY, {"extract_id": extract_id, "export_id": export_id})


async def extracts_page(connection: AsyncConnection, *, unit_id: int, before: int, limit: int) -> list[Extract]:
    """Extracts of a unit, newest first, of ids below `before` (0: from the newest on)."""
    asked = {"unit_id": unit_id, "before": before, "limit": limit}
    return [_extract(row) for row in await connection.execute(_PAGE, asked)]


async def find_cut(connection: AsyncConnection, key: CutKey) -> Cut | None:
    """The month's cut of a set of columns."""
    row = (await connection.execute(_CUT, _key(key))).first()
    if row is None:
        return None
    return Cut({tuple(one[:-1]): one[-1] for one in row.combinations}, row.left_out, row.data_time)


async def keep_cut(connection: AsyncConnection, key: CutKey, cut: Cut, *, now: datetime) -> None:
    """Keep a month's cut; one that another replica kept first stays."""
    combinations = json.dumps([[*values, count] for values, count in cut.counts.items()])
    given = {"combinations": combinations, "left_out": cut.left_out, "data_time": cut.data_time, "now": now}
    await connection.execute(_KEEP, _key(key) | given)


async def prune_cuts(connection: AsyncConnection, *, before: date) -> int:
    """Forget cuts of months before."""
    return (await connection.execute(_PRUNE, {"before": before})).rowcount


async def places(connection: AsyncConnection, *, school_year: int, areas: Mapping[int, int]) -> dict[Values, int]:
    """Pupils of the schools by area (its unit's id), level, grade and sex."""
    found: dict[Values, int] = {}
    for row in await connection.execute(_PLACES, {"school_year": school_year, "schools": sorted(areas)}):
        key = (str(areas[row.school_id]), row.level, row.grade, row.sex)
        found[key] = found.get(key, 0) + row.pupils
    return found


async def courses(
    connection: AsyncConnection, *, school_year: int, schools: Iterable[int], rules: YearRules
) -> dict[Values, int]:
    """Pupils of the schools by level, grade, sex, year's result, age beside the grade, and share of sessions absent."""
    asked = {
        "school_year": school_year,
        "schools": sorted(schools),
        "aged": rules.ages is not None,
        "chronic": rules.absence.chronic_percent if rules.absence else None,
        "severe": rules.absence.severe_percent if rules.absence else None,
    }
    return {tuple(row[:-1]): row[-1] for row in await connection.execute(_COURSES, asked)}


def _key(key: CutKey) -> dict[str, object]:
    return {**asdict(key), "columns": list(key.columns)}


def _extract(row: sa.Row[tuple[object, ...]]) -> Extract:
    wanted = Wanted(
        row.unit_id, row.school_year, tuple(row.columns), tuple(row.levels), row.format, row.language, row.purpose
    )
    return Extract(
        extract_id=row.extract_id,
        wanted=wanted,
        requested_by=row.requested_by,
        request_time=row.request_time,
        approved_by=row.approved_by,
        approve_time=row.approve_time,
        export_id=row.export_id,
        refused_by=row.refused_by or "",
        refuse_time=row.refuse_time,
        refuse_reason=row.refuse_reason or "",
    )


_ADD = sa.text(
    "INSERT INTO extract (unit_id, school_year, columns, levels, format, language, purpose, requested_by, request_time)"
    " VALUES (:unit_id, :school_year, :columns, :levels, :format, :language, :purpose, :by, :now) RETURNING extract_id"
)
_ONE = sa.text("SELECT * FROM extract WHERE extract_id = :extract_id AND unit_id = :unit_id")
_LOCKED = sa.text(f"{_ONE.text} FOR UPDATE")
_APPROVE = sa.text(
    "UPDATE extract SET approved_by = :by, approve_time = :now, export_id = :export_id WHERE extract_id = :extract_id"
)
_REFUSE = sa.text(
    "UPDATE extract SET refused_by = :by, refuse_time = :now, refuse_reason = :reason WHERE extract_id = :extract_id"
)
_MAKE_BY = sa.text("UPDATE extract SET export_id = :export_id WHERE extract_id = :extract_id")
_PAGE = sa.text(
    "SELECT * FROM extract WHERE unit_id = :unit_id AND (CAST(:before AS bigint) = 0 OR extract_id < :before)"
    " ORDER BY extract_id DESC LIMIT :limit"
)
_CUT = sa.text(
    "SELECT combinations, left_out, data_time FROM extract_cut WHERE unit_id = :unit_id AND school_year = :school_year"
    " AND month = :month AND columns = :columns"
)
_KEEP = sa.text(
    "INSERT INTO extract_cut (unit_id, school_year, month, columns, combinations, left_out, data_time, create_time)"
    " VALUES (:unit_id, :school_year, :month, :columns, CAST(:combinations AS jsonb), :left_out, :data_time, :now)"
    " ON CONFLICT DO NOTHING"
)
_PRUNE = sa.text("DELETE FROM extract_cut WHERE month < :before")
_PLACES = sa.text(
    "SELECT school_id, level, grade, sex, count(*) AS pupils FROM fact WHERE measure = 'pupils' AND counted"
    " AND school_year = :school_year AND school_id = ANY(CAST(:schools AS bigint[])) GROUP BY 1, 2, 3, 4"
)
# A pupil is of the age of the grade unless a tally says otherwise; the result is that of the year (CN).
_COURSES = sa.text("""
WITH learned AS (
    SELECT school_id, pupil_key, min(split_part(tally, '|', 1) || ':' || split_part(tally, '|', 4)) AS learning
    FROM fact, unnest(tallies) AS tally
    WHERE measure = 'results' AND counted AND school_year = :school_year AND tally LIKE 'learning\\_%|CN|%'
        AND school_id = ANY(CAST(:schools AS bigint[]))
    GROUP BY school_id, pupil_key
)
SELECT pupil.level, pupil.grade, pupil.sex, coalesce(replace(learning, 'learning_', ''), '') AS learning,
    CASE WHEN NOT :aged OR 'pupils_of_unknown_age|||' = ANY(pupil.tallies) THEN ''
        WHEN 'pupils_over_age|||' = ANY(pupil.tallies) THEN 'over_age'
        WHEN 'pupils_not_of_official_age|||' = ANY(pupil.tallies) THEN 'other_age'
        ELSE 'official_age' END AS age,
    CASE WHEN CAST(:chronic AS integer) IS NULL OR coalesce(held.session_count, 0) = 0 THEN ''
        WHEN coalesce(absent.session_count, 0) * 100 >= held.session_count * CAST(:severe AS integer) THEN 'severe'
        WHEN coalesce(absent.session_count, 0) * 100 >= held.session_count * CAST(:chronic AS integer) THEN 'chronic'
        ELSE 'below' END AS absence,
    count(*) AS pupils
FROM fact AS pupil
LEFT JOIN learned ON learned.school_id = pupil.school_id AND learned.pupil_key = pupil.key
LEFT JOIN pupil_absence AS absent ON absent.school_id = pupil.school_id AND absent.school_year = pupil.school_year
    AND absent.pupil_key = pupil.key
LEFT JOIN class_session AS held ON held.school_id = pupil.school_id AND held.school_year = pupil.school_year
    AND held.class_key = pupil.class_key
WHERE pupil.measure = 'pupils' AND pupil.counted AND pupil.school_year = :school_year
    AND pupil.school_id = ANY(CAST(:schools AS bigint[]))
GROUP BY 1, 2, 3, 4, 5, 6
""")
