"""Calendars: a national frame is there, a province puts its own in place, a commune its days beside it."""

import asyncio
from datetime import date
from typing import Any

import pytest
from iocedu.records.v1 import calendar_pb2 as pb

from chassis.errors import Fault, Kind
from tests.integration.records.scenes import COMMUNE, PROVINCE, SCHOOL_A, Running, reason

TODAY = date(2026, 11, 20)


def _calendar(**fields: Any) -> pb.Calendar:
    term = pb.Term(number=1, first_day="2026-09-07", last_day="2027-01-15", teaching_weeks=18)
    values: dict[str, Any] = {
        "school_year": 2026,
        "opening_day": "2026-09-05",
        "terms": [term],
        "source": "QĐ của UBND thành phố",
    }
    return pb.Calendar(**(values | {"confirmed": True} | fields))


def _closed(day: str) -> pb.Holiday:
    return pb.Holiday(first_day=day, last_day=day, kind=pb.HOLIDAY_KIND_SCHOOL, name="Nghỉ lũ")


async def test_the_calendar_of_a_unit_comes_from_above_and_says_how_sure_it_is(records: Running):
    """The frame of the product until the province's own comes; a commune's days are added, its terms its own."""
    stub = await records.calendar()
    frame = (await stub.GetCalendar(pb.GetCalendarRequest(unit=SCHOOL_A, school_year=2026))).calendar
    await stub.ImportCalendar(pb.ImportCalendarRequest(unit=PROVINCE, request_id="c1", calendar=_calendar()))
    flood = _calendar(holidays=[_closed("2026-11-03")])
    await stub.ImportCalendar(pb.ImportCalendarRequest(unit=COMMUNE, request_id="c1", calendar=flood))
    held = (await stub.GetCalendar(pb.GetCalendarRequest(unit=SCHOOL_A, school_year=2026))).calendar

    assert (frame.unit_id, frame.confirmed, frame.created_by) == (0, False, "")
    assert "31/5/2027" in frame.source
    assert (held.confirmed, held.terms[0].first_day, held.created_by) == (True, "2026-09-07", "admin@so")
    assert {"Nghỉ lũ", "Quốc khánh"} <= {one.name for one in held.holidays}
    day = await stub.GetCalendarDay(pb.GetCalendarDayRequest(unit=SCHOOL_A, day="2026-11-03"))
    assert (day.school_day, day.working_day, day.term, day.holiday.name) == (False, True, 1, "Nghỉ lũ")
    pages = await stub.ListCalendars(pb.ListCalendarsRequest(unit=SCHOOL_A, page_size=1))
    assert [one.school_year for one in pages.calendars] == [2026]
    rest = await stub.ListCalendars(
        pb.ListCalendarsRequest(unit=SCHOOL_A, page_size=1, page_token=pages.next_page_token)
    )
    assert ([one.school_year for one in rest.calendars], rest.next_page_token) == ([2025], "")


async def test_an_import_is_made_once(records: Running):
    """Repeats at once answer the same; the earlier calendar is kept; another one under the id is refused."""
    stub = await records.calendar()
    asked = pb.ImportCalendarRequest(unit=PROVINCE, request_id="c1", calendar=_calendar())
    answers = await asyncio.gather(*(stub.ImportCalendar(asked) for _ in range(4)))
    await records.settled()

    assert len({one.calendar.revision for one in answers}) == 1
    with pytest.raises(Fault) as error:
        await stub.ImportCalendar(
            pb.ImportCalendarRequest(unit=PROVINCE, request_id="c1", calendar=_calendar(source="khác"))
        )
    assert reason(error) == "REQUEST_ID_REUSED"


async def test_what_cannot_be_a_calendar_is_named_by_its_field(records: Running):
    """A term beyond its year; a day the calendar does not have; a year nobody has imported."""
    stub = await records.calendar()
    late = _calendar(terms=[pb.Term(number=1, first_day="2028-01-01", last_day="2028-02-01")])
    for calendar, field in ((late, "calendar.terms[0]"), (_calendar(opening_day="2026-02-30"), "calendar.opening_day")):
        with pytest.raises(Fault) as error:
            await stub.ImportCalendar(pb.ImportCalendarRequest(unit=PROVINCE, request_id="c2", calendar=calendar))
        assert [one.field for one in error.value.violations] == [field]
    with pytest.raises(Fault) as error:
        await stub.GetCalendar(pb.GetCalendarRequest(unit=SCHOOL_A, school_year=2040))
    assert (error.value.kind, reason(error)) == (Kind.NOT_FOUND, "UNKNOWN_CALENDAR")


async def test_a_calendar_says_when_its_school_year_begins_and_every_service_learns_it(records: Running):
    """By the tree that all follow; a commune that says nothing follows its province; next year turns as usual."""
    stub = await records.calendar()
    turned = _calendar(first_day="2026-08-24")
    await stub.ImportCalendar(pb.ImportCalendarRequest(unit=PROVINCE, request_id="t1", calendar=turned))
    await stub.ImportCalendar(pb.ImportCalendarRequest(unit=COMMUNE, request_id="t1", calendar=_calendar()))
    held = (await stub.GetCalendar(pb.GetCalendarRequest(unit=SCHOOL_A, school_year=2026))).calendar
    days = {
        day: (await stub.GetCalendarDay(pb.GetCalendarDayRequest(unit=SCHOOL_A, day=day))).school_year
        for day in ("2026-08-23", "2026-08-24")
    }
    school = records.scopes.tree.resolve(SCHOOL_A, TODAY)
    assert school is not None
    async with asyncio.timeout(60):
        while records.scopes.tree.years(school, TODAY).of(date(2026, 8, 23)) != 2025:
            await records.scopes.changed()

    assert held.first_day == "2026-08-24"
    assert days == {"2026-08-23": 2025, "2026-08-24": 2026}
    assert records.scopes.tree.years(school, TODAY).first_day(2027) == date(2027, 8, 1)
    early = pb.ImportCalendarRequest(unit=PROVINCE, request_id="t2", calendar=_calendar(first_day="2026-05-31"))
    with pytest.raises(Fault) as error:
        await stub.ImportCalendar(early)
    assert [one.field for one in error.value.violations] == ["calendar.first_day"]


async def test_a_calendar_says_which_days_have_lessons_and_every_service_learns_it(records: Running):
    """By the tree that all follow: what a province begins with, then what it imports, without the day it frees."""
    school = records.scopes.tree.resolve(SCHOOL_A, TODAY)
    assert school is not None

    def lessons(day: date) -> bool:
        return records.scopes.tree.open_days(school, TODAY, weekdays=frozenset(range(1, 6))).has(day)

    assert lessons(date(2026, 11, 20))
    stub = await records.calendar()
    freed = _calendar(holidays=[_closed("2026-11-20")])
    await stub.ImportCalendar(pb.ImportCalendarRequest(unit=COMMUNE, request_id="f1", calendar=freed))
    async with asyncio.timeout(60):
        while lessons(date(2026, 11, 20)):
            await records.scopes.changed()

    assert lessons(date(2026, 11, 19))
    assert lessons(date(2026, 4, 22)), "the year before is told as records began with it"
    assert not lessons(date(2026, 4, 27))
