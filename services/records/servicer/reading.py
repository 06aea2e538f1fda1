"""What a call that looks at personal data writes into the access log, and what it says where there is nobody."""

from datetime import UTC, date, datetime

from chassis import telemetry
from chassis.access import caller_may
from chassis.errors import Fault, Kind
from chassis.identity import caller
from chassis.scope_tree import ScopeTree
from services.records.convert.rules import load_erasure_rules
from services.records.domain.erasing import Restriction
from services.records.domain.reading import Reading


def reading_of(
    method: str,
    *,
    at: datetime,
    unit_id: int,
    collection: str,
    key: str = "",
    count: int = 0,
    purpose: str = "",
    unmasked: bool = False,
) -> Reading:
    """The entry for the running call."""
    return Reading(
        read_time=at,
        subject=caller().subject,
        method=method,
        unit_id=unit_id,
        collection=collection,
        key=key,
        record_count=count,
        purpose=purpose,
        unmasked=unmasked,
        trace_id=telemetry.trace_id(),
    )


def unknown_pupil(key: str) -> Fault:
    """What is said where a school has no such pupil in the school year asked for."""
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_RECORD",
        vi=f"Trường này không có học sinh «{key}» trong năm học đó.",
        en=f"This school has no pupil {key} in that school year.",
        metadata={"collection": "pupils", "key": key},
    )


def may_see_restricted(tree: ScopeTree, school_id: int, day: date, *, purpose: str) -> bool:
    """Whether the caller is one whom the law names, and says what for."""
    return bool(purpose) and caller_may(tree, load_erasure_rules().seen_by, school_id, day)


def record_restricted(collection: str, key: str, restriction: Restriction) -> Fault:
    """What is said to who asks for a record that is restricted."""
    since = restriction.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Fault(
        Kind.DENIED,
        "RECORD_RESTRICTED",
        vi=f"Bản ghi «{key}» đã bị hạn chế xử lý từ {since} theo yêu cầu của chủ thể dữ liệu; chỉ người quản trị và "
        "thanh tra được xem, khi nêu mục đích.",
        en=f"The record {key} is restricted since {since} at its person's request; only administrators and auditors "
        "see it, for a purpose that they state.",
        metadata={"collection": collection, "key": key, "since": since, "source": restriction.source},
    )
