"""Days in requests: ISO texts into instants; refuses those the calendar does not have, naming the field."""

from datetime import UTC, date, datetime, time

from chassis.clock import VIETNAM
from chassis.errors import FieldViolation
from chassis.validation import invalid


def beginning_of(text: str, *, field: str) -> datetime:
    """The instant at which the day a text names begins in Vietnam; raises INVALID_FIELD."""
    try:
        begins = datetime.combine(date.fromisoformat(text), time.min, VIETNAM)
        begins.astimezone(UTC)  # The first day of all begins, in UTC, before there are days.
    except (ValueError, OverflowError):
        vi = f"Trường {field} ghi “{text}” không phải là ngày có thật."
        raise invalid(
            [FieldViolation(field, "INVALID_DATE", vi, f"{field}: {text} is no day of the calendar")]
        ) from None
    return begins
