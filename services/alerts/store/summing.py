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


def _whole(name: str) -> str:
    return f"coalesce(sum((v ->> '{name}')::bigint), 0)"


def _ratio(part: str, whole: str, digits: int = 4) -> str:
    return f"coalesce(round(({part})::numeric / nullif({whole}, 0), {digits}), 0)"


def _count(condition: str) -> str:
    return f"count(*) FILTER (WHERE {condition})"


def _in_state(state: str) -> str:
    return _count(f"v ->> 'state' = '{state}'")


def _statement(
    values: Mapping[str, str], *, subject: str = "''", groups: Sequence[str] = (), where: str = "true"
) -> sa.TextualSelect:
    """Adds up facts whose fields are `v` by unit, and by sets of further groups where there are any."""
    made = ", ".join(f"'{name}', {value}" for name, value in values.items())
    sets = ", ".join(f"({', '.join(('given.unit_id', *further.split()))})" for further in groups or ("",))
    return sa.text(
        f"SELECT given.unit_id, {subject}, jsonb_build_object({made}), bool_and(told.baseline)"  # noqa: S608 (our own text)
        " FROM unnest(CAST(:units AS bigint[]), CAST(:schools AS bigint[])) AS given(unit_id, school_id)"
        ' JOIN (SELECT unit_id, subject, baseline, "values" AS v,'
        " \"values\" ->> 'school_year' AS year, \"values\" ->> 'grade' AS grade FROM fact WHERE kind = :kind) AS told"
        f" ON told.unit_id = given.school_id WHERE {where} GROUP BY GROUPING SETS ({sets})"
    ).columns(sa.column("unit_id"), sa.column("subject"), sa.column("values", JSONB), sa.column("past"))


_GROWTH = (
    "sum((v ->> 'pupils')::bigint - (v ->> 'pupils_last_year')::bigint)"
    " FILTER (WHERE (v ->> 'pupils_last_year')::bigint > 0)"
)
_OVERSIZE = _count("(v ->> 'size_limit')::int > 0 AND (v ->> 'size')::int > (v ->> 'size_limit')::int")
_USUAL = "coalesce(round(sum((v ->> 'expected_absent')::numeric), 2), 0)"
_OF_DAY = frozenset({ATTENDANCE_REPORT, ABSENCE_DAY})
_STATEMENTS: Mapping[str, Any] = {
    COVERAGE: _statement(
        {
            "schools": "count(*)",
            **{state: _in_state(state) for state in ("connected", "late", "failing", "silent")},
            "connected_share": _ratio(_in_state("connected"), "count(*)"),
            "silent_share": _ratio(_in_state("silent"), "count(*)"),
            **{name: _whole(name) for name in ("recent_rows", "recent_rejected", "open_rows")},
            "rejected_share": _ratio(_whole("recent_rejected"), _whole("recent_rows")),
        },
        where="(v ->> 'must_connect')::bool",
    ),
    SCHOOL_FIGURES: _statement(
        {
            SCHOOL_YEAR: "year::int",
            "schools": "count(*)",
            **{name: _whole(name) for name in ("pupils", "classes", "staff", "pupils_last_year")},
            "pupils_per_class": _ratio(_whole("pupils"), _whole("classes"), 2),
            "pupils_per_staff": _ratio(_whole("pupils"), _whole("staff"), 2),
            "change_share": _ratio(_GROWTH, _whole("pupils_last_year")),
        },
        subject="year",
        groups=("year",),
    ),
    CLASS_SIZE: _statement(
        {
            SCHOOL_YEAR: "year::int",
            "grade": "coalesce(grade, '')",
            "schools": "count(DISTINCT told.unit_id)",
            "classes": "count(*)",
            "size": _whole("size"),
            "oversize": _OVERSIZE,
            "oversize_share": _ratio(_OVERSIZE, "count(*)"),
            "pupils_per_class": _ratio(_whole("size"), "count(*)", 2),
        },
        subject="concat_ws('/', year, grade)",
        groups=("year", "year grade"),
        where="(v ->> 'active')::bool AND grade <> ''",
    ),
    ATTENDANCE_REPORT: _statement(
        {
            "day": "max(v ->> 'day')",
            "schools": "count(*)",
            "past_deadline": "bool_or((v ->> 'past_deadline')::bool)",
            **{name: _whole(name) for name in ("expected_classes", "reported_classes", "missing_classes")},
            "missing_share": _ratio(_whole("missing_classes"), _whole("expected_classes")),
        },
        where="v ->> 'day' = :day AND (v ->> 'school_day')::bool AND (v ->> 'reports_at_all')::bool",
    ),
    ABSENCE_DAY: _statement(
        {
            "day": "max(v ->> 'day')",
            "schools": "count(*)",
            **{name: _whole(name) for name in ("scheduled", "absent")},
            "expected_absent": _USUAL,
            "absent_share": _ratio(_whole("absent"), _whole("scheduled")),
            "usual_share": _ratio(_USUAL, _whole("scheduled")),
        },
        where="v ->> 'day' = :day AND told.subject = ''",
    ),
}
