"""Events in: services say that they have erased what they were asked to, and what they showed of personal data."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.bus import Bus, Event, Handle
from chassis.clock import Clock
from chassis.database import Database
from chassis.disclosures import EVENT
from chassis.inbox import Consumer, consumer
from services.records.convert.erasing import confirmed_of
from services.records.convert.rules import load_erasure_rules
from services.records.convert.shown import readings_of
from services.records.store.access_log import append_readings
from services.records.usecases.erasing import confirm_erasures

SERVICE = "records"
SHOWING = ("alerts", "reporting", "sync")  # Services with methods that reveal personal data.


def consumers(database: Database, bus: Bus, clock: Clock) -> list[Consumer]:
    """For each service that is asked to erase one worker, and for each that shows personal data; alike all of them."""

    async def confirmed(connection: AsyncConnection, events: Sequence[Event]) -> None:
        await confirm_erasures(connection, [confirmed_of(event.data) for event in events], now=clock.now())

    async def shown(connection: AsyncConnection, events: Sequence[Event]) -> None:
        await append_readings(connection, [one for event in events for one in readings_of(event)])

    return [
        *(
            consumer(database, bus, service=f"{SERVICE}-{source}", source=source, event=EVENT, handle=shown)
            for source in SHOWING
        ),
        *_confirming(database, bus, confirmed),
    ]


def _confirming(database: Database, bus: Bus, confirmed: Handle) -> list[Consumer]:
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
