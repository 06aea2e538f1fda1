"""Reporting confirms an erasure once nothing is left of it: facts by the feed, dead letters by itself."""

from collections.abc import Sequence

import pytest
from iocedu.records.v1 import erasures_pb2, records_pb2, resources_pb2
from sqlalchemy import text

from chassis import dead_letters
from chassis.bus import Bus, Event, subject_of
from chassis.database import Database
from services.reporting.consumers import consumers
from tests.integration.reporting import scenes
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until, running

PUPIL = resources_pb2.OBJECT_TYPE_PUPIL


@pytest.fixture
async def database(database_factory: DatabaseFactory) -> Database:
    """A fresh database of reporting."""
    return await database_factory("reporting")


def requested(*keys: str) -> erasures_pb2.ErasuresRequested:
    """An erasure of pupils."""
    erased = [erasures_pb2.RecordKeys(type=PUPIL, keys=keys)]
    return erasures_pb2.ErasuresRequested(school_id=scenes.PRIMARY, data_request_id=7, erased=erased)


async def confirmed(database: Database) -> Sequence[erasures_pb2.ErasuresConfirmed]:
    """What was confirmed, as it waits to leave: no relay runs here."""
    async with database.connection() as connection:
        rows = await connection.execute(text("SELECT payload FROM outbox WHERE event = 'erasures-confirmed'"))
        return [erasures_pb2.ErasuresConfirmed.FromString(row.payload) for row in rows]


def gone(key: str) -> records_pb2.Change:
    """A tombstone."""
    change = scenes.pupil(key)
    change.row.pupil.Clear()
    change.row.deleted = True
    return change


async def test_it_confirms_only_when_the_feed_has_been_followed(database: Database, bus: Bus) -> None:
    """The event may overtake the tombstones: it waits for them, and the figures are a recount's."""
    records = scenes.Records(bus)
    async with running(*consumers(database, bus)):
        await records.publish(scenes.pupil("M1"), scenes.pupil("M2"))

        async def facts() -> int:
            async with database.connection() as connection:
                return int(await connection.scalar(text("SELECT count(*) FROM fact WHERE school_year > 0")) or 0)

        await poll_until(lambda: _is(facts, 2))
        await scenes.publish(bus, "records", "erasures-requested", requested("M1"))
        await records.publish(gone("M1"))

        await poll_until(lambda: confirmed(database))

        assert await facts() == 1
    (one,) = await confirmed(database)
    assert (one.school_id, one.data_request_id, one.service) == (scenes.PRIMARY, 7, "reporting")
    assert await scenes.verified(database)


async def _is(count, wanted):
    return await count() == wanted


async def test_dead_letters_lose_what_was_erased(database: Database, bus: Bus) -> None:
    """The pupil's change becomes a tombstone, and the exception goes from the register; neighbours stay."""
    register = resources_pb2.AttendanceRegister(
        exceptions=[resources_pb2.AttendanceException(pupil_key=key, kind="P") for key in ("M1", "M2")]
    )
    changes = [
        scenes.pupil("M1"),
        scenes.pupil("M2"),
        records_pb2.Change(
            school_id=scenes.PRIMARY,
            type=resources_pb2.OBJECT_TYPE_ATTENDANCE_REGISTER,
            row=resources_pb2.Row(key="3A", attendance_register=register),
        ),
        scenes.pupil("M1", school=scenes.SECONDARY),
    ]
    subject = subject_of("records", "records-changed")
    event = Event(
        id="1",
        type=subject,
        source="records",
        subject=subject,
        time=scenes.NOW,
        data=records_pb2.RecordsChanged(changes=changes).SerializeToString(),
        headers={},
    )
    await dead_letters.keep(database, "reporting-records-changed", event, ValueError("broken"))

    async with running(*consumers(database, bus)):
        await scenes.publish(bus, "records", "erasures-requested", requested("M1"))
        await poll_until(lambda: confirmed(database))

    (letter,) = await dead_letters.following(database, [], after=0, limit=10)
    left = records_pb2.RecordsChanged.FromString(letter.event.data).changes
    assert [(one.row.deleted, one.row.pupil.full_name) for one in left] == [
        (True, ""),
        (False, "Nguyễn Thị A"),
        (False, ""),
        (False, "Nguyễn Thị A"),
    ]
    assert [one.pupil_key for one in left[2].row.attendance_register.exceptions] == ["M2"]
