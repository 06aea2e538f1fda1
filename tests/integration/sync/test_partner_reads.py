"""What a partner may read: of the schools it is connected with, the collections it is connected for."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import grpc
import pytest
from iocedu.records.v1 import (
    assessment_pb2,
    assessment_pb2_grpc,
    attendance_pb2,
    attendance_pb2_grpc,
    export_pb2,
    export_pb2_grpc,
    holdings_pb2,
    holdings_pb2_grpc,
    persons_pb2,
    persons_pb2_grpc,
    records_pb2,
    records_pb2_grpc,
    resources_pb2,
    search_pb2,
    search_pb2_grpc,
)
from iocedu.sync.v1 import (
    partner_connections_pb2,
    sync_pb2,
    sync_pb2_grpc,
)

from chassis.errors import Fault
from chassis.testing import client
from services.sync.clients.grants import Grants
from tests.integration.sync.test_partners import becomes, connected, registered, stub
from tests.integration.sync.world import HEAD, PROVINCE, SCHOOL_A, World, granted, pupil, push, staff_member
from tests.support.signing import Signer
from tests.support.waiting import poll_until

PUPIL, STAFF = resources_pb2.OBJECT_TYPE_PUPIL, resources_pb2.OBJECT_TYPE_STAFF_MEMBER

Reading = Callable[[grpc.aio.Channel], Awaitable[Any]]


def listing(collection: str) -> Reading:
    """ListRecords of a collection."""
    request = records_pb2.ListRecordsRequest(unit=SCHOOL_A, collection=collection)
    return lambda channel: records_pb2_grpc.RecordsServiceStub(channel).ListRecords(request)


def changes(*types: "resources_pb2.ObjectType.ValueType") -> Reading:
    """ListChanges of types."""
    request = records_pb2.ListChangesRequest(unit=SCHOOL_A, types=types)
    return lambda channel: records_pb2_grpc.RecordsServiceStub(channel).ListChanges(request)


def copy(*types: "resources_pb2.ObjectType.ValueType") -> Reading:
    """ExportRecords of types, to its end."""
    request = export_pb2.ExportRecordsRequest(unit=SCHOOL_A, types=types)

    async def read(channel: grpc.aio.Channel) -> list[Any]:
        return [one async for one in export_pb2_grpc.ExportServiceStub(channel).ExportRecords(request)]

    return read


def holdings(collection: str) -> Reading:
    """ListHoldings of a collection."""
    request = holdings_pb2.ListHoldingsRequest(school=SCHOOL_A, collection=collection, school_year=2026)
    return lambda channel: holdings_pb2_grpc.HoldingsServiceStub(channel).ListHoldings(request)


def search(collection: str) -> Reading:
    """SearchPeople of a collection."""
    request = search_pb2.SearchPeopleRequest(unit=SCHOOL_A, collection=collection, query="Nguyễn")
    return lambda channel: search_pb2_grpc.SearchServiceStub(channel).SearchPeople(request)


def course(channel: grpc.aio.Channel) -> Awaitable[Any]:
    """GetCourse, which shows results, health checks and more."""
    request = persons_pb2.GetCourseRequest(school=SCHOOL_A, pupil_key="HS1")
    return persons_pb2_grpc.PersonsServiceStub(channel).GetCourse(request)


def absences(channel: grpc.aio.Channel) -> Awaitable[Any]:
    """ListAbsentPupils."""
    request = attendance_pb2.ListAbsentPupilsRequest(school=SCHOOL_A, school_year=2026)
    return attendance_pb2_grpc.AttendanceServiceStub(channel).ListAbsentPupils(request)


def assessments(channel: grpc.aio.Channel) -> Awaitable[Any]:
    """ListAssessments."""
    request = assessment_pb2.ListAssessmentsRequest(school=SCHOOL_A, school_year=2026)
    return assessment_pb2_grpc.AssessmentServiceStub(channel).ListAssessments(request)


OWN = (listing("pupils"), changes(PUPIL), copy(PUPIL), holdings("pupils"), search("pupils"))
OTHERS = (
    (listing("staff"), "staff"),
    (changes(PUPIL, STAFF), "staff"),
    (copy(STAFF), "staff"),
    (holdings("staff"), "staff"),
    (search("staff"), "staff"),
    (absences, "attendance"),
    (assessments, "attendance, results, retests"),
    (course, "attendance, conduct-entries, graduations, health-checks, results, retests"),
)


async def refusal(here: World, signer: Signer, reading: Reading) -> str:
    """The kinds for which a partner's reading is refused; empty: it was answered."""
    async with client(here.records_address, signer.token()) as channel:
        try:
            await reading(channel)
        except Fault as fault:
            return fault.metadata.get("kinds", "everything") if fault.reason == "NO_GRANT" else fault.reason
    return ""


async def reads(here: World, signer: Signer, reading: Reading) -> bool:
    """Whether a partner's reading is answered by now."""
    return not await refusal(here, signer, reading)


async def reader(here: World) -> Signer:
    """A partner that is connected with a school for its pupils and knows it may read; pupil and teacher are there."""
    signer = await registered(here)
    await (await here.sync()).PushRows(push("b1", pupil("HS1"), staff_member("GV1")))
    await poll_until(becomes(here, signer, "OK"))
    await connected(here, signer, "pupils", by=HEAD)
    await poll_until(lambda: reads(here, signer, OWN[0]))
    return signer


async def test_a_partner_reads_what_it_is_connected_for_and_nothing_else(here: World) -> None:
    """Records, changes, copies, holdings, searches; and what is worked out of several collections only with all."""
    signer = await reader(here)
    for reading in OWN:
        assert await refusal(here, signer, reading) == ""
    for reading, kinds in OTHERS:
        assert await refusal(here, signer, reading) == kinds
    assert "staff" in await refusal(here, signer, changes()), "no types are all types"


async def test_a_partner_reads_nothing_once_its_connection_has_ended(here: World) -> None:
    """What was connected is not read any more; ended on a day, until that day."""
    signer = await reader(here)
    (one,) = (
        await (await stub(here)).ListPartnerConnections(
            partner_connections_pb2.ListPartnerConnectionsRequest(partner_id=signer.subject)
        )
    ).connections
    day = here.clock.today() + timedelta(days=3)
    await (await stub(here, HEAD)).EndPartnerConnection(
        partner_connections_pb2.EndPartnerConnectionRequest(
            unit=SCHOOL_A, connection_id=one.connection_id, valid_to=day.isoformat(), reason="hết hợp đồng"
        )
    )
    assert await reads(here, signer, OWN[0])
    here.clock.advance(timedelta(days=3))
    await poll_until(lambda: refusal(here, signer, OWN[0]))


async def test_a_grant_given_otherwise_lets_a_partner_read_everything_there(here: World) -> None:
    """As one on the province does, beside a connection with a school."""
    signer = await reader(here)
    await granted(here, signer.subject, "integrator", PROVINCE)
    await poll_until(lambda: reads(here, signer, listing("staff")))
    for reading in (*OWN, *(reading for reading, _ in OTHERS)):
        assert await refusal(here, signer, reading) == ""


async def test_a_grant_lets_nobody_read_before_what_it_is_for_is_known(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records may know the grant while connecting is under way: it reads what the connection is for, or nothing."""
    signer = await registered(here)
    await (await here.sync()).PushRows(push("b1", pupil("HS1"), staff_member("GV1")))
    await poll_until(becomes(here, signer, "OK"))
    given, go_on, give = asyncio.Event(), asyncio.Event(), Grants.give

    async def give_and_pause(self: Grants, *args: Any, **kwargs: Any) -> int:
        grant_id = await give(self, *args, **kwargs)
        given.set()
        await go_on.wait()
        return grant_id

    monkeypatch.setattr(Grants, "give", give_and_pause)
    connecting = asyncio.create_task(connected(here, signer, "pupils", by=HEAD))
    await given.wait()
    heard = []

    async def may_read_pupils() -> bool:
        heard.append(await refusal(here, signer, listing("staff")))
        return await reads(here, signer, listing("pupils"))

    await poll_until(may_read_pupils)
    heard.append(await refusal(here, signer, listing("staff")))
    go_on.set()
    await connecting
    assert set(heard) <= {"staff", "everything"}
    assert heard[-1] == "staff"


async def test_a_partner_is_shown_only_batches_and_refused_rows_that_it_sent(here: World) -> None:
    """Another source's are not there for it, asked for by name or not."""
    signer = await reader(here)
    await (await here.sync()).PushRows(push("theirs", staff_member("GV2", full_name="")))
    async with client(here.sync_address, signer.token()) as channel:
        sync: sync_pb2_grpc.SyncServiceAsyncStub = sync_pb2_grpc.SyncServiceStub(channel)
        await sync.PushRows(push("own", pupil("HS2", full_name=""), source=""))
        shown = (await sync.ListQuarantinedRows(sync_pb2.ListQuarantinedRowsRequest(unit=SCHOOL_A))).rows
        asked = await sync.ListQuarantinedRows(sync_pb2.ListQuarantinedRowsRequest(unit=SCHOOL_A, source="vnedu"))
        own = await sync.GetBatch(sync_pb2.GetBatchRequest(unit=SCHOOL_A, batch_id="own"))
        for source in ("", "vnedu"):
            with pytest.raises(Fault) as refused:
                await sync.GetBatch(sync_pb2.GetBatchRequest(unit=SCHOOL_A, batch_id="theirs", source=source))
            assert refused.value.reason == "UNKNOWN_BATCH"
    assert [one.source for one in shown] == ["edusoft"]
    assert list(asked.rows) == []
    assert own.batch.source == "edusoft"
