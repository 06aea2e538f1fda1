"""Requests of people about their data between the interface and the domain."""

from datetime import UTC, date, datetime

from iocedu.records.v1 import data_requests_pb2

from chassis.errors import FieldViolation
from chassis.validation import invalid
from services.records.domain.data_requests import DataRequest, Filing, Kind, State

_KINDS = {
    data_requests_pb2.DATA_REQUEST_KIND_CORRECTION: Kind.CORRECTION,
    data_requests_pb2.DATA_REQUEST_KIND_OBJECTION: Kind.OBJECTION,
    data_requests_pb2.DATA_REQUEST_KIND_ERASURE: Kind.ERASURE,
}
_STATES = {
    data_requests_pb2.DATA_REQUEST_STATE_RECEIVED: State.RECEIVED,
    data_requests_pb2.DATA_REQUEST_STATE_GRANTED: State.GRANTED,
    data_requests_pb2.DATA_REQUEST_STATE_REFUSED: State.REFUSED,
    data_requests_pb2.DATA_REQUEST_STATE_DONE: State.DONE,
}
_KIND_NUMBERS = {kind: number for number, kind in _KINDS.items()}
_STATE_NUMBERS = {state: number for number, state in _STATES.items()}


def filing_of(request: data_requests_pb2.FileDataRequestRequest, *, school_id: int, now: datetime) -> Filing:
    """What is filed; raises INVALID_FIELD when it would have been received in the future."""
    received = request.receive_time.ToDatetime(UTC) if request.HasField("receive_time") else now
    if received > now:
        vi = "Thời điểm nhận ở trong tương lai."
        raise invalid([FieldViolation("receive_time", "INVALID_FIELD", vi, "The time of receipt lies in the future.")])
    return Filing(
        school_id=school_id,
        kind=_KINDS[request.kind],
        collection=request.collection,
        key=request.key,
        filed_by=request.filed_by.strip(),
        wish=request.wish.strip(),
        receive_time=received,
    )


def states_of(request: data_requests_pb2.ListDataRequestsRequest) -> frozenset[State]:
    """The states that are wanted; none: all."""
    return frozenset(_STATES[number] for number in request.states if number in _STATES)


def data_request_of(kept: DataRequest, *, today: date) -> data_requests_pb2.DataRequest:
    """A request as callers see it."""
    message = data_requests_pb2.DataRequest(
        data_request_id=kept.data_request_id,
        school_id=kept.school_id,
        kind=_KIND_NUMBERS[kept.kind],
        collection=kept.collection,
        key=kept.key,
        filed_by=kept.filed_by,
        wish=kept.wish,
        due_date=kept.due_date.isoformat(),
        term_source=kept.term_source,
        state=_STATE_NUMBERS[kept.state],
        overdue=kept.overdue(today),
        extended_by=kept.extended_by,
        extend_reason=kept.extend_reason,
        decided_by=kept.decided_by,
        decide_reason=kept.decide_reason,
        completed_by=kept.completed_by,
        completion_note=kept.completion_note,
    )
    message.receive_time.FromDatetime(kept.receive_time)
    if kept.decide_time is not None:
        message.decide_time.FromDatetime(kept.decide_time)
    if kept.complete_time is not None:
        message.complete_time.FromDatetime(kept.complete_time)
    return message
