"""Dates of birth that cannot be: not in the calendar, still to come, or of an age nobody has in that grade.

The bounds are data, rows with validity and source (`rules/birth_dates.json`), wide enough for everyone who learns early
or late: they find years that were written wrongly, not pupils who are unusual.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from services.sync.domain.problems import Called, Problem
from services.sync.domain.values import is_day
from services.sync.domain.words import Text


@dataclass(frozen=True, slots=True)
class AgeRule:
    """Ages, as the school year's first year less the year of birth, that can be."""

    record: str
    grades: frozenset[str]  # Empty: whatever the grade.
    levels: frozenset[str]  # Empty: whatever the level.
    youngest: int
    oldest: int
    valid_from: str  # The first day of a school year it applies to, ISO 8601,
    valid_to: str  # and the first day it no longer does; empty: open.
    source: str

    def applies(self, record: str, grade: str, level: str, day: str) -> bool:
        """Whether it is the rule for such a record on the day a school year begins."""
        return (
            self.record == record
            and (not self.grades or grade in self.grades)
            and (not self.levels or level in self.levels)
            and self.valid_from <= day
            and (not self.valid_to or day < self.valid_to)
        )


class Doubt(Enum):
    """Why a date of birth cannot be, besides its age."""

    NO_DAY = 1
    FUTURE = 2


@dataclass(frozen=True, slots=True)
class Years:
    """The years of birth that can be, where the one that was written cannot."""

    first: int
    last: int


Births = Callable[[str, str, int, str, str, str], "Doubt | Years | None"]


def read_rules(table: Mapping[str, Any]) -> list[AgeRule]:
    """The rules of a table such as `rules/birth_dates.json`."""
    return [
        AgeRule(
            entry["record"],
            frozenset(entry["grades"]),
            frozenset(entry["levels"]),
            entry["youngest"],
            entry["oldest"],
            entry["valid_from"],
            entry["valid_to"],
            table["sources"][entry["source"]],
        )
        for entry in table["rules"]
    ]


def births(rules: Iterable[AgeRule]) -> Births:
    """A function of record, date of birth, school year, grade, level and today that finds what cannot be.

    The same dates come again and again: what was found is remembered.
    """
    every = tuple(rules)

    @lru_cache(maxsize=65536)
    def doubt(record: str, born: str, school_year: int, grade: str, level: str, today: str) -> Doubt | Years | None:
        if not born:
            return None
        if not is_day(born):
            return Doubt.NO_DAY
        if born > today:
            return Doubt.FUTURE
        begins = f"{school_year}-09-01"
        rule = next((one for one in every if one.applies(record, grade, level, begins)), None)
        if rule is None or rule.youngest <= school_year - int(born[:4]) <= rule.oldest:
            return None
        return Years(school_year - rule.oldest, school_year - rule.youngest)

    return doubt


def born_in_future(called: Called) -> Problem:
    """Name a date of birth that is still to come."""
    label = called.label
    return Problem(
        called.reason,
        called.field,
        Text(
            f"{label.vi} nằm sau ngày hôm nay. Hãy kiểm tra lại năm sinh, cả thứ tự ngày và tháng.",
            f"{label.en} lies after today. Check the year of birth, and the order of day and month.",
        ),
    )


def implausible_birth(called: Called, *, whose: Text, years: Years, also: Iterable[Called]) -> Problem:
    """Name a date of birth that cannot be right for what the row says besides."""
    first, last = years.first, years.last
    others = [one.label for one in also]
    vi, en = ", ".join(one.vi for one in others), ", ".join(one.en for one in others)
    return Problem(
        called.reason,
        called.field,
        Text(
            f"{called.label.vi} không thể đúng: {whose.vi} phải sinh từ {first} đến {last}. "
            f"Hãy sửa năm sinh, hoặc kiểm tra {vi}.",
            f"{called.label.en} cannot be right: {whose.en} must be born from {first} to {last}. "
            f"Correct the year of birth, or check {en}.",
        ),
        metadata={"earliest_year": str(first), "latest_year": str(last)},
    )
