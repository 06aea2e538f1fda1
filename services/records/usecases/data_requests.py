"""Requests of people about their data, filed and brought to their end. One transaction each."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from chassis.clock import Clock, vietnam_day
from chassis.database import Database
from chassis.errors import Fault, Kind
from services.records.domain.data_requests import DataRequest, ExtendedBefore, Filing, NotNow
from services.records.domain.data_requests import Kind as DataRequestKind
from services.records.store import data_requests
from services.records.usecases.apply import request_id_reused
from services.records.usecases.locks import Asked


@dataclass(frozen=True, slots=True)
class Named:
    """Which request is meant."""

    school_id: int
    data_request_id: int


async def file_data_request(database: Database, clock: Clock, filing: Filing, *, by: str, asked: Asked) -> DataRequest:
    """File a request; raises NO_TERM, or REQUEST_ID_REUSED when the id came with another request."""
    received = vietnam_day(filing.receive_time)
    async with database.transaction() as connection:
        term = await data_requests.term_of(connection, filing.kind, received)
        if term is None:
            raise _no_term(filing.kind, received.isoformat())
        kept, digest = await data_requests.add_data_request(
            connection,
            filing,
            term=term,
            due_date=received + timedelta(days=term.days),
            request_id=asked.request_id,
            digest=asked.digest,
            by=by,
            now=clock.now(),
        )
    if digest != asked.digest:
        raise request_id_reused(asked.request_id)
    return kept


async def change_data_request(
    database: Database, named: Named, change: Callable[[DataRequest], DataRequest]
) -> DataRequest:
    """Change a request; raises UNKNOWN_DATA_REQUEST, DATA_REQUEST_STATE or ALREADY_EXTENDED."""
    async with database.transaction() as connection:
        held = await data_requests.held_data_request(
            connection, school_id=named.school_id, data_request_id=named.data_request_id
        )
        if held is None:
            raise _unknown(named.data_request_id)
        try:
            changed = change(held)
        except NotNow:
            raise _not_now(held) from None
        except ExtendedBefore:
            raise _extended_before(held) from None
        if changed != held:
            await data_requests.keep_data_request(connection, changed)
    return changed


def _no_term(kind: DataRequestKind, day: str) -> Fault:
    return Fault(
        Kind.PRECONDITION,
        "NO_TERM",
        vi=f"Chưa có thời hạn cho yêu cầu loại {kind.value} nhận ngày {day}. Hãy báo người quản trị bổ sung.",
        en=f"No term is known for requests of kind {kind.value} received on {day}. Ask an operator to add it.",
        metadata={"kind": kind.value, "day": day},
    )


def _unknown(data_request_id: int) -> Fault:
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_DATA_REQUEST",
        vi=f"Trường này không có yêu cầu số {data_request_id}.",
        en=f"This school has no request {data_request_id}.",
        metadata={"data_request_id": str(data_request_id)},
    )


def _not_now(held: DataRequest) -> Fault:
    return Fault(
        Kind.PRECONDITION,
        "DATA_REQUEST_STATE",
        vi=f"Không thể làm việc này với yêu cầu số {held.data_request_id} ở trạng thái {held.state.value}.",
        en=f"This cannot be done with request {held.data_request_id}, which is {held.state.value}.",
        metadata={"data_request_id": str(held.data_request_id), "state": held.state.value},
    )


def _extended_before(held: DataRequest) -> Fault:
    return Fault(
        Kind.PRECONDITION,
        "ALREADY_EXTENDED",
        vi=f"Yêu cầu số {held.data_request_id} đã được gia hạn một lần, đến {held.due_date.isoformat()}.",
        en=f"The due date of request {held.data_request_id} was moved once, to {held.due_date.isoformat()}.",
        metadata={"data_request_id": str(held.data_request_id), "due_date": held.due_date.isoformat()},
    )
