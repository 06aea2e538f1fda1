"""What records erases or restricts reaches what sync passes on: its copies are cleared, destinations are told."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iocedu.records.v1 import resources_pb2
from iocedu.sync.v1 import destinations_pb2, destinations_pb2_grpc, reconciliation_pb2

from chassis.bus import Bus
from chassis.testing import FixedClock, client
from deploy.local.issuer import Issuer
from services.sync.convert.packages import without_records
from services.sync.domain.destinations import ExchangeForm
from tests.integration.sync.files import pupil_line, pupils, send, workbook
from tests.integration.sync.outside import PASSWORD, USER, Outside, Subscriber, simulating, subscribing
from tests.integration.sync.passing import comparer
from tests.integration.sync.withholding import OBJECTION, grant, lift, tables_naming
from tests.integration.sync.world import ADMINISTRATOR, PROVINCE, SCHOOL_A, World, pupil, push, world
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until

YEAR = 2026
NAME, LATER = "Lý Thị Bé Tư", "Lý Thị Bé Tư Hai"
CHILD: dict[str, Any] = {"level": "01", "grade": "18", "birth_date": "2021-05-04", "class_key": "L.2026"}
QUICK = {"feed_seconds": 0.05, "ministry_calls_per_second": 1000.0, "webhook_private_addresses": True}


def school_of(level: str, grade: str) -> list[resources_pb2.Row]:
    """A school's own record and a class."""
    school = resources_pb2.School(school_year=YEAR, name="Trường", levels=[level])
    group = resources_pb2.SchoolClass(school_year=YEAR, name="L", grade=grade, level=level)
    return [
        resources_pb2.Row(school=SCHOOL_A, key=str(YEAR), version=1, school_profile=school),
        resources_pb2.Row(school=SCHOOL_A, key="L.2026", version=1, school_class=group),
    ]


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    """The ministry's simulator."""
    with simulating(tmp_path / "outside") as running:
        yield running


@pytest.fixture
def subscriber() -> Iterator[Subscriber]:
    """Somebody who wants to be told."""
    with subscribing() as running:
        yield running


@pytest.fixture
async def here(
    database_factory: DatabaseFactory, bus: Bus, nats_url: str, keys: Issuer, clock: FixedClock, outside: Outside
) -> AsyncIterator[World]:
    """The province of the other tests, with sync led to the simulator."""
    assert bus.client.is_connected
    databases = (await database_factory("records"), await database_factory("sync"))
    led = {"ministry_url": outside.address, "ministry_user": USER, "ministry_password": PASSWORD}
    async with world(databases, nats_url, keys, clock, **led, **QUICK) as running:
        yield running


async def pushed(here: World, batch: str, *rows: resources_pb2.Row) -> None:
    """Push rows, all of which must be taken."""
    outcome = (await (await here.sync()).PushRows(push(batch, *rows, unit=PROVINCE))).outcome
    assert outcome.accepted_count == len(rows), outcome


async def subscribed(here: World, subscriber: Subscriber) -> None:
    """Let a subscriber be told of everything."""
    channel = await here.stack.enter_async_context(client(here.sync_address, here.keys.mint(ADMINISTRATOR)))
    stub: destinations_pb2_grpc.DestinationsServiceAsyncStub = destinations_pb2_grpc.DestinationsServiceStub(channel)
    request = destinations_pb2.CreateDestinationRequest(code="ioc", unit=PROVINCE)
    request.destination.endpoint, request.destination.display_name = subscriber.address, "IOC"
    await stub.CreateDestination(request)


async def open_package(here: World, *, state: int, naming: str) -> bool:
    """Whether a package is on its way that holds a text."""
    async with here.sync_database.connection() as reads:
        found = await reads.exec_driver_sql(
            f"SELECT count(*) FROM push_package WHERE state = {state} AND position($1::bytea IN body) > 0",
            (naming.encode(),),
        )
        return bool(found.scalar_one())


async def drained(here: World) -> bool:
    """Whether nothing waits at the ministry, time going on meanwhile."""
    here.clock.advance(timedelta(seconds=10))
    async with here.sync_database.connection() as reads:
        found = await reads.exec_driver_sql(
            "SELECT (SELECT count(*) FROM outgoing_record WHERE destination = 'moet' AND state IN (1, 3, 7))"
            " + (SELECT count(*) FROM push_package WHERE destination = 'moet' AND state < 3)"
        )
        return not found.scalar_one()


async def test_no_table_names_an_erased_child_and_the_ministry_hears_that_it_is_gone(
    here: World, outside: Outside, subscriber: Subscriber
) -> None:
    """Not what waits, nor what is on its way, nor an uploaded file and its doubts, nor words of the ministry."""
    await subscribed(here, subscriber)
    other = pupil("HS2.2026", **CHILD)
    await pushed(here, "1", *school_of("01", "18"), pupil("HS1.2026", full_name=NAME, **CHILD), other)
    await poll_until(lambda: outside.held("HOC_SINH").keys() == {"HS1", "HS2"})
    await poll_until(lambda: "HS1.2026" in {one["key"] for one in subscriber.changes()})
    await send(here, workbook(("6A", [*pupils(2), pupil_line(3, name=NAME, **{"Mã học sinh": "HS1"})])))
    assert await here.count("import_part") == 1
    outside.ministry.faults.change({"down": True})
    both = [pupil("HS1.2026", 2, full_name=LATER, **CHILD), pupil("HS2.2026", 2, full_name="Trần Thị Na", **CHILD)]
    await pushed(here, "2", *both)
    await poll_until(lambda: open_package(here, state=2, naming=LATER))
    async with here.sync_database.transaction() as writes:
        quoting = "UPDATE push_outcome SET message = 'Sai họ tên: ' || $1 WHERE key = 'HS1.2026'"
        await writes.exec_driver_sql(quoting, (NAME,))
    assert await tables_naming(here, NAME) >= {"outgoing_record", "push_package", "push_outcome"}

    await grant(here, "HS1.2026")

    assert await tables_naming(here, NAME) == set()
    assert await here.count("import_part") == 0  # What is packed inside no search would find.
    assert await open_package(here, state=2, naming="Trần Thị Na")
    outside.ministry.faults.change({"down": False})
    await poll_until(lambda: drained(here))
    assert {key: one["HO_TEN"] for key, one in outside.held("HOC_SINH").items()} == {"HS2": "Trần Thị Na"}
    await poll_until(lambda: [one["event"] for one in subscriber.changes() if one["key"] == "HS1.2026"][-1] == "CANCEL")
    assert await tables_naming(here, NAME) == set()


async def test_a_child_who_is_erased_while_the_answer_is_lost_is_gone_there(here: World, outside: Outside) -> None:
    """The package was taken, its outcome never came: the child goes out of it here, and is cancelled there."""
    await pushed(here, "1", *school_of("01", "18"))
    await poll_until(lambda: outside.held("LOP"))
    await poll_until(lambda: drained(here))
    outside.ministry.faults.change({"lose_answer_share": 1.0})
    await pushed(here, "2", pupil("HS1.2026", full_name=NAME, **CHILD))
    await poll_until(lambda: outside.held("HOC_SINH").keys() == {"HS1"})

    await grant(here, "HS1.2026")

    assert await tables_naming(here, NAME) == set()
    outside.ministry.faults.change({"lose_answer_share": 0.0})
    await poll_until(lambda: drained(here))
    assert outside.held("HOC_SINH") == {}


async def test_the_ministry_keeps_what_it_has_of_a_restricted_pupil_and_is_sent_nothing_new(
    here: World, outside: Outside, subscriber: Subscriber
) -> None:
    """Subscribers hear a deletion; sync keeps no copy; once it is lifted, both are told what there is now."""
    await subscribed(here, subscriber)
    await pushed(here, "1", *school_of("03", "06"), pupil("HS1.2026", full_name=NAME, class_key="L.2026"))
    await poll_until(lambda: outside.held("HOC_SINH").keys() == {"HS1"})
    await poll_until(lambda: drained(here))

    number = await grant(here, "HS1.2026", kind=OBJECTION)

    assert await tables_naming(here, NAME) == set()

    def events() -> list[str]:
        return [one["event"] for one in subscriber.changes() if one["key"] == "HS1.2026"]

    await poll_until(lambda: events()[-1:] == ["CANCEL"])
    await pushed(here, "2", pupil("HS1.2026", 2, full_name=LATER, class_key="L.2026"))
    # What follows in the feed has arrived: so has this, if it was to.
    await pushed(here, "3", pupil("HS2.2026", class_key="L.2026"))
    await poll_until(lambda: "HS2" in outside.held("HOC_SINH"))
    await poll_until(lambda: drained(here))
    assert outside.held("HOC_SINH")["HS1"]["HO_TEN"] == NAME
    assert await tables_naming(here, NAME) == set()
    channel = await here.stack.enter_async_context(client(here.sync_address, here.keys.mint(ADMINISTRATOR)))
    stub: destinations_pb2_grpc.DestinationsServiceAsyncStub = destinations_pb2_grpc.DestinationsServiceStub(channel)
    listing = destinations_pb2.ListPushedRecordsRequest(school=SCHOOL_A, destination="moet")
    assert "HS1.2026" not in {one.key for one in (await stub.ListPushedRecords(listing)).records}

    await lift(here, number)

    await poll_until(lambda: outside.held("HOC_SINH")["HS1"]["HO_TEN"] == LATER)
    await poll_until(lambda: events()[-1:] != ["CANCEL"])


async def test_a_restricted_record_that_is_missing_there_stays_a_gap_that_no_repair_sends(
    here: World, outside: Outside
) -> None:
    """The ministry is sent nothing new of it: the repair leaves it out, and says so by its count."""
    await pushed(here, "1", *school_of("03", "06"), pupil("HS1.2026", full_name=NAME, class_key="L.2026"))
    await poll_until(lambda: outside.held("HOC_SINH").keys() == {"HS1"})
    await poll_until(lambda: drained(here))
    await grant(here, "HS1.2026", kind=OBJECTION)
    with outside.ministry.store.writing() as writes:
        held = dict(writes.one("SELECT * FROM record WHERE id = ?", outside.held("HOC_SINH")["HS1"]["id"]) or {})
        writes.put(held | {"cancelled": 1}, request_id="tampered")
    service = await comparer(here)
    asked = reconciliation_pb2.ReconcileRequest(unit=PROVINCE, destination="moet")
    found = (await service.Reconcile(asked)).reconciliation
    assert found.missing_there_count == 1
    repair = reconciliation_pb2.RepairDifferencesRequest(unit=PROVINCE, reconciliation_id=found.reconciliation_id)

    assert (await service.RepairDifferences(repair)).repeated_count == 0

    assert (await service.Reconcile(asked)).reconciliation.missing_there_count == 1


@given(st.lists(st.tuples(st.uuids(), st.sampled_from(["NEW", "UPDATE", "CANCEL"]), st.booleans()), max_size=6))
def test_a_package_without_some_records_holds_exactly_the_others(
    records: list[tuple[Any, str, bool]],
) -> None:
    """In their order; that one is gone says nothing of it, and stays."""
    elements = {
        str(one): f'<BanGhi IdBanGhi="{one}" SuKien="{event}" PhienBan="1"><A>\n{one} &lt;</A></BanGhi>'.encode()
        for one, event, _ in records
    }
    out = {str(one) for one, _, wanted in records if wanted}
    stays = [elements[str(one)] for one, event, wanted in records if not wanted or event == "CANCEL"]

    whole = b"".join([b"<YeuCau>", *elements.values(), b"</YeuCau>"])
    left, taken_out, kept = without_records(ExchangeForm.TYPED_PACKAGES, whole, out)

    assert left == b"".join([b"<YeuCau>", *stays, b"</YeuCau>"])
    assert (taken_out, kept) == (len(records) - len(stays), len(stays))
