"""What a call that looks at personal data writes into the access log, and whether it may see it unmasked."""

from datetime import datetime

from chassis import telemetry
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
