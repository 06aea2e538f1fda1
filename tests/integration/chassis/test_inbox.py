"""Consumers: each event takes effect once, a bad one is put aside, and nothing that comes back is lost."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from nats.js.errors import NotFoundError
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import bus as chassis_bus
from chassis import inbox
from chassis.bus import AfterCommit, Bus, Event, Handle
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import Fault, Kind
from tests.support.databases import DatabaseFactory
from tests.support.events import consume, has, numbers, numbers_database, publication, settled, write
from tests.support.waiting import poll_until, running


@pytest.fixture
async def database(database_factory: DatabaseFactory) -> Database:
    """A database with a table in which the handlers of these tests write what they handled."""
    return await numbers_database(await database_factory("chassis"))


async def test_events_that_wait_are_handled_in_one_transaction(database: Database, bus: Bus) -> None:
    """Small events gather to whole batches; all are acknowledged."""
    await bus.ensure_stream("toy")
    await bus.publish([publication(number) for number in range(64)])
    async with running(consume(database, bus, batch=32)):
        await poll_until(lambda: has(database, 64))
        await poll_until(lambda: settled(bus))
    async with database.connection() as connection:
        assert await connection.scalar(sa.text("SELECT max(together) FROM handled")) > 8
    assert await numbers(database) == list(range(64))


async def test_events_that_come_one_after_the_other_are_gathered(database: Database, bus: Bus) -> None:
    """A flood of single events costs fewer transactions than it has events."""
    await bus.ensure_stream("toy")
    async with running(consume(database, bus, batch=32)):
        for number in range(60):
            await bus.publish([publication(number)])
            await asyncio.sleep(0.004)
        await poll_until(lambda: has(database, 60))
        await poll_until(lambda: settled(bus))
    async with database.connection() as connection:
        transactions = await connection.scalar(sa.text("SELECT count(DISTINCT xmin::text) FROM handled"))
    assert transactions < 30
    assert await numbers(database) == list(range(60))


async def test_an_event_that_comes_twice_takes_effect_once(database: Database, bus: Bus) -> None:
    """The broker may repeat an event long after it forgot the id; the consumer does not."""
    await bus.ensure_stream("toy")
    async with running(consume(database, bus)):
        await bus.publish([publication(1), publication(1, message_id="as if forgotten"), publication(2)])
        await poll_until(lambda: has(database, 2))
        await bus.publish([publication(1, message_id="and again"), publication(3)])
        await poll_until(lambda: has(database, 3))
        await poll_until(lambda: settled(bus))
    assert await numbers(database) == [1, 2, 3]


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
            await poll_until(lambda: has(database, 200))
            await poll_until(lambda: settled(bus))
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
        await poll_until(lambda: has(database, 1))
        info = await bus.jetstream.consumer_info("TOY", "reader-things-changed")
        assert info.num_redelivered == 0
    assert tries == 4


async def test_a_consumer_that_holds_events_stops_when_told(database: Database, bus: Bus) -> None:
    """The process can end while something is away; what was held is there for the next one at once."""
    held = asyncio.Event()

    async def handle(_: AsyncConnection, _events: Sequence[Event]) -> None:
        held.set()
        raise Fault(Kind.UNAVAILABLE, "AWAY", vi="Chưa sẵn sàng.", en="Not there yet.")

    await bus.ensure_stream("toy")
    await bus.publish([publication(number) for number in range(5)])
    async with running(consume(database, bus, handle, batch=2), timeout=5):
        await asyncio.wait_for(held.wait(), 60)
    async with running(consume(database, bus)):
        await poll_until(lambda: has(database, 5))


async def test_each_trace_of_a_batch_shows_its_event_handled(
    database: Database, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work shared by a batch lies in the first event's trace; the others see it handled, and no trace twice."""
    handled: list[tuple[str, list[str]]] = []

    @contextmanager
    def recorded(event: str, traceparents: Sequence[str]) -> Iterator[None]:
        handled.append((event, list(traceparents)))
        yield

    monkeypatch.setattr(inbox, "handle_span", recorded)
    traces = [f"00-{number:032x}-{number:016x}-01" for number in (1, 1, 2, 3, 2)]
    events = [
        Event(str(number), "iocedu.toy.v1.things-changed", "toy", "", Clock().now(), b"1", {"traceparent": trace})
        for number, trace in enumerate(traces)
    ]
    await inbox.handle_once(database, "reader", events, write)
    assert [event for event, _ in handled] == ["things-changed"] * 3
    assert sorted(shown[0] for _, shown in handled[:-1]) == [traces[2], traces[3]]
    assert handled[-1][1] == traces


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
    await asyncio.wait_for(handled.wait(), 60)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    # The broker hands the events out again at once instead of after 30 seconds.
    await bus.jetstream.delete_consumer("TOY", "reader-things-changed")
    async with running(consume(database, bus)):
        await poll_until(lambda: _handed_out(bus))
        await poll_until(lambda: settled(bus))
    assert await numbers(database) == [1, 2]


async def test_an_event_that_takes_long_is_handed_out_once(
    database: Database, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handler slower than the broker waits for an answer is not given up on: the broker is told that it works."""
    for module in (chassis_bus, inbox):
        monkeypatch.setattr(module, "ACK_SECONDS", 1.0)
    tries = 0

    async def slow(connection: AsyncConnection, events: Sequence[Event]) -> None:
        nonlocal tries
        tries += 1
        await asyncio.sleep(3.0)
        await write(connection, events)

    await bus.ensure_stream("toy")
    await bus.publish([publication(1)])
    async with running(consume(database, bus, slow)):
        await poll_until(lambda: has(database, 1))
        await poll_until(lambda: settled(bus))
        info = await bus.jetstream.consumer_info("TOY", "reader-things-changed")
    assert info.config.ack_wait == 1.0, "the broker's own patience is what this test is about"
    assert info.delivered is not None
    assert (tries, info.delivered.consumer_seq) == (1, 1)


async def test_a_consumer_forgets_what_is_old_of_its_own(database: Database, bus: Bus) -> None:
    """What another consumer has handled may come again to that one; what is young may come again at all."""
    insert = sa.text(
        "INSERT INTO inbox (consumer, event_id, create_time)"
        " VALUES (:consumer, :event_id, clock_timestamp() - make_interval(days => :days))"
    )
    given = [
        {"consumer": consumer, "event_id": f"{days} days", "days": days}
        for consumer in ("reader-things-changed", "other-things-changed")
        for days in (7, 9)
    ]
    async with database.transaction() as connection:
        await connection.execute(insert, given)

    async def left() -> set[tuple[str, str]]:
        async with database.connection() as connection:
            return {(row.consumer, row.event_id) for row in await connection.execute(sa.text("SELECT * FROM inbox"))}

    async def pruned() -> bool:
        return len(await left()) < len(given)

    await bus.ensure_stream("toy")
    async with running(consume(database, bus)):
        await poll_until(pruned)
    assert await left() == {
        ("reader-things-changed", "7 days"),
        ("other-things-changed", "7 days"),
        ("other-things-changed", "9 days"),
    }


async def _handed_out(bus: Bus) -> bool:
    try:
        info = await bus.jetstream.consumer_info("TOY", "reader-things-changed")
    except NotFoundError:
        return False
    return info.delivered is not None and info.delivered.consumer_seq >= 2
