"""Open days of a unit: those of its terms that are no holidays, on some weekdays. Days are those of Viet Nam.

Which days they are is data (`ScopeTree.open_days`), told as spans. A day that no term covers is not open, so that time
of which nothing is known makes nobody late.
"""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Final

from chassis.clock import VIETNAM

LONGEST: Final = 800  # Days that are looked over: two years and what lies between their terms.

Span = tuple[date, date]  # Both ends included.


class OpenDays:
    """What holds for one unit. Weekdays are 1 (Monday) to 7 (Sunday)."""

    __slots__ = ("_holidays", "_known", "_terms", "_weekdays")

    def __init__(self, terms: Iterable[Span], holidays: Iterable[Span], *, weekdays: frozenset[int]) -> None:
        self._terms = tuple(terms)
        self._holidays = tuple(holidays)
        self._weekdays = weekdays
        self._known: dict[date, bool] = {}

    def has(self, day: date) -> bool:
        """Whether a day is open."""
        known = self._known.get(day)
        if known is None:
            known = self._known[day] = (
                day.isoweekday() in self._weekdays
                and any(first <= day <= last for first, last in self._terms)
                and not any(first <= day <= last for first, last in self._holidays)
            )
        return known

    def after(self, start: datetime, hours: float) -> datetime | None:
        """The instant at which so many hours of open days have passed since another; None: not within years."""
        left, instant = timedelta(hours=hours), start.astimezone(VIETNAM)
        for _ in range(LONGEST):
            midnight = datetime.combine(instant.date() + timedelta(days=1), time.min, VIETNAM)
            if self.has(instant.date()):
                if left <= midnight - instant:
                    return instant + left
                left -= midnight - instant
            instant = midnight
        return None

    def nth_after(self, day: date, count: int) -> date | None:
        """The open day that is the nth after a day; None: there is none within years."""
        for ahead in range(1, LONGEST):
            one = day + timedelta(days=ahead)
            count -= self.has(one)
            if count <= 0:
                return one
        return None
