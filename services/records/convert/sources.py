"""Hand-overs as callers ask for them and see them."""

from datetime import UTC, datetime

from iocedu.records.v1 import sources_pb2

from chassis.errors import FieldViolation
from chassis.validation import invalid
from services.records.convert.collections import no_such_collection
from services.records.domain.objects import BY_COLLECTION
from services.records.domain.sources import MOST_AHEAD, HandOver, HandOverDraft


def draft_of(request: sources_pb2.HandOverRequest, *, now: datetime) -> HandOverDraft:
    """What is to be handed over; raises INVALID_FIELD for a collection there is not and an instant that cannot be."""
    unknown = sorted(set(request.collections) - set(BY_COLLECTION))
    violations = [no_such_collection(name, field="collections") for name in unknown]
    from_time = request.from_time.ToDatetime(UTC) if request.HasField("from_time") else None
    if from_time is not None and not now <= from_time <= now + MOST_AHEAD:
        violations.append(_no_such_instant())
    if violations:
        raise invalid(violations)
    return HandOverDraft(tuple(request.collections), request.source, from_time, request.reason.strip())


def hand_over_of(hand_over: HandOver, *, school: str) -> sources_pb2.HandOver:
    """A hand-over as callers see it."""
    message = sources_pb2.HandOver(
        hand_over_id=hand_over.hand_over_id,
        school_id=hand_over.school_id,
        school=school,
        collection=hand_over.collection,
        source=hand_over.source,
        handed_over_by=hand_over.handed_over_by,
        reason=hand_over.reason,
    )
    message.from_time.FromDatetime(hand_over.from_time)
    message.create_time.FromDatetime(hand_over.create_time)
    return message


def _no_such_instant() -> FieldViolation:
    return FieldViolation(
        "from_time",
        "INVALID_FIELD",
        f"Thời điểm bàn giao phải từ bây giờ đến {MOST_AHEAD.days} ngày tới. Bỏ trống nếu bàn giao ngay.",
        f"A hand-over begins now or within {MOST_AHEAD.days} days. Leave it out to hand over at once.",
    )
