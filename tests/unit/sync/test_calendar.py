"""School years and days of registers: what can be, seen from a day."""

import json
from datetime import date
from importlib.resources import files
from typing import Any

import pytest

from services.sync.domain.calendar import bounds, read_years

TABLE: dict[str, Any] = json.loads((files("services.sync") / "rules" / "school_years.json").read_text("utf-8"))
RULES = read_years(TABLE)


@pytest.mark.parametrize(
    ("today", "latest"),
    [("2026-11-02", 2027), ("2027-07-31", 2027), ("2027-08-01", 2028), ("2028-02-29", 2028)],
)
def test_the_latest_school_year_begins_within_a_year(today: str, latest: int) -> None:
    """Plans for the next school year are early, those for the one after it are mistakes."""
    assert bounds(RULES, date.fromisoformat(today)).latest_year == latest


def test_a_register_is_taken_up_to_tomorrow_and_within_its_school_year() -> None:
    """From the first of August to the end of the next."""
    seen = bounds(RULES, date(2026, 12, 31))
    assert seen.latest_day == "2027-01-01"
    assert seen.span(2026) == ("2026-08-01", "2027-08-31")


def test_where_no_rule_is_valid_nothing_is_doubted() -> None:
    """And a changed frame is another row of the table."""
    old = TABLE["rules"][0] | {"valid_to": "2027-01-01"}
    new = TABLE["rules"][0] | {"valid_from": "2027-01-01", "valid_to": "2030-01-01", "first_day": "09-01"}
    seen = bounds(read_years({"sources": TABLE["sources"], "rules": [old, new]}), date(2031, 1, 1))
    assert (seen.latest_year, seen.latest_day) == (9999, "9999-12-31")
    assert [seen.span(year) for year in (2026, 2027, 2030)] == [
        ("2026-08-01", "2027-08-31"),
        ("2027-09-01", "2028-08-31"),
        None,
    ]
