"""An erasure that comes between reading and writing: what was read before is not written after it."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from iocedu.records.v1 import erasures_pb2, resources_pb2
from iocedu.sync.v1 import sync_pb2

from chassis.database import Database
from services.sync.convert.outgoing import NOTED
from services.sync.store import erasing, outgoing, withholding
from services.sync.store.outgoing import Composed
from services.sync.usecases import erasing as usecases
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until, waits_for_a_lock

NOW = datetime(2026, 11, 2, 1, tzinfo=UTC)
SCHOOL, PUPIL, STAFF, KEY, DESTINATION = 4, 4, 2, "1.2026", "moet"


@pytest.fixture
async def database(database_factory: DatabaseFactory) -> Database:
    """A database of sync with the ministry as a destination."""
    fresh = await database_factory("sync")
    async with fresh.transaction() as writes:
        await writes.exec_driver_sql(
            "INSERT INTO destination"
            " (code, kind, display_name, endpoint, unit_id, calls_per_second, package_size, create_time)"
            f" VALUES ('{DESTINATION}', 1, '', '', 1, 1, 100, now())"
        )
    return fresh


async def note(database: Database, number: int, position: int) -> None:
    """Note a record of the feed under the key."""
    row = (SCHOOL, number, KEY, "", position, 1, 2026, 0, "", True, False, False, b"name")
    async with database.transaction() as writes:
        await outgoing.note(writes, DESTINATION, [row], NOTED, now=NOW)


async def erase(database: Database) -> None:
    """Erase the pupil under the key."""
    async with database.transaction() as writes:
        await withholding.hold(writes, SCHOOL)
        await withholding.erase(writes, SCHOOL, [(PUPIL, KEY)], now=NOW)


async def noted(database: Database) -> list[tuple[int, bool, bytes]]:
    """Type of each record noted, whether it is gone, and its content."""
    async with database.connection() as reads:
        found = await reads.exec_driver_sql("SELECT type, deleted, row FROM outgoing_record ORDER BY type")
        return [(row.type, row.deleted, bytes(row.row)) for row in found]


async def test_a_page_read_before_an_erasure_brings_nothing_back(database: Database) -> None:
    """A record of another type under the same key is noted all the same."""
    await erase(database)
    await note(database, PUPIL, 1)
    await note(database, STAFF, 2)

    assert await noted(database) == [(STAFF, False, b"name")]


@pytest.mark.parametrize("sent_before", [True, False])
async def test_a_package_composed_before_an_erasure_is_not_written_after_it(
    database: Database,
    sent_before: bool,  # noqa: FBT001
) -> None:
    """Whether the record is gone here at once, or has to be cancelled there."""
    await note(database, PUPIL, 1)
    made = Composed(PUPIL, KEY, 1, deleted=False, version=1, digest=7)
    if sent_before:
        async with database.transaction() as writes:
            assert await outgoing.note_composed(writes, DESTINATION, SCHOOL, uuid4(), [made], now=NOW)
    await erase(database)

    async with database.transaction() as writes:
        assert not await outgoing.note_composed(writes, DESTINATION, SCHOOL, uuid4(), [made], now=NOW)
    assert await noted(database) == ([(PUPIL, True, b"")] if sent_before else [])


async def test_erasures_together_hold_no_place_while_they_wait_for_one_before_it(database: Database) -> None:
    """Whatever order they came in: who writes of both places holds them in rising order, and neither waits for ever."""
    keys = [erasures_pb2.RecordKeys(type=resources_pb2.OBJECT_TYPE_PUPIL, keys=[KEY])]
    asked = [
        erasures_pb2.ErasuresRequested(school_id=school_id, data_request_id=7, erased=keys)
        for school_id in (SCHOOL + 1, SCHOOL)
    ]

    async def carry_out() -> None:
        async with database.transaction() as writes:
            await usecases.erase_all(writes, asked, above=lambda _: (), now=NOW)

    async with database.transaction() as writes:
        await erasing.erased_until_written(writes, [SCHOOL])
        erasure = asyncio.ensure_future(carry_out())
        await poll_until(lambda: waits_for_a_lock(database))
        async with asyncio.timeout(60):
            assert await erasing.erased_until_written(writes, [SCHOOL + 1]) == set()
    await erasure


async def test_an_erasure_waits_for_who_writes_of_the_place_and_takes_that_out(database: Database) -> None:
    """A declaration whose outcome is being written names the pupil; once that is there, the erasure finds it."""
    outcome = sync_pb2.FullOutcome(disappeared_keys=[KEY, "2.2026"]).SerializeToString()
    keys = [erasures_pb2.RecordKeys(type=resources_pb2.OBJECT_TYPE_PUPIL, keys=[KEY])]
    request = erasures_pb2.ErasuresRequested(school_id=SCHOOL, data_request_id=7, erased=keys)

    async def carry_out() -> None:
        async with database.transaction() as writes:
            await usecases.erase_all(writes, [request], above=lambda _: (), now=NOW)

    async with database.transaction() as writes:
        assert await erasing.erased_until_written(writes, [SCHOOL]) == set()
        await writes.exec_driver_sql(
            "INSERT INTO declaration (school_id, unit_id, source, declaration_id, school_year, collection, version,"
            " batch_count, backfill, state, outcome, decided_by, create_time)"
            f" VALUES ({SCHOOL}, {SCHOOL}, 'vnedu', 'd', 2026, 'pupils', 1, 1, false, 2, $1, '', now())",
            (outcome,),
        )
        erasure = asyncio.ensure_future(carry_out())
        await poll_until(lambda: waits_for_a_lock(database))
    await erasure

    async with database.connection() as reads:
        (left,) = (await reads.exec_driver_sql("SELECT outcome FROM declaration")).scalars()
    assert list(sync_pb2.FullOutcome.FromString(left).disappeared_keys) == ["2.2026"]
    async with database.transaction() as writes:
        assert await erasing.erased_until_written(writes, [SCHOOL]) == {(SCHOOL, KEY)}
