"""Calendars between the interface and the domain; refuses days the calendar does not have, naming the field."""

from datetime import date, datetime

from iocedu.records.v1 import calendar_pb2

from chassis.errors import Fault, FieldViolation, Kind
from chassis.validation import invalid
from chassis.years import usual_first_day
from services.records.convert.days import day_of, text_of
from services.records.domain.calendars import PUBLIC, SCHOOL, Calendar, Day, Holiday, Term, wrong_with

_KINDS = {calendar_pb2.HOLIDAY_KIND_PUBLIC: PUBLIC, calendar_pb2.HOLIDAY_KIND_SCHOOL: SCHOOL}
_KIND_NUMBERS = {kind: number for number, kind in _KINDS.items()}


def calendar_of(message: calendar_pb2.Calendar, *, unit_id: int, now: datetime, by: str) -> Calendar:
    """The calendar of a unit that a request brings; raises INVALID_DATE, INVALID_FIELD."""
    calendar = Calendar(
        unit_id,
        message.school_year,
        _day(message.opening_day, "calendar.opening_day"),
        tuple(
            Term(
                one.number,
                _day(one.first_day, f"calendar.terms[{place}].first_day"),
                _day(one.last_day, f"calendar.terms[{place}].last_day"),
                one.teaching_weeks,
            )
            for place, one in enumerate(message.terms)
        ),
        tuple(
            Holiday(
                _day(one.first_day, f"calendar.holidays[{place}].first_day"),
                _day(one.last_day, f"calendar.holidays[{place}].last_day"),
                _KINDS[one.kind],
                one.name,
            )
            for place, one in enumerate(message.holidays)
        ),
        message.source,
        message.confirmed,
        create_time=now,
        created_by=by,
        first_day=day_of(message.first_day, field="calendar.first_day"),
    )
    if wrong := wrong_with(calendar, usual_first_day=usual_first_day(calendar.school_year)):
        field, vi, en = wrong
        raise invalid([FieldViolation(f"calendar.{field}", "INVALID_FIELD", vi, en)])
    return calendar


def calendar_message(calendar: Calendar) -> calendar_pb2.Calendar:
    """A calendar as callers see it."""
    message = calendar_pb2.Calendar(
        school_year=calendar.school_year,
        opening_day=text_of(calendar.opening_day),
        terms=[
            calendar_pb2.Term(
                number=one.number,
                first_day=text_of(one.first_day),
                last_day=text_of(one.last_day),
                teaching_weeks=one.teaching_weeks,
            )
            for one in calendar.terms
        ],
        holidays=map(_holiday, calendar.holidays),
        source=calendar.source,
        confirmed=calendar.confirmed,
        unit_id=calendar.unit_id,
        revision=calendar.revision,
        created_by=calendar.created_by,
        first_day=text_of(calendar.first_day),
    )
    if calendar.create_time is not None:
        message.create_time.FromDatetime(calendar.create_time)
    return message


def day_message(day: Day) -> calendar_pb2.GetCalendarDayResponse:
    """What a day is, as callers see it."""
    return calendar_pb2.GetCalendarDayResponse(
        school_year=day.school_year,
        term=day.term,
        working_day=day.working,
        school_day=day.school,
        holiday=_holiday(day.holiday) if day.holiday else None,
        confirmed=day.confirmed,
    )


def unknown_calendar(unit: str, school_year: int) -> Fault:
    """What is said where no calendar of a school year holds for a unit."""
    year = f"{school_year}-{school_year + 1}"
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_CALENDAR",
        vi=f"Chưa có lịch năm học {year} cho đơn vị {unit}. Hãy nhập lịch của tỉnh (calendars:import).",
        en=f"No calendar of the school year {year} holds for unit {unit}. Import the province's (calendars:import).",
        metadata={"unit": unit, "school_year": str(school_year)},
    )


def _holiday(one: Holiday) -> calendar_pb2.Holiday:
    return calendar_pb2.Holiday(
        first_day=text_of(one.first_day), last_day=text_of(one.last_day), kind=_KIND_NUMBERS[one.kind], name=one.name
    )


def _day(text: str, field: str) -> date:
    found = day_of(text, field=field)
    assert found is not None, "the interface's rules let no empty day pass"
    return found
