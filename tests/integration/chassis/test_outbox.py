"""The outbox: what is committed leaves once and in order, whatever dies in between; what is rolled back never does."""

import asyncio
import sys
from collections.abc import Mapping, Sequence

import pytest
import sqlalchemy as sa
from nats.aio.msg import Msg
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.bus import MOST_PAYLOAD, Bus, stream_of, subject_of
from chassis.database import Database
from chassis.outbox import OutboxRow, Outgoing, append, relay
from chassis.telemetry import ensure_trace_ids, span, trace_id
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until, running


async def put(database: Database, *payloads: bytes) -> None:
    """Append events in one transaction."""
    async with database.transaction() as connection:
        await append(connection, [Outgoing("things-changed", payload) for payload in payloads])


async def left(database: Database) -> int:
    """How many events wait to be published."""
    async with database.connection() as connection:
        return int(await connection.scalar(sa.text("SELECT count(*) FROM outbox")) or 0)


async def published(bus: Bus, service: str = "toy") -> list[Msg]:
    """What the stream of a service holds, in its order."""
    await bus.ensure_stream(service)
    count = (await bus.jetstream.stream_info(stream_of(service))).state.messages
    subscription = await bus.jetstream.subscribe(subject_of(service, ">"), ordered_consumer=True)
    try:
        return [await subscription.next_msg(timeout=60) for _ in range(count)]
    finally:
        await subscription.unsubscribe()


async def test_an_event_of_a_transaction_that_fails_is_never_published(
    database_factory: DatabaseFactory, bus: Bus
) -> None:
    """A rollback takes the event along."""
    database = await database_factory("chassis")

    async def fail() -> None:
        async with database.transaction() as connection:
            await append(connection, [Outgoing("things-changed", b"never")])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await left(database) == 0
    async with running(relay(database, bus, "toy")):
        await put(database, b"once")
        await poll_until(lambda: _none_left(database))
    assert [message.data for message in await published(bus)] == [b"once"]


async def test_events_leave_in_the_order_they_were_appended(database_factory: DatabaseFactory, bus: Bus) -> None:
    """Many transactions, one order; headers say what, whence and when."""
    database = await database_factory("chassis")
    for number in range(30):
        await put(database, *(f"{number}-{part}".encode() for part in range(10)))
    async with running(relay(database, bus, "toy")):
        await poll_until(lambda: _none_left(database))
    messages = await published(bus)
    assert [message.data.decode() for message in messages] == [f"{n}-{part}" for n in range(30) for part in range(10)]
    headers = messages[0].headers or {}
    assert headers["ce-type"] == messages[0].subject == "iocedu.toy.v1.things-changed"
    assert headers["ce-source"] == "toy"
    assert headers["ce-id"] == headers["Nats-Msg-Id"]


async def test_an_event_carries_the_trace_of_its_transaction(database_factory: DatabaseFactory, bus: Bus) -> None:
    """Who handles the event continues the trace in which it was appended, whenever it left."""
    ensure_trace_ids()
    database = await database_factory("chassis")
    with span("push"):
        trace = trace_id()
        await put(database, b"x")
    async with running(relay(database, bus, "toy")):
        await poll_until(lambda: _none_left(database))
    [message] = await published(bus)
    assert (message.headers or {})["traceparent"].split("-")[1] == trace != ""


async def test_a_commit_wakes_the_relay(database_factory: DatabaseFactory, bus: Bus) -> None:
    """A transaction that appended something says so after its commit; one that did not, does not."""
    database = await database_factory("chassis")
    async with database.transaction() as connection:
        await connection.execute(sa.text("SELECT 1"))
    assert not database.appended.is_set()
    await put(database, b"x")
    assert database.appended.is_set()


async def test_what_is_committed_leaves_before_the_process_ends(database_factory: DatabaseFactory, bus: Bus) -> None:
    """A relay told to stop first publishes what is there."""
    database = await database_factory("chassis")
    worker = relay(database, bus, "toy")
    async with running(worker):
        await put(database, b"first")
        await poll_until(lambda: _none_left(database))
        await put(database, *(str(number).encode() for number in range(500)))
    assert await left(database) == 0
    assert len(await published(bus)) == 501


async def test_a_payload_the_broker_would_refuse_fails_its_transaction(database_factory: DatabaseFactory) -> None:
    """An event too large to leave must not be committed: it would stop all that follow."""
    database = await database_factory("chassis")
    with pytest.raises(ValueError, match="bytes"):
        await put(database, bytes(MOST_PAYLOAD + 1))
    assert await left(database) == 0


async def test_a_stamp_is_given_once_even_if_publishing_fails(database_factory: DatabaseFactory, bus: Bus) -> None:
    """Stamps commit before publishing; a relay that fails there keeps them and publishes with the same ones."""
    database = await database_factory("chassis")
    stamps = iter(range(1, 100))
    given: list[int] = []

    async def stamp(_: AsyncConnection, rows: Sequence[OutboxRow]) -> Mapping[int, Mapping[str, str]]:
        given.extend(row.id for row in rows)
        return {row.id: {"toy-position": str(next(stamps))} for row in rows}

    class Deaf(Bus):
        """Loses its first publication."""

        lost = False

        async def publish(self, publications: Sequence[object]) -> None:
            if not self.lost:
                self.lost = True
                raise ConnectionError("the broker went away")
            await super().publish(publications)  # type: ignore[arg-type]

    await put(database, b"a", b"b", b"c")
    async with running(relay(database, Deaf(bus.client, "toy"), "toy", stamp=stamp)):
        await poll_until(lambda: _none_left(database))
    assert len(given) == len(set(given)) == 3
    assert [(m.headers or {})["toy-position"] for m in await published(bus)] == ["1", "2", "3"]


async def test_one_relay_works_and_another_takes_over(database_factory: DatabaseFactory, bus: Bus) -> None:
    """Of two replicas one publishes; when its session dies the other goes on, and nothing is lost or repeated."""
    database = await database_factory("chassis")
    working: set[str] = set()

    def stamped_by(name: str) -> object:
        async def stamp(_: AsyncConnection, rows: Sequence[OutboxRow]) -> Mapping[int, Mapping[str, str]]:
            working.add(name)
            return {row.id: {"toy-by": name} for row in rows}

        return stamp

    one = relay(database, bus, "toy", stamp=stamped_by("one"))  # type: ignore[arg-type]
    two = relay(database, bus, "toy", stamp=stamped_by("two"))  # type: ignore[arg-type]
    stop_one, stop_two = asyncio.Event(), asyncio.Event()
    task_one = asyncio.ensure_future(one.run(stop_one))
    await put(database, b"0")
    await poll_until(lambda: _none_left(database))
    task_two = asyncio.ensure_future(two.run(stop_two))
    for number in range(1, 21):
        await put(database, str(number).encode())
    await poll_until(lambda: _none_left(database))
    assert working == {"one"}
    task_one.cancel()  # Its session dies with it, as at kill -9.
    await asyncio.gather(task_one, return_exceptions=True)
    for number in range(21, 41):
        await put(database, str(number).encode())
    await poll_until(lambda: _none_left(database))
    stop_two.set()
    await task_two
    assert working == {"one", "two"}
    assert [int(message.data) for message in await published(bus)] == list(range(41))


async def test_a_relay_whose_session_the_server_ends_works_again(database_factory: DatabaseFactory, bus: Bus) -> None:
    """Losing the session loses the lock; the relay takes both anew by itself."""
    database = await database_factory("chassis")
    async with running(relay(database, bus, "toy")):
        await put(database, b"before")
        await poll_until(lambda: _none_left(database))
        async with database.connection() as connection:
            ended = await connection.scalar(
                sa.text(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND database ="
                    " (SELECT oid FROM pg_database WHERE datname = current_database())"
                )
            )
        assert ended == 1
        await put(database, b"after")
        await poll_until(lambda: _none_left(database))
    assert [message.data for message in await published(bus)] == [b"before", b"after"]


CRASH = """
import asyncio, os, sys
from chassis.bus import Bus
from chassis.database import open_database
from chassis.outbox import relay

class Dies(Bus):
    async def publish(self, publications):
        await super().publish(publications)
        os.kill(os.getpid(), 9)  # The broker has it; the row is not deleted.

async def main():
    async with open_database(sys.argv[1]) as database, Bus.connect(sys.argv[2], "toy") as bus:
        await relay(database, Dies(bus.client, "toy"), "toy").run(asyncio.Event())

asyncio.run(main())
"""


async def test_a_kill_between_publishing_and_deleting_repeats_nothing(
    database_factory: DatabaseFactory, bus: Bus, nats_url: str
) -> None:
    """The next relay publishes the same ids again, and the broker knows them."""
    database = await database_factory("chassis")
    await put(database, b"1", b"2", b"3")
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", CRASH, database.url, nats_url)
    assert await asyncio.wait_for(process.wait(), 60) == -9
    assert await left(database) == 3
    async with running(relay(database, bus, "toy")):
        await poll_until(lambda: _none_left(database))
    assert [message.data for message in await published(bus)] == [b"1", b"2", b"3"]


async def _none_left(database: Database) -> bool:
    return await left(database) == 0
