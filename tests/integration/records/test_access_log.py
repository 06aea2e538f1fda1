"""Who looked at what, to auditors and, as far as pupils go, to their head teacher."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from iocedu.chassis.v1 import disclosures_pb2
from iocedu.records.v1 import access_log_pb2, records_pb2

from chassis.bus import Bus, Publication, cloud_headers, subject_of
from chassis.disclosures import EVENT
from chassis.errors import Fault, Kind
from chassis.testing import FixedClock
from services.records.usecases.sealing import seal_entries
from tests.integration.records.scenes import (
    ADMINISTRATOR,
    COMMUNE,
    PROVINCE,
    SCHOOL_A,
    SCHOOL_B,
    Running,
    pupil,
    reason,
)
from tests.support.waiting import poll_until

MORNING = datetime(2026, 11, 2, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def _list(unit: str = PROVINCE, **fields: Any) -> access_log_pb2.ListAccessesRequest:
    for name in ("from_time", "until_time"):
        if name in fields:
            instant = Timestamp()
            instant.FromDatetime(fields[name])
            fields[name] = instant
    return access_log_pb2.ListAccessesRequest(unit=unit, **fields)


async def _told(stub: Any, **fields: Any) -> list[tuple[str, str]]:
    """Method and key of the looks that are listed."""
    return [(one.method, one.key) for one in (await stub.ListAccesses(_list(**fields))).accesses]


@pytest.fixture
async def looked(records: Running, clock: FixedClock) -> Running:
    """Looks an hour apart: at a pupil, at a member of staff, at a pupil of another school, at a commune's list."""
    await records.apply(pupil("1"), pupil("2", school=SCHOOL_B))
    stub = await records.records()
    asked = {"collection": "pupils", "school": SCHOOL_A, "key": "1", "purpose": "Đối chiếu"}
    await stub.GetRecord(records_pb2.GetRecordRequest(**asked))
    clock.advance(HOUR)
    with pytest.raises(Fault):
        await stub.GetRecord(records_pb2.GetRecordRequest(collection="staff", school=SCHOOL_A, key="t"))
    clock.advance(HOUR)
    await stub.GetRecord(records_pb2.GetRecordRequest(collection="pupils", school=SCHOOL_B, key="2"))
    clock.advance(HOUR)
    await stub.ListRecords(records_pb2.ListRecordsRequest(collection="pupils", unit=COMMUNE))
    return records


async def test_looks_are_told_newest_first_with_their_seal(looked: Running):
    """Everything that was written down, and where it stands in the chain."""
    while await seal_entries(looked.database):
        pass
    stub = await looked.access_log()

    page = await stub.ListAccesses(_list())

    assert [(one.method, one.collection, one.key, one.record_count) for one in page.accesses] == [
        ("ListRecords", "pupils", "", 2),
        ("GetRecord", "pupils", "2", 1),
        ("GetRecord", "staff", "t", 0),
        ("GetRecord", "pupils", "1", 1),
    ]
    first = page.accesses[-1]
    assert (first.subject, first.purpose, first.unmasked) == (ADMINISTRATOR, "Đối chiếu", True)
    assert first.read_time.ToDatetime(UTC) == MORNING
    assert (first.sequence, len(first.hash)) == (1, 64)


async def test_looks_are_narrowed_by_unit_subject_record_and_time(looked: Running):
    """All that is given must hold."""
    stub = await looked.access_log()

    assert await _told(stub, unit=SCHOOL_B) == [("GetRecord", "2")]
    assert await _told(stub, unit=SCHOOL_A, collection="pupils", key="1") == [("GetRecord", "1")]
    assert await _told(stub, subject="nobody@so") == []
    assert await _told(stub, collection="pupils", subject=ADMINISTRATOR, key="2") == [("GetRecord", "2")]
    assert await _told(stub, from_time=MORNING + HOUR, until_time=MORNING + 3 * HOUR) == [
        ("GetRecord", "2"),
        ("GetRecord", "t"),
    ]


async def test_a_head_teacher_sees_looks_at_her_pupils_only(looked: Running):
    """Not at staff, not at another school; an auditor sees all of the school."""
    await looked.grant("head@a", "head_teacher", SCHOOL_A)
    await looked.grant("auditor@a", "auditor", SCHOOL_A)
    head, auditor = await looked.access_log("head@a"), await looked.access_log("auditor@a")

    assert await _told(head, unit=SCHOOL_A) == [("GetRecord", "1")]
    assert await _told(head, unit=SCHOOL_A, collection="staff") == []
    assert await _told(auditor, unit=SCHOOL_A, collection="staff") == [("GetRecord", "t")]
    for unit in (SCHOOL_B, PROVINCE):
        with pytest.raises(Fault) as error:
            await head.ListAccesses(_list(unit))
        assert (error.value.kind, reason(error)) == (Kind.DENIED, "NO_GRANT")


async def test_looking_at_the_log_is_a_look(looked: Running):
    """Who watches is watched; every unit is asked for as 0."""
    stub = await looked.access_log()

    await stub.ListAccesses(_list(SCHOOL_A, key="1"))

    newest = (await stub.ListAccesses(_list("0", page_size=1))).accesses[0]
    assert (newest.method, newest.collection, newest.key) == ("ListAccesses", "accesses", "1")
    assert (newest.record_count, newest.sequence >= 0) == (1, True)


async def test_pages_join_without_gap_or_repeat_while_the_log_grows(looked: Running):
    """Each page is itself a look; entries of one instant are told apart by their numbers."""
    stub, token, pages = await looked.access_log(), "", list[list[str]]()
    reader = await looked.records()
    for _ in range(3):
        await reader.GetRecord(records_pb2.GetRecordRequest(collection="pupils", school=SCHOOL_A, key="1"))
    while token or not pages:
        page = await stub.ListAccesses(_list(page_size=2, page_token=token))
        pages.append([one.key for one in page.accesses])
        token = page.next_page_token

    assert pages == [["1", "1"], ["1", ""], ["2", "t"], ["1"]]


async def test_what_another_service_showed_is_written_down_once(records: Running, bus: Bus):
    """As it told it, in place of a collection its name; told again, it is no second look."""
    shown = disclosures_pb2.Disclosure(
        subject="vp@a", method="ListCaseload", unit_id=7, record_count=3, purpose="Họp lớp", trace_id="0af7"
    )
    shown.time.FromDatetime(MORNING)
    payload = disclosures_pb2.Disclosures(disclosures=[shown]).SerializeToString()
    await bus.ensure_stream("alerts")
    headers = cloud_headers(event_id=str(uuid4()), service="alerts", event=EVENT, time=MORNING)
    for message_id in ("m1", "m2"):
        await bus.publish([Publication(subject_of("alerts", EVENT), payload, headers, message_id)])

    async def written() -> bool:
        return bool(await records.rows("SELECT 1 FROM access_log WHERE method = 'ListCaseload'"))

    await poll_until(written)
    assert await records.rows(
        "SELECT subject, unit_id, collection, record_count, purpose, unmasked, trace_id FROM access_log"
        " WHERE method = 'ListCaseload'"
    ) == [("vp@a", 7, "alerts", 3, "Họp lớp", False, "0af7")]
