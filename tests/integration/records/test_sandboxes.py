"""What a partner tries out in a sandbox is in no feed, and among what everything means in no list, search or copy."""

from iocedu.records.v1 import (
    data_requests_pb2,
    export_pb2,
    records_pb2,
    sandboxes_pb2,
    sandboxes_pb2_grpc,
    search_pb2,
)

from chassis.identity import ServiceIdentity
from chassis.testing import FixedClock, client
from deploy.local.issuer import AUDIENCE, ISSUER
from services.records import jobs
from tests.integration.records.asking import CHILD, ERASURE, register
from tests.integration.records.scenes import PROVINCE, Running, pupil
from tests.support.waiting import poll_until

EVERYTHING = "0"


async def sandboxed_school(records: Running) -> str:
    """A school of a sandbox that sync has opened."""
    identity = ServiceIdentity("sync", records.keys.service_key("sync"), issuer=ISSUER, audience=AUDIENCE)
    channel = await records.stack.enter_async_context(
        client(records.address, identity.token(), service_token=identity.token())
    )
    stub = sandboxes_pb2_grpc.SandboxesServiceStub(channel)
    opened = await stub.OpenSandbox(sandboxes_pb2.OpenSandboxRequest(subject="edusoft"))
    school: str = opened.schools[0].alias
    await poll_until(lambda: records.scopes.tree.resolve(school, records.today()) is not None)
    return school


async def shown(records: Running, unit: str) -> dict[str, list[str]]:
    """The pupils below a unit as lists, searches and copies give them."""
    listing = records_pb2.ListRecordsRequest(unit=unit, collection="pupils")
    searching = search_pb2.SearchPeopleRequest(unit=unit, collection="pupils", query="nguyen van hoa")
    copying = export_pb2.ExportRecordsRequest(unit=unit, page_size=100)
    copied = (await records.export()).ExportRecords(copying)
    return {
        "list": [one.row.key for one in (await (await records.records()).ListRecords(listing)).records],
        "search": [hit.record.row.key for hit in (await (await records.search()).SearchPeople(searching)).hits],
        "copy": [one.row.key async for part in copied for one in part.page.records],
    }


async def test_everything_means_no_sandbox(records: Running) -> None:
    """Who asks for the sandbox itself finds what is there; who asks for every unit does not."""
    school = await sandboxed_school(records)
    await records.apply(pupil("TN1", school=school), pupil("HS1"))
    await records.settled()

    assert await shown(records, EVERYTHING) == await shown(records, PROVINCE)
    assert await shown(records, EVERYTHING) == {"list": ["HS1"], "search": ["HS1"], "copy": ["HS1"]}
    assert await shown(records, school) == {"list": ["TN1"], "search": ["TN1"], "copy": ["TN1"]}
    assert [one.row.key for one in await records.changes()] == ["HS1"]
    units = await (await records.search()).SearchUnits(
        search_pb2.SearchUnitsRequest(unit=EVERYTHING, query="thu nghiem")
    )
    assert list(units.hits) == []


async def test_what_is_let_go_or_erased_in_a_sandbox_is_told_to_nobody(records: Running, clock: FixedClock) -> None:
    """Neither an old register without its names nor an erased pupil comes into the feed."""
    school = await sandboxed_school(records)
    old, recent = register("TN1", day="2021-10-04"), register("TN1")
    for row in (old, recent):
        row.school = school
    await records.apply(pupil("TN1", school=school, **CHILD), old, recent)
    await records.apply(register("HS1", day="2021-10-04"))

    done = await jobs.retain(records.database, clock)
    assert done is not None
    assert done.changed == 2
    stub = await records.data_requests()
    asked = data_requests_pb2.FileDataRequestRequest(
        school=school, request_id="r", kind=ERASURE, collection="pupils", key="TN1", filed_by="Mẹ", wish="Xóa"
    )
    number = (await stub.FileDataRequest(asked)).data_request.data_request_id
    granting = data_requests_pb2.DecideDataRequestRequest(
        school=school, data_request_id=number, granted=True, reason="Đúng người"
    )
    await stub.DecideDataRequest(granting)
    await poll_until(lambda: _erased(records))
    await records.settled()

    assert [one.row.key for one in await records.changes()] == ["6A.2021-10-04.1"]
    assert [one.school_id for one in await records.changes()] == [records.scopes.tree.resolve("moet:A", clock.today())]


async def _erased(records: Running) -> bool:
    return await records.rows("SELECT count(*) FROM erased_record WHERE key = 'TN1'") == [(1,)]
