"""Consumers: each event takes effect once, a bad one is put aside, and nothing that comes back is lost."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest
import sqlalchemy as sa
from iocedu.chassis.v1 import operations_pb2
from nats.js.errors import NotFoundError
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import dead_letters, inbox
from chassis.bus import AfterCommit, Bus, Event, Handle, Publication, cloud_headers, subject_of
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import Fault, Kind
from chassis.inbox import consumer
from chassis.operations import OperationsServicer, operations_of
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until, running

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


@pytest.fixture
async def database(database_factory: DatabaseFactory) -> Database:
    """A database with a table in which the handlers of these tests write what they handled."""
    made = await database_factory("chassis")
    async with made.transaction() as connection:
        await connection.execute(sa.text("CREATE TABLE handled (number int, together int)"))
    return made


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


def consume(database: Database, bus: Bus, handle: Handle = write, *, batch: int = 16) -> inbox.Consumer:
    """The consumer of these tests."""
    return consumer(database, bus, service="reader", source="toy", event="things-changed", handle=handle, batch=batch)


async def test_events_that_wait_are_handled_in_one_transaction(database: Database, bus: Bus) -> None:
    """Small events gather to whole batches; all are acknowledged."""
    await bus.ensure_stream("toy")
    await bus.publish([publication(number) for number in range(64)])
    async with running(consume(database, bus, batch=32)):
        await poll_until(lambda: _has(database, 64))
        await poll_until(lambda: _settled(bus))
    async with database.connection() as connection:
        assert await connection.scalar(sa.text("SELECT max(together) FROM handled")) > 8
    assert await numbers(database) == list(range(64))


async def test_an_event_that_comes_twice_takes_effect_once(database: Database, bus: Bus) -> None:
    """The broker may repeat an event long after it forgot the id; the consumer does not."""
    await bus.ensure_stream("toy")
    async with running(consume(database, bus)):
        await bus.publish([publication(1), publication(1, message_id="as if forgotten"), publication(2)])
        await poll_until(lambda: _has(database, 2))
        await bus.publish([publication(1, message_id="and again"), publication(3)])
        await poll_until(lambda: _has(database, 3))
        await poll_until(lambda: _settled(bus))
    assert await numbers(database) == [1, 2, 3]


async def test_a_bad_event_does_not_hold_up_its_neighbours(
    database: Database, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch is tried one by one; the bad one is put aside after the last delivery and can be replayed."""
    monkeypatch.setattr(inbox, "MOST_DELIVERIES", 3)
    monkeypatch.setattr(inbox, "FIRST_DELAY", 0.05)
    tried: Counter[str] = Counter()
    mended = False

    async def handle(connection: AsyncConnection, events: Sequence[Event]) -> None:
        for event in events:
            tried[event.id] += 1
            if event.data == b"2" and not mended:
                raise LookupError("Nguyễn Văn An")
        await write(connection, events)

    await bus.ensure_stream("toy")
    await bus.publish([publication(number) for number in range(4)])
    worker = consume(database, bus, handle)
    async with running(worker):
        await poll_until(lambda: dead_letters.count(database))
        await poll_until(lambda: _settled(bus))
    assert await numbers(database) == [0, 1, 3]
    assert tried["event-2"] >= 3

    operations = operations_of([worker])
    assert operations is not None
    listed = await operations.ListDeadLetters(operations_pb2.ListDeadLettersRequest(), None)
    letter = listed.dead_letters[0]
    assert (letter.consumer, letter.reason, letter.event_id) == ("reader-things-changed", "LOOKUP_ERROR", "event-2")
    assert letter.trace_id == TRACEPARENT.split("-")[1]
    assert "Nguyễn" not in letter.message

    again = await operations.ReplayDeadLetters(operations_pb2.ReplayDeadLettersRequest(), None)
    assert (again.replayed_count, again.failed_count) == (0, 1)
    mended = True
    request = operations_pb2.ReplayDeadLettersRequest(dead_letter_ids=[letter.dead_letter_id])
    mended_now = await operations.ReplayDeadLetters(request, None)
    assert (mended_now.replayed_count, mended_now.failed_count) == (1, 0)
    assert await numbers(database) == [0, 1, 2, 3]
    assert await dead_letters.count(database) == 0


async def test_an_event_that_can_never_be_taken_is_given_up_at_once(database: Database, bus: Bus) -> None:
    """A fault of kind INVALID is not tried again; its sentence for people is kept."""
    tries = 0

    async def handle(_: AsyncConnection, events: Sequence[Event]) -> None:
        nonlocal tries
        tries += len(events)
        raise Fault(Kind.INVALID, "NOT_A_THING", vi="Không đọc được.", en="It cannot be read.")

    await bus.ensure_stream("toy")
    await bus.publish([publication(1)])
    async with running(consume(database, bus, handle)):
        await poll_until(lambda: dead_letters.count(database))
        await poll_until(lambda: _settled(bus))
    [letter] = await dead_letters.page(database, limit=10)
    assert (letter.reason, letter.message, tries) == ("NOT_A_THING", "It cannot be read.", 1)


async def test_dead_letters_are_listed_in_pages(database: Database) -> None:
    """Newest first, each once, across pages."""
    events = [Event(f"e{n}", "iocedu.toy.v1.x", "toy", "iocedu.toy.v1.x", Clock().now(), b"", {}) for n in range(5)]
    for event in events:
        await dead_letters.keep(database, "reader-x", event, LookupError())
        await dead_letters.keep(database, "reader-x", event, LookupError())
    operations = OperationsServicer(database, {})
    seen: list[str] = []
    request = operations_pb2.ListDeadLettersRequest(page_size=2)
    while True:
        response = await operations.ListDeadLetters(request, None)
        seen += [letter.event_id for letter in response.dead_letters]
        if not response.next_page_token:
            break
        request.page_token = response.next_page_token
    assert seen == ["e4", "e3", "e2", "e1", "e0"]


async def test_two_replicas_share_the_work(database: Database, bus: Bus, nats_url: str) -> None:
    """Side by side on one durable, each event takes effect once and both do some of it."""
    worked: Counter[str] = Counter()

    def named(name: str) -> Handle:
        async def handle(connection: AsyncConnection, events: Sequence[Event]) -> None:
            worked[name] += len(events)
            await write(connection, events)

        return handle

    await bus.ensure_stream("toy")
    async with Bus.connect(nats_url, "reader") as other:
        one = consume(database, bus, named("one"), batch=4)
        two = consume(database, other, named("two"), batch=4)
        async with running(one, two):
            for start in range(0, 200, 20):
                await bus.publish([publication(number) for number in range(start, start + 20)])
            await poll_until(lambda: _has(database, 200))
            await poll_until(lambda: _settled(bus))
    assert await numbers(database) == list(range(200))
    assert set(worked) == {"one", "two"}


async def test_work_is_held_while_something_it_needs_is_away(database: Database, bus: Bus) -> None:
    """UNAVAILABLE costs no delivery: the event is tried until it succeeds, and not given up."""
    tries = 0

    async def handle(connection: AsyncConnection, events: Sequence[Event]) -> None:
        nonlocal tries
        tries += 1
        if tries < 4:
            raise Fault(Kind.UNAVAILABLE, "AWAY", vi="Chưa sẵn sàng.", en="Not there yet.")
        await write(connection, events)

    await bus.ensure_stream("toy")
    await bus.publish([publication(1)])
    async with running(consume(database, bus, handle)):
        await poll_until(lambda: _has(database, 1))
        info = await bus.jetstream.consumer_info("TOY", "reader-things-changed")
        assert info.num_redelivered == 0
    assert tries == 4


async def test_what_a_handler_returns_runs_after_the_commit(database: Database, bus: Bus) -> None:
    """Watchers are woken only for what others can see."""
    seen: list[list[int]] = []

    async def handle(connection: AsyncConnection, events: Sequence[Event]) -> AfterCommit:
        await write(connection, events)

        async def wake() -> None:
            seen.append(await numbers(database))

        return wake

    await bus.ensure_stream("toy")
    async with running(consume(database, bus, handle)):
        await bus.publish([publication(7)])
        await poll_until(lambda: seen)
    assert seen[0] == [7]


async def test_an_event_whose_handling_is_cut_off_comes_again(database: Database, bus: Bus) -> None:
    """A consumer that dies between its effect and its acknowledgement leaves the effect once."""
    handled = asyncio.Event()

    async def die_after_commit(connection: AsyncConnection, events: Sequence[Event]) -> AfterCommit:
        await write(connection, events)

        async def die() -> None:
            handled.set()
            await asyncio.Event().wait()

        return die

    await bus.ensure_stream("toy")
    await bus.publish([publication(1), publication(2)])
    dying = asyncio.ensure_future(consume(database, bus, die_after_commit).run(asyncio.Event()))
    await asyncio.wait_for(handled.wait(), 10)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    # The broker hands the events out again at once instead of after 30 seconds.
    await bus.jetstream.delete_consumer("TOY", "reader-things-changed")
    async with running(consume(database, bus)):
        await poll_until(lambda: _handed_out(bus), timeout=20)
        await poll_until(lambda: _settled(bus))
    assert await numbers(database) == [1, 2]


async def _handed_out(bus: Bus) -> bool:
    try:
        info = await bus.jetstream.consumer_info("TOY", "reader-things-changed")
    except NotFoundError:
        return False
    return info.delivered is not None and info.delivered.consumer_seq >= 2


async def _settled(bus: Bus) -> bool:
    return await pending(bus, "reader-things-changed") == 0


async def _has(database: Database, count: int) -> bool:
    return len(await numbers(database)) >= count
