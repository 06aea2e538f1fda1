"""What an ended school sent: with who stands for the school now, and with nobody else."""

from typing import Any

import pytest
from iocedu.records.v1 import (
    access_log_pb2,
    access_pb2,
    data_requests_pb2,
    erasures_pb2,
    history_pb2,
    records_pb2,
    search_pb2,
)

from chassis.errors import Fault, Kind
from tests.integration.records.asking import CHILD, ERASURE, linked
from tests.integration.records.scenes import COMMUNE, GROUP, PROVINCE, SCHOOL_A, SCHOOL_B, Running, pupil, reason
from tests.integration.records.test_unit_operations import MERGED, asked
from tests.support.waiting import poll_until

FIRST, SECOND = "2026-10-31", "2026-11-01"


async def ends(records: Running, school: str, day: str = FIRST, **change: Any) -> str:
    """Let a school end by an operation and wait until that is known; the id by which it is asked for from then on."""
    unit_id = records.scopes.tree.resolve(school, records.today())
    await (await records.operations()).CreateUnitOperation(asked(f"{school} {day}", day, **change))
    await poll_until(lambda: records.scopes.tree.resolve(school, records.today()) is None)
    return str(unit_id)


async def keys(records: Running, unit: str, subject: str) -> list[str]:
    """The pupils that are listed below a unit for somebody."""
    stub = await records.records(subject)
    found = await stub.ListRecords(records_pb2.ListRecordsRequest(unit=unit, collection="pupils"))
    return [one.row.key for one in found.records]


async def refusals(records: Running, school: str, subject: str) -> set[str]:
    """With which reasons somebody is refused what a school has by key: the record, its history, the explanation."""
    names: dict[str, Any] = {"school": school, "collection": "pupils", "key": "a"}
    found = set()
    for call in (
        (await records.records(subject)).GetRecord(records_pb2.GetRecordRequest(**names)),
        (await records.history(subject)).ListRecordChanges(history_pb2.ListRecordChangesRequest(**names)),
    ):
        try:
            await call
        except Fault as error:
            found.add(error.reason)
    request = access_pb2.ExplainOwnAccessRequest(unit=school, method="iocedu.records.v1.RecordsService/GetRecord")
    assert (await (await records.access(subject)).ExplainOwnAccess(request)).allowed is (not found)
    return found


async def test_a_merged_schools_records_are_with_its_successor_and_above_it(records: Running) -> None:
    """Listed, found by name, looked up by key and followed; each look is known to who watches the successor."""
    await records.apply(pupil("a", full_name="Bùi Thị Út"), pupil("b", school=SCHOOL_B))
    for subject, role, unit in (
        ("head@b", "head_teacher", SCHOOL_B),
        ("officer@xa", "officer", COMMUNE),
        ("head@n", "head_teacher", GROUP),
        ("auditor@b", "auditor", SCHOOL_B),
    ):
        await records.grant(subject, role, unit)
    ended = await ends(records, SCHOOL_A, merge={"units": [SCHOOL_A], "successor_unit": SCHOOL_B})

    for subject, unit in (("head@b", SCHOOL_B), ("officer@xa", COMMUNE)):
        assert await keys(records, unit, subject) == ["a", "b"]
        search = search_pb2.SearchPeopleRequest(unit=unit, collection="pupils", query="bui thi ut")
        (hit,) = (await (await records.search(subject)).SearchPeople(search)).hits
        assert (hit.record.row.key, hit.record.row.school, hit.school_name) == ("a", ended, "Trường THCS Nguyễn Du")
        assert await refusals(records, ended, subject) == set()
    assert await keys(records, GROUP, "head@n") == []
    assert await refusals(records, ended, "head@n") == {"NO_GRANT"}
    assert {one.row.key for one in await records.changes(unit=SCHOOL_B)} == {"a", "b"}
    looks = access_log_pb2.ListAccessesRequest(unit=SCHOOL_B, collection="pupils", key="a")
    seen = (await (await records.access_log("auditor@b")).ListAccesses(looks)).accesses
    assert {one.subject for one in seen} == {"head@b", "officer@xa"}


async def test_a_school_that_was_merged_twice_is_with_the_last_successor(records: Running) -> None:
    """The first successor has ended itself."""
    await records.apply(pupil("a"), pupil("b", school=SCHOOL_B))
    ended = await ends(records, SCHOOL_A, merge={"units": [SCHOOL_A], "successor_unit": SCHOOL_B})
    merged = {**MERGED, "parents": [{"parent": COMMUNE}]}
    await ends(records, SCHOOL_B, SECOND, merge={"units": [SCHOOL_B], "new_unit": merged})
    await records.grant("head@c", "head_teacher", "moet:C")

    assert await keys(records, "moet:C", "head@c") == ["a", "b"]
    assert await refusals(records, ended, "head@c") == set()


async def test_a_split_schools_records_are_with_who_stands_above_all_its_parts(records: Running) -> None:
    """Nobody knows which part a pupil went to: one part's staff may see neither."""
    await records.apply(pupil("a"))
    new = {"kind": "school", "name": "Trường mới", "codes": [{"system": "moet", "code": "C"}]}
    parts = [{"unit": SCHOOL_B}, {"new_unit": {**new, "parents": [{"parent": PROVINCE}]}}]
    ended = await ends(records, SCHOOL_A, split={"unit": SCHOOL_A, "parts": parts})
    for subject, unit in (("b@x", SCHOOL_B), ("c@x", "moet:C"), ("xa@x", COMMUNE), ("so@x", PROVINCE)):
        await records.grant(subject, "officer", unit)

    for subject, unit in (("b@x", SCHOOL_B), ("c@x", "moet:C"), ("xa@x", COMMUNE)):
        assert await keys(records, unit, subject) == []
        assert await refusals(records, ended, subject) == {"NO_GRANT"}
    assert await keys(records, PROVINCE, "so@x") == ["a"]
    assert await refusals(records, ended, "so@x") == set()


async def test_an_erasure_at_an_ended_school_is_granted_by_its_successor_and_reaches_followers(
    records: Running,
) -> None:
    """The head teacher of the successor files and grants it; who follows the successor gets the tombstone."""
    await records.apply(pupil("m", **CHILD), pupil("b", school=SCHOOL_B))
    await linked(records)
    await records.grant("head@b", "head_teacher", SCHOOL_B)
    await records.grant("head@n", "head_teacher", GROUP)
    ended = await ends(records, SCHOOL_A, merge={"units": [SCHOOL_A], "successor_unit": SCHOOL_B})
    filing = data_requests_pb2.FileDataRequestRequest(
        school=ended, request_id="r", kind=ERASURE, collection="pupils", key="m", filed_by="Mẹ", wish="Xóa"
    )
    with pytest.raises(Fault) as error:
        await (await records.data_requests("head@n")).FileDataRequest(filing)
    assert (error.value.kind, reason(error)) == (Kind.DENIED, "NO_GRANT")

    stub = await records.data_requests("head@b")
    number = (await stub.FileDataRequest(filing)).data_request.data_request_id
    listed = await stub.ListDataRequests(data_requests_pb2.ListDataRequestsRequest(unit=SCHOOL_B))
    assert [one.data_request_id for one in listed.data_requests] == [number]
    await stub.DecideDataRequest(
        data_requests_pb2.DecideDataRequestRequest(
            school=ended, data_request_id=number, granted=True, reason="Đúng người"
        )
    )
    left = erasures_pb2.GetRemainsRequest(school=ended, data_request_id=number)

    async def erased() -> bool:
        return bool((await (await records.erasures("head@b")).GetRemains(left)).HasField("deed_time"))

    await poll_until(erased)
    await records.settled()
    assert {one.row.key: one.row.deleted for one in await records.changes(unit=SCHOOL_B)} == {"m": True, "b": False}
    assert await keys(records, SCHOOL_B, "head@b") == ["b"]
