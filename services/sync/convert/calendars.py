"""Calendars as records tells them."""

from collections.abc import Iterable, Iterator
from datetime import date

from iocedu.records.v1 import calendar_pb2

from chassis.bus import Event
from services.sync.domain.school_days import Span, UnitCalendar


def calendars(event: Event) -> Iterator[UnitCalendar]:
    """The calendars of a `calendars-changed` event."""
    for one in calendar_pb2.CalendarsChanged.FromString(event.data).calendars:
        yield UnitCalendar(
            one.unit_id,
            one.school_year,
            revision=one.revision,
            terms=_spans(one.terms),
            holidays=_spans(one.holidays),
            source=one.source,
        )


def _spans(days: Iterable[calendar_pb2.Term | calendar_pb2.Holiday]) -> tuple[Span, ...]:
    return tuple((date.fromisoformat(one.first_day), date.fromisoformat(one.last_day)) for one in days)
