"""Numbered years that turn on a day which is data."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.scope_tree import EVERY_UNIT, ScopeEdge, ScopeTree, ScopeUnit, ScopeYear
from chassis.years import Years

TODAY = date(2026, 11, 20)
PROVINCE, COMMUNE, ELSEWHERE = 1, 2, 3
UNITS = (ScopeUnit(PROVINCE), ScopeUnit(COMMUNE, edges=(ScopeEdge(PROVINCE),)), ScopeUnit(ELSEWHERE))


@pytest.mark.parametrize(
    ("day", "year"),
    [(date(2026, 7, 31), 2025), (date(2026, 8, 1), 2026), (date(2026, 12, 31), 2026), (date(2027, 1, 1), 2026)],
)
def test_a_year_of_which_nothing_is_told_turns_on_the_first_of_august(day: date, year: int) -> None:
    """It bears the number of the calendar year in which it begins."""
    assert Years().of(day) == year


def test_the_turn_that_is_told_nearest_holds_for_its_year_alone() -> None:
    """Of a province for all below it; of a commune for the commune; of every unit for who has none."""
    told = (
        ScopeYear(EVERY_UNIT, 2026, date(2026, 8, 10)),
        ScopeYear(PROVINCE, 2026, date(2026, 8, 24)),
        ScopeYear(COMMUNE, 2027, date(2027, 7, 15)),
    )
    tree = ScopeTree(UNITS, years=told)

    def year(unit: int, day: date) -> int:
        return tree.years(unit, TODAY).of(day)

    assert [year(unit, date(2026, 8, 20)) for unit in (PROVINCE, COMMUNE, ELSEWHERE)] == [2025, 2025, 2026]
    assert [year(unit, date(2026, 8, 9)) for unit in (PROVINCE, COMMUNE, ELSEWHERE)] == [2025, 2025, 2025]
    assert [year(unit, date(2027, 7, 20)) for unit in (PROVINCE, COMMUNE, ELSEWHERE)] == [2026, 2027, 2026]
    assert year(PROVINCE, date(2025, 8, 1)) == 2025


TURNS = st.dictionaries(st.integers(2020, 2030), st.integers(0, 200), max_size=5)


@given(TURNS, st.dates(date(2021, 1, 1), date(2029, 12, 31)))
def test_every_day_lies_in_one_year_and_years_follow_each_other(turns: dict[int, int], day: date) -> None:
    """Between the first and the last day of its year, whatever is told of years."""
    years = Years({year: date(year, 6, 1) + timedelta(days=after) for year, after in turns.items()})
    year = years.of(day)
    assert years.first_day(year) <= day <= years.last_day(year)
    assert years.of(years.last_day(year) + timedelta(days=1)) == year + 1
