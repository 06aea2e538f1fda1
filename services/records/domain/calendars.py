"""Calendars: what a day is, and when a number of working days is over. Holidays of a unit and of all above it hold."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

PUBLIC, SCHOOL = "public", "school"
_EARLIEST_TURN: Final = (6, 1)  # Teaching ends by 31 May: no school year begins before.
_SATURDAY, _SUNDAY = 5, 6
_LONGEST: Final = 400  # Days; nobody waits longer for a working day.


@dataclass(frozen=True, slots=True)
class Term:
    """A term of a school year, both days included."""

    number: int
    first_day: date
    last_day: date
    teaching_weeks: int = 0


@dataclass(frozen=True, slots=True)
class Holiday:
    """Days that are free, both included: for everybody, or for schools only."""

    first_day: date
    last_day: date
    kind: str
    name: str

    def holds(self, day: date) -> bool:
        """Whether a day is one of them."""
        return self.first_day <= day <= self.last_day


@dataclass(frozen=True, slots=True)
class Calendar:
    """A unit's calendar of a school year."""

    unit_id: int  # 0: every unit.
    school_year: int
    opening_day: date
    terms: tuple[Term, ...]
    holidays: tuple[Holiday, ...]
    source: str
    confirmed: bool
    revision: int = 0
    create_time: datetime | None = None
    created_by: str = ""
    first_day: date | None = None  # From it on it is this school year; None: as above the unit, at last as usual.


@dataclass(frozen=True, slots=True)
class Day:
    """What a day is."""

    school_year: int
    term: int  # 0: none.
    working: bool
    school: bool
    holiday: Holiday | None
    confirmed: bool


def wrong_with(calendar: Calendar, *, usual_first_day: date) -> tuple[str, str, str] | None:
    """What is wrong with a calendar: the field, in Vietnamese and in English."""
    first = calendar.first_day or usual_first_day
    after = date(first.year + 1, first.month, 1) + timedelta(days=31)
    year = f"{calendar.school_year}-{calendar.school_year + 1}"
    if first.year != calendar.school_year or (first.month, first.day) < _EARLIEST_TURN:
        return (
            "first_day",
            f"Ngày bắt đầu năm học {year} phải từ 01/06 đến 31/12/{calendar.school_year}.",
            f"The first day of the school year {year} must lie from 1 June to 31 December {calendar.school_year}.",
        )
    if not first <= calendar.opening_day < after:
        return (
            "opening_day",
            f"Ngày khai giảng không nằm trong năm học {year}.",
            f"The opening day is not in the school year {year}.",
        )
    if not calendar.terms:
        return "terms", "Hãy ghi ít nhất một học kỳ.", "Name one term at least."
    last = first - timedelta(days=1)
    for place, term in enumerate(calendar.terms):
        if term.number != place + 1 or not last < term.first_day <= term.last_day < after:
            return (
                f"terms[{place}]",
                "Các học kỳ phải đánh số từ 1, nối tiếp nhau, không chồng lên nhau và nằm trong năm học.",
                "Terms must be numbered from 1, follow each other without overlap and lie in the school year.",
            )
        last = term.last_day
    for place, holiday in enumerate(calendar.holidays):
        if not first <= holiday.first_day <= holiday.last_day < after:
            return (
                f"holidays[{place}]",
                f"Ngày nghỉ phải nằm trong năm học {year}, ngày đầu không sau ngày cuối.",
                f"A holiday must lie in the school year {year}, its first day not after its last.",
            )
    return None


def holding(calendars: Iterable[Calendar], above: Sequence[int]) -> Calendar | None:
    """The calendar that holds for a unit: of the nearest in `above`, the unit first, with the holidays of all."""
    by_unit = {one.unit_id: one for one in calendars}
    found = [by_unit[unit_id] for unit_id in above if unit_id in by_unit]
    if not found:
        return None
    holidays = sorted({holiday for one in found for holiday in one.holidays}, key=lambda one: (one.first_day, one.name))
    own = found[0]
    return Calendar(
        own.unit_id,
        own.school_year,
        own.opening_day,
        own.terms,
        tuple(holidays),
        own.source,
        own.confirmed,
        own.revision,
        own.create_time,
        own.created_by,
        next((one.first_day for one in found if one.first_day), None),
    )


def first_days(calendars: Iterable[Calendar], above: Sequence[int]) -> dict[int, date]:
    """Of each school year the first day that is told nearest to a unit; `above` as for `holding`."""
    places = {unit_id: place for place, unit_id in enumerate(above)}
    told = [one for one in calendars if one.unit_id in places and one.first_day]
    told.sort(key=lambda one: -places[one.unit_id])
    return {one.school_year: one.first_day for one in told if one.first_day}


def day_of(calendar: Calendar, day: date) -> Day:
    """What a day is by the calendar of its school year."""
    holiday = next((one for one in calendar.holidays if one.holds(day)), None)
    public = any(one.kind == PUBLIC and one.holds(day) for one in calendar.holidays)
    term = next((one.number for one in calendar.terms if one.first_day <= day <= one.last_day), 0)
    return Day(
        school_year=calendar.school_year,
        term=term,
        working=day.weekday() < _SATURDAY and not public,
        school=bool(term) and day.weekday() != _SUNDAY and holiday is None,
        holiday=holiday,
        confirmed=calendar.confirmed,
    )


def works(calendars: Iterable[Calendar], year_of: Callable[[date], int]) -> Callable[[date], bool]:
    """Whether offices work on a day; where no calendar tells, Monday to Friday count."""
    by_year = {one.school_year: one for one in calendars}

    def working(day: date) -> bool:
        calendar = by_year.get(year_of(day))
        return day_of(calendar, day).working if calendar else day.weekday() < _SATURDAY

    return working


def after_working_days(start: date, count: int, working: Callable[[date], bool]) -> date:
    """The last of so many working days after a day; the day itself is not counted."""
    day, left = start, count
    for _ in range(_LONGEST):
        if not left:
            break
        day += timedelta(days=1)
        left -= working(day)
    return day
