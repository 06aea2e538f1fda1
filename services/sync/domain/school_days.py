"""School days as the coverage of a school counts them, and when days begin. Days are those of Viet Nam."""

from datetime import date, datetime, time
from functools import lru_cache
from typing import Final, Protocol
from zoneinfo import ZoneInfo

VIETNAM: Final = ZoneInfo("Asia/Ho_Chi_Minh")


class SchoolDays(Protocol):
    """The school days of a school."""

    def after(self, start: datetime, hours: float, /) -> datetime | None:
        """The instant at which so many hours of school days have passed since another; None: not within years."""

    def nth_after(self, day: date, count: int, /) -> date | None:
        """The school day that is the nth after a day; None: there is none within years."""


@lru_cache(maxsize=1024)
def begin_of(day: date) -> datetime:
    """The instant at which a day begins in Viet Nam."""
    return datetime.combine(day, time.min, VIETNAM)
