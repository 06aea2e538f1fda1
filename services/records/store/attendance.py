"""Registers of a school year counted: by class, and by pupil. Nothing is kept.

A day's main session is the earliest that the class has a register for; whatever is deleted never was.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.attendance import Absences, ClassCount, ClassDays
from services.records.domain.persons import PUPIL
from services.records.store.driver import fetch
from services.records.store.pupil_years import keys_now
from services.records.store.withheld import unrestricted

FEW: Final = 10  # Names of pupils that each register is looked through for.


async def class_counts(connection: AsyncConnection, school_id: int, school_year: int) -> list[ClassCount]:
    """Every class that has registers, in key order."""
    return [
        ClassCount(key, ClassDays(sessions, days, unreported), *counts)
        for key, sessions, days, unreported, *counts in await fetch(connection, _CLASSES, school_id, school_year)
    ]


async def class_days(
    connection: AsyncConnection, school_id: int, school_year: int, *, class_key: str = ""
) -> dict[str, ClassDays]:
    """On how many days each class that has registers was reported, by its key; an empty class: all of them."""
    rows = await fetch(connection, _DAYS, school_id, school_year, class_key)
    return {key: ClassDays(*counts) for key, *counts in rows}


async def absences_of(
    connection: AsyncConnection,
    school_id: int,
    school_year: int,
    pupil_keys: Sequence[str],
    *,
    now: Mapping[str, str],
) -> dict[str, Absences]:
    """What the registers say of these pupils, in whatever class they were; who never was absent or late is missing.

    `now` are the school's keys of before, as `keys_now` gives them.
    """
    wanted = set(pupil_keys)
    names = [*wanted, *(before for before, key in now.items() if key in wanted)]
    few = [json.dumps([{"pupil_key": name}]) for name in names] if len(names) <= FEW else None
    values = (school_id, school_year, list(now), list(now.values()), list(wanted), few)
    rows = await fetch(connection, _PUPILS, *values)
    return {key: Absences(*counts) for key, *counts in rows}


async def most_absent(
    connection: AsyncConnection,
    school_id: int,
    school_year: int,
    *,
    class_key: str,
    grades: Sequence[str],
    at_least: int,
    after: tuple[int, str] | None,
    most: int,
) -> list[tuple[dict[str, Any], Absences]]:
    """Pupils of these grades by their 45-session count, most first; an empty class: of all classes."""
    counted, key = after or (None, "")
    now = await keys_now(connection, school_id)
    renamed = (list(now), list(now.values()))
    values = (school_id, school_year, *renamed, class_key, list(grades), at_least, counted, key, most)
    rows = await fetch(connection, _MOST, *values)
    return [
        ({"key": key, "full_name": name, "class_key": held, "grade": grade}, Absences(*counts))
        for key, name, held, grade, *counts in rows
    ]


_REGISTERS: Final = "attendance_register WHERE school_id = $1 AND school_year = $2 AND NOT deleted AND day IS NOT NULL"


def _held(of: str = "") -> str:
    """The registers of the school's year, or of those classes that a condition leaves."""
    return (
        "held AS (SELECT class_key, day, exceptions, scheduled_count,"  # noqa: S608 (our own text)
        f" session = min(session) OVER (PARTITION BY class_key, day) AS main FROM {_REGISTERS}{of})"
    )


# A class that has no register on a day on which another one has is not reported on that day.
_BY_DAY: Final = (
    "count(*), count(*) FILTER (WHERE main),"  # noqa: S608 (our own text)
    f" (SELECT count(DISTINCT day) FROM {_REGISTERS}) - count(*) FILTER (WHERE main)"
)
_OF_CLASS: Final = " AND ($3::text = '' OR class_key = $3)"
_DAYS: Final = f"WITH {_held(_OF_CLASS)} SELECT class_key, {_BY_DAY} FROM held GROUP BY class_key"  # noqa: S608 (our own text)
_CLASSES: Final = (
    f"WITH {_held()} SELECT class_key, {_BY_DAY},"  # noqa: S608 (our own text)
    " sum(scheduled_count), sum(permitted)::bigint, sum(unpermitted)::bigint, sum(late)::bigint"
    " FROM held, LATERAL (SELECT"
    " count(*) FILTER (WHERE kind = 'P') AS permitted, count(*) FILTER (WHERE kind = 'K') AS unpermitted,"
    " count(*) FILTER (WHERE kind = 'M') AS late"
    " FROM jsonb_to_recordset(coalesce(exceptions, '[]')) AS exception(kind text)) AS one"
    " GROUP BY class_key ORDER BY class_key"
)
# Day by day first: a pupil who changed class within a day is absent on one day, not on two.
_ABSENT: Final = (
    "absent AS (SELECT pupil_key, sum(permitted)::bigint AS permitted, sum(unpermitted)::bigint AS unpermitted,"
    " sum(late)::bigint AS late, count(*) FILTER (WHERE away) AS days, count(*) FILTER (WHERE main_away) AS counted"
    " FROM (SELECT coalesce(renamed.now, exception.pupil_key) AS pupil_key,"
    " count(*) FILTER (WHERE kind = 'P') AS permitted,"
    " count(*) FILTER (WHERE kind = 'K') AS unpermitted, count(*) FILTER (WHERE kind = 'M') AS late,"
    " bool_or(kind <> 'M') AS away, bool_or(kind <> 'M' AND main) AS main_away"
    " FROM held, jsonb_to_recordset(exceptions) AS exception(pupil_key text, kind text)"
    " LEFT JOIN unnest($3::text[], $4::text[]) AS renamed(before, now) ON renamed.before = exception.pupil_key"
)
# Few pupils stand in few classes: what the registers of the others hold is not taken apart.
_OF_FEW: Final = (
    f" AND ($6::text[] IS NULL OR class_key IN (SELECT class_key FROM {_REGISTERS}"  # noqa: S608 (our own text)
    " AND exceptions @> ANY(CAST($6::text[] AS jsonb[]))))"
)
_PUPILS: Final = (
    f"WITH {_held(_OF_FEW)}, {_ABSENT} WHERE coalesce(renamed.now, exception.pupil_key) = ANY($5::text[])"  # noqa: S608 (our own text)
    " GROUP BY 1, day) AS daily GROUP BY pupil_key)"
    " SELECT pupil_key, permitted, unpermitted, late, days, counted FROM absent"
)
_MOST: Final = (
    f"WITH {_held()}, {_ABSENT} GROUP BY 1, day) AS daily GROUP BY pupil_key)"  # noqa: S608 (as above)
    " SELECT pupil.key, pupil.full_name, pupil.class_key, pupil.grade, permitted, unpermitted, late, days, counted"
    ' FROM absent JOIN pupil ON pupil.school_id = $1 AND pupil.key = absent.pupil_key COLLATE "C"'
    " WHERE pupil.school_year = $2 AND NOT pupil.deleted"
    f" AND {unrestricted(PUPIL, 'pupil')} AND ($5 = '' OR pupil.class_key = $5)"
    " AND pupil.grade = ANY($6::text[]) AND counted >= $7"
    ' AND ($8::bigint IS NULL OR (-counted, pupil.key) > (-$8::bigint, $9::text COLLATE "C"))'
    " ORDER BY counted DESC, pupil.key LIMIT $10"
)
