"""Alerts confirms an erasure once nothing is left of the pupil: alerts, facts, what they were, dead letters."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa
from iocedu.alerts.v1 import alerts_pb2
from iocedu.records.v1 import erasures_pb2, records_pb2, resources_pb2

from chassis import dead_letters
from chassis.bus import Event, subject_of
from chassis.database import Database
from chassis.errors import Fault
from services.alerts import store, usecases
from services.alerts.convert.erasing import erasure_of
from services.alerts.domain import Change, State, Transition
from services.alerts.domain.alerts import ERASED_SUBJECT
from tests.integration.alerts.scenes import NOW, SCHOOL
from tests.integration.alerts.test_pupils import (
    PUPIL,
    REGISTER,
    RESULT,
    Feed,
    change,
    group,
    moment,
    opened,
    pupil,
    register,
    result,
    school_days,
)
from tests.support.databases import DatabaseFactory

ABSENT = school_days(16)


@pytest.fixture
async def database(database_factory: DatabaseFactory) -> Database:
    """A fresh database of alerts."""
    return await database_factory("alerts")


@pytest.fixture
async def feed(database: Database) -> Feed:
    """A class in which two pupils were away for three days in a row, and have results."""
    feed = Feed(database)
    await feed.take(group(), pupil("HS1"), pupil("HS2"), result("HS1", {"toan": 3.0}), result("HS2", {"toan": 9.0}))
    await feed.take(*(away(day, "HS1", "HS2") for day in ABSENT[:3]))
    return feed


def away(day: date, *keys: str) -> records_pb2.Change:
    """A register that names these pupils."""
    return register(day, dict.fromkeys(keys, "K"))


def requested(*, erased: Sequence[str] = (), restricted: Sequence[str] = ()) -> bytes:
    """The event by which records asks to erase."""

    def of(keys: Sequence[str]) -> list[erasures_pb2.RecordKeys]:
        return [erasures_pb2.RecordKeys(type=PUPIL, keys=keys)] if keys else []

    event = erasures_pb2.ErasuresRequested(
        school_id=SCHOOL, data_request_id=7, erased=of(erased), restricted=of(restricted)
    )
    return event.SerializeToString()


async def erase(database: Database, payload: bytes) -> list[Change]:
    """Handle the event."""
    async with database.transaction() as held:
        return await usecases.erase(held, erasure_of(payload), moment())


async def tombstones(feed: Feed, key: str) -> None:
    """What the feed tells of an erased pupil: records gone, the exception out of the registers."""
    await feed.take(change(PUPIL, key, gone=True), change(RESULT, f"{key}/GK1", gone=True))
    await feed.take(*(away(day, *({"HS1", "HS2"} - {key})) for day in ABSENT[:3]))


async def confirmed(database: Database) -> list[erasures_pb2.ErasuresConfirmed]:
    """What was confirmed, as it waits to leave: no relay runs here."""
    async with database.connection() as connection:
        rows = await connection.execute(sa.text("SELECT payload FROM outbox WHERE event = 'erasures-confirmed'"))
        return [erasures_pb2.ErasuresConfirmed.FromString(row.payload) for row in rows]


async def everything(database: Database) -> str:
    """All that the tables of alerts hold on pupils and alerts, as text; records that are gone leave their keys."""
    tables = ("alert", "alert_step", "fact", "fact_history", "pending", "absence", "pupil_rename", "silence")
    async with database.connection() as connection:
        texts = [str(list(await connection.execute(sa.text(f"SELECT * FROM {table}")))) for table in tables]
    return "\n".join(texts)


async def test_nothing_is_left_of_an_erased_pupil_but_the_key_and_a_neighbour_keeps_all(database, feed):
    """Texts, subject, notes, facts and their past are gone; statistics keep that there was an alert; HS2 stays."""
    before = await opened(database)
    async with database.transaction() as held:
        alert = next(one for one in await store.lock_about_pupils(held, SCHOOL, ["HS1"]) if one.state is State.OPEN)
        await usecases.comment_alert(
            held, alert.alert_id, lies_below=lambda _: True, by="head", text="Mẹ em HS1 bị ốm", moment=moment()
        )
    await tombstones(feed, "HS1")

    changes = await erase(database, requested(erased=["HS1"]))

    left = await everything(database)
    assert "HS1" not in left
    assert "Mẹ em" not in left
    assert "HS2" in left
    assert await opened(database) == {one for one in before if one[1].endswith("HS2")}
    assert {one.transition for one in changes} == {Transition.ERASED}
    assert all((one.alert.subject, one.alert.state) == (ERASED_SUBJECT, State.RESOLVED) for one in changes)
    [one] = await confirmed(database)
    assert (one.school_id, one.data_request_id, one.service) == (SCHOOL, 7, "alerts")
    assert one.erased_count >= len(changes)


async def test_whoever_was_told_hears_the_erased_texts_and_nobody_is_told_anew(database, feed):
    """The change names no roles, so that it replaces what is known elsewhere and reaches no further inbox."""
    await tombstones(feed, "HS1")
    changes = await erase(database, requested(erased=["HS1"]))
    async with database.connection() as connection:
        rows = await connection.scalars(sa.text("SELECT payload FROM outbox WHERE event = 'alerts-changed'"))
        told = [one for payload in rows for one in alerts_pb2.AlertsChanged.FromString(payload).changes]
    erased = [one for one in told if one.transition == alerts_pb2.ALERT_TRANSITION_ERASED]

    assert len(erased) == len(changes) > 0
    assert not any(one.audience_roles or "HS1" in str(one) for one in erased)


async def test_it_waits_for_the_feed_and_confirms_nothing_before(database, feed):
    """The event may overtake tombstones and registers: each alone is not enough."""
    for taken in (
        change(PUPIL, "HS1", gone=True),
        change(RESULT, "HS1/GK1", gone=True),
        *(away(day, "HS2") for day in ABSENT[:3]),
    ):
        with pytest.raises(Fault) as refused:
            await erase(database, requested(erased=["HS1"]))
        assert refused.value.reason == "FACTS_BEHIND"
        assert await confirmed(database) == []
        await feed.take(taken)

    await erase(database, requested(erased=["HS1"]))
    assert len(await confirmed(database)) == 1


async def test_what_comes_late_of_an_erased_pupil_makes_no_fact_again(database, feed):
    """A register that still names the key, as from a replayed dead letter, brings neither fact nor alert."""
    await tombstones(feed, "HS1")
    await erase(database, requested(erased=["HS1"]))
    await feed.take(pupil("HS1"), *(away(day, "HS1") for day in ABSENT[3:8]))

    async with database.connection() as connection:
        count = await connection.scalar(sa.text("SELECT count(*) FROM fact WHERE subject LIKE '%/HS1'"))
    assert count == 0
    assert not any(subject.endswith("HS1") for _, subject in await opened(database))


async def test_a_restricted_pupil_raises_nothing_until_the_restriction_is_lifted(database, feed):
    """Alerts are kept by no law: they go at once, and come back by themselves when records may be used again."""
    restricted = pupil("HS1")
    restricted.restricted = True
    changes = await feed.take(restricted)
    assert {one.transition for one in changes} == {Transition.ERASED}
    await erase(database, requested(restricted=["HS1"]))
    await feed.take(away(ABSENT[3], "HS1", "HS2"))
    assert not any(subject.endswith("HS1") for _, subject in await opened(database))
    assert len(await confirmed(database)) == 1

    await feed.take(pupil("HS1"))
    assert ("absence_unexplained", "2026/HS1") in await opened(database)


async def test_repeated_it_finds_nothing_and_confirms_again(database, feed):
    """As when a crash repeats the event under another id."""
    await tombstones(feed, "HS1")
    await erase(database, requested(erased=["HS1"]))
    assert await erase(database, requested(erased=["HS1"])) == []
    assert [one.erased_count > 0 for one in await confirmed(database)] == [True, False]


async def test_dead_letters_lose_what_was_erased(database, feed):
    """The pupil's change becomes a tombstone, and the exception goes from the register; neighbours stay."""
    await tombstones(feed, "HS1")
    subject = subject_of("records", "records-changed")
    kept: dict[str, Any] = {"type": subject, "source": "records", "subject": subject, "time": NOW, "headers": {}}
    payload = records_pb2.RecordsChanged(changes=[pupil("HS1"), pupil("HS2"), away(ABSENT[5], "HS1", "HS2")])
    event = Event(id="1", data=payload.SerializeToString(), **kept)
    await dead_letters.keep(database, "alerts-records-changed", event, ValueError("broken"))

    await erase(database, requested(erased=["HS1"]))

    [letter] = await dead_letters.following(database, [], after=0, limit=10)
    left = records_pb2.RecordsChanged.FromString(letter.event.data).changes
    assert [one.row.deleted for one in left] == [True, False, False]
    assert left[0].row.pupil == resources_pb2.Pupil()
    assert [one.pupil_key for one in left[2].row.attendance_register.exceptions] == ["HS2"]
    assert left[2].type == REGISTER
