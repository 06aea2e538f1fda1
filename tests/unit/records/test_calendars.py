"""Calendars: what a day is, working days counted, and what cannot be one."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.years import Years, usual_first_day
from services.records.domain.calendars import (
    PUBLIC,
    SCHOOL,
    Calendar,
    Holiday,
    Term,
    after_working_days,
    day_of,
    holding,
    works,
    wrong_with,
)

TET = Holiday(date(2026, 2, 16), date(2026, 2, 20), PUBLIC, "Tết")
TERMS = (Term(1, date(2025, 9, 5), date(2026, 1, 17)), Term(2, date(2026, 1, 19), date(2026, 5, 30)))
YEAR = Calendar(0, 2025, date(2025, 9, 5), TERMS, (TET,), "QĐ 2269", confirmed=True)
DAYS = st.dates(date(2025, 8, 1), date(2026, 7, 31))


@pytest.mark.parametrize(
    ("day", "working", "school", "term"),
    [
        (date(2026, 2, 13), True, True, 2),
        (date(2026, 2, 14), False, True, 2),  # Saturday: a school may teach
        (date(2026, 2, 15), False, False, 2),
        (date(2026, 2, 17), False, False, 2),
        (date(2026, 1, 18), False, False, 0),
        (date(2026, 7, 1), True, False, 0),
    ],
)
def test_a_day_is_what_the_calendar_says(day: date, working: bool, school: bool, term: int) -> None:  # noqa: FBT001
    """Offices and schools are free on other days."""
    said = day_of(YEAR, day)
    assert (said.working, said.school, said.term) == (working, school, term)


def test_the_nearest_unit_has_its_own_terms_and_the_holidays_of_all_above() -> None:
    """A flooded commune has a day of its own and Tết as well."""
    flood = Holiday(date(2025, 11, 3), date(2025, 11, 4), SCHOOL, "Nghỉ lũ")
    commune = replace(YEAR, unit_id=7, holidays=(flood,), terms=TERMS[:1])

    held = holding([YEAR, commune], [7, 1, 0])
    assert held is not None
    assert (held.terms, held.holidays) == (TERMS[:1], (flood, TET))
    assert holding([YEAR, commune], [8, 1, 0]) == YEAR
    assert holding([commune], [8, 1, 0]) is None
    assert day_of(held, date(2025, 11, 3)).working  # schools only


def test_five_working_days_before_tet_end_after_it() -> None:
    """From Thursday the 12th: the 13th, then the 23rd to the 26th."""
    assert after_working_days(date(2026, 2, 12), 5, works([YEAR], Years().of)) == date(2026, 2, 26)


@given(DAYS, st.integers(1, 30))
def test_so_many_working_days_lie_between(start: date, count: int) -> None:
    """Neither one more nor one less, and the last is one."""
    working = works([YEAR], Years().of)
    end = after_working_days(start, count, working)
    days = [start + timedelta(days=step) for step in range(1, (end - start).days + 1)]
    assert sum(map(working, days)) == count
    assert working(end)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (replace(YEAR, opening_day=date(2027, 9, 5)), "opening_day"),
        (replace(YEAR, terms=()), "terms"),
        (replace(YEAR, terms=TERMS[::-1]), "terms[0]"),
        (replace(YEAR, terms=(TERMS[0], replace(TERMS[1], first_day=date(2026, 1, 17)))), "terms[1]"),
        (replace(YEAR, holidays=(replace(TET, last_day=date(2026, 2, 1)),)), "holidays[0]"),
    ],
)
def test_a_calendar_that_cannot_be_is_named_by_its_field(wrong: Calendar, field: str) -> None:
    """In both languages."""
    found = wrong_with(wrong, usual_first_day=usual_first_day(2025))
    assert found is not None
    assert (found[0], bool(found[1]), bool(found[2])) == (field, True, True)
    assert wrong_with(YEAR, usual_first_day=usual_first_day(2025)) is None
