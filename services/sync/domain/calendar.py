"""School years and days of registers that cannot be: too far ahead, or a day outside its school year.

The bounds are data, rows with validity and source (`rules/school_years.json`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from services.sync.domain.problems import Called, Problem
from services.sync.domain.words import Text


@dataclass(frozen=True, slots=True)
class YearRule:
    """How a school year lies in the calendar, and how far ahead is believed."""

    first_day: str  # Month and day, `08-01`,
    last_day: str  # of the next calendar year.
    years_ahead: int  # A school year that begins later from today on is not believed,
    days_ahead: int  # nor the register of a later day.
    valid_from: str  # The first day it applies to, ISO 8601,
    valid_to: str  # and the first day it no longer does; empty: open.
    source: str

    def applies(self, day: str) -> bool:
        """Whether it is the rule for a day."""
        return self.valid_from <= day and (not self.valid_to or day < self.valid_to)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What can be, seen from one day."""

    rules: tuple[YearRule, ...]
    latest_year: int  # The last school year, by its first calendar year,
    latest_day: str  # and the last day of a register, ISO 8601.

    def span(self, school_year: int) -> tuple[str, str] | None:
        """The first and the last day of a school year; None: no rule says."""
        rule = next((one for one in self.rules if one.applies(f"{school_year}-{one.first_day}")), None)
        return (f"{school_year}-{rule.first_day}", f"{school_year + 1}-{rule.last_day}") if rule else None


def read_years(table: Mapping[str, Any]) -> tuple[YearRule, ...]:
    """The rules of a table such as `rules/school_years.json`."""
    sources = table["sources"]
    return tuple(YearRule(**entry | {"source": sources[entry["source"]]}) for entry in table["rules"])


def bounds(rules: Iterable[YearRule], today: date) -> Bounds:
    """What can be as of today; where no rule is valid nothing is doubted."""
    every = tuple(rules)
    rule = next((one for one in every if one.applies(today.isoformat())), None)
    if rule is None:
        return Bounds(every, 9999, "9999-12-31")
    year = today.year + rule.years_ahead
    begun = rule.first_day <= today.isoformat()[5:]
    return Bounds(every, year if begun else year - 1, (today + timedelta(days=rule.days_ahead)).isoformat())


def far_school_year(called: Called, *, latest: int) -> Problem:
    """Name a school year that begins too far ahead."""
    label, year = called.label, f"{latest}-{latest + 1}"
    return Problem(
        called.reason,
        called.field,
        Text(
            f"{label.vi} ở quá xa: năm học muộn nhất nhận được hôm nay là {year}. Hãy kiểm tra lại năm.",
            f"{label.en} is too far ahead: the latest school year taken today is {year}. Check the year.",
        ),
        metadata={"latest_school_year": str(latest)},
    )


def far_day(called: Called, *, latest: str) -> Problem:
    """Name the day of a register that is still to come."""
    label = called.label
    return Problem(
        called.reason,
        called.field,
        Text(
            f"{label.vi} nằm sau ngày mai: hôm nay chỉ nhận điểm danh đến {_vi(latest)}. "
            "Hãy kiểm tra lại năm, cả thứ tự ngày và tháng.",
            f"{label.en} lies after tomorrow: registers are taken up to {latest} today. "
            "Check the year, and the order of day and month.",
        ),
        metadata={"latest_day": latest},
    )


def day_outside_year(called: Called, *, year: Called, school_year: int, span: tuple[str, str]) -> Problem:
    """Name the day of a register that its school year does not have."""
    label, (first, last) = called.label, span
    told = f"{school_year}-{school_year + 1}"
    return Problem(
        called.reason,
        called.field,
        Text(
            f"{label.vi} không nằm trong năm học {told} (từ {_vi(first)} đến {_vi(last)}). "
            f"Hãy sửa ngày, hoặc kiểm tra {year.label.vi}.",
            f"{label.en} is not in the school year {told} ({first} to {last}). "
            f"Correct the day, or check {year.label.en}.",
        ),
        metadata={"earliest_day": first, "latest_day": last},
    )


def _vi(day: str) -> str:
    return f"{day[8:]}/{day[5:7]}/{day[:4]}"
