"""Handles events exactly once in effect: what was handled is recorded in the transaction of its effect.

A lone event is handled at once; those that come in a flood are gathered for some milliseconds. A whole batch shares
one transaction; when that fails its events are tried one by one, so that a bad one never holds up its neighbours. An
event that fails too often, or that can never succeed, goes to the dead letters. While the database or another service
is away nothing is given up: the batch is held and tried again.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass

import nats.errors
import sqlalchemy as sa
import structlog
from nats.aio.msg import Msg
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import dead_letters
from chassis.bus import ACK_SECONDS, AfterCommit, Bus, Event, Handle, Pull, event_of
from chassis.database import Database, chassis_tables
from chassis.errors import Fault, Kind
from chassis.logs import said
from chassis.telemetry import TRACEPARENT, handle_span, metrics
from chassis.workers import Worker

MOST_DELIVERIES = 8
MOST_CRASHES = 20  # After so many deliveries without a word, handling the event is what kills the process.
GATHER_SECONDS = 0.03  # From one handling to the next, so that events that come in a flood are handled together.
FIRST_DELAY = 0.25  # Doubles with each delivery.
LONGEST_DELAY = 60.0
LONGEST_PAUSE = 5.0
PRUNE_SECONDS = 3600.0
PRUNE_ROWS = 10_000
KEPT_DAYS = 8  # One day longer than a stream keeps its events.

log = structlog.get_logger(__name__)
_TABLE = chassis_tables(sa.MetaData()).inbox


@dataclass(frozen=True, kw_only=True)
class Consumer(Worker):
    """A worker that handles events; a replay of its dead letters hands them to the same `handle`."""

    handle: Handle


def consumer(
    database: Database,
    bus: Bus,
    *,
    service: str,
    source: str,
    event: str,
    handle: Handle,
    batch: int = 16,
) -> Consumer:
    """The worker by which `service` handles an `event` of `source`; its replicas share the work.

    `handle` gets the events that were not handled yet, at most `batch`, inside one transaction. What it returns, if
    anything, is run once that is committed.
    """
    name = f"{service}-{event}"
    work = _Consumption(
        database=database, bus=bus, source=source, event=event, durable=name, handle=handle, batch=batch
    )
    return Consumer(name=name, run=work.run, handle=handle)


async def unhandled(connection: AsyncConnection, consumer_name: str, events: Sequence[Event]) -> list[Event]:
    """Record events as handled by a consumer, and return those it had not handled before, each once."""
    ids = sorted({event.id for event in events})  # In one order, so that two replicas cannot wait for each other.
    new = set(await connection.scalars(_RECORD, {"consumer": consumer_name, "ids": ids}))
    fresh = []
    for event in events:
        if event.id in new:
            new.remove(event.id)
            fresh.append(event)
    return fresh


class _Consumption:
    def __init__(
        self, *, database: Database, bus: Bus, source: str, event: str, durable: str, handle: Handle, batch: int
    ) -> None:
        self._database = database
        self._bus = bus
        self._source = source
        self._event = event
        self._durable = durable
        self._handle = handle
        self._batch = batch
        self._pruned = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        pause = 0.1
        metrics().dead_letters.add(0, {"consumer": self._durable})  # A rule on what was never there sees no data.
        while not stop.is_set():
            try:
                async with self._bus.pull(
                    source=self._source, event=self._event, durable=self._durable, batch=self._batch
                ) as pull:
                    pause = 0.1
                    await self._consume(pull, stop)
            except (nats.errors.Error, ConnectionError, TimeoutError) as error:
                # The broker is away or has forgotten the consumer; binding again makes it anew.
                log.warning("consumer lost", action="inbox.lost", consumer=self._durable, error=said(error))
                await _pause(stop, pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    async def _consume(self, pull: Pull, stop: asyncio.Event) -> None:
        while not stop.is_set():
            messages = await pull.take()
            metrics().consumer_lag.set(pull.pending if messages else 0, {"consumer": self._durable})
            if messages:
                async with _kept_alive(messages):
                    sound = [message for message in messages if not await self._fatal(message)]
                    if sound:
                        await self._settle(sound, stop)
            await self._prune()
            if 0 < len(messages) < self._batch:
                await _pause(stop, GATHER_SECONDS)

    async def _settle(self, messages: Sequence[Msg], stop: asyncio.Event) -> None:
        """Handle messages together, or else one by one; each ends acknowledged, put off, or given up."""
        error = await self._attempt([event_of(message) for message in messages], stop)
        if error is None:
            for message in messages:
                await message.ack()
        elif stop.is_set():
            for message in messages:
                await message.nak()
        elif len(messages) > 1:
            log.info("batch failed", action="inbox.batch_failed", consumer=self._durable, error=type(error).__name__)
            for message in messages:
                await self._settle([message], stop)
        else:
            await self._failed(messages[0], error)

    async def _attempt(self, events: Sequence[Event], stop: asyncio.Event) -> Exception | None:
        """Handle events in one transaction; waits as long as something they need is away."""
        pause = 0.1
        while True:
            try:
                await handle_once(self._database, self._durable, events, self._handle)
            except Fault as fault:
                if fault.kind is not Kind.UNAVAILABLE or stop.is_set():
                    return fault
                log.warning("held events", action="inbox.held", consumer=self._durable, reason=fault.reason)
                await _pause(stop, pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            except Exception as error:  # noqa: BLE001 (whatever a handler raises decides about its event only)
                return error
            else:
                return None

    async def _failed(self, message: Msg, error: Exception) -> None:
        event, delivery = event_of(message), message.metadata.num_delivered
        hopeless = isinstance(error, Fault) and error.kind is Kind.INVALID
        log.warning(
            "event failed",
            action="inbox.event_failed",
            consumer=self._durable,
            event_id=event.id,
            delivery=delivery,
            exc_info=None if isinstance(error, Fault) else error,
            reason=dead_letters.reason_of(error),
        )
        if hopeless or delivery >= MOST_DELIVERIES:
            await self._give_up(message, error)
        else:
            await message.nak(min(FIRST_DELAY * 2 ** (delivery - 1), LONGEST_DELAY))

    async def _fatal(self, message: Msg) -> bool:
        """Give up, untried, an event that was handed out again and again and never answered for."""
        if message.metadata.num_delivered <= MOST_CRASHES:
            return False
        event = event_of(message)
        log.error("event kills its handler", action="inbox.fatal", consumer=self._durable, event_id=event.id)
        vi, en = "Tiến trình dừng đột ngột khi xử lý sự kiện này.", "The process died each time it handled this event."
        await self._give_up(message, Fault(Kind.INTERNAL, "HANDLER_CRASHED", vi=vi, en=en))
        return True

    async def _give_up(self, message: Msg, error: Exception) -> None:
        try:
            await dead_letters.keep(self._database, self._durable, event_of(message), error)
        except Fault:  # The database went away in between: the event comes again.
            await message.nak(FIRST_DELAY)
            return
        metrics().dead_letters.add(1, {"consumer": self._durable})
        await message.term()

    async def _prune(self) -> None:
        """Forget, now and then, what the broker can no longer repeat."""
        now = asyncio.get_running_loop().time()
        if self._pruned and now - self._pruned < PRUNE_SECONDS:
            return
        self._pruned = now
        given = {"consumer": self._durable, "days": KEPT_DAYS, "most": PRUNE_ROWS}
        try:
            async with self._database.transaction() as connection:
                deleted = (await connection.execute(_PRUNE, given)).rowcount
            if deleted == PRUNE_ROWS:
                self._pruned = now - PRUNE_SECONDS + 1  # There is more; once more in a second.
        except Fault:
            self._pruned = now - PRUNE_SECONDS + 60  # The database is away; once more in a minute.


async def handle_once(database: Database, consumer_name: str, events: Sequence[Event], handle: Handle) -> None:
    """Handle those of the events that the consumer has not handled, and record them, in one transaction."""
    after: AfterCommit | None = None
    with ExitStack() as spans:
        for traceparents in _traces(events):
            spans.enter_context(handle_span(events[0].type.rpartition(".")[2], traceparents))
        async with database.transaction() as connection:
            fresh = await unhandled(connection, consumer_name, events)
            if fresh:
                after = await handle(connection, fresh)
        if after is not None:
            try:
                await after()
            except Exception:
                # The effect is committed: the event is handled whatever a watcher did when it was woken.
                log.exception("after commit failed", action="inbox.after_commit_failed", consumer=consumer_name)


def _traces(events: Sequence[Event]) -> list[list[str]]:
    """One publication per further trace, so that each trace shows its event handled; last all, the first event leading.

    The span made last is the running one: in it, and so in the first event's trace, the shared work is seen.
    """
    traceparents = [event.headers[TRACEPARENT] for event in events if event.headers.get(TRACEPARENT)]
    by_trace = {traceparent[:35]: traceparent for traceparent in reversed(traceparents)}
    further = [[traceparent] for trace, traceparent in by_trace.items() if trace != traceparents[0][:35]]
    return [*further, traceparents]


@asynccontextmanager
async def _kept_alive(messages: Sequence[Msg]) -> AsyncIterator[None]:
    """Tells the broker, while the work lasts, that these messages are worked on."""

    async def tell() -> None:
        while True:
            await asyncio.sleep(ACK_SECONDS / 3)
            for message in messages:
                with contextlib.suppress(nats.errors.Error):
                    if not message.is_acked:
                        await message.in_progress()

    task = asyncio.create_task(tell())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


_RECORD = sa.text(
    "INSERT INTO inbox (consumer, event_id) SELECT :consumer, id FROM unnest(CAST(:ids AS text[])) AS given(id)"
    " ON CONFLICT DO NOTHING RETURNING event_id"
)
_PRUNE = sa.text(
    "DELETE FROM inbox WHERE (consumer, event_id) IN (SELECT consumer, event_id FROM inbox WHERE consumer = :consumer"
    " AND create_time < clock_timestamp() - make_interval(days => :days) LIMIT :most)"
)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
