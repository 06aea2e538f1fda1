"""What is to leave by channels beside the inbox: deliveries that wait, and the messages they are gathered into."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify.domain import Delivery, Matter
from services.notify.domain.delivering import priority_of, weight_of


async def queue_deliveries(
    connection: AsyncConnection, deliveries: Sequence[Delivery], matters: Mapping[int, Matter], now: datetime
) -> None:
    """Let deliveries leave by every channel their recipients want for what is so grave; once an occasion.

    Nothing is sent to the database for people who have no channel, which most have not.
    """
    subjects = sorted({delivery.recipient.subject for delivery in deliveries})
    reached = set(await connection.scalars(_REACHED, {"subjects": subjects})) if subjects else set()
    chosen = [delivery for delivery in deliveries if delivery.recipient.subject in reached]
    if not chosen:
        return
    about = [matters[delivery.alert_id] for delivery in chosen]
    await connection.execute(
        _QUEUE,
        {
            "subjects": [delivery.recipient.subject for delivery in chosen],
            "matters": [delivery.alert_id for delivery in chosen],
            "occasions": [delivery.occasion for delivery in chosen],
            "gravities": [weight_of(matter) for matter in about],
            "priorities": [int(priority_of(matter)) for matter in about],
            "dues": [delivery.due or now for delivery in chosen],
        },
    )


async def drop_waiting(connection: AsyncConnection, matter_id: int, now: datetime) -> None:
    """Let what tells a matter that was taken back leave no more: what waits, and messages that tell nothing else."""
    await connection.execute(_DROP, {"matter": matter_id})
    await connection.execute(_CANCEL, {"matter": matter_id, "now": now})


_REACHED = sa.text("SELECT DISTINCT subject FROM route WHERE subject = ANY(CAST(:subjects AS text[]))")
_QUEUE = sa.text(
    "INSERT INTO delivery (subject, matter_id, occasion, channel, address, priority, due_time)"
    " SELECT given.subject, given.matter_id, given.occasion, route.channel, route.address, given.priority,"
    " given.due_time"
    " FROM unnest(CAST(:subjects AS text[]), CAST(:matters AS bigint[]), CAST(:occasions AS bigint[]),"
    " CAST(:gravities AS int[]), CAST(:priorities AS int[]), CAST(:dues AS timestamptz[]))"
    " AS given(subject, matter_id, occasion, gravity, priority, due_time)"
    " JOIN route ON route.subject = given.subject AND given.gravity >= route.least_severity"
    " ON CONFLICT DO NOTHING"
)
_DROP = sa.text("DELETE FROM delivery WHERE matter_id = :matter AND dispatch_id IS NULL")
_CANCEL = sa.text(
    "UPDATE dispatch SET state = 5, done_time = CAST(:now AS timestamptz) WHERE state = 1 AND dispatch_id IN ("
    "SELECT dispatch_id FROM delivery WHERE matter_id = :matter) AND NOT EXISTS (SELECT FROM delivery AS other"
    " WHERE other.dispatch_id = dispatch.dispatch_id AND other.matter_id <> :matter)"
)
