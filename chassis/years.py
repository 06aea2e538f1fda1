"""Numbered years that do not begin on 1 January: which one a day lies in.

A year bears the number of the calendar year in which it begins. On which day it begins is data (`ScopeTree.years`);
one of which nothing is told begins on `USUAL_TURN`. This is the only place where that day stands.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

USUAL_TURN: Final = (8, 1)  # month and day


def usual_first_day(year: int) -> date:
    """The first day of a year of which nothing else is told."""
    return date(year, *USUAL_TURN)


class Years:
    """The years that hold somewhere, by the first days that are told of them."""

    __slots__ = ("_told",)

    def __init__(self, told: Mapping[int, date] | None = None) -> None:
        self._told = told or {}

    def first_day(self, year: int) -> date:
        """The first day of a year."""
        return self._told.get(year) or usual_first_day(year)

    def last_day(self, year: int) -> date:
        """The day before the next year begins."""
        return self.first_day(year + 1) - timedelta(days=1)

    def of(self, day: date) -> int:
        """The year that a day lies in."""
        return day.year if self.first_day(day.year) <= day else day.year - 1
