"""Which unit goes on in which: what units were merged into."""

from collections.abc import Iterable, Sequence
from datetime import date

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

Succession = tuple[int, int, date]  # unit, successor, first day


async def keep_successions(connection: AsyncConnection, successions: Sequence[Succession]) -> None:
    """Keep what units go on in; what is told last of a unit counts."""
    given = {one[0]: one for one in successions}
    units, successors, days = zip(*(given[unit_id] for unit_id in sorted(given)), strict=True)
    await connection.execute(_KEEP, {"units": list(units), "successors": list(successors), "days": list(days)})


async def successors(connection: AsyncConnection, unit_ids: Iterable[int], day: date) -> dict[int, int]:
    """Of these units, those that on a day have gone on in another, with the last one they went on in."""
    rows = await connection.execute(_SUCCESSORS, {"units": sorted(unit_ids), "day": day})
    return {row.unit_id: row.successor_id for row in rows}


async def merged_by(connection: AsyncConnection, day: date) -> dict[int, int]:
    """Every unit that on a day has gone on in another and on which alerts may stand, with what it went on in last."""
    rows = await connection.execute(_MERGED, {"day": day})
    return {row.unit_id: row.successor_id for row in rows}


_KEEP = sa.text(
    "INSERT INTO succession (unit_id, successor_id, effective_date)"
    " SELECT * FROM unnest(CAST(:units AS bigint[]), CAST(:successors AS bigint[]), CAST(:days AS date[]))"
    " ON CONFLICT (unit_id) DO UPDATE SET successor_id = excluded.successor_id,"
    " effective_date = excluded.effective_date"
)
_CHAIN = (
    " UNION ALL SELECT chain.unit_id, succession.successor_id, chain.steps + 1 FROM chain"
    " JOIN succession ON succession.unit_id = chain.successor_id AND succession.effective_date <= :day"
    " WHERE chain.steps < 20) SELECT DISTINCT ON (unit_id) unit_id, successor_id FROM chain"
    " ORDER BY unit_id, steps DESC"
)
_SUCCESSORS = sa.text(
    "WITH RECURSIVE chain AS (SELECT unit_id, successor_id, 1 AS steps FROM succession"  # noqa: S608 (our own text)
    f" WHERE unit_id = ANY(CAST(:units AS bigint[])) AND effective_date <= :day{_CHAIN}"
)
_MERGED = sa.text(
    "WITH RECURSIVE chain AS (SELECT unit_id, successor_id, 1 AS steps FROM succession"  # noqa: S608 (our own text)
    " WHERE effective_date <= :day AND EXISTS (SELECT FROM alert WHERE state <> 3"
    " AND (alert.placed_unit_id = succession.unit_id"
    f" OR (alert.placed_unit_id IS NULL AND alert.unit_id = succession.unit_id))){_CHAIN}"
)
