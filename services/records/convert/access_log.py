"""The access log as callers see it."""

from typing import Any

from services.records.domain.reading import Logged


def add_access(accesses: Any, logged: Logged) -> None:
    """Append a reading to a response."""
    reading = logged.reading
    access = accesses.add(
        entry_id=logged.entry_id,
        subject=reading.subject,
        method=reading.method,
        unit_id=reading.unit_id,
        collection=reading.collection,
        key=reading.key,
        record_count=reading.record_count,
        purpose=reading.purpose,
        unmasked=reading.unmasked,
        trace_id=reading.trace_id,
        sequence=logged.sequence or 0,
        hash=logged.hash.hex() if logged.hash else "",
    )
    access.read_time.FromDatetime(reading.read_time)
