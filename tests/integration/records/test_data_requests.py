"""Requests of people about their data: filed once, decided, done, and never late unseen."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from iocedu.records.v1 import data_requests_pb2 as pb

from chassis.errors import Fault, Kind
from chassis.testing import FixedClock
from tests.integration.records.scenes import PROVINCE, SCHOOL_A, SCHOOL_B, Running, pupil, reason

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
async def _somebody(records: Running) -> None:
    """The pupil whom requests are about, at both schools."""
    await records.apply(pupil("HS1"), pupil("HS1", school=SCHOOL_B))


def _filing(request_id: str = "r1", **fields: Any) -> pb.FileDataRequestRequest:
    asked: dict[str, Any] = {
        "school": SCHOOL_A,
        "request_id": request_id,
        "kind": pb.DATA_REQUEST_KIND_CORRECTION,
        "collection": "pupils",
        "key": "HS1",
        "filed_by": "Mẹ của học sinh",
        "wish": "Sửa ngày sinh",
    }
    return pb.FileDataRequestRequest(**(asked | fields))


def _decide(number: int, *, granted: bool = True, school: str = SCHOOL_A) -> pb.DecideDataRequestRequest:
    return pb.DecideDataRequestRequest(
        school=school, data_request_id=number, granted=granted, reason="Có giấy khai sinh"
    )


def _complete(number: int) -> pb.CompleteDataRequestRequest:
    return pb.CompleteDataRequestRequest(school=SCHOOL_A, data_request_id=number, note="Đã sửa, gửi lại")


def _extend(number: int) -> pb.ExtendDataRequestRequest:
    return pb.ExtendDataRequestRequest(school=SCHOOL_A, data_request_id=number, reason="Chờ xác minh")


async def _refused(call: Any) -> tuple[Kind, str]:
    with pytest.raises(Fault) as error:
        await call
    return error.value.kind, reason(error)


async def test_a_request_goes_its_way_with_who_and_when(records: Running, clock: FixedClock):
    """Received, granted, done; the due date follows from the kind's term, which names its source."""
    await records.grant("head@a", "head_teacher", SCHOOL_A)
    stub = await records.data_requests("head@a")

    filed = (await stub.FileDataRequest(_filing())).data_request
    clock.advance(DAY)
    granted = (await stub.DecideDataRequest(_decide(filed.data_request_id))).data_request
    clock.advance(DAY)
    done = (await stub.CompleteDataRequest(_complete(filed.data_request_id))).data_request

    assert (filed.state, filed.due_date) == (pb.DATA_REQUEST_STATE_RECEIVED, "2026-11-12")
    assert "356/2025" in filed.term_source
    assert (granted.state, granted.decided_by) == (pb.DATA_REQUEST_STATE_GRANTED, "head@a")
    assert (done.state, done.completion_note) == (pb.DATA_REQUEST_STATE_DONE, "Đã sửa, gửi lại")
    assert done.complete_time.ToDatetime(UTC) - done.receive_time.ToDatetime(UTC) == 2 * DAY
    log = await records.rows("SELECT subject, method, collection, key FROM access_log ORDER BY entry_id")
    number = str(filed.data_request_id)
    assert log == [
        ("head@a", method, "data_requests", number)
        for method in ("FileDataRequest", "DecideDataRequest", "CompleteDataRequest")
    ]


async def test_each_step_is_taken_where_it_may_be_and_once(records: Running):
    """Nothing is done before it is granted, nothing after it is refused or done, nothing is decided twice."""
    stub = await records.data_requests()
    first = (await stub.FileDataRequest(_filing("r1"))).data_request.data_request_id
    second = (await stub.FileDataRequest(_filing("r2"))).data_request.data_request_id
    not_now = (Kind.PRECONDITION, "DATA_REQUEST_STATE")

    assert await _refused(stub.CompleteDataRequest(_complete(first))) == not_now
    await stub.DecideDataRequest(_decide(first))
    assert await _refused(stub.DecideDataRequest(_decide(first, granted=False))) == not_now
    await stub.CompleteDataRequest(_complete(first))
    await stub.DecideDataRequest(_decide(second, granted=False))
    for call in (stub.CompleteDataRequest(_complete(second)), stub.ExtendDataRequest(_extend(second))):
        assert await _refused(call) == not_now
    for call in (
        stub.DecideDataRequest(_decide(10_000)),
        stub.DecideDataRequest(_decide(first, school=SCHOOL_B)),
    ):
        assert await _refused(call) == (Kind.NOT_FOUND, "UNKNOWN_DATA_REQUEST")


async def test_a_step_repeated_answers_the_same(records: Running, clock: FixedClock):
    """By the same caller in the same words, also at once and after the next step; from anybody else it is no repeat."""
    await records.grant("head@a", "head_teacher", SCHOOL_A)
    await records.grant("director@p", "director", PROVINCE)
    head, director = await records.data_requests("head@a"), await records.data_requests("director@p")
    number = (await head.FileDataRequest(_filing())).data_request.data_request_id

    steps: tuple[tuple[str, Any, str], ...] = (
        ("ExtendDataRequest", _extend(number), "ALREADY_EXTENDED"),
        ("DecideDataRequest", _decide(number), "DATA_REQUEST_STATE"),
        ("CompleteDataRequest", _complete(number), "DATA_REQUEST_STATE"),
    )
    for method, request, said in steps:
        first, again = await asyncio.gather(*(getattr(head, method)(request) for _ in range(2)))
        clock.advance(DAY / 24)
        assert first == again == await getattr(head, method)(request)
        assert await _refused(getattr(director, method)(request)) == (Kind.PRECONDITION, said)
    assert await _refused(head.DecideDataRequest(_decide(number, granted=False))) == (
        Kind.PRECONDITION,
        "DATA_REQUEST_STATE",
    )
    for method, request, _ in steps:
        assert (await getattr(head, method)(request)).data_request == again.data_request


async def test_a_due_date_is_moved_once(records: Running):
    """By the days the term allows, also when some ask at once, each for a reason of their own."""
    stub = await records.data_requests()
    number = (await stub.FileDataRequest(_filing(kind=pb.DATA_REQUEST_KIND_ERASURE))).data_request.data_request_id

    asked = [_extend(number) for _ in range(4)]
    for place, one in enumerate(asked):
        one.reason += f" {place}"
    answers = await asyncio.gather(*map(stub.ExtendDataRequest, asked), return_exceptions=True)

    refused = [one for one in answers if isinstance(one, Fault)]
    (moved,) = [one.data_request for one in answers if not isinstance(one, BaseException)]
    assert moved.due_date == (date(2026, 11, 2) + 35 * DAY).isoformat()
    assert [one.reason for one in refused] == ["ALREADY_EXTENDED"] * 3


async def test_those_that_are_late_are_listed_first_and_apart(records: Running, clock: FixedClock):
    """A request is late from the day after its due date, until it is refused or done; pages join."""
    stub = await records.data_requests()
    for number, (kind, school) in enumerate(
        [
            (pb.DATA_REQUEST_KIND_ERASURE, SCHOOL_A),
            (pb.DATA_REQUEST_KIND_CORRECTION, SCHOOL_B),
            (pb.DATA_REQUEST_KIND_CORRECTION, SCHOOL_A),
            (pb.DATA_REQUEST_KIND_OBJECTION, SCHOOL_A),
        ]
    ):
        await stub.FileDataRequest(_filing(f"r{number}", kind=kind, school=school))

    async def due(unit: str = PROVINCE, **fields: Any) -> list[str]:
        found: list[str] = []
        token = ""
        while True:
            page = await stub.ListDataRequests(
                pb.ListDataRequestsRequest(unit=unit, page_size=2, page_token=token, **fields)
            )
            found += [one.due_date for one in page.data_requests]
            token = page.next_page_token
            if not token:
                return found

    assert await due() == ["2026-11-12", "2026-11-12", "2026-11-17", "2026-11-22"]
    clock.set("2026-11-12T16:59:00+00:00")
    assert await due(overdue_only=True) == []
    assert not any(
        one.overdue for one in (await stub.ListDataRequests(pb.ListDataRequestsRequest(unit=PROVINCE))).data_requests
    )
    clock.set("2026-11-12T17:00:00+00:00")  # the next day in Viet Nam
    assert await due(overdue_only=True) == ["2026-11-12", "2026-11-12"]
    assert await due(SCHOOL_B, overdue_only=True) == ["2026-11-12"]
    (other,) = (await stub.ListDataRequests(pb.ListDataRequestsRequest(unit=SCHOOL_B))).data_requests
    assert other.overdue
    await stub.DecideDataRequest(_decide(other.data_request_id, granted=False, school=SCHOOL_B))
    assert await due(SCHOOL_B, overdue_only=True) == []
    assert await due(states=[pb.DATA_REQUEST_STATE_REFUSED]) == ["2026-11-12"]


async def test_filing_again_under_the_same_id_files_nothing(records: Running):
    """A repeat answers with the first, also at once; other content under the id is refused."""
    stub = await records.data_requests()

    answers = await asyncio.gather(*(stub.FileDataRequest(_filing()) for _ in range(5)))

    assert len({one.data_request.data_request_id for one in answers}) == 1
    assert await _refused(stub.FileDataRequest(_filing(wish="Khác"))) == (Kind.INVALID, "REQUEST_ID_REUSED")
    await stub.FileDataRequest(_filing(school=SCHOOL_B))
    assert await records.rows("SELECT count(*) FROM data_request") == [(2,)]


async def test_a_request_without_a_term_or_from_the_future_is_refused(records: Running):
    """The clock is data, by the day a request is received."""
    stub = await records.data_requests()

    def received(day: str) -> pb.FileDataRequestRequest:
        instant = Timestamp()
        instant.FromDatetime(datetime.fromisoformat(day).replace(tzinfo=UTC))
        return _filing(receive_time=instant)

    assert await _refused(stub.FileDataRequest(received("2025-12-31"))) == (Kind.PRECONDITION, "NO_TERM")
    assert await _refused(stub.FileDataRequest(received("2026-12-31"))) == (Kind.INVALID, "INVALID_FIELD")
    async with records.database.transaction() as connection:
        await connection.exec_driver_sql(
            "UPDATE data_request_term SET valid = '[2026-01-01,2026-06-01)' WHERE kind = 'correction'"
        )
        await connection.exec_driver_sql(
            "INSERT INTO data_request_term VALUES ('correction', '[2026-06-01,)', 3, 3, 'Thông tư mới')"
        )
    assert (await stub.FileDataRequest(_filing())).data_request.due_date == "2026-11-05"


async def test_a_clerk_sees_no_requests_and_an_auditor_decides_none(records: Running):
    """They hold what people wrote about themselves."""
    await records.grant("clerk@a", "clerk", SCHOOL_A)
    await records.grant("auditor@a", "auditor", SCHOOL_A)
    filed = await (await records.data_requests()).FileDataRequest(_filing())
    number = filed.data_request.data_request_id
    clerk, auditor = await records.data_requests("clerk@a"), await records.data_requests("auditor@a")

    for call in (
        clerk.ListDataRequests(pb.ListDataRequestsRequest(unit=SCHOOL_A)),
        auditor.DecideDataRequest(_decide(number)),
    ):
        assert await _refused(call) == (Kind.DENIED, "NO_GRANT")
    assert len((await auditor.ListDataRequests(pb.ListDataRequestsRequest(unit=SCHOOL_A))).data_requests) == 1


async def test_what_is_left_out_or_blank_decides_nothing(records: Running):
    """A decision stands: whoever forgets to say which is told, and a wish of blanks is none."""
    stub = await records.data_requests()
    filed = (await stub.FileDataRequest(_filing())).data_request
    silent = pb.DecideDataRequestRequest(school=SCHOOL_A, data_request_id=filed.data_request_id, reason="đồng ý")
    for call in (stub.DecideDataRequest(silent), stub.FileDataRequest(_filing("r2", wish="  "))):
        with pytest.raises(Fault) as refused:
            await call
        assert refused.value.kind is Kind.INVALID
    assert [one.field for one in refused.value.violations] == ["wish"]
    done = await stub.DecideDataRequest(_decide(filed.data_request_id, granted=False))
    assert done.data_request.state == pb.DATA_REQUEST_STATE_REFUSED
