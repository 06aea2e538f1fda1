"""Events in: changed records and connections go to the use cases that follow them, a batch in one transaction."""

from collections.abc import Sequence

from iocedu.records.v1 import erasures_pb2, records_pb2, unit_operations_pb2
from iocedu.sync.v1 import sync_pb2
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.bus import Bus, Event
from chassis.database import Database
from chassis.inbox import Consumer, consumer
from services.reporting import convert
from services.reporting.convert.analysis import succession_rows
from services.reporting.usecases import erasing, projecting
from services.reporting.usecases.projecting import Facts

SERVICE = "reporting"
EVENTS_AT_ONCE = 32


def consumers(database: Database, bus: Bus) -> list[Consumer]:
    """The workers by which reporting follows records and sync."""
    return [
        consumer(
            database,
            bus,
            service=SERVICE,
            source="records",
            event="records-changed",
            handle=follow_records,
            batch=EVENTS_AT_ONCE,
        ),
        consumer(database, bus, service=SERVICE, source="records", event="erasures-requested", handle=follow_erasures),
        consumer(
            database,
            bus,
            service=SERVICE,
            source="sync",
            event="connections-changed",
            handle=follow_connections,
            batch=EVENTS_AT_ONCE,
        ),
        consumer(
            database,
            bus,
            service=SERVICE,
            source="records",
            event="units-changed",
            handle=follow_units,
            batch=EVENTS_AT_ONCE,
        ),
    ]


async def follow_records(connection: AsyncConnection, events: Sequence[Event]) -> None:
    """Handle `records-changed`, history and news apart."""
    batch: dict[bool, Facts] = {}
    for event in events:
        message = records_pb2.RecordsChanged.FromString(event.data)
        first = convert.first_position(event.headers)
        facts = batch.setdefault(message.backfill, Facts())
        facts.rows.extend(await convert.fact_rows(message.changes, first=first))
        facts.details.extend(await convert.detail_rows(message.changes, first=first))
    await projecting.follow_batch(connection, batch, data_time=max(event.time for event in events))


async def follow_units(connection: AsyncConnection, events: Sequence[Event]) -> None:
    """Handle `units-changed`: what became of units; the newest event about a unit says all."""
    for event in events:
        histories = unit_operations_pb2.UnitsChanged.FromString(event.data).units
        units = [history.unit_id for history in histories]
        await projecting.follow_successions(connection, units, succession_rows(histories), told=event.time)


async def follow_connections(connection: AsyncConnection, events: Sequence[Event]) -> None:
    """Handle `connections-changed`."""
    rows = [
        row
        for event in events
        for row in convert.connection_rows(sync_pb2.ConnectionsChanged.FromString(event.data).connections)
    ]
    await projecting.follow_connections(connection, rows, data_time=max(event.time for event in events))


async def follow_erasures(connection: AsyncConnection, events: Sequence[Event]) -> None:
    """Handle `erasures-requested`."""
    for event in events:
        await erasing.erase(connection, erasures_pb2.ErasuresRequested.FromString(event.data))
