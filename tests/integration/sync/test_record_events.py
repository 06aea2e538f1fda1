"""The ministry spoken to by record events: each fits what is held there, and none takes effect twice."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from google.protobuf.field_mask_pb2 import FieldMask
from iocedu.records.v1 import resources_pb2
from iocedu.sync.v1 import destinations_pb2, reconciliation_pb2

from chassis.bus import Bus
from chassis.errors import Fault
from chassis.testing import FixedClock
from deploy.local.issuer import Issuer
from services.sync.clients import ministry as ministry_client
from services.sync.usecases import pushing
from tests.integration.sync.outside import PASSWORD, USER, Outside, simulating
from tests.integration.sync.passing import (
    ACCEPTED,
    QUICK,
    comparer,
    in_state,
    pushed,
    record,
    result,
    stub,
    teacher,
    whole_school,
)
from tests.integration.sync.world import PROVINCE, SCHOOL_A, World, pupil, world
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until

PUPIL, RESULT = "HS1.2026", "HS1.2026.GK1"


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    """The ministry's simulator."""
    with simulating(tmp_path / "outside") as running:
        yield running


@pytest.fixture
def events(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Data set and event of all that arrives there, in order."""
    arrived: list[tuple[str, str]] = []
    take = outside.ministry.take_events

    def listening(grant: Any, body: bytes) -> Any:
        said = json.loads(body)
        arrived.extend((said["BoDuLieu"], one["SuKien"]) for one in said["BanGhi"])
        return take(grant, body)

    monkeypatch.setattr(outside.ministry, "take_events", listening)
    return arrived


@pytest.fixture
async def here(
    database_factory: DatabaseFactory, bus: Bus, nats_url: str, keys: Issuer, clock: FixedClock, outside: Outside
) -> AsyncIterator[World]:
    """The province of the other tests, with sync led to the simulator."""
    assert bus.client.is_connected
    databases = (await database_factory("records"), await database_factory("sync"))
    led = {"ministry_url": outside.address, "ministry_user": USER, "ministry_password": PASSWORD}
    async with world(databases, nats_url, keys, clock, ministry_form="record_events", **led, **QUICK) as running:
        yield running


async def drained(here: World, key: str = RESULT) -> None:
    """Wait until a record is accepted, however much time has to pass for it."""

    async def accepted() -> bool:
        here.clock.advance(timedelta(seconds=5))
        found = await record(here, key)
        return found is not None and found.state == ACCEPTED

    await poll_until(accepted)


async def in_database(here: World, statement: str) -> None:
    """Change what sync has noted behind its back."""
    async with here.sync_database.transaction() as writes:
        await writes.execute(sa.text(statement))


async def same_on_both_sides(here: World) -> None:
    """Comparing finds nothing, and nothing took effect twice."""
    asked = reconciliation_pb2.ReconcileRequest(unit=PROVINCE, destination="moet")
    found = (await (await comparer(here)).Reconcile(asked)).reconciliation
    assert (found.missing_there_count, found.missing_here_count, found.differing_count) == (0, 0, 0)


def once_each(outside: Outside) -> None:
    """No record has taken effect twice under a version."""
    assert len(outside.journal()) == len(set(outside.journal()))


async def test_a_record_begins_goes_on_ends_and_begins_again(
    here: World, outside: Outside, events: list[tuple[str, str]]
) -> None:
    """NEW, UPDATE, CANCEL, and NEW once more under the same id and a higher version, for it was gone there."""
    await pushed(here, "1", *whole_school())
    await in_state(here, RESULT, ACCEPTED)
    first = outside.held("KET_QUA")["HS1.GK1"]
    await pushed(here, "2", result(PUPIL, version=2, absent_days=3))
    await poll_until(lambda: outside.held("KET_QUA")["HS1.GK1"].get("SO_NGAY_NGHI") == "3")
    gone = resources_pb2.Row(school=SCHOOL_A, key=RESULT, version=3, deleted=True)
    gone.result.SetInParent()
    await pushed(here, "3", gone)
    await poll_until(lambda: outside.held("KET_QUA") == {})
    await pushed(here, "4", result(PUPIL, version=4))
    await poll_until(lambda: "HS1.GK1" in outside.held("KET_QUA"))

    assert [event for data_set, event in events if data_set == "KET_QUA"] == ["NEW", "UPDATE", "CANCEL", "NEW"]
    again = outside.held("KET_QUA")["HS1.GK1"]
    assert again["id"] == first["id"]
    assert again["version"] > first["version"]
    await in_state(here, RESULT, ACCEPTED)
    await same_on_both_sides(here)


async def test_an_answer_that_comes_too_late_doubles_nothing(
    here: World, outside: Outside, events: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The events were taken, the caller had given up: the same events again are known there by their versions."""
    monkeypatch.setattr(ministry_client, "CALL_SECONDS", 0.2)
    outside.ministry.faults.change({"answer_seconds": 0.6})
    await pushed(here, "1", *whole_school())

    async def again() -> bool:
        here.clock.advance(timedelta(seconds=2))
        return events.count(("TRUONG", "NEW")) > 1

    await poll_until(again)
    outside.ministry.faults.change({"answer_seconds": 0.0})
    await drained(here)

    once_each(outside)
    assert len(outside.journal()) == 5
    await same_on_both_sides(here)


async def test_who_dies_between_taking_and_noting_doubles_nothing(
    here: World, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was accepted and not noted goes again as it was, though its source has moved on meanwhile."""
    settle, died = pushing._settle, asyncio.Event()

    async def dying(*given: Any) -> None:
        if not died.is_set() and outside.held("HOC_SINH"):
            died.set()
            raise RuntimeError("killed")
        await settle(*given)

    monkeypatch.setattr(pushing, "_settle", dying)
    await pushed(here, "1", *whole_school())
    await poll_until(died.is_set)
    await pushed(here, "2", pupil(PUPIL, 2, full_name="Nguyễn Văn Hoà Bình"))
    await drained(here)
    await poll_until(lambda: outside.held("HOC_SINH")["HS1"]["HO_TEN"] == "Nguyễn Văn Hoà Bình")

    once_each(outside)
    await drained(here, PUPIL)
    await same_on_both_sides(here)


async def test_the_next_event_fits_what_is_held_there(
    here: World, outside: Outside, events: list[tuple[str, str]]
) -> None:
    """What was thought new and is known goes as UPDATE, what was thought known and is not as NEW, each by itself."""
    await pushed(here, "1", *whole_school())
    await in_state(here, RESULT, ACCEPTED)
    events.clear()
    await in_database(here, "UPDATE outgoing_record SET accepted_version = 0 WHERE type = 4")
    with outside.ministry.store.writing() as writes:
        writes.run("DELETE FROM record WHERE object = 'GIAO_VIEN'")
    await pushed(here, "2", pupil(PUPIL, 2, full_name="Trần Văn Hai"), teacher(version=2, name="Trần Thị Bích"))

    async def both() -> bool:
        here.clock.advance(timedelta(seconds=5))
        found = outside.held("GIAO_VIEN")
        return outside.held("HOC_SINH")["HS1"]["HO_TEN"] == "Trần Văn Hai" and "GV1" in found

    await poll_until(both)
    assert [event for data_set, event in events if data_set == "HOC_SINH"] == ["NEW", "UPDATE"]
    assert [event for data_set, event in events if data_set == "GIAO_VIEN"] == ["UPDATE", "NEW"]
    await drained(here, PUPIL)
    once_each(outside)


async def test_a_version_that_is_not_above_the_one_there_goes_above_it(here: World, outside: Outside) -> None:
    """As after a restore of our side to an earlier day: refused with the version, then sent under a higher one."""
    await pushed(here, "1", *whole_school())
    await in_state(here, RESULT, ACCEPTED)
    with outside.ministry.store.writing() as writes:
        writes.run("UPDATE record SET version = 900000 WHERE object = 'HOC_SINH'")
    await pushed(here, "2", pupil(PUPIL, 2, full_name="Trần Văn Hai"))

    async def above() -> bool:
        here.clock.advance(timedelta(seconds=5))
        held = outside.held("HOC_SINH")["HS1"]
        return bool(held["HO_TEN"] == "Trần Văn Hai" and held["version"] > 900000)

    await poll_until(above)


async def test_a_change_of_form_leaves_what_is_under_way_in_its_own(
    here: World, outside: Outside, events: list[tuple[str, str]]
) -> None:
    """A package whose outcome is open is settled in the form it was written in; what follows goes in the new one."""
    outside.ministry.faults.change({"lose_answer_share": 1.0})
    await pushed(here, "1", *whole_school())
    await poll_until(lambda: bool(outside.journal()))
    request = destinations_pb2.UpdateDestinationRequest(code="moet", update_mask=FieldMask(paths=["form"]))
    request.destination.form = destinations_pb2.EXCHANGE_FORM_TYPED_PACKAGES
    told = (await (await stub(here)).UpdateDestination(request)).destination
    assert told.form == destinations_pb2.EXCHANGE_FORM_TYPED_PACKAGES
    outside.ministry.faults.change({"lose_answer_share": 0.0})
    await drained(here)

    assert {data_set for data_set, _ in events} == {"TRUONG"}
    assert len(outside.journal()) == 5
    once_each(outside)
    await same_on_both_sides(here)


async def test_a_form_is_chosen_of_the_ministry_and_of_nobody_else(here: World) -> None:
    """A subscriber is told by webhooks; no form at all is none."""
    service = await stub(here)
    made = destinations_pb2.CreateDestinationRequest(unit=PROVINCE, code="ioc")
    made.destination.endpoint = "http://127.0.0.1:9/in"
    assert (await service.CreateDestination(made)).destination.form == destinations_pb2.EXCHANGE_FORM_UNSPECIFIED
    for code, form in (("ioc", destinations_pb2.EXCHANGE_FORM_RECORD_EVENTS), ("moet", 0)):
        request = destinations_pb2.UpdateDestinationRequest(code=code, update_mask=FieldMask(paths=["form"]))
        request.destination.form = form  # type: ignore[assignment]  # the enum's number
        with pytest.raises(Fault) as refused:
            await service.UpdateDestination(request)
        assert refused.value.violations[0].field == "destination.form"
