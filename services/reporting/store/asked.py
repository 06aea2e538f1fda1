"""Requests that name an id: what they made, kept in the transaction of their effect."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection


async def answered(connection: AsyncConnection, subject: str, request_id: str) -> tuple[bytes, int] | None:
    """Digest and answer of an earlier request of that id; locks the id until the transaction ends."""
    await connection.execute(_HOLD, {"name": f"{subject}/{request_id}"})
    row = (await connection.execute(_FIND, {"subject": subject, "request_id": request_id})).first()
    return (bytes(row.digest), row.answer) if row else None


async def keep_answer(
    connection: AsyncConnection, subject: str, request_id: str, *, digest: bytes, answer: int
) -> None:
    """Keep what a request made."""
    given = {"subject": subject, "request_id": request_id, "digest": digest, "answer": answer}
    await connection.execute(_KEEP, given)


async def forget_answers(connection: AsyncConnection, *, days: int) -> None:
    """Forget what nobody repeats any more."""
    await connection.execute(_FORGET, {"days": days})


_HOLD = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_FIND = sa.text("SELECT digest, answer FROM asked WHERE subject = :subject AND request_id = :request_id")
_KEEP = sa.text(
    "INSERT INTO asked (subject, request_id, digest, answer) VALUES (:subject, :request_id, :digest, :answer)"
)
_FORGET = sa.text("DELETE FROM asked WHERE create_time < clock_timestamp() - make_interval(days => :days)")
