"""School days: which days have lessons for a unit, and by when of a day attendance has to be reported.

Days are those of Viet Nam. Calendars are data of a unit and a school year; of a unit that has none, the nearest above
that has one holds, and the holidays of all of them. A day that none covers is no school day.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
LONGEST_GAP = 120  # Days without school that are looked over for the next deadline: a summer.
EVERY_UNIT = 0

Span = tuple[date, date]  # Both ends included.


@dataclass(frozen=True, slots=True)
class UnitCalendar:
    """Terms and holidays of a unit in a school year; of unit 0, of all. `revision` rises with each that is told."""

    unit_id: int
    school_year: int
    revision: int
    terms: tuple[Span, ...]
    holidays: tuple[Span, ...]
    source: str


@dataclass(frozen=True, slots=True)
class SchoolCalendar:
    """What holds for one unit: terms by school year, and holidays."""

    terms: tuple[tuple[int, date, date], ...]
    holidays: tuple[Span, ...]
    weekdays: frozenset[int]  # 1 Monday to 7 Sunday
    report_by: time

    def is_school_day(self, day: date) -> bool:
        """Whether there are lessons."""
        return (
            day.isoweekday() in self.weekdays
            and any(first <= day <= last for _, first, last in self.terms)
            and not any(first <= day <= last for first, last in self.holidays)
        )

    def deadline(self, day: date) -> datetime:
        """The instant by which attendance of a day has to be reported."""
        return datetime.combine(day, self.report_by, VIETNAM)

    def next_deadline(self, now: datetime) -> datetime | None:
        """The next such instant of a school day; None: there is none within months."""
        today = now.astimezone(VIETNAM).date()
        for ahead in range(LONGEST_GAP):
            day = today + timedelta(days=ahead)
            if self.is_school_day(day) and self.deadline(day) > now:
                return self.deadline(day)
        return None


class Calendars:
    """The calendars of units, and what holds for a unit by them."""

    def __init__(self, calendars: Iterable[UnitCalendar], *, weekdays: frozenset[int], report_by: time) -> None:
        self._known = {(one.unit_id, one.school_year): one for one in calendars}
        self._units = {unit_id for unit_id, _ in self._known}
        self._weekdays = weekdays
        self._report_by = report_by
        self._made: dict[tuple[int, ...], SchoolCalendar] = {}

    def overlaid(self, told: Iterable[UnitCalendar]) -> "Calendars":
        """These with what was told in place of what they say of the same unit and school year."""
        known = self._known | {(one.unit_id, one.school_year): one for one in told}
        return Calendars(known.values(), weekdays=self._weekdays, report_by=self._report_by)

    def of(self, units: Sequence[int]) -> SchoolCalendar:
        """What holds for the first of these units, given with those above it, nearest first."""
        chain = tuple(unit_id for unit_id in dict.fromkeys((*units, EVERY_UNIT)) if unit_id in self._units)
        if chain not in self._made:
            self._made[chain] = self._merged(chain)
        return self._made[chain]

    def _merged(self, chain: Sequence[int]) -> SchoolCalendar:
        nearest: dict[int, UnitCalendar] = {}
        holidays: set[Span] = set()
        for unit_id in chain:
            for (owner, year), one in self._known.items():
                if owner == unit_id:
                    nearest.setdefault(year, one)
                    holidays.update(one.holidays)
        terms = tuple((year, first, last) for year in sorted(nearest) for first, last in nearest[year].terms)
        return SchoolCalendar(terms, tuple(sorted(holidays)), self._weekdays, self._report_by)


def read_calendars(table: Mapping[str, Any]) -> Calendars:
    """The calendars of a table such as `rules/calendar.json`, which hold for every unit until others are told."""
    return Calendars(
        [
            UnitCalendar(
                EVERY_UNIT,
                one["school_year"],
                revision=0,
                terms=tuple(map(_span, one["terms"])),
                holidays=tuple(map(_span, one["holidays"])),
                source=one["source"],
            )
            for one in table["calendars"]
        ],
        weekdays=frozenset(table["weekdays"]),
        report_by=time.fromisoformat(table["deadline"]["time"]),
    )


def _span(one: Mapping[str, str]) -> Span:
    return date.fromisoformat(one["first_day"]), date.fromisoformat(one["last_day"])
