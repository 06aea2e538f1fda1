"""Requests that were answered, so that a repeat answers the same; kept for some days."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.store.tables import apply_request


async def answered(connection: AsyncConnection, request_id: str) -> tuple[bytes, bytes] | None:
    """Digest of the request that came under this id, and the answer; None when none came."""
    query = sa.select(apply_request.c.digest, apply_request.c.response).where(apply_request.c.request_id == request_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else (row.digest, row.response)


async def keep_answer(
    connection: AsyncConnection, request_id: str, *, digest: bytes, response: bytes, now: datetime
) -> bool:
    """Keep an answer; False when another request with this id was faster."""
    values = {"request_id": request_id, "digest": digest, "response": response, "create_time": now}
    kept = await connection.execute(insert(apply_request).values(values).on_conflict_do_nothing())
    return kept.rowcount == 1


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
