"""A toy service's events, and a consumer whose effect is a table of numbers, for tests of delivery."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.bus import Bus, Event, Handle, Publication, cloud_headers, subject_of
from chassis.clock import Clock
from chassis.database import Database
from chassis.inbox import Consumer, consumer

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def publication(number: int, *, payload: bytes | None = None, message_id: str | None = None) -> Publication:
    """An event of the toy service; its id is known by its number."""
    headers = cloud_headers(event_id=f"event-{number}", service="toy", event="things-changed", time=Clock().now())
    return Publication(
        subject=subject_of("toy", "things-changed"),
        payload=payload if payload is not None else str(number).encode(),
        headers={**headers, "traceparent": TRACEPARENT},
        message_id=message_id or f"event-{number}",
    )


async def numbers_database(database: Database) -> Database:
    """The database with the table in which the handlers write what they handled."""
    async with database.transaction() as connection:
        await connection.execute(sa.text("CREATE TABLE handled (number int, together int)"))
    return database


async def write(connection: AsyncConnection, events: Sequence[Event]) -> None:
    """A handler: writes each event's number, and how many came together."""
    for event in events:
        await connection.execute(
            sa.text("INSERT INTO handled VALUES (:number, :together)"),
            {"number": int(event.data), "together": len(events)},
        )


async def numbers(database: Database) -> list[int]:
    """What has taken effect."""
    async with database.connection() as connection:
        return list(await connection.scalars(sa.text("SELECT number FROM handled ORDER BY number")))


async def pending(bus: Bus, durable: str) -> int:
    """How many events are not yet acknowledged."""
    info = await bus.jetstream.consumer_info("TOY", durable)
    return (info.num_pending or 0) + (info.num_ack_pending or 0)


def consume(database: Database, bus: Bus, handle: Handle = write, *, batch: int = 16) -> Consumer:
    """The consumer of these tests."""
    return consumer(database, bus, service="reader", source="toy", event="things-changed", handle=handle, batch=batch)


async def settled(bus: Bus) -> bool:
    """Whether every event is acknowledged."""
    return await pending(bus, "reader-things-changed") == 0


async def has(database: Database, count: int) -> bool:
    """Whether so many events have taken effect."""
    return len(await numbers(database)) >= count
