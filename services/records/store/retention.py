"""Registers whose names are kept no longer, found day by day; and what was let go, as it is noted."""

from datetime import date, datetime
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.objects import BY_FIELD
from services.records.store.driver import fetch

REGISTER: Final = BY_FIELD["attendance_register"]


class Run(NamedTuple):
    """What a run has let go."""

    what: str
    before: date
    done_until: date
    changed_count: int
    locked_count: int
    source: str
    finish_time: datetime


async def first_day(connection: AsyncConnection, what: str) -> date | None:
    """The day from which something is to be looked through; None: there is nothing at all."""
    found = await fetch(connection, _DONE_UNTIL, what)
    if not found:
        found = await fetch(connection, "SELECT min(day) FROM attendance_register")
    day: date | None = found[0][0]
    return day


async def naming_registers(
    connection: AsyncConnection, day: date, *, after: tuple[int, str], most: int
) -> list[tuple[int, str, int]]:
    """Registers of a day that name anybody, in order of school and key: these, and their school years."""
    return [(row[0], row[1], row[2]) for row in await fetch(connection, _NAMING, day, *after, most)]


async def count_naming(connection: AsyncConnection, first: date, before: date) -> int:
    """How many registers of these days name anybody."""
    return int((await fetch(connection, _COUNT, first, before))[0][0])


async def note_run(connection: AsyncConnection, run: Run) -> None:
    """Note what a run has let go."""
    await fetch(connection, _NOTE, *run)


async def last_run(connection: AsyncConnection, what: str) -> Run | None:
    """What the last run has let go."""
    found = await fetch(connection, _LAST, what)
    return Run(*found[0]) if found else None


# A name that has gone is the empty one; a reason goes with it.
_NAMES: Final = (
    "NOT deleted AND exceptions IS NOT NULL AND EXISTS (SELECT FROM jsonb_array_elements(exceptions) AS one"
    " WHERE coalesce(one->>'pupil_key', '') <> '')"
)
_NAMING: Final = (
    f"SELECT school_id, key, school_year FROM attendance_register WHERE day = $1 AND {_NAMES}"  # noqa: S608 (our own)
    ' AND (school_id, key) > ($2, $3 COLLATE "C") ORDER BY school_id, key LIMIT $4'
)
_COUNT: Final = f"SELECT count(*) FROM attendance_register WHERE day >= $1 AND day < $2 AND {_NAMES}"  # noqa: S608
_DONE_UNTIL: Final = "SELECT done_until FROM retention_run WHERE what = $1 ORDER BY run_id DESC LIMIT 1"
_NOTE: Final = (
    "INSERT INTO retention_run (what, before, done_until, changed_count, locked_count, source, finish_time)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7)"
)
_LAST: Final = (
    "SELECT what, before, done_until, changed_count, locked_count, source, finish_time FROM retention_run"
    " WHERE what = $1 ORDER BY run_id DESC LIMIT 1"
)
