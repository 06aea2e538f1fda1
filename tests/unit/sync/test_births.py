"""Dates of birth: what cannot be is found, what is unusual is not."""

import json
from datetime import date
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.convert.rules import load_rules
from services.sync.domain.births import Doubt, Years, births, read_rules

TABLE: dict[str, Any] = json.loads((files("services.sync") / "rules" / "birth_dates.json").read_text("utf-8"))
BIRTHS = load_rules().births
TODAY = "2026-11-02"


@pytest.mark.parametrize(
    ("born", "grade", "level"),
    [
        ("", "06", "03"),
        ("2015-03-09", "06", "03"),
        ("2009-03-09", "06", "03"),  # Six years late.
        ("2017-03-09", "06", "03"),  # Two years early.
        ("2020-12-31", "01", "02"),
        ("1999-01-01", "12", "04"),
        ("1950-01-01", "01", "05"),  # Learns to read in continuing education.
        ("2026-08-01", "13", "01"),  # Three months old.
        ("2018-01-01", "18", "01"),  # With a disability, still in kindergarten.
    ],
)
def test_the_unusual_is_taken(born: str, grade: str, level: str) -> None:
    """Over-age pupils, early ones, adults, babies; and a date that is not known."""
    assert BIRTHS("pupil", born, 2026, grade, level, TODAY) is None


@pytest.mark.parametrize(
    ("born", "grade", "level", "doubt"),
    [
        ("2015-02-30", "06", "03", Doubt.NO_DAY),
        ("2026-11-03", "13", "01", Doubt.FUTURE),
        ("2062-01-01", "06", "03", Doubt.FUTURE),
        ("1890-01-01", "06", "03", Years(1986, 2018)),
        ("1890-01-01", "06", "05", Years(1916, 2018)),
        ("1014-05-06", "06", "03", Years(1986, 2018)),
        ("2024-01-01", "09", "03", Years(1986, 2015)),
        ("1914-05-06", "18", "01", Years(2016, 2023)),
    ],
)
def test_the_impossible_is_found(born: str, grade: str, level: str, doubt: Doubt | Years) -> None:
    """With the years that can be, by grade and level."""
    assert BIRTHS("pupil", born, 2026, grade, level, TODAY) == doubt


def test_staff_have_bounds_of_their_own() -> None:
    """Whoever works is at least fifteen."""
    assert BIRTHS("staff_member", "2012-01-01", 2026, "", "", TODAY) == Years(1926, 2011)
    assert BIRTHS("staff_member", "1960-01-01", 2026, "", "", TODAY) is None


def test_a_rule_counts_for_the_school_years_it_is_valid_in() -> None:
    """A change of law is another row, not another program; where no rule is valid nothing is doubted."""
    old = TABLE["rules"][-1] | {"valid_to": "2020-07-01"}
    new = TABLE["rules"][-1] | {"valid_from": "2020-07-01", "valid_to": "2030-07-01", "youngest": 18}
    found = births(read_rules({"sources": TABLE["sources"], "rules": [old, new]}))
    assert found("staff_member", "2003-01-01", 2019, "", "", TODAY) is None
    assert found("staff_member", "2003-01-01", 2020, "", "", TODAY) == Years(1920, 2002)
    assert found("staff_member", "1803-01-01", 2031, "", "", TODAY) is None


def test_every_rule_has_its_source_and_every_grade_a_rule() -> None:
    """No limit without a document, no grade without a limit."""
    rules = read_rules(TABLE)
    assert all(rule.source and rule.valid_from and rule.youngest < rule.oldest for rule in rules)
    for grade in (f"{number:02d}" for number in range(1, 19)):
        for level in ("01", "02", "03", "04", "05"):
            assert any(rule.applies("pupil", grade, level, "2026-09-01") for rule in rules)


@given(st.integers(1, 12), st.dates(min_value=date(1995, 1, 1), max_value=date(2026, 8, 31)))
def test_who_is_of_the_usual_age_is_never_doubted(grade: int, born: date) -> None:
    """Nor who is up to two years early or ten years late."""
    age = 2026 - born.year
    doubt = BIRTHS("pupil", born.isoformat(), 2026, f"{grade:02d}", "", TODAY)
    assert doubt is None or not -2 <= age - (grade + 5) <= 10
