"""Events that fail: put aside with their reason, listed, replayed; they hold up nobody."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest
import sqlalchemy as sa
from iocedu.chassis.v1 import operations_pb2
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import dead_letters, inbox
from chassis.bus import Bus, Event
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import Fault, Kind
from chassis.operations import OperationsServicer
from tests.support.databases import DatabaseFactory
from tests.support.events import TRACEPARENT, consume, numbers, numbers_database, publication, settled, write
from tests.support.waiting import poll_until, running


@pytest.fixture
async def database(database_factory: DatabaseFactory) -> Database:
    """A database with a table in which the handlers of these tests write what they handled."""
    return await numbers_database(await database_factory("chassis"))


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
        await poll_until(lambda: settled(bus))
    assert await numbers(database) == [0, 1, 3]
    assert tried["event-2"] >= 3

    operations = OperationsServicer(database, {worker.name: worker.handle})
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
        await poll_until(lambda: settled(bus))
    [letter] = await dead_letters.page(database, limit=10)
    assert (letter.reason, letter.message, tries) == ("NOT_A_THING", "It cannot be read.", 1)


async def test_an_event_that_kills_its_handler_is_given_up_untried(
    database: Database, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event nobody ever answered for must not take the service down for good."""
    monkeypatch.setattr(inbox, "MOST_CRASHES", 2)
    await bus.ensure_stream("toy")
    await bus.publish([publication(1)])
    async with bus.pull(source="toy", event="things-changed", durable="reader-things-changed", batch=1) as pull:
        for _ in range(2):  # What a crash leaves behind, without the wait: delivered, and handed back unhandled.
            [message] = await poll_until(pull.take)
            await message.nak()
    await bus.publish([publication(2)])
    async with running(consume(database, bus)):
        await poll_until(lambda: settled(bus))
    assert await numbers(database) == [2]
    [listed] = await dead_letters.page(database, limit=10)
    [letter] = await dead_letters.following(database, [], after=0, limit=10)
    assert (listed.reason, letter.event.data) == ("HANDLER_CRASHED", b"1")


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


async def test_a_list_reads_no_payload(database: Database) -> None:
    """A page of a thousand large events would else be read whole, to show none of it."""
    large = Event("e", "iocedu.toy.v1.x", "toy", "iocedu.toy.v1.x", Clock().now(), b"x" * 1_000_000, {"h": "y" * 1000})
    await dead_letters.keep(database, "reader-x", large, LookupError())
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    sa.event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    response = await OperationsServicer(database, {}).ListDeadLetters(operations_pb2.ListDeadLettersRequest(), None)
    assert [letter.event_id for letter in response.dead_letters] == ["e"]
    [query] = [statement for statement in asked if "FROM dead_letter" in statement]
    assert "event_id" in query
    assert "payload" not in query
    assert "headers" not in query
    [whole] = await dead_letters.following(database, [], after=0, limit=1)
    assert len(whole.event.data) == 1_000_000, "a replay has it"


async def test_what_nobody_replayed_is_forgotten_in_time(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """In small deletes, by the worker the service runs; younger ones stay."""
    monkeypatch.setattr(dead_letters, "PRUNED_AT_ONCE", 2)
    for number in range(7):
        event = Event(f"e{number}", "iocedu.toy.v1.x", "toy", "iocedu.toy.v1.x", Clock().now(), b"1", {})
        await dead_letters.keep(database, "reader-x", event, LookupError())
    async with database.transaction() as connection:
        aged = "UPDATE dead_letter SET create_time = create_time - interval '91 days' WHERE event_id < 'e5'"
        await connection.execute(sa.text(aged))

    async def left() -> bool:
        return await dead_letters.count(database) == 2

    async with running(OperationsServicer(database, {}).pruner(kept=timedelta(days=90))):
        await poll_until(left)
    assert await dead_letters.prune(database, kept=timedelta(days=90)) == 0
    assert [letter.event_id for letter in await dead_letters.page(database, limit=10)] == ["e6", "e5"]
