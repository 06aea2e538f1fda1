"""What a call that looks at personal data writes into the access log, and what it says where there is nobody."""

from datetime import datetime

from chassis import telemetry
from chassis.errors import Fault, Kind
from chassis.identity import caller
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
