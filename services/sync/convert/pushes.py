"""Destinations, push states and comparisons, into messages."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from google.protobuf.timestamp_pb2 import Timestamp
from iocedu.sync.v1 import destinations_pb2, pushes_pb2, reconciliation_pb2

from chassis.scope_tree import ScopeTree
from services.sync.domain.destinations import Destination, PushState
from services.sync.domain.pushes import Difference, Reconciliation, SchoolPush, Sums

# What is found here, in words; what a destination says is passed on as it says it.
_WORDS = {
    "NOT_STUDYING": (
        "Chưa gửi: học sinh không ở trạng thái đang học, kết quả chỉ gửi cho học sinh đang học.",
        "Not sent: the pupil is not studying; results are sent only of those who are.",
    ),
    "PARENT_NOT_ACCEPTED": (
        "Chưa gửi: bản ghi mà nó thuộc về (trường, giáo viên, lớp hoặc học sinh) chưa được nơi nhận chấp nhận.",
        "Not sent: the record it stands on (school, teacher, class or pupil) is not accepted there yet.",
    ),
    "NO_VERDICT": (
        "Nơi nhận đã xử lý gói nhưng không trả kết quả của bản ghi này. Hệ thống tự gửi lại vài lần.",
        "The destination settled the package without a word of this record. It is sent again a few times.",
    ),
    "TOO_LARGE": (
        "Nơi nhận từ chối vì dung lượng quá lớn, kể cả khi gửi riêng bản ghi này. Hãy rút gọn nội dung rồi gửi lại.",
        "The destination refuses it as too large even when it is sent alone. Shorten what it holds and send it again.",
    ),
}


def _time(message: Any, name: str, instant: datetime | None) -> None:
    if instant is not None:
        stamp = Timestamp()
        stamp.FromDatetime(instant)
        getattr(message, name).CopyFrom(stamp)


def destination(one: Destination, *, language: str, now: datetime, whole: bool) -> destinations_pb2.Destination:
    """A destination, without its secret; of its endpoint only the host, unless it is to be told `whole`.

    Path and query of a subscriber's address are often all that keeps others from calling it.
    """
    opened = one.open_until is not None and one.open_until > now
    said = destinations_pb2.Destination(
        code=one.code,
        kind=int(one.kind),  # type: ignore[arg-type]  # the enum's number
        display_name=one.display_name,
        endpoint=one.endpoint if whole else urlsplit(one.endpoint).hostname or "",
        unit_id=one.unit_id,
        paused=one.paused,
        calls_per_second=one.calls_per_second,
        package_size=one.package_size,
        circuit=destinations_pb2.CIRCUIT_STATE_OPEN if opened else destinations_pb2.CIRCUIT_STATE_CLOSED,
        problem=one.problem_en if language == "en" else one.problem,
        position=one.position,
        form=int(one.form),  # type: ignore[arg-type]  # the enum's number
    )
    for window in one.windows:
        part = said.windows.add(until=f"{window.until:%H:%M}")
        setattr(part, "from", f"{window.since:%H:%M}")
    _time(said, "next_attempt_time", one.open_until if opened else None)
    _time(said, "create_time", one.create_time)
    return said


def school(one: SchoolPush, tree: ScopeTree, *, language: str = "vi") -> pushes_pb2.SchoolPushes:
    """How far a school is."""
    unit = tree.unit(one.school_id)
    said = pushes_pb2.SchoolPushes(
        school_id=one.school_id,
        school_name=unit.name if unit else "",
        counts=pushes_pb2.PushCounts(
            waiting_count=one.waiting_count,
            accepted_count=one.accepted_count,
            failed_count=one.failed_count,
            withheld_count=one.withheld_count,
        ),
        problem=one.problem_en if language == "en" else one.problem,
        problem_reason=one.problem_reason,
        gap_count=one.gap_count,
    )
    for name in ("oldest_waiting_time", "last_success_time", "reconcile_time"):
        _time(said, name, getattr(one, name))
    return said


def pushes_changed(destination_code: str, schools: Sequence[SchoolPush], tree: ScopeTree) -> bytes:
    """The event that tells of schools."""
    told = [school(one, tree) for one in schools]
    return pushes_pb2.PushesChanged(destination=destination_code, schools=told).SerializeToString()


def summary(one: Sums, told: destinations_pb2.Destination) -> destinations_pb2.SummarizePushesResponse:
    """All schools together."""
    said = destinations_pb2.SummarizePushesResponse(
        counts=pushes_pb2.PushCounts(
            waiting_count=one.waiting_count,
            accepted_count=one.accepted_count,
            failed_count=one.failed_count,
            withheld_count=one.withheld_count,
        ),
        school_count=one.school_count,
        settled_school_count=one.settled_count,
        failing_school_count=one.failing_count,
        destination=told,
    )
    _time(said, "oldest_waiting_time", one.oldest_waiting_time)
    return said


def record(row: Any, *, language: str) -> pushes_pb2.PushedRecord:
    """A record on its way."""
    words = _WORDS.get(row.reason)
    message = (words[1] if language == "en" else words[0]) if words else ""
    said = pushes_pb2.PushedRecord(
        type=row.type,
        key=row.key,
        state=int(PushState.SENT if row.sent else row.state),  # type: ignore[arg-type]  # the enum's number
        destination_key=str(row.record_id),
        sent_version=row.version,
        accepted_version=row.accepted_version,
        deleted=row.deleted,
        reason=row.reason,
        field=row.field,
        message=message or (row.message_en if language == "en" else row.message),
        attempt_count=row.attempt_count,
    )
    _time(said, "state_time", row.state_time)
    return said


def outcome(row: Any) -> pushes_pb2.PushOutcome:
    """What became of a record in one package."""
    said = pushes_pb2.PushOutcome(
        type=row.type,
        key=row.key,
        version=row.version,
        state=row.state,
        reason=row.reason,
        field=row.field,
        message=row.message,
        package_id=str(row.package_id),
    )
    _time(said, "create_time", row.create_time)
    return said


def reconciliation(one: Reconciliation) -> reconciliation_pb2.Reconciliation:
    """A comparison."""
    given = {name: getattr(one, name) for name in Reconciliation.__slots__ if not name.endswith("_time")}
    said = reconciliation_pb2.Reconciliation(**given)
    _time(said, "create_time", one.create_time)
    _time(said, "end_time", one.end_time)
    return said


def difference(one: Difference, tree: ScopeTree) -> reconciliation_pb2.Difference:
    """What a comparison found of one record."""
    unit = tree.unit(one.school_id)
    return reconciliation_pb2.Difference(
        school_id=one.school_id,
        school_name=unit.name if unit else "",
        type=one.type,  # type: ignore[arg-type]  # the enum's number
        kind=one.kind,  # type: ignore[arg-type]  # the enum's number
        key=one.key,
        destination_key=one.record_id,
        fields=one.fields,
        matched_key=one.matched_key,
        on_the_way=one.on_the_way,
    )
