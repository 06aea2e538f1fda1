"""Events that leave with the transaction they belong to: appended beside its writes, published by one relay a database.

A relay is one per database by a session lock and works on the session that holds it, so that it cannot stamp or delete
anything once it has lost the lock. It publishes in order of appending; after a crash at any line it publishes again
with the same id, which broker and consumers drop.
"""

import asyncio
import contextlib
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.bus import MOST_PAYLOAD, Bus, Publication, cloud_headers, subject_of
from chassis.database import APPENDED, Database, chassis_tables
from chassis.logs import said
from chassis.telemetry import TRACEPARENT, metrics, publish_span
from chassis.workers import Worker

RELAY_LOCK = 0x696F635F6F7574  # "ioc_out": the session lock that makes the relay one per database.
POLL_SECONDS = 0.2  # Finds what other replicas have committed; our own commits wake the relay.
GATHER_SECONDS = 0.02  # From one pass to the next, so that what is committed in a flood leaves together.
STANDBY_SECONDS = 0.5
LAG_SECONDS = 5.0  # How often the lag is measured.
MOST_ROWS = 256
MOST_BYTES = 8_000_000
DRAIN_SECONDS = 10.0
LONGEST_PAUSE = 5.0

log = structlog.get_logger(__name__)
_TABLE = chassis_tables(sa.MetaData()).outbox


@dataclass(frozen=True)
class Outgoing:
    """An event to publish: its name, for example `things-changed`, a serialized message, how many items that holds.

    `parent` is the traceparent it belongs under; empty: the running one's.
    """

    event: str
    payload: bytes
    count: int = 1
    headers: Mapping[str, str] = field(default_factory=dict)
    parent: str = ""


@dataclass(frozen=True)
class OutboxRow:
    """A committed event that waits to be published."""

    id: int
    event_id: uuid.UUID
    event: str
    payload: bytes
    count: int
    headers: Mapping[str, str]
    stamped: bool
    create_time: datetime


# Runs once per row in the relay's transaction, rows in order; returns headers to add, by row id.
Stamp = Callable[[AsyncConnection, Sequence[OutboxRow]], Awaitable[Mapping[int, Mapping[str, str]]]]


async def append(connection: AsyncConnection, events: Sequence[Outgoing]) -> None:
    """Append events to the connection's transaction; they are published once it is committed, in this order."""
    if not events:
        return
    rows = []
    for event in events:
        if len(event.payload) > MOST_PAYLOAD:
            raise ValueError(f"an event of {len(event.payload)} bytes is more than the {MOST_PAYLOAD} a message holds")
        with publish_span(event.event, parent=event.parent) as traceparent:
            carried = {TRACEPARENT: traceparent} if traceparent else {}
        rows.append(
            {
                "event_id": uuid.uuid4(),
                "event": event.event,
                "payload": event.payload,
                "count": event.count,
                "headers": {**carried, **event.headers},
                "stamped": False,
            }
        )
    await connection.execute(sa.insert(_TABLE), rows)
    connection.info[APPENDED] = True


def relay(database: Database, bus: Bus, service: str, *, stamp: Stamp | None = None) -> Worker:
    """The worker that publishes what is committed; it stands by while another replica's relay works."""
    return Worker("outbox", _Relay(database, bus, service, stamp).run, drains=True)


class _Relay:
    def __init__(self, database: Database, bus: Bus, service: str, stamp: Stamp | None) -> None:
        self._database = database
        self._bus = bus
        self._service = service
        self._stamp = stamp
        self._measured = 0.0
        self._stream_made = False

    async def run(self, stop: asyncio.Event) -> None:
        pause = 0.1
        while not stop.is_set():
            try:
                async with self._database.dedicated() as connection:
                    pause = 0.1
                    if await self._lead(connection, stop):
                        await self._work(connection, stop)
            except Exception as error:  # noqa: BLE001 (whatever is away or wrong, what is committed must still leave)
                log.warning("outbox relay failed", action="outbox.failed", error=said(error), pause=pause)
                self._stream_made = False
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    async def _lead(self, connection: AsyncConnection, stop: asyncio.Event) -> bool:
        """Wait for the lock that makes this relay the only one; False when the process stops first."""
        while not stop.is_set():
            async with connection.begin():
                held = await connection.scalar(sa.select(sa.func.pg_try_advisory_lock(RELAY_LOCK)))
            if held:
                log.info("outbox relay works", action="outbox.leads", service=self._service)
                return True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), STANDBY_SECONDS)
        return False

    async def _work(self, connection: AsyncConnection, stop: asyncio.Event) -> None:
        appended = self._database.appended
        while not stop.is_set():
            appended.clear()
            await self._measure(connection)
            if await self._waiting(connection) and await self._pass(connection):
                await asyncio.sleep(GATHER_SECONDS)
            else:
                await _any_set(stop, appended, seconds=POLL_SECONDS)
        async with asyncio.timeout(DRAIN_SECONDS):
            while await self._pass(connection):
                pass

    async def _waiting(self, connection: AsyncConnection) -> bool:
        """Whether anything is there, in one round trip: this is asked again and again."""
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None
        return await raw.fetchval("SELECT EXISTS (SELECT FROM outbox)") is True

    async def _pass(self, connection: AsyncConnection) -> bool:
        """Publish one batch; says whether there was one."""
        async with connection.begin():
            rows = [OutboxRow(*row) for row in await connection.execute(_NEXT, _BATCH)]
            if self._stamp is not None:
                rows = await self._stamped(connection, rows)
        if not rows:
            return False
        if not self._stream_made:
            await self._bus.ensure_stream(self._service)
            self._stream_made = True
        await self._bus.publish([self._publication(row) for row in rows])
        async with connection.begin():
            await connection.execute(_DELETE, {"ids": [row.id for row in rows]})
        return True

    async def _stamped(self, connection: AsyncConnection, rows: list[OutboxRow]) -> list[OutboxRow]:
        """Let the service stamp the rows that are not yet stamped, and keep what it says with them."""
        fresh = [row for row in rows if not row.stamped]
        if not fresh or self._stamp is None:
            return rows
        added = await self._stamp(connection, fresh)
        stamped = {row.id: {**row.headers, **added.get(row.id, {})} for row in fresh}
        await connection.execute(
            _KEEP, {"ids": list(stamped), "headers": [json.dumps(headers) for headers in stamped.values()]}
        )
        return [replace(row, headers=stamped.get(row.id, row.headers)) for row in rows]

    def _publication(self, row: OutboxRow) -> Publication:
        event_id = str(row.event_id)
        cloud = cloud_headers(event_id=event_id, service=self._service, event=row.event, time=row.create_time)
        return Publication(
            subject=subject_of(self._service, row.event),
            payload=row.payload,
            headers={**row.headers, **cloud},
            message_id=event_id,
        )

    async def _measure(self, connection: AsyncConnection) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._measured < LAG_SECONDS:
            return
        self._measured = now
        async with connection.begin():
            rows, seconds = (await connection.execute(_LAG)).one()
        metrics().outbox_lag_rows.set(rows)
        metrics().outbox_lag_seconds.set(float(seconds))


_NEXT = sa.text(
    "SELECT id, event_id, event, payload, count, headers, stamped, create_time FROM ("
    "SELECT *, sum(octet_length(payload)) OVER (ORDER BY id) - octet_length(payload) AS before"
    " FROM (SELECT * FROM outbox ORDER BY id LIMIT :most_rows) AS first) AS sized"
    " WHERE before < :most_bytes ORDER BY id"
).columns(
    *(_TABLE.c[name] for name in ("id", "event_id", "event", "payload", "count", "headers", "stamped", "create_time"))
)
_BATCH = {"most_rows": MOST_ROWS, "most_bytes": MOST_BYTES}
_KEEP = sa.text(
    "UPDATE outbox SET stamped = true, headers = CAST(kept.headers AS jsonb)"
    " FROM unnest(CAST(:ids AS bigint[]), CAST(:headers AS text[])) AS kept(id, headers) WHERE outbox.id = kept.id"
)
_DELETE = sa.text("DELETE FROM outbox WHERE id = ANY(CAST(:ids AS bigint[]))")
_LAG = sa.text("SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(create_time)), 0) FROM outbox")


async def _any_set(*events: asyncio.Event, seconds: float) -> None:
    tasks = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
