"""Queries that add up facts of schools for the units above them, and what waits for that.

Whoever changes a fact only says so, which makes nobody wait; what it is part of is added up afterwards, once for all
that changed meanwhile.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import lock_keys
from services.alerts.domain import Scalar
from services.alerts.domain.shapes import (
    ABSENCE_DAY,
    ATTENDANCE_REPORT,
    CLASS_SIZE,
    COVERAGE,
    SCHOOL_FIGURES,
    SCHOOL_YEAR,
    SUMS,
)

LOCK_SPACE = 2


async def note_changed(connection: AsyncConnection, changed: Collection[tuple[int, str, bool]]) -> None:
    """Have it added up anew what these changed facts of schools are part of: (school, kind, whether from history)."""
    schools, kinds, baselines = zip(*sorted(changed), strict=True)
    await connection.execute(_NOTE, {"schools": list(schools), "kinds": list(kinds), "baselines": list(baselines)})


async def claim_changed(connection: AsyncConnection, *, limit: int) -> list[tuple[int, str, bool]]:
    """Take what waits to be added up, at most `limit`: (school, kind, whether from history)."""
    return [tuple(row) for row in await connection.execute(_CLAIM, {"limit": limit})]


async def waiting_history(connection: AsyncConnection, kind: str) -> set[int]:
    """Schools of which facts of a kind came from history and wait to be added up."""
    return {row.unit_id for row in await connection.execute(_HISTORY, {"kind": kind})}


async def all_summed(connection: AsyncConnection) -> list[tuple[int, str]]:
    """The units and kinds of all facts that are added up, and of all sums."""
    rows = await connection.execute(_SUMMED, {"kinds": [*SUMS, *SUMS.values()]})
    return [tuple(row) for row in rows]


async def hold_units(connection: AsyncConnection, units: Collection[int]) -> None:
    """Let nobody else make sums of these units until the transaction ends."""
    await lock_keys(connection, units, space=LOCK_SPACE)


async def sums_of(
    connection: AsyncConnection, kind: str, below: Mapping[int, Collection[int]], *, day: str
) -> dict[tuple[int, str], tuple[dict[str, Scalar], bool]]:
    """By unit and subject, what facts of a kind add up to at these units' schools, and whether all of them came from
    history; of what is of a day, on `day`.
    """
    pairs = [(unit_id, school_id) for unit_id, schools in below.items() for school_id in schools]
    given = {"units": [one for one, _ in pairs], "schools": [one for _, one in pairs], "kind": kind}
    rows = await connection.execute(_STATEMENTS[kind], given | ({"day": day} if kind in _OF_DAY else {}))
    return {(unit_id, subject): (dict(values), past) for unit_id, subject, values, past in rows}


_NOTE = sa.text(
    "INSERT INTO changed_fact (unit_id, kind, baseline) SELECT * FROM"
    " unnest(CAST(:schools AS bigint[]), CAST(:kinds AS text[]), CAST(:baselines AS bool[]))"
)
_CLAIM = sa.text(
    "DELETE FROM changed_fact WHERE number IN"
    " (SELECT number FROM changed_fact ORDER BY number LIMIT :limit FOR UPDATE SKIP LOCKED)"
    " RETURNING unit_id, kind, baseline"
)
_HISTORY = sa.text("SELECT DISTINCT unit_id FROM changed_fact WHERE kind = :kind AND baseline")
_SUMMED = sa.text("SELECT DISTINCT unit_id, kind FROM fact WHERE kind = ANY(CAST(:kinds AS text[]))")


def _field(name: str, type_: str = "int") -> str:
    return f"(v ->> '{name}')::{type_}"


def _of_each(*names: str) -> dict[str, str]:
    return {name: f"sum({_field(name)})" for name in names}


def _whole(name: str) -> str:
    return f"coalesce(sum({name}), 0)"


def _wholes(*names: str) -> dict[str, str]:
    return {name: _whole(name) for name in names}


def _ratio(part: str, whole: str, digits: int = 4) -> str:
    return f"coalesce(round(sum({part})::numeric / nullif(sum({whole}), 0), {digits}), 0)"


def _count(condition: str) -> str:
    return f"count(*) FILTER (WHERE {condition})"


def _statement(
    each: Mapping[str, str],
    values: Mapping[str, str],
    *,
    subject: str = "''",
    groups: Sequence[str] = ("",),
    where: str = "true",
) -> sa.TextualSelect:
    """Adds up facts whose fields are `v`: of `each` school first, so that a fact is read once whatever stands above the
    school, then of units. Both by each of the `groups`, of which the last names all that the others do.
    """
    keys = f", {groups[-1]}" if groups[-1] else ""
    sets = ", ".join(f"({', '.join(filter(None, ('school_id', one)))})" for one in groups)
    sums = ", ".join(f"{value} AS {name}" for name, value in each.items())
    made = ", ".join(f"'{name}', {value}" for name, value in values.items())
    return sa.text(
        f"SELECT given.unit_id, {subject}, jsonb_build_object({made}), bool_and(past)"  # noqa: S608 (our own text)
        " FROM unnest(CAST(:units AS bigint[]), CAST(:schools AS bigint[])) AS given(unit_id, school_id)"
        f" JOIN (SELECT school_id{keys}, bool_and(baseline) AS past, {sums}"
        ' FROM (SELECT unit_id AS school_id, subject, baseline, "values" AS v,'
        " (\"values\" ->> 'school_year')::int AS year, \"values\" ->> 'grade' AS grade"
        " FROM fact WHERE kind = :kind) AS fact"
        f" WHERE {where} GROUP BY GROUPING SETS ({sets})) AS school USING (school_id) GROUP BY given.unit_id{keys}"
    ).columns(sa.column("unit_id"), sa.column("subject"), sa.column("values", JSONB), sa.column("past"))


_STATES = ("connected", "late", "failing", "silent")
_OVERSIZE = _count(f"{_field('size_limit')} > 0 AND {_field('size')} > {_field('size_limit')}")
_GROWTH = f"sum({_field('pupils')} - {_field('pupils_last_year')}) FILTER (WHERE {_field('pupils_last_year')} > 0)"
_OF_DAY = frozenset({ATTENDANCE_REPORT, ABSENCE_DAY})
_STATEMENTS: Mapping[str, Any] = {
    COVERAGE: _statement(
        {
            "schools": "count(*)",
            **{state: _count(f"v ->> 'state' = '{state}'") for state in _STATES},
            **_of_each("recent_rows", "recent_rejected", "open_rows"),
        },
        {
            **_wholes("schools", *_STATES, "recent_rows", "recent_rejected", "open_rows"),
            "connected_share": _ratio("connected", "schools"),
            "silent_share": _ratio("silent", "schools"),
            "rejected_share": _ratio("recent_rejected", "recent_rows"),
        },
        where="(v ->> 'must_connect')::bool",
    ),
    SCHOOL_FIGURES: _statement(
        {**_of_each("pupils", "classes", "staff", "pupils_last_year"), "growth": _GROWTH},
        {
            SCHOOL_YEAR: "year",
            "schools": "count(*)",
            **_wholes("pupils", "classes", "staff", "pupils_last_year"),
            "pupils_per_class": _ratio("pupils", "classes", 2),
            "pupils_per_staff": _ratio("pupils", "staff", 2),
            "change_share": _ratio("growth", "pupils_last_year"),
        },
        subject="year::text",
        groups=("year",),
    ),
    CLASS_SIZE: _statement(
        {"classes": "count(*)", **_of_each("size"), "oversize": _OVERSIZE},
        {
            SCHOOL_YEAR: "year",
            "grade": "coalesce(grade, '')",
            "schools": "count(*)",
            **_wholes("classes", "size", "oversize"),
            "oversize_share": _ratio("oversize", "classes"),
            "pupils_per_class": _ratio("size", "classes", 2),
        },
        subject="concat_ws('/', year, grade)",
        groups=("year", "year, grade"),
        where="(v ->> 'active')::bool AND grade <> ''",
    ),
    ATTENDANCE_REPORT: _statement(
        {
            "day": "max(v ->> 'day')",
            "past_deadline": "bool_or((v ->> 'past_deadline')::bool)",
            **_of_each("expected_classes", "reported_classes", "missing_classes"),
        },
        {
            "day": "max(day)",
            "schools": "count(*)",
            "past_deadline": "bool_or(past_deadline)",
            **_wholes("expected_classes", "reported_classes", "missing_classes"),
            "missing_share": _ratio("missing_classes", "expected_classes"),
        },
        where="v ->> 'day' = :day AND (v ->> 'school_day')::bool AND (v ->> 'reports_at_all')::bool",
    ),
    ABSENCE_DAY: _statement(
        {
            "day": "max(v ->> 'day')",
            **_of_each("scheduled", "absent"),
            "expected_absent": f"sum({_field('expected_absent', 'numeric')})",
        },
        {
            "day": "max(day)",
            "schools": "count(*)",
            **_wholes("scheduled", "absent"),
            "expected_absent": "coalesce(round(sum(expected_absent), 2), 0)",
            "absent_share": _ratio("absent", "scheduled"),
            "usual_share": "coalesce(round(round(sum(expected_absent), 2) / nullif(sum(scheduled), 0), 4), 0)",
        },
        where="v ->> 'day' = :day AND subject = ''",
    ),
}
