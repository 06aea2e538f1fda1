"""Events in: what records has erased at a person's request goes here, too."""

from collections.abc import Sequence

from iocedu.records.v1 import erasures_pb2
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.bus import Bus, Event
from chassis.database import Database
from chassis.inbox import Consumer, consumer
from services.sync.usecases.erasing import erase

SERVICE = "sync"


def consumers(database: Database, bus: Bus) -> list[Consumer]:
    """The worker by which sync follows erasures."""
    return [
        consumer(database, bus, service=SERVICE, source="records", event="erasures-requested", handle=follow_erasures)
    ]


async def follow_erasures(connection: AsyncConnection, events: Sequence[Event]) -> None:
    """Handle `erasures-requested`."""
    for event in events:
        await erase(connection, erasures_pb2.ErasuresRequested.FromString(event.data))
