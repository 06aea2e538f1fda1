"""School days of a unit, and by when of such a day attendance has to be reported. Days are those of Viet Nam."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

VIETNAM: Final = ZoneInfo("Asia/Ho_Chi_Minh")
LONGEST_GAP: Final = 120  # Days without school that are looked over for the next school day: a summer.


class SchoolDays(Protocol):
    """The school days of a unit."""

    def has(self, day: date, /) -> bool:
        """Whether there are lessons."""


@dataclass(frozen=True, slots=True)
class SchoolCalendar:
    """What holds for one unit."""

    days: SchoolDays
    report_by: time

    def is_school_day(self, day: date) -> bool:
        """Whether there are lessons."""
        return self.days.has(day)

    def first_in_school(self, instant: datetime) -> datetime | None:
        """The first instant from one on that lies in a school day; None: there is none within months."""
        today = instant.astimezone(VIETNAM).date()
        if self.is_school_day(today):
            return instant
        days = (today + timedelta(days=ahead) for ahead in range(1, LONGEST_GAP))
        day = next(filter(self.is_school_day, days), None)
        return None if day is None else datetime.combine(day, time.min, VIETNAM)

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


@dataclass(frozen=True, slots=True)
class Weekly:
    """On which weekdays there are lessons (1 Monday to 7 Sunday), and by when their attendance is reported."""

    weekdays: frozenset[int]
    report_by: time


def read_weekly(table: Mapping[str, Any]) -> Weekly:
    """What a table such as `rules/calendar.json` says."""
    return Weekly(frozenset(table["weekdays"]), time.fromisoformat(table["deadline"]["time"]))
