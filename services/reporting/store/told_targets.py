"""Queries on what was last told of targets, so that only what changed is told."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting.domain.figures import TargetRow

TELLING_LOCK = 3  # Space of the advisory lock of whoever tells of targets.

Key = tuple[int, int, str]  # Unit, school year, indicator.


async def hold(connection: AsyncConnection) -> bool:
    """Let no other replica tell of targets until the transaction ends; false: another one does so now."""
    return bool(await connection.scalar(_HOLD, {"space": TELLING_LOCK}))


async def state(connection: AsyncConnection) -> tuple[Any, ...]:
    """What differs once a target was set or is to be told anew, or residents were imported."""
    return tuple((await connection.execute(_STATE)).one())


async def targets_since(connection: AsyncConnection, school_year: int) -> list[TargetRow]:
    """Targets of a school year and later ones."""
    return [TargetRow(*row) for row in await connection.execute(_SINCE, {"school_year": school_year})]


async def note_told(connection: AsyncConnection, told: Sequence[tuple[Key, bytes]]) -> list[tuple[bytes, int]]:
    """Note messages of targets; those that say something new come back, each with its version."""
    if not told:
        return []
    units, years, indicators = zip(*(key for key, _ in told), strict=True)
    given = {
        "units": list(units),
        "years": list(years),
        "indicators": list(indicators),
        "messages": [message for _, message in told],
    }
    return [(message, version) for message, version in await connection.execute(_NOTE, given)]


async def forget_told(connection: AsyncConnection) -> None:
    """Have all targets told anew."""
    await connection.execute(_FORGET)


_HOLD = sa.text("SELECT pg_try_advisory_xact_lock(CAST(:space AS bigint) << 48)")
# Sums of instants, since of two that are stored at once the later need not be stored last.
_STATE = sa.text(
    "SELECT count(*), sum(told_version) FILTER (WHERE told IS NULL), sum(extract(epoch FROM set_time)),"
    " (SELECT sum(extract(epoch FROM import_time)) FROM population) FROM target"
)
_SINCE = sa.text(
    "SELECT unit_id, school_year, indicator, value, source FROM target WHERE school_year >= :school_year"
    " ORDER BY unit_id, school_year, indicator"
)
_NOTE = sa.text(
    "UPDATE target SET told = given.message, told_version = greatest(told_version + 1,"
    " CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)) FROM unnest(CAST(:units AS bigint[]),"
    " CAST(:years AS integer[]), CAST(:indicators AS text[]), CAST(:messages AS bytea[]))"
    " AS given(unit_id, school_year, indicator, message) WHERE target.unit_id = given.unit_id"
    " AND target.school_year = given.school_year AND target.indicator = given.indicator"
    " AND target.told IS DISTINCT FROM given.message RETURNING target.told, target.told_version"
)
_FORGET = sa.text("UPDATE target SET told = NULL")
