"""School days of the province: which days have lessons, and by when of a day attendance has to be reported.

Days are those of Viet Nam. The calendar is data; what it does not cover has no school day.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
LONGEST_GAP = 120  # Days without school that are looked over for the next deadline: a summer.


@dataclass(frozen=True, slots=True)
class SchoolCalendar:
    """School years and holidays as spans of days, both ends included."""

    years: tuple[tuple[int, date, date], ...]
    holidays: tuple[tuple[date, date], ...]
    weekdays: frozenset[int]  # 1 Monday to 7 Sunday
    report_by: time

    def school_year(self, day: date) -> int:
        """The school year a day belongs to: the last that has begun; before the first, by the calendar year."""
        begun = [year for year, first, _ in self.years if first <= day]
        by_date = day.year if day.month >= 8 else day.year - 1
        return max(max(begun, default=by_date), by_date)

    def is_school_day(self, day: date) -> bool:
        """Whether there are lessons."""
        return (
            day.isoweekday() in self.weekdays
            and any(first <= day <= last for _, first, last in self.years)
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


def read_calendar(table: Mapping[str, Any]) -> SchoolCalendar:
    """The calendar of a table such as `rules/calendar.json`."""
    day = date.fromisoformat
    return SchoolCalendar(
        years=tuple((one["school_year"], day(one["first_day"]), day(one["last_day"])) for one in table["years"]),
        holidays=tuple((day(one["first_day"]), day(one["last_day"])) for one in table["holidays"]),
        weekdays=frozenset(table["weekdays"]),
        report_by=time.fromisoformat(table["deadline"]["time"]),
    )
