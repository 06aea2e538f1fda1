"""NATS JetStream: one stream a service, publishing with all acknowledgements awaited, pulling, key-value buckets.

Reconnects for ever. Whether an event was handled is not decided here (see `inbox`), nor when one leaves (see `outbox`).
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext, api
from nats.js import errors as js_errors
from nats.js.kv import KeyValue
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.logs import said

KEPT_SECONDS = 7 * 24 * 3600.0  # How long a stream keeps its events.
DUPLICATE_SECONDS = 10 * 60.0  # How long the broker itself knows a repeated event by its id.
ACK_SECONDS = 30.0  # After this long without a word an event is handed out again.
PUBLISH_SECONDS = 10.0
MOST_PAYLOAD = 900_000  # NATS refuses messages above 1 MB by default, headers included.
REQUEST_SECONDS = 5.0  # How long one pull request lives in the broker.
REQUEST_BYTES = 16 * 1024 * 1024  # At most this much is handled in one transaction, however many events are asked for.
SLICE_SECONDS = 0.5  # How late the end of the process is noticed while nothing comes.

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Event:
    """What happened somewhere, as CloudEvents names its parts. `type` is the subject, `data` a serialized message."""

    id: str
    type: str
    source: str
    subject: str
    time: datetime
    data: bytes
    headers: Mapping[str, str]


AfterCommit = Callable[[], Awaitable[None]]
# Does an event's work inside the transaction; may return what is to run once that is committed.
Handle = Callable[[AsyncConnection, Sequence[Event]], Awaitable[AfterCommit | None]]


@dataclass(frozen=True)
class Publication:
    """A message on its way out. The broker drops a second one with the same `message_id` for ten minutes."""

    subject: str
    payload: bytes
    headers: Mapping[str, str]
    message_id: str


def stream_of(service: str) -> str:
    """Name of the stream that holds a service's events."""
    return service.upper()


def subject_of(service: str, event: str) -> str:
    """Subject, and CloudEvents type, of a service's event."""
    return f"iocedu.{service}.v1.{event}"


class Bus:
    """A connection to the broker. Made by `Bus.connect`."""

    def __init__(self, client: Client, service: str, replicas: int = 1) -> None:
        self.service = service
        self.client = client
        self.replicas = replicas  # Copies of each stream; one that has more keeps them.
        self.jetstream: JetStreamContext = client.jetstream(timeout=PUBLISH_SECONDS)
        self.connections = 1  # Rises with each reconnect: what was asked of the broker before is lost.
        self._copied: set[str] = set()  # Buckets that are known to have as many copies.

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str, service: str, *, replicas: int = 1) -> AsyncIterator["Bus"]:
        """Connect, waiting for a broker that is not there yet, and stay connected; several URLs stand before commas."""
        holder: list[Bus] = []

        async def lost() -> None:
            if not client.is_draining and not client.is_closed:
                log.warning("broker lost", action="bus.lost")

        async def found() -> None:
            for bus in holder:
                bus.connections += 1
            log.info("broker found again", action="bus.found")

        async def failed(error: Exception) -> None:
            log.warning("broker failed", action="bus.failed", error=said(error))

        client = Client()
        await client.connect(
            url.split(","),
            name=f"iocedu-{service}",
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.25,  # type: ignore[arg-type]  # seconds to sleep; any number will do
            ping_interval=10,
            max_outstanding_pings=2,
            pending_size=32 * 1024 * 1024,
            drain_timeout=5,
            disconnected_cb=lost,
            reconnected_cb=found,
            error_cb=failed,
        )
        bus = cls(client, service, replicas)
        holder.append(bus)
        try:
            yield bus
        finally:
            try:
                await client.drain()
            except (nats.errors.Error, TimeoutError):
                await client.close()

    async def ping(self) -> None:
        """Ask for a sign of life; raises when there is none within two seconds."""
        if not self.client.is_connected:
            raise ConnectionError("not connected to the broker")
        await self.client.flush(timeout=2)

    async def ensure_stream(self, service: str) -> None:
        """Make the stream of a service's events unless it exists; one that does is only ever given more copies."""
        try:
            await self.keep_copies(stream_of(service))
        except js_errors.NotFoundError:
            await self.jetstream.add_stream(
                api.StreamConfig(
                    name=stream_of(service),
                    description=f"Events of {service}",
                    subjects=[subject_of(service, ">")],
                    storage=api.StorageType.FILE,
                    max_age=KEPT_SECONDS,
                    duplicate_window=DUPLICATE_SECONDS,
                    discard=api.DiscardPolicy.OLD,
                    allow_direct=True,
                    num_replicas=self.replicas,
                )
            )

    async def keep_copies(self, stream: str) -> None:
        """See that a stream has as many copies as wanted, or more; raises NotFoundError where there is none."""
        config = (await self.jetstream.stream_info(stream)).config
        if (config.num_replicas or 1) < self.replicas:
            await self.jetstream.update_stream(config, num_replicas=self.replicas)

    async def publish(self, publications: Sequence[Publication]) -> None:
        """Publish in order without waiting in between; returns once the broker has stored every one, else raises."""
        if not self.client.is_connected:
            raise ConnectionError("not connected to the broker")
        acknowledgements: list[asyncio.Future[api.PubAck]] = []
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                for publication in publications:
                    headers = {**publication.headers, api.Header.MSG_ID.value: publication.message_id}
                    acknowledgements.append(
                        await self.jetstream.publish_async(publication.subject, publication.payload, headers=headers)
                    )
                await asyncio.gather(*acknowledgements)
        finally:
            for acknowledgement in acknowledgements:
                if not acknowledgement.done():
                    acknowledgement.cancel()
                elif not acknowledgement.cancelled():
                    acknowledgement.exception()  # Looked at, so that the loop does not complain of it.

    async def key_value(self, bucket: str) -> KeyValue:
        """A key-value bucket on file, made unless it exists."""
        try:
            found = await self.jetstream.key_value(bucket)
        except js_errors.NotFoundError:
            return await self.jetstream.create_key_value(
                api.KeyValueConfig(bucket=bucket, history=1, storage=api.StorageType.FILE, replicas=self.replicas)
            )
        if bucket not in self._copied:
            await self.keep_copies(f"KV_{bucket}")
            self._copied.add(bucket)
        return found

    @asynccontextmanager
    async def pull(self, *, source: str, event: str, durable: str, batch: int) -> AsyncIterator["Pull"]:
        """Bind to a durable pull consumer on the stream of `source`, both made unless they exist."""
        await self.ensure_stream(source)
        await self.jetstream.add_consumer(
            stream_of(source),
            api.ConsumerConfig(
                durable_name=durable,
                ack_policy=api.AckPolicy.EXPLICIT,
                ack_wait=ACK_SECONDS,
                max_ack_pending=1024,  # Events that wait for another try count: a few bad ones must not stop the rest.
                filter_subject=subject_of(source, event),
                deliver_policy=api.DeliverPolicy.ALL,
            ),
        )
        inbox = self.client.new_inbox()
        subscription = await self.client.subscribe(
            inbox, pending_bytes_limit=0
        )  # What is asked for is bounded instead.
        pull = Pull(
            bus=self, subscription=subscription, inbox=inbox, stream=stream_of(source), durable=durable, batch=batch
        )
        try:
            yield pull
        finally:
            await pull.close()


class Pull:
    """Takes messages as they come, at most `batch` at a time, and hands back what was not taken when closed.

    One request stands in the broker for as many messages as one batch holds; what arrives while a batch is handled is
    taken together next, so that small events gather under load and wait for nothing without it.
    """

    def __init__(self, *, bus: Bus, subscription: Any, inbox: str, stream: str, durable: str, batch: int) -> None:
        self.pending = 0  # Messages that wait in the stream, as of the last one taken.
        self._bus = bus
        self._subscription = subscription
        self._inbox = inbox
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._batch = batch
        self._wanted = 0  # What the standing request still asks for.
        self._expires = 0.0
        self._connections = 0

    async def take(self) -> list[Msg]:
        """The next messages; an empty list when none came for half a second. Raises when the consumer is gone."""
        taken: list[Msg] = []
        while len(taken) < self._batch:
            if taken and not self._subscription.pending_msgs:
                break
            if not taken and not self._subscription.pending_msgs:
                await self._request()
            try:
                message = await self._subscription.next_msg(timeout=SLICE_SECONDS)
            except nats.errors.TimeoutError:
                break
            status = (message.headers or {}).get("Status")
            if status is None:
                self._wanted -= 1
                taken.append(message)
            else:
                self._ended(status, (message.headers or {}).get("Description", ""))
        if taken:
            self.pending = taken[-1].metadata.num_pending
        return taken

    async def close(self) -> None:
        """Stop taking, and hand back what has arrived, so that another replica need not wait for it."""
        with contextlib.suppress(nats.errors.Error, TimeoutError):
            while self._subscription.pending_msgs:
                message = await self._subscription.next_msg(timeout=SLICE_SECONDS)
                if "Status" not in (message.headers or {}):
                    await message.nak()
            await self._subscription.unsubscribe()

    async def _request(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._wanted > 0 and now < self._expires and self._connections == self._bus.connections:
            return
        self._wanted, self._expires, self._connections = self._batch, now + REQUEST_SECONDS + 1, self._bus.connections
        request = {"batch": self._batch, "max_bytes": REQUEST_BYTES, "expires": int(REQUEST_SECONDS * 1e9)}
        await self._bus.client.publish(self._subject, json.dumps(request).encode(), reply=self._inbox)

    def _ended(self, status: str, description: str) -> None:
        """The standing request is over: used up, expired, or answered by a broker that lost the consumer."""
        if status == "100":
            return
        self._wanted = 0
        gone = status == "503" or (status == "409" and "deleted" in description.lower())
        if gone or status not in ("404", "408", "409"):
            raise ConnectionError(f"the broker answered {status} {description}")


def cloud_headers(*, event_id: str, service: str, event: str, time: datetime) -> dict[str, str]:
    """CloudEvents 1.0 attributes in binary mode."""
    return {
        "ce-specversion": "1.0",
        "ce-id": event_id,
        "ce-type": subject_of(service, event),
        "ce-source": service,
        "ce-time": time.astimezone(UTC).isoformat(),
        "content-type": "application/protobuf",
    }


def event_of(message: Msg) -> Event:
    """Read a message back; one without CloudEvents attributes is known by its place in the stream."""
    headers: Mapping[str, str] = message.headers or {}
    metadata = message.metadata
    time = headers.get("ce-time")
    return Event(
        id=headers.get("ce-id") or f"{metadata.stream}-{metadata.sequence.stream}",
        type=headers.get("ce-type") or message.subject,
        source=headers.get("ce-source") or metadata.stream.lower(),
        subject=message.subject,
        time=datetime.fromisoformat(time) if time else metadata.timestamp,
        data=message.data,
        headers=headers,
    )
