"""A pivot as a plain value, and when it is sent: by the clock of Vietnam, a missed time once and not again."""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import IntEnum
from typing import Any
from zoneinfo import ZoneInfo

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
DAYS_OF_WEEK = 7
MOST_OWNED = 200


class Interval(IntEnum):
    """How often; numbers as in the contract."""

    NEVER = 0
    DAILY = 1
    WEEKLY = 2
    MONTHLY = 3


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a pivot is sent, and as what."""

    interval: Interval = Interval.NEVER
    hour: int = 0
    day: int = 0
    format: str = "xlsx"

    def next_after(self, moment: datetime) -> datetime | None:
        """The first time after a moment; None: never."""
        if self.interval is Interval.NEVER:
            return None
        day = moment.astimezone(VIETNAM).date()
        while True:
            at = datetime.combine(day, time(self.hour), VIETNAM)
            if self._falls_on(day) and at > moment:
                return at
            day += timedelta(days=1)

    def _falls_on(self, day: date) -> bool:
        wanted = self.day or 1
        if self.interval is Interval.WEEKLY:
            return day.isoweekday() == min(wanted, DAYS_OF_WEEK)
        if self.interval is Interval.MONTHLY:
            return day.day == min(wanted, monthrange(day.year, day.month)[1])
        return True


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a pivot; the question is as its contract writes it."""

    name: str
    question: Mapping[str, Any]
    shared: bool
    schedule: Schedule


@dataclass(frozen=True, slots=True)
class Pivot:
    """A pivot."""

    unit_id: int
    pivot_id: int
    owner: str
    kept: Kept
    language: str
    next_time: datetime | None
    revision: int
    update_time: datetime

    @property
    def etag(self) -> str:
        """Tells this content from any other."""
        return f"{self.pivot_id}.{self.revision}"


@dataclass(frozen=True, slots=True)
class Asked:
    """A pivot's question; a period is a school year (0: the current one) and a day in it (empty: the present)."""

    indicators: tuple[str, ...]
    breakdown: str
    dimensions: tuple[str, ...]
    periods: tuple[tuple[int, str], ...]
    compare_with: frozenset[str]
    follow_successions: bool
