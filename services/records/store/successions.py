"""What units came from and what became of them, over all reforms."""

from collections.abc import Sequence
from datetime import date
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.units import NamedSuccession


async def successions_around(
    connection: AsyncConnection, unit_id: int, *, after: tuple[date, int, int, str] | None, most: int
) -> Sequence[NamedSuccession]:
    """Every succession that leads to a unit or away from it, directly or by others, in order of time."""
    day, left, right, kind = after or (date.min, 0, 0, "")
    rows = await connection.execute(
        _AROUND, {"unit_id": unit_id, "day": day, "left": left, "right": right, "kind": kind, "most": most}
    )
    return [NamedSuccession(*row) for row in rows]


# The one that ended is named as on the day before, the one that goes on as on the day.
_AROUND: Final = sa.text(
    "WITH RECURSIVE forward AS ("
    " SELECT * FROM unit_succession WHERE unit_id = :unit_id"
    " UNION SELECT later.* FROM forward JOIN unit_succession AS later ON later.unit_id = forward.successor_id"
    " AND later.effective_date >= forward.effective_date),"
    " backward AS ("
    " SELECT * FROM unit_succession WHERE successor_id = :unit_id"
    " UNION SELECT earlier.* FROM backward JOIN unit_succession AS earlier ON earlier.successor_id = backward.unit_id"
    " AND earlier.effective_date <= backward.effective_date),"
    " around AS (SELECT * FROM forward UNION SELECT * FROM backward)"
    " SELECT one.unit_id, coalesce(old_code.alias, ''), coalesce(old_name.name, ''),"
    " successor_id, coalesce(new_code.alias, ''), coalesce(new_name.name, ''), kind, effective_date, partial"
    " FROM around AS one"
    " LEFT JOIN unit_name AS old_name ON old_name.unit_id = one.unit_id AND old_name.valid @> effective_date - 1"
    " LEFT JOIN unit_name AS new_name ON new_name.unit_id = successor_id AND new_name.valid @> effective_date"
    " LEFT JOIN LATERAL (SELECT system || ':' || code AS alias FROM unit_code WHERE unit_id = one.unit_id"
    " AND valid @> effective_date - 1 ORDER BY system LIMIT 1) AS old_code ON true"
    " LEFT JOIN LATERAL (SELECT system || ':' || code AS alias FROM unit_code WHERE unit_id = successor_id"
    " AND valid @> effective_date ORDER BY system LIMIT 1) AS new_code ON true"
    " WHERE (effective_date, one.unit_id, successor_id, kind)"
    " > (CAST(:day AS date), CAST(:left AS bigint), CAST(:right AS bigint), CAST(:kind AS text))"
    " ORDER BY effective_date, one.unit_id, successor_id, kind LIMIT :most"
)
