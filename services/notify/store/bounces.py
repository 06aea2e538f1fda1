"""What came back of messages, each notification once, and where it comes back to."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify.domain.bounces import Bounce, Fate, ReturnPath
from services.notify.domain.channels import Channel, Message, Returned

MOST_KEPT = 20  # Of a message and fate: who has the mail knows where it comes back to, and can write there at will.


async def is_ours(connection: AsyncConnection, path: ReturnPath) -> bool:
    """Whether a message left with this return path."""
    given = {"id": path.dispatch_id, "token": path.token}
    return (await connection.execute(_IS_OURS, given)).one_or_none() is not None


async def subject_of(connection: AsyncConnection, dispatch_id: UUID) -> str | None:
    """Whom a message was for; None: there is none any more."""
    subject: str | None = await connection.scalar(_SUBJECT, {"id": dispatch_id})
    return subject


async def keep_bounce(
    connection: AsyncConnection, dispatch_id: UUID, bounce: Bounce, *, digest: str, now: datetime
) -> bool:
    """Keep what a notification says of a message that is there, `MOST_KEPT` of each fate at most.

    Says whether it is new and kept, since servers hand over again what was not heard. Whom the message was for is
    locked, so that nothing is written beside an erasure.
    """
    given = {"id": dispatch_id, "digest": digest, "now": now, "fate": bounce.fate.value, "most": MOST_KEPT}
    told = {"status": bounce.status, "detail": bounce.detail}
    return (await connection.execute(_KEEP, given | told)).rowcount == 1


async def take_back(connection: AsyncConnection, dispatch_id: UUID, now: datetime) -> Message | None:
    """Count a message as come back that was sent, or is tried again; None: it is given up or back already."""
    row = (await connection.execute(_TAKE_BACK, {"id": dispatch_id, "now": now})).one_or_none()
    if row is None:
        return None
    return Message(dispatch_id, Channel(row.channel), row.subject, row.address, row.attempt_count, "", ())


async def bounces_of(connection: AsyncConnection, ids: Collection[UUID]) -> dict[UUID, list[Returned]]:
    """What came back of messages, the oldest first."""
    found: dict[UUID, list[Returned]] = {}
    for row in await connection.execute(_BOUNCES, {"ids": list(ids)}):
        bounce = Bounce(Fate(row.fate), row.status, row.detail)
        found.setdefault(row.dispatch_id, []).append(Returned(row.time, bounce))
    return found


_IS_OURS = sa.text("SELECT 1 FROM dispatch WHERE dispatch_id = :id AND return_token = :token")
_SUBJECT = sa.text("SELECT subject FROM dispatch WHERE dispatch_id = :id")
_KEEP = sa.text(
    "INSERT INTO bounce SELECT dispatch_id, :digest, CAST(:now AS timestamptz), CAST(:fate AS text), :status, :detail"
    " FROM dispatch WHERE dispatch_id = :id AND :most > (SELECT count(*) FROM bounce AS kept"
    " WHERE kept.dispatch_id = dispatch.dispatch_id AND kept.fate = CAST(:fate AS text)) ON CONFLICT DO NOTHING"
)
_TAKE_BACK = sa.text(
    "UPDATE dispatch SET state = 6, done_time = CAST(:now AS timestamptz) WHERE dispatch_id = :id"
    " AND state IN (1, 2, 3) RETURNING channel, subject, address, attempt_count"
)
_BOUNCES = sa.text(
    "SELECT dispatch_id, time, fate, status, detail FROM bounce WHERE dispatch_id = ANY(CAST(:ids AS uuid[]))"
    " ORDER BY dispatch_id, time"
)
