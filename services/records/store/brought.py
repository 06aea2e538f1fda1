"""Which batches brought what is stored, and whose token they came with; kept for a
while, for requests that changed something.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.history import Brought
from services.records.store.driver import fetch


async def keep_brought(connection: AsyncConnection, brought: Mapping[str, Brought], *, now: datetime) -> None:
    """Keep where requests came from, by request id."""
    if brought:
        given = [(request_id, one.unit_id, one.by) for request_id, one in sorted(brought.items())]
        named = [(key, place, name) for key, one in brought.items() for place, name in enumerate(one.batch_ids)]
        await fetch(connection, _KEEP, *_columns(given), *_columns(named), now)


async def brought_of(connection: AsyncConnection, request_ids: Collection[str]) -> dict[str, Brought]:
    """Where these requests came from, by request id; one of which nothing is kept is missing."""
    rows = await fetch(connection, _OF, list(request_ids))
    return {request_id: Brought(unit_id, tuple(batch_ids), by) for request_id, unit_id, batch_ids, by in rows}


async def prune_brought(connection: AsyncConnection, *, before: datetime, most: int) -> int:
    """Forget where the oldest requests before an instant came from; returns how many."""
    return len(await fetch(connection, _PRUNE, before, most))


def _columns(rows: Collection[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[], [], []]


_KEEP: Final = (
    "INSERT INTO brought (request_id, unit_id, batch_ids, brought_by, create_time)"
    " SELECT request_id, unit_id, ARRAY(SELECT name FROM unnest($4::text[], $5::int[], $6::text[])"
    " AS named(of_request, place, name) WHERE of_request = request_id ORDER BY place), brought_by, $7"
    " FROM unnest($1::text[], $2::bigint[], $3::text[]) AS given(request_id, unit_id, brought_by)"
    " ON CONFLICT DO NOTHING"
)
_PRUNE: Final = (
    "DELETE FROM brought WHERE request_id IN (SELECT request_id FROM brought WHERE create_time < $1"
    " ORDER BY create_time LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING request_id"
)
_OF: Final = "SELECT request_id, unit_id, batch_ids, brought_by FROM brought WHERE request_id = ANY($1::text[])"
