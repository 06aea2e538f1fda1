"""Requests of erasure and objection as tests file them, and what there is before and after."""

from collections.abc import Sequence
from typing import Any, cast

from iocedu.records.v1 import data_requests_pb2, erasures_pb2, resources_pb2, results_pb2

from tests.integration.records.scenes import SCHOOL_A, Running
from tests.support.waiting import poll_until

ERASURE, OBJECTION = data_requests_pb2.DATA_REQUEST_KIND_ERASURE, data_requests_pb2.DATA_REQUEST_KIND_OBJECTION
PRESENT, RESTRICTED, ERASED = 1, 2, 3
CHILD: dict[str, Any] = {
    "level": "01",
    "grade": "18",
    "full_name": "Bùi Thị Út",
    "birth_date": "2021-05-04",
    "sex": "2",
}


def result(key: str, of: str, version: int = 1) -> resources_pb2.Row:
    """A pupil's result."""
    record = results_pb2.Result(school_year=2026, pupil_key=of, stage="CK1", learning_result="T")
    return resources_pb2.Row(school=SCHOOL_A, key=key, version=version, result=record)


def register(*absent: str, version: int = 1, day: str = "2026-10-05") -> resources_pb2.Row:
    """A class's register with these pupils absent."""
    held = resources_pb2.AttendanceRegister(
        school_year=2026,
        class_key="6A",
        day=day,
        session=1,
        scheduled_count=30,
        exceptions=[resources_pb2.AttendanceException(pupil_key=key, kind="P", reason="ốm") for key in absent],
    )
    return resources_pb2.Row(school=SCHOOL_A, key=f"6A.{day}.1", version=version, attendance_register=held)


async def ask(records: Running, kind: Any, key: str, *, collection: str = "pupils", number: str = "r") -> int:
    """File a request and grant it."""
    stub = await records.data_requests()
    filed = await stub.FileDataRequest(
        data_requests_pb2.FileDataRequestRequest(
            school=SCHOOL_A,
            request_id=f"{number}-{key}",
            kind=kind,
            collection=collection,
            key=key,
            filed_by="Mẹ của học sinh",
            wish="Xóa dữ liệu",
        )
    )
    data_request_id = filed.data_request.data_request_id
    await stub.DecideDataRequest(
        data_requests_pb2.DecideDataRequestRequest(
            school=SCHOOL_A, data_request_id=data_request_id, granted=True, reason="Đúng người"
        )
    )
    return int(data_request_id)


async def remains(records: Running, number: int) -> erasures_pb2.GetRemainsResponse:
    """What is left."""
    stub = await records.erasures()
    request = erasures_pb2.GetRemainsRequest(school=SCHOOL_A, data_request_id=number)
    return cast("erasures_pb2.GetRemainsResponse", await stub.GetRemains(request))


async def done(records: Running, number: int) -> erasures_pb2.GetRemainsResponse:
    """What is left once the request was carried out."""

    async def carried_out() -> erasures_pb2.GetRemainsResponse | None:
        answer = await remains(records, number)
        return answer if answer.HasField("deed_time") else None

    found = await poll_until(carried_out)
    await records.settled()
    return cast("erasures_pb2.GetRemainsResponse", found)


async def linked(records: Running) -> None:
    """Wait until every record is a person's."""
    await records.settled()

    async def behind() -> bool:
        return await records.rows(
            "SELECT (SELECT position FROM person_cursor) = (SELECT position FROM feed_position)"
        ) == [(True,)]

    await poll_until(behind)


def stands(answer: erasures_pb2.GetRemainsResponse) -> dict[tuple[str, str], tuple[int, int]]:
    """What each thing is and is to become."""
    return {(one.place, one.key): (one.state, one.planned_state) for one in answer.remains}


async def everything(records: Running) -> str:
    """All that the database holds of records, as one text."""
    found = ""
    tables: Sequence[str] = (
        *("pupil", "result", "attendance_register", "record_history", "person_record", "person_pair"),
        *("record_edit", "outbox", "counted_elsewhere", "transfer_step"),
    )
    for table in tables:
        found += str(await records.rows(f"SELECT {table}::text FROM {table}"))
    return found
