"""Queries on what was last told of targets, so that only what changed is told."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import lock_keys
from services.reporting.domain.figures import TargetRow

TELLING_LOCK = 3  # Space of the advisory lock of whoever tells of targets.

Key = tuple[int, int, str]  # Unit, school year, indicator.


async def hold(connection: AsyncConnection) -> None:
    """Let no other replica tell of targets until the transaction ends."""
    await lock_keys(connection, (0,), space=TELLING_LOCK)


async def targets_since(connection: AsyncConnection, school_year: int) -> list[TargetRow]:
    """Targets of a school year and later ones."""
    return [TargetRow(*row) for row in await connection.execute(_SINCE, {"school_year": school_year})]


async def note_told(connection: AsyncConnection, told: Sequence[tuple[Key, bytes]]) -> list[bytes]:
    """Note messages of targets; those that say something new come back."""
    if not told:
        return []
    units, years, indicators = zip(*(key for key, _ in told), strict=True)
    given = {
        "units": list(units),
        "years": list(years),
        "indicators": list(indicators),
        "messages": [message for _, message in told],
    }
    return list(await connection.scalars(_NOTE, given))


_SINCE = sa.text(
    "SELECT unit_id, school_year, indicator, value, source FROM target WHERE school_year >= :school_year"
    " ORDER BY unit_id, school_year, indicator"
)
_NOTE = sa.text(
    "UPDATE target SET told = given.message FROM unnest(CAST(:units AS bigint[]),"
    " CAST(:years AS integer[]), CAST(:indicators AS text[]), CAST(:messages AS bytea[]))"
    " AS given(unit_id, school_year, indicator, message) WHERE target.unit_id = given.unit_id"
    " AND target.school_year = given.school_year AND target.indicator = given.indicator"
    " AND target.told IS DISTINCT FROM given.message RETURNING target.told"
)
