"""Formulas, the cube and school years against numbers worked by hand."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reporting.domain.catalogue import DIMENSIONS, UNIT_MEASURES, Catalogue, Indicator, Term
from services.reporting.domain.cube import (
    GROUPED_LEAST,
    GROUPED_TIMES,
    Column,
    Combinations,
    Roll,
    Rolls,
    sum_columns,
)
from services.reporting.store.catalogue import load_catalogue
from services.reporting.store.mirror import Head, Stocks
from services.reporting.usecases.computing import SLICE, figures_of, prepare
from services.reporting.usecases.places import Places


def _indicator(**changes: Any) -> Indicator:
    fields: dict[str, Any] = {
        "code": "x",
        "name_vi": "x",
        "name_en": "x",
        "counting_rule_vi": "x",
        "counting_rule_en": "x",
        "unit_of_count": "x",
        "dimensions": ("level",),
        "source_document": "x",
        "numerator": Term("pupils"),
    }
    return Indicator(**(fields | changes))


def test_a_ratio_is_its_numerator_over_its_denominator_times_its_scale() -> None:
    """17 of 20 schools are 85 percent; 107 pupils in 3 classes are 35.67 a class."""
    share = _indicator(denominator=Term("schools"), scale=100.0)
    mean = _indicator(denominator=Term("classes"))
    assert share.value(17, 20) == pytest.approx(85.0)
    assert mean.value(107, 3) == pytest.approx(35.6667, abs=1e-4)


def test_a_ratio_over_nothing_has_no_value() -> None:
    """No class is no class size, not one of zero."""
    assert _indicator(denominator=Term("classes")).value(0, 0) is None


def test_a_ratio_over_a_sensitive_dimension_is_refused() -> None:
    """Numerator and denominator together would point at persons, and so would a part of the pupils beside all."""
    for changes in ({"denominator": Term("pupils")}, {"numerator": Term("pupils", (("sex", "2"),))}):
        with pytest.raises(ValueError, match="sensitive"):
            _indicator(dimensions=("ethnic_group",), **changes)


@pytest.mark.parametrize("term", [Term("pupils", (("ethnic_group", "26"),)), Term("pupils", known=("ethnic_group",))])
@pytest.mark.parametrize("place", ["numerator", "denominator"])
def test_an_indicator_that_counts_some_groups_only_is_refused(term: Term, place: str) -> None:
    """By no dimension, or by level alone, it would tell of one group what nobody decided upon."""
    with pytest.raises(ValueError, match="sensitive"):
        _indicator(dimensions=(), **{place: term})


def test_every_entry_of_the_catalogue_says_how_it_is_counted_in_both_languages() -> None:
    """A number without its rule is not published; codes and dimensions are known and used once."""
    catalogue = load_catalogue()
    assert len(set(catalogue.codes)) == len(catalogue.indicators) >= 50
    for entry in catalogue.indicators:
        assert all((entry.name_vi, entry.name_en, entry.counting_rule_vi, entry.counting_rule_en)), entry.code
        assert all((entry.unit_of_count, entry.source_document, entry.accountable_role)), entry.code
        assert entry.direction in {"up", "down", "none"}
        assert not entry.thresholds or entry.direction != "none", "a threshold says nothing without a direction"
        assert set(entry.dimensions) <= set(DIMENSIONS)
        if entry.numerator.measure in UNIT_MEASURES:
            assert entry.dimensions == ()


def test_the_indicators_that_can_be_broken_down_are_chosen_by_dimension() -> None:
    """What has no ethnic group is not asked for one."""
    catalogue = Catalogue((_indicator(code="a"), _indicator(code="b", dimensions=("level", "ethnic_group"))))
    assert [one.code for one in catalogue.with_dimensions(["ethnic_group"])] == ["b"]
    assert [one.code for one in catalogue.with_dimensions([])] == ["a", "b"]


def test_who_is_of_unknown_sex_is_in_no_term_that_asks_for_a_known_one() -> None:
    """`0` and nothing at all both say that nobody has said."""
    combinations = Combinations()
    columns = {1: combinations.column(["02|01|1|", "02|01|2|", "02|01|0|", "02|01||"], [10, 20, 3, 4])}
    known = Term("pupils", known=("sex",))
    found = sum_columns(columns, combinations, term=known, dimensions=(), targets={1: 1})
    assert found == {1: {(): 30}}


CELLS = st.dictionaries(
    st.tuples(
        st.integers(1, 4), st.sampled_from(["01", "02"]), st.sampled_from("12"), st.sampled_from(["01", "26", "a|b"])
    ),
    st.integers(1, 50),
    max_size=30,
)


@given(
    cells=CELLS,
    dimensions=st.permutations(["level", "sex", "ethnic_group"]).flatmap(
        lambda order: st.integers(0, 3).map(lambda size: order[:size])
    ),
    girls=st.booleans(),
    asked=st.integers(1, 3),
)
def test_the_cube_sums_what_a_loop_over_all_cells_sums(cells, dimensions, girls, asked) -> None:
    """Whatever dimensions are asked for, in whatever order and how often: the groups and their sums are the same."""
    combinations = Combinations()
    columns = {}
    for school in {key[0] for key in cells}:
        own = {key: value for key, value in cells.items() if key[0] == school}
        columns[school] = combinations.column((f"{k[1]}||{k[2]}||||{k[3]}" for k in own), own.values())
    term = Term("pupils", (("sex", "2"),) if girls else ())
    targets = {1: 100, 2: 100, 3: 200}  # School 4 lies elsewhere.
    expected: dict[int, dict[tuple[str, ...], int]] = {}
    for (school, level, sex, group), value in cells.items():
        if school in targets and (sex == "2" or not girls):
            named = {"level": level, "sex": sex, "ethnic_group": group}
            into = expected.setdefault(targets[school], {})
            label = tuple(named[name] for name in dimensions)
            into[label] = into.get(label, 0) + value
    for _ in range(asked):
        found = sum_columns(columns, combinations, term=term, dimensions=dimensions, targets=targets)
        assert {target: sums for target, sums in found.items() if sums} == expected


STATES = st.dictionaries(
    st.integers(1, 4), st.dictionaries(st.sampled_from(["01|1", "01|2", "02|1"]), st.integers(1, 9))
)


@given(
    states=st.lists(STATES, min_size=1, max_size=5), dimensions=st.sampled_from([(), ("level",), ("grade", "level")])
)
def test_sums_that_are_kept_up_are_those_of_a_count_anew(states, dimensions) -> None:
    """Whatever schools send, replace and take back; and what was answered before stays as it was answered."""
    combinations, term = Combinations(), Term("pupils")
    targets = {1: 100, 2: 100, 3: 200, 9: 200}  # School 4 lies elsewhere, unit 9 has sent nothing.
    roll = Roll(combinations.grouping(term, dimensions), targets)
    columns: dict[int, Column] = {}
    said: dict[int, dict[str, int]] = {}
    answers = []
    for state in states:
        columns = {
            school: columns[school] if said.get(school) == cells else combinations.column(cells.keys(), cells.values())
            for school, cells in state.items()
        }
        said = state
        combinations.grouping(term, dimensions)
        found = roll.sums(columns, dimensions)
        anew = sum_columns(columns, combinations, term=term, dimensions=dimensions, targets=targets)
        assert {target: sums for target, sums in found.items() if sums} == {t: s for t, s in anew.items() if s}
        answers.append((found, {target: dict(sums) for target, sums in found.items()}))
    assert all(given == kept for given, kept in answers)


def test_a_question_for_all_indicators_is_answered_from_kept_sums_the_second_time() -> None:
    """None of its sums pushes out another that the same question needs again."""
    indicators = [one for one in load_catalogue().indicators if not one.sensitive]
    measures = {term.measure for one in indicators for term in one.terms}
    measures |= {measure for one in indicators for term in one.terms for measure in term.measures}
    combinations = {measure: Combinations() for measure in measures}
    columns = {one: {1: combinations[one].column(["02|06|1"], [3])} for one in measures}
    stocks = Stocks(Head(1, None), columns, combinations, frozenset({1}), frozenset({1}), school_year=2026)
    places = Places({1: 1}, {1: frozenset({1})})
    first = list(figures_of(indicators, (), stocks, places, disclosed={}, most=1000))
    kept = dict(places.rolls._kept)
    assert list(figures_of(indicators, (), stocks, places, disclosed={}, most=1000)) == first
    assert places.rolls._kept == kept
    assert len(kept) > 50


def test_sums_asked_for_least_recently_are_dropped_when_all_weigh_too_much() -> None:
    """Memory does not grow with what was ever asked; one that weighs too much by itself is not kept."""
    combinations, targets = Combinations(), dict.fromkeys(range(100), 0)
    columns = {school: combinations.column(["01|1"], [1]) for school in range(100)}
    grouping = combinations.grouping(Term("pupils"), ())
    rolls = Rolls(most=300)
    for key in ("a", "b", "a", "c"):
        assert rolls.sums(key, columns, grouping=grouping, targets=targets, dimensions=()) == {0: {(): 100}}
    assert (list(rolls._kept), rolls.weight) == (["a", "c"], sum(one.weight for one in rolls._kept.values()))
    apart = {school: school for school in range(100)}
    assert len(rolls.sums("d", columns, grouping=grouping, targets=apart, dimensions=())) == 100
    assert (len(rolls), rolls.weight) == (0, 0)


def test_what_a_column_remembers_stays_in_proportion_to_the_column() -> None:
    """However many questions are asked of it, each answered rightly; the one asked for last costs nothing again."""
    combinations = Combinations()
    column = combinations.column([f"02|{grade:02}|1" for grade in range(40)], range(40))
    groupings = [combinations.grouping(Term("pupils", (("grade", f"{place:02}"),)), ("sex",)) for place in range(400)]
    by_grade = combinations.grouping(Term("pupils"), ("grade",))
    for place, grouping in enumerate(groupings):
        assert dict(column.grouped(grouping)) == ({0: place} if place < 40 else {})
        assert dict(column.grouped(by_grade)) == {grade: grade for grade in range(40)}
        assert column.weight <= GROUPED_LEAST + GROUPED_TIMES * 40
    assert column.prepare(by_grade) == column.prepare(groupings[-1]) == 0
    assert column.prepare(groupings[0]) == 40


async def test_a_first_look_at_many_stocks_leaves_the_loop_to_others() -> None:
    """A grouping nobody asked for before would else stop every other call while a province is summed."""
    combinations = Combinations()
    written = [f"{level:02}|{grade:02}|{sex}" for level in range(5) for grade in range(10) for sex in range(2)]
    columns = {school: combinations.column(written, [1] * len(written)) for school in range(500)}
    schools = frozenset(columns)
    stocks = Stocks(Head(1, None), {"pupils": columns}, {"pupils": combinations}, schools, schools)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    running = asyncio.create_task(others())
    try:
        await prepare([_indicator(dimensions=("grade",))], ["grade"], stocks)
    finally:
        running.cancel()
    assert turns >= len(columns) * len(written) // SLICE
