"""What calls showed of personal data, here and at other services, as entries of the access log."""

from collections.abc import Iterator
from datetime import UTC

from iocedu.chassis.v1 import disclosures_pb2

from chassis.bus import Event
from chassis.disclosures import Shown
from services.records.domain.reading import Reading


def reading_of(shown: Shown, *, service: str) -> Reading:
    """The entry for a call that wrote none of its own; in place of a collection stands the service."""
    return Reading(
        read_time=shown.time,
        subject=shown.subject,
        method=shown.method,
        unit_id=shown.unit_id,
        collection=service,
        key="",
        record_count=shown.record_count,
        purpose=shown.purpose,
        unmasked=shown.unmasked,
        trace_id=shown.trace_id,
    )


def readings_of(event: Event) -> Iterator[Reading]:
    """The entries of a `personal-data-shown` event."""
    for one in disclosures_pb2.Disclosures.FromString(event.data).disclosures:
        shown = Shown(
            time=one.time.ToDatetime(UTC),
            subject=one.subject,
            method=one.method,
            unit_id=one.unit_id,
            record_count=one.record_count,
            purpose=one.purpose,
            unmasked=one.unmasked,
            trace_id=one.trace_id,
        )
        yield reading_of(shown, service=event.source)
