"""Events in: services that were asked to erase what they hold say that they have."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.bus import Bus, Event
from chassis.clock import Clock
from chassis.database import Database
from chassis.inbox import Consumer, consumer
from services.records.convert.erasing import confirmed_of
from services.records.convert.rules import load_erasure_rules
from services.records.usecases.erasing import confirm_erasures

SERVICE = "records"


def consumers(database: Database, bus: Bus, clock: Clock) -> list[Consumer]:
    """One worker for each service that is asked; all of them do the same."""

    async def confirmed(connection: AsyncConnection, events: Sequence[Event]) -> None:
        await confirm_erasures(connection, [confirmed_of(event.data) for event in events], now=clock.now())

    return [
        consumer(
            database,
            bus,
            service=f"{SERVICE}-{source}",
            source=source,
            event="erasures-confirmed",
            handle=confirmed,
        )
        for source in load_erasure_rules().confirming
    ]
