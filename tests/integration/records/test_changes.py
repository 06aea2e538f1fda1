"""The change feed: nothing is missed, a record stands in it once, and it costs the same at any depth."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import sqlalchemy as sa
from iocedu.records.v1 import records_pb2, resources_pb2, units_pb2

from chassis.bus import Bus
from chassis.errors import Fault, from_status
from chassis.outbox import OutboxRow
from chassis.testing import FixedClock
from deploy.local.issuer import Issuer
from services.records.convert.incoming import read_batch
from services.records.store import feed
from services.records.usecases.apply import apply_rows
from services.records.usecases.changes import stamp_changes
from tests.integration.records.scenes import (
    COMMUNE,
    GROUP,
    PROVINCE,
    SCHOOL_A,
    SCHOOL_B,
    Running,
    gone,
    pupil,
    start_records,
)
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until


async def test_a_record_stands_in_the_feed_once_at_its_last_change(records: Running):
    """Older places of a record vanish; who reads from them finds it later."""
    await records.apply(pupil("1"), pupil("2"))
    await records.apply(pupil("1", 2, full_name="Lê An"), gone("2", 2), pupil("3"))
    await records.settled()
    assert [(one.position, one.row.key, one.row.version) for one in await records.changes()] == [
        (3, "1", 2),
        (4, "2", 2),
        (5, "3", 1),
    ]
    assert [one.position for one in await records.changes(after=4)] == [5]
    assert await records.changes(after=5) == []


async def test_a_position_beyond_the_feed_is_refused(records: Running):
    """Else a reader would miss, after a restore, what is given these positions again."""
    await records.apply(pupil("1"))
    await records.settled()
    with pytest.raises(Fault) as refused:
        await records.changes(after=100)
    assert (refused.value.reason, refused.value.metadata["last"]) == ("POSITION_AHEAD", "1")


async def test_a_page_ends_where_a_message_is_full(records: Running, monkeypatch: pytest.MonkeyPatch):
    """However large the records, a page goes through; its position leads on and nothing is missed."""
    monkeypatch.setattr("services.records.servicer.records.MOST_PAGE_BYTES", 1000)
    await records.apply(*(pupil(str(number), further={"NOTE": "x" * 600}) for number in range(9)))
    await records.settled()
    assert len({one.row.key for one in await records.changes()}) == 9


async def test_a_reader_sees_only_the_types_and_the_subtree_asked_for(records: Running):
    """A page of a school holds that school's changes, in one order with all others."""
    school_class = resources_pb2.SchoolClass(school_year=2026, name="6A", grade="06", level="03")
    await records.apply(
        pupil("1"),
        pupil("2", school=SCHOOL_B),
        resources_pb2.Row(school=SCHOOL_A, key="6A", version=1, school_class=school_class),
        pupil("3", school=GROUP),
    )
    await records.settled()
    assert [one.row.key for one in await records.changes(unit=SCHOOL_A)] == ["1", "6A"]
    assert [one.row.key for one in await records.changes(unit=COMMUNE)] == ["1", "2", "6A", "3"]
    classes = await records.changes(unit=PROVINCE, types=[resources_pb2.OBJECT_TYPE_SCHOOL_CLASS])
    assert [one.row.key for one in classes] == ["6A"]


async def test_a_page_of_a_small_unit_moves_on_through_the_others(records: Running, monkeypatch: pytest.MonkeyPatch):
    """However little of a window a reader may see, reading until caught up finds it all."""
    monkeypatch.setattr(feed, "WINDOW", 10)
    for number in range(5):
        await records.apply(*(pupil(f"{number}-{key}", school=SCHOOL_B) for key in range(20)), pupil(f"mine{number}"))
    await records.settled()
    assert [one.row.key for one in await records.changes(unit=SCHOOL_A)] == [f"mine{number}" for number in range(5)]
    assert len(await records.changes(unit=SCHOOL_B, page_size=7)) == 100


async def test_nothing_is_missed_with_many_writers_and_readers(records: Running, database_factory: DatabaseFactory):
    """Readers that follow while many write, beside an open transaction elsewhere, end with exactly what is stored."""
    elsewhere = await database_factory("records")
    done = asyncio.Event()

    async def write(number: int) -> None:
        for step in range(1, 7):
            rows = [
                pupil(f"{number}-{key}", step, school=school, full_name=f"{step}")
                for school in (SCHOOL_A, SCHOOL_B, GROUP)
                for key in range(15)
            ]
            await records.apply(*rows, request_id=f"w{number}-{step}", source=f"s{number}")

    async def follow(unit: str) -> dict[tuple[int, str], int]:
        stub, seen, after = await records.as_service("reporting"), dict[tuple[int, str], int](), 0
        while True:
            finished = done.is_set()
            page = await stub.ListChanges(records_pb2.ListChangesRequest(unit=unit, after=after, page_size=40))
            positions = [change.position for change in page.changes]
            assert positions == sorted(set(positions))
            assert all(position > after for position in positions)
            seen.update({(change.school_id, change.row.key): change.row.version for change in page.changes})
            after = page.position
            if finished and page.caught_up:
                return seen
            await asyncio.sleep(0)

    async with elsewhere.transaction() as open_elsewhere:
        # A writer that never commits holds back the transaction horizon of the whole server.
        await open_elsewhere.execute(sa.text("INSERT INTO feed VALUES (1, 4, 'x', 1, 1)"))
        readers = [asyncio.ensure_future(follow(unit)) for unit in ("0", PROVINCE, SCHOOL_A)]
        await asyncio.gather(*(write(number) for number in range(6)))
        await records.settled()
        done.set()
        everything, province, school = await asyncio.gather(*readers)
    held = {(row[0], row[1]): row[2] for row in await records.rows("SELECT school_id, key, version FROM pupil")}
    assert len(held) == 6 * 3 * 15
    assert everything == province == held
    assert len(school) == 6 * 15
    assert set(held.values()) == {6}


async def test_a_watcher_is_told_of_changes_as_they_happen_and_resumes_where_it_was(records: Running):
    """The stream beats first, gives what was missed, then what comes; its positions resume it elsewhere."""
    await records.apply(pupil("1"), pupil("2"))
    await records.settled()
    await records.grant("ioc@tinh", "provincial_ioc", PROVINCE)
    stub = await records.records("ioc@tinh")

    async def watch(after: int) -> AsyncGenerator[records_pb2.WatchChangesResponse]:
        request = records_pb2.WatchChangesRequest(unit=PROVINCE, after=after)
        async for response in stub.WatchChanges(request, timeout=20):
            yield response

    async with contextlib.aclosing(watch(1)) as stream:
        assert (await anext(stream)).heartbeat.position == "1"
        assert (await anext(stream)).item.row.key == "2"
        await records.apply(pupil("3"), gone("1", 2))
        assert [(await anext(stream)).item.position for _ in range(2)] == [3, 4]
    async with contextlib.aclosing(watch(4)) as stream:
        assert (await anext(stream)).heartbeat.position == "4"
        await records.apply(pupil("4"))
        assert (await anext(stream)).item.row.key == "4"


async def test_a_watcher_whose_right_is_taken_back_sees_no_further_change(records: Running):
    """The stream ends with the reason and the position to resume from, before the next change."""
    grant = await records.grant("ioc@tinh", "provincial_ioc", PROVINCE)
    await records.apply(pupil("1"))
    stub = await records.records("ioc@tinh")
    stream = aiter(stub.WatchChanges(records_pb2.WatchChangesRequest(unit=PROVINCE), timeout=20))
    assert (await anext(stream)).WhichOneof("event") == "heartbeat"
    assert (await anext(stream)).item.position == 1
    await (await records.grants()).RevokeGrant(units_pb2.RevokeGrantRequest(grant_id=grant.grant_id))
    await poll_until(lambda: not records.scopes.tree.grants_of("ioc@tinh", records.today()))
    await records.apply(pupil("2"))
    (last,) = [response async for response in stream]
    assert (from_status(last.error.status).reason, last.error.position) == ("NO_GRANT", "1")


async def test_a_watcher_outlives_a_cut_of_the_database(records: Running):
    """Every session is ended under it; it goes on and sees the next change."""
    await records.apply(pupil("1"))
    await records.settled()
    stub = await records.records()
    stream = aiter(stub.WatchChanges(records_pb2.WatchChangesRequest(unit=PROVINCE), timeout=20))
    assert (await anext(stream)).WhichOneof("event") == "heartbeat"
    assert (await anext(stream)).item.row.key == "1"
    with contextlib.suppress(Fault):
        await records.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    await asyncio.sleep(0.5)
    await records.apply(pupil("2"))
    assert (await anext(stream)).item.row.key == "2"


async def test_people_and_partners_read_changes_masked_and_it_is_written_down(records: Running):
    """A feed states no purpose, so personal fields stay hidden outside the services."""
    await records.apply(pupil("1", personal_id="049214000123"))
    await records.settled()
    await records.grant("ioc@tinh", "provincial_ioc", PROVINCE)
    stub = await records.records("ioc@tinh")
    page = await stub.ListChanges(records_pb2.ListChangesRequest(unit=PROVINCE))
    assert page.changes[0].row.pupil.personal_id == "•••••••••123"
    assert await records.rows("SELECT subject, method, collection, record_count, unmasked FROM access_log") == [
        ("ioc@tinh", "ListChanges", "changes", 1, False)
    ]
    assert (await records.changes())[0].row.pupil.personal_id == "049214000123"


async def test_what_was_committed_before_a_crash_is_published_after_it(
    database_factory: DatabaseFactory, bus: Bus, nats_url: str, keys: Issuer, clock: FixedClock
):
    """Committed and not yet placed, or placed and not yet published: it leaves once the service is back, once."""
    database = await database_factory("records")

    async def commit_and_die(key: str) -> None:
        request = records_pb2.ApplyRowsRequest(request_id=key, source="vnedu", rows=[pupil(key)])
        batch = await read_batch(request, school=lambda _: 1)
        async with database.transaction() as connection:
            await apply_rows(connection, [batch], now=clock.now())

    await commit_and_die("1")
    async with database.transaction() as connection:
        # As the relay leaves it that dies after giving the place and before the broker has the event.
        first = await feed.append_feed(connection, [(1, 4, "1", 1)])
        header = f'{{"iocedu-position": "{first}"}}'
        await connection.execute(
            sa.text("UPDATE outbox SET stamped = true, headers = headers || CAST(:header AS jsonb)"), {"header": header}
        )
    await commit_and_die("2")
    got: list[tuple[str, str]] = []
    async with bus.pull(source="records", event="records-changed", durable="t", batch=10) as pull:
        async with start_records(database, nats_url, keys, clock=clock) as restarted:
            await restarted.settled()
            assert [(one.position, one.row.key) for one in await restarted.changes()] == [(1, "1"), (2, "2")]
        while messages := await pull.take():
            for message in messages:
                event = records_pb2.RecordsChanged.FromString(message.data)
                got.append((event.changes[0].row.key, (message.headers or {})["iocedu-position"]))
    assert got == [("1", "1"), ("2", "2")]


async def test_changes_of_one_record_in_one_pass_of_the_relay_leave_the_newest(records: Running):
    """Positions are given to all of them, in order; the record stands at the last."""

    def row(number: int, *rows: resources_pb2.Row) -> OutboxRow:
        changes = [records_pb2.Change(school_id=1, type=resources_pb2.OBJECT_TYPE_PUPIL, row=one) for one in rows]
        payload = records_pb2.RecordsChanged(changes=changes).SerializeToString()
        fields: dict[str, Any] = dict.fromkeys(OutboxRow.__dataclass_fields__)
        return OutboxRow(**(fields | {"id": number, "event": "records-changed", "payload": payload}))

    async with records.database.transaction() as connection:
        stamps = await stamp_changes(connection, [row(8, pupil("1"), pupil("2")), row(9, pupil("1", 2))])
    assert stamps == {8: {"iocedu-position": "1"}, 9: {"iocedu-position": "3"}}
    assert await records.rows("SELECT key, position, version FROM feed ORDER BY position") == [("2", 2, 1), ("1", 3, 2)]
