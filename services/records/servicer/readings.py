"""Readings that show people masked, as the access log keeps them, and what is said where there is nobody."""

from chassis import telemetry
from chassis.clock import Clock
from chassis.errors import Fault, Kind
from chassis.identity import caller
from services.records.domain.reading import Reading


def masked_reading(
    clock: Clock, method: str, unit_id: int, collection: str, *, key: str = "", count: int = 0
) -> Reading:
    """What the running call read."""
    return Reading(
        read_time=clock.now(),
        subject=caller().subject,
        method=method,
        unit_id=unit_id,
        collection=collection,
        key=key,
        record_count=count,
        purpose="",
        unmasked=False,
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
