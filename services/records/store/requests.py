"""Requests that were answered, so that a repeat answers the same; kept for some days."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.store.driver import fetch
from services.records.store.tables import apply_request


async def answered(connection: AsyncConnection, request_ids: Sequence[str]) -> dict[str, tuple[bytes, bytes]]:
    """Digest and answer of those of the requests that came before, by id."""
    rows = await fetch(connection, _ANSWERED, request_ids)
    return {request_id: (digest, response) for request_id, digest, response in rows}


async def keep_answers(
    connection: AsyncConnection, answers: Sequence[tuple[str, bytes, bytes]], *, now: datetime
) -> set[str]:
    """Keep answers, each as (request id, digest, answer); returns the ids with which another request was faster."""
    ids, digests, responses = zip(*sorted(answers), strict=True) if answers else ((), (), ())
    kept = {request_id for (request_id,) in await fetch(connection, _KEEP, ids, digests, responses, now)}
    return set(ids) - kept


_ANSWERED: Final = "SELECT request_id, digest, response FROM apply_request WHERE request_id = ANY($1::text[])"
_KEEP: Final = (
    "INSERT INTO apply_request (request_id, digest, response, create_time)"
    " SELECT request_id, digest, response, $4 FROM unnest($1::text[], $2::bytea[], $3::bytea[])"
    " AS given(request_id, digest, response) ON CONFLICT DO NOTHING RETURNING request_id"
)


async def prune_answers(connection: AsyncConnection, *, before: datetime, most: int) -> int:
    """Forget the oldest answers given before an instant; returns how many."""
    oldest = (
        sa.select(apply_request.c.request_id)
        .where(apply_request.c.create_time < before)
        .order_by(apply_request.c.create_time)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    gone = await connection.execute(sa.delete(apply_request).where(apply_request.c.request_id.in_(oldest)))
    return gone.rowcount
