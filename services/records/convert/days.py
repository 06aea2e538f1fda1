"""Days in requests: ISO texts into dates and spans; refuses those the calendar does not have, naming the field."""

from datetime import date

from chassis.errors import Fault, FieldViolation
from chassis.validation import invalid
from services.records.domain.spans import Span


def day_of(text: str, *, field: str) -> date | None:
    """The day a text names; None where it is empty."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise _not_a_day(field, text) from None


def span_of(valid_from: str, valid_to: str, *, within: Span, field: str) -> Span:
    """The span of two texts; an empty one takes the end of the span it lies within."""
    first, after = day_of(valid_from, field=f"{field}valid_from"), day_of(valid_to, field=f"{field}valid_to")
    try:
        return Span(first or within.first, after or within.after)
    except ValueError:
        raise _backwards(f"{field}valid_to") from None


def text_of(day: date | None) -> str:
    """A day as requests write it; empty where it is open."""
    return day.isoformat() if day is not None else ""


def _not_a_day(field: str, text: str) -> Fault:
    vi = f"Trường {field} ghi «{text}» không phải là ngày có thật."
    return invalid([FieldViolation(field, "INVALID_DATE", vi, f"{field}: {text} is no day of the calendar")])


def _backwards(field: str) -> Fault:
    vi = f"Trường {field} phải sau ngày bắt đầu."
    return invalid([FieldViolation(field, "INVALID_DATE", vi, f"{field}: the first day after lies before the first")])
