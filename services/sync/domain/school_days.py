"""School days: which days have lessons for a unit, and how many hours of such days have passed.

Days are those of Viet Nam. Calendars are data of a unit and a school year; of a unit that has none, the nearest above
that has one holds, and the holidays of all of them. A day that none covers is no school day, so that time of which
nothing is known makes nobody late.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

VIETNAM: Final = ZoneInfo("Asia/Ho_Chi_Minh")
EVERY_UNIT: Final = 0
LONGEST: Final = 800  # Days that are looked over: two school years and the summers beside them.

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


@dataclass(frozen=True)
class SchoolDays:
    """What holds for one unit."""

    terms: tuple[Span, ...]
    holidays: tuple[Span, ...]
    weekdays: frozenset[int]  # 1 Monday to 7 Sunday
    _known: dict[date, bool] = field(default_factory=dict, compare=False, repr=False)

    def has(self, day: date) -> bool:
        """Whether there are lessons."""
        known = self._known.get(day)
        if known is None:
            known = self._known[day] = (
                day.isoweekday() in self.weekdays
                and any(first <= day <= last for first, last in self.terms)
                and not any(first <= day <= last for first, last in self.holidays)
            )
        return known

    def after(self, start: datetime, hours: float) -> datetime | None:
        """The instant at which so many hours of school days have passed since another; None: not within years."""
        left, instant = timedelta(hours=hours), start.astimezone(VIETNAM)
        for _ in range(LONGEST):
            midnight = begin_of(instant.date() + timedelta(days=1))
            if self.has(instant.date()):
                if left <= midnight - instant:
                    return instant + left
                left -= midnight - instant
            instant = midnight
        return None

    def nth_after(self, day: date, count: int) -> date | None:
        """The school day that is the nth after a day; None: there is none within years."""
        for ahead in range(1, LONGEST):
            one = day + timedelta(days=ahead)
            count -= self.has(one)
            if count <= 0:
                return one
        return None


class Calendars:
    """The calendars of units, and what holds for a unit by them."""

    def __init__(self, calendars: Iterable[UnitCalendar], *, weekdays: frozenset[int]) -> None:
        self._known = {(one.unit_id, one.school_year): one for one in calendars}
        self._units = {unit_id for unit_id, _ in self._known}
        self._weekdays = weekdays
        self._made: dict[tuple[int, ...], SchoolDays] = {}

    def overlaid(self, told: Iterable[UnitCalendar]) -> "Calendars":
        """These with what was told in place of what they say of the same unit and school year."""
        known = self._known | {(one.unit_id, one.school_year): one for one in told}
        return Calendars(known.values(), weekdays=self._weekdays)

    def of(self, units: Sequence[int]) -> SchoolDays:
        """What holds for the first of these units, given with those above it, nearest first."""
        chain = tuple(unit_id for unit_id in dict.fromkeys((*units, EVERY_UNIT)) if unit_id in self._units)
        if chain not in self._made:
            self._made[chain] = self._merged(chain)
        return self._made[chain]

    def _merged(self, chain: Sequence[int]) -> SchoolDays:
        nearest: dict[int, UnitCalendar] = {}
        holidays: set[Span] = set()
        for unit_id in chain:
            for (owner, year), one in self._known.items():
                if owner == unit_id:
                    nearest.setdefault(year, one)
                    holidays.update(one.holidays)
        terms = tuple(term for year in sorted(nearest) for term in nearest[year].terms)
        return SchoolDays(terms, tuple(sorted(holidays)), self._weekdays)


@lru_cache(maxsize=1024)
def begin_of(day: date) -> datetime:
    """The instant at which a day begins in Viet Nam."""
    return datetime.combine(day, time.min, VIETNAM)


def read_calendars(table: Mapping[str, Any]) -> Calendars:
    """The calendars of a table such as `rules/school_days.json`, which hold until others are told."""
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
    )


def _span(one: Mapping[str, str]) -> Span:
    return date.fromisoformat(one["first_day"]), date.fromisoformat(one["last_day"])
