"""Transfers between the interface and the domain, and what is told of them to the schools and the units above."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from iocedu.notify.v1 import notice_requested_pb2
from iocedu.records.v1 import transfers_pb2

from chassis.errors import FieldViolation
from chassis.outbox import Outgoing
from chassis.validation import invalid
from services.records.domain.transfers import Action, Side, State, Transfer

NOTICE_REQUESTED = "notice-requested"
_VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
_SIDES = {
    transfers_pb2.TRANSFER_SIDE_RELEASING: Side.RELEASING,
    transfers_pb2.TRANSFER_SIDE_RECEIVING: Side.RECEIVING,
    transfers_pb2.TRANSFER_SIDE_SUPERIOR: Side.SUPERIOR,
}
_STATES = {
    transfers_pb2.TRANSFER_STATE_OPENED: State.OPENED,
    transfers_pb2.TRANSFER_STATE_ACCEPTED: State.ACCEPTED,
    transfers_pb2.TRANSFER_STATE_RELEASED: State.RELEASED,
    transfers_pb2.TRANSFER_STATE_PLACED: State.PLACED,
    transfers_pb2.TRANSFER_STATE_REFUSED: State.REFUSED,
    transfers_pb2.TRANSFER_STATE_WITHDRAWN: State.WITHDRAWN,
}
_ACTIONS = {
    transfers_pb2.TRANSFER_ACTION_ACCEPT: Action.ACCEPT,
    transfers_pb2.TRANSFER_ACTION_REFUSE: Action.REFUSE,
    transfers_pb2.TRANSFER_ACTION_RELEASE: Action.RELEASE,
    transfers_pb2.TRANSFER_ACTION_PLACE: Action.PLACE,
    transfers_pb2.TRANSFER_ACTION_WITHDRAW: Action.WITHDRAW,
}
_SIDE_NUMBERS = {side: number for number, side in _SIDES.items()}
_STATE_NUMBERS = {state: number for number, state in _STATES.items()}
_SCHOOL_ROLES = ("head_teacher", "clerk")
_SUPERIOR_ROLES = ("officer", "director")
# What a school is told when a transfer comes to stand so: title and what is asked of it.
_TOLD = {
    State.OPENED: ("Có học sinh xin chuyển đến", "Hãy trả lời", "A pupil asks to come", "Answer"),
    State.ACCEPTED: (
        "Có học sinh được tiếp nhận đi",
        "Hãy bàn giao hồ sơ",
        "A pupil is accepted elsewhere",
        "Hand over",
    ),
    State.RELEASED: ("Hồ sơ chuyển trường đã bàn giao", "Hãy xếp lớp", "A pupil was handed over", "Place the pupil"),
    State.PLACED: ("Chuyển trường đã xong", "", "A transfer is complete", ""),
    State.REFUSED: ("Yêu cầu chuyển trường bị từ chối", "", "A transfer was refused", ""),
    State.WITHDRAWN: ("Yêu cầu chuyển trường đã rút lại", "", "A transfer was withdrawn", ""),
}


def side_of(request: transfers_pb2.OpenTransferRequest) -> Side:
    """Which side opens."""
    return _SIDES[request.side]


def action_of(request: transfers_pb2.StepTransferRequest) -> Action:
    """What a school does; raises INVALID_FIELD when it refuses without a word, or names a key where it has no place."""
    action = _ACTIONS[request.action]
    if action is Action.REFUSE and not request.note.strip():
        raise _wrong("note", "Hãy ghi lý do từ chối.", "Say why it is refused.")
    if request.receiving_key and action is not Action.PLACE:
        raise _wrong(
            "receiving_key",
            "Chỉ ghi khóa ở trường tiếp nhận khi xếp lớp.",
            "The key at the receiving school is told when the pupil is placed.",
        )
    return action


def states_of(request: transfers_pb2.ListTransfersRequest) -> frozenset[State]:
    """The states that are wanted; none: all."""
    return frozenset(_STATES[number] for number in request.states if number in _STATES)


def transfer_message(transfer: Transfer, *, name: Callable[[int], str], today: date) -> transfers_pb2.Transfer:
    """A transfer as callers see it."""
    message = transfers_pb2.Transfer(
        transfer_id=transfer.transfer_id,
        school_year=transfer.school_year,
        releasing_id=transfer.releasing_id,
        releasing_name=name(transfer.releasing_id),
        pupil_key=transfer.pupil_key,
        receiving_id=transfer.receiving_id,
        receiving_name=name(transfer.receiving_id),
        receiving_key=transfer.receiving_key,
        between_provinces=transfer.between_provinces,
        state=_STATE_NUMBERS[transfer.state],
        awaited=_SIDE_NUMBERS[transfer.awaited] if transfer.awaited else transfers_pb2.TRANSFER_SIDE_UNSPECIFIED,
        due_date=transfer.due_date.isoformat() if transfer.due_date else "",
        late=transfer.late(today),
        term_source=transfer.term_source,
    )
    for step in transfer.steps:
        told = message.steps.add(
            state=_STATE_NUMBERS[step.state], side=_SIDE_NUMBERS[step.side], step_by=step.step_by, note=step.note
        )
        told.step_time.FromDatetime(step.step_time)
    return message


def step_notice(transfer: Transfer) -> Outgoing:
    """What the school that is waited for is told after a step; at the end, both. It names no pupil."""
    vi, ask_vi, en, ask_en = _TOLD[transfer.state]
    schools = {Side.RELEASING: transfer.releasing_id, Side.RECEIVING: transfer.receiving_id}
    awaited = [schools[transfer.awaited]] if transfer.awaited else sorted(schools.values())
    number, due = transfer.transfer_id, transfer.due_date
    request = notice_requested_pb2.NoticeRequest(
        key=f"transfer/{number}/{transfer.state.value}",
        revision=1,
        unit_ids=awaited,
        audience_roles=_SCHOOL_ROLES,
        severity=1,
        topic="transfer",
        title_vi=vi,
        title_en=en,
        body_vi=f"Chuyển trường số {number}." + (f" {ask_vi} trước hết ngày {due:%d/%m/%Y}." if due else ""),
        body_en=f"Transfer {number}." + (f" {ask_en} by {due.isoformat()}." if due else ""),
    )
    if due:
        request.due_time.FromDatetime(_end_of(due))
    return _outgoing([request])


def late_notices(transfers: Iterable[Transfer], *, above: Callable[[Transfer], list[int]]) -> Iterator[Outgoing]:
    """What the late school and the units above both schools are told: the unit may decide now."""
    for transfer in transfers:
        assert transfer.due_date is not None
        number, due, late = transfer.transfer_id, transfer.due_date, transfer.awaited
        school = transfer.releasing_id if late is Side.RELEASING else transfer.receiving_id
        told = notice_requested_pb2.NoticeRequest(
            key=f"transfer/{number}/late/{due.isoformat()}",
            revision=1,
            unit_ids=[school],
            audience_roles=_SCHOOL_ROLES,
            severity=2,
            topic="transfer",
            title_vi="Chuyển trường quá hạn",
            title_en="A transfer is late",
            body_vi=f"Chuyển trường số {number} đã quá hạn ngày {due:%d/%m/%Y}. Cấp trên có thể quyết định thay.",
            body_en=f"Transfer {number} was due on {due.isoformat()}. A unit above may now decide.",
        )
        superior = notice_requested_pb2.NoticeRequest()
        superior.CopyFrom(told)
        superior.key += "/above"
        del superior.unit_ids[:], superior.audience_roles[:]
        superior.unit_ids.extend(above(transfer))
        superior.audience_roles.extend(_SUPERIOR_ROLES)
        yield _outgoing([told, superior])


def _outgoing(requests: list[notice_requested_pb2.NoticeRequest]) -> Outgoing:
    event = notice_requested_pb2.NoticesRequested(requests=requests)
    return Outgoing(NOTICE_REQUESTED, event.SerializeToString(), len(requests))


def _end_of(day: date) -> datetime:
    return datetime.combine(day, time(23, 59, 59), _VIETNAM).astimezone(UTC)


def _wrong(field: str, vi: str, en: str) -> Exception:
    return invalid([FieldViolation(field, "INVALID_FIELD", vi, en)])
