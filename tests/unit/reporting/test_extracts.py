"""What of a table of pupils is given, against who knows it beside every figure and every other extract."""

from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.reporting.domain.disclosure import SMALL
from services.reporting.domain.extracts import (
    COURSE_COLUMNS,
    PLACE_COLUMNS,
    SETS,
    WITHHELD,
    Values,
    guarded,
    projected,
    set_of,
)

BASE = SETS[COURSE_COLUMNS]


def _course(*rest: str) -> Values:
    return ("02", "01", *rest)


COURSES = st.dictionaries(
    st.tuples(*(st.sampled_from(values) for values in (("02",), ("01", "02"), "12", "TH", ("over", "right"), "nc"))),
    st.integers(1, 30),
    min_size=1,
    max_size=20,
)
PLACES = st.dictionaries(
    st.tuples(*(st.sampled_from(values) for values in ("ABC", ("02", "03"), ("01", "02"), "12"))),
    st.integers(1, 12),
    min_size=1,
    max_size=20,
)


def _shown(values: Values) -> bool:
    return WITHHELD not in values


def _figures(table: Counter[Values]) -> dict[Values, int]:
    """Everything figures say: each column behind the base by itself, beside level, grade and sex."""
    found: Counter[Values] = Counter()
    for values, count in table.items():
        for place in range(BASE, len(values)):
            found[(*values[: BASE + 1], str(place), values[place])] += count
            found[(*values[:BASE], str(place), values[place])] += count
    return dict(found)


@given(counts=st.one_of(COURSES, PLACES))
@settings(max_examples=300)
def test_every_combination_that_is_given_is_that_of_at_least_five(counts: dict[Values, int]) -> None:
    """By all columns, and by any of them; nobody is left out but of what figures say are fewer than five."""
    base = SETS[COURSE_COLUMNS] if len(next(iter(counts))) == len(COURSE_COLUMNS) else SETS[PLACE_COLUMNS]
    names = COURSE_COLUMNS if base == BASE else PLACE_COLUMNS
    found = guarded(counts, base=base)
    by_base = projected(counts, names, names[:base])
    if len(by_base) == 1:
        assert sum(found.values()) == sum(count for count in by_base.values() if count >= SMALL)
    for columns in [names[:width] for width in range(1, len(names) + 1)] + [(name,) for name in names]:
        assert min(projected(found, names, columns).values(), default=SMALL) >= SMALL


@pytest.mark.parametrize("rare", [(2, 2), (1, 3), (2, 3), (4, 4)])
def test_what_is_withheld_together_is_that_of_at_least_five(rare: tuple[int, int]) -> None:
    """Two rare combinations whose pupils could trade hide each other, but not how few they are: the next goes with
    them.
    """
    one, other = _course("1", "T", "over", "n"), _course("1", "H", "right", "c")
    common = {_course("1", "T", "right", "n"): 60, _course("2", "T", "right", "n"): 7}
    following = _course("1", "H", "over", "x")
    counts = {one: rare[0], other: rare[1], following: 6, **common}
    found = guarded(counts, base=BASE)
    assert {values: count for values, count in found.items() if values in common} == common
    assert (following in found) == (sum(rare) >= SMALL)
    assert found[_course(*[WITHHELD] * 4)] == sum(rare) + (0 if following in found else 6)


@given(counts=PLACES)
@settings(max_examples=300)
def test_by_the_columns_figures_divide_by_exactly_what_is_not_rare_is_given(counts: dict[Values, int]) -> None:
    """How many there are in a commune's grade is told by figures; more is neither told nor lost."""
    found = guarded(counts, base=SETS[PLACE_COLUMNS])
    common = {values: count for values, count in counts.items() if count >= SMALL}
    assert {values: count for values, count in found.items() if _shown(values)} == common


@given(counts=COURSES)
@settings(max_examples=300)
def test_a_rare_combination_could_be_another_while_all_figures_and_the_extract_are_the_same(
    counts: dict[Values, int],
) -> None:
    """The attacker joins the extract, its parts and all figures, and still cannot tell how many there are."""
    found = guarded(counts, base=BASE)
    for grade in {values[:BASE] for values in found if WITHHELD not in values[:BASE]}:
        truth = Counter({values: count for values, count in counts.items() if values[:BASE] == grade})
        given_ = {values: count for values, count in found.items() if values[:BASE] == grade and _shown(values)}
        if not given_:
            continue  # Nothing is told but what figures tell.
        hidden = [values for values in truth if values not in given_]
        for rare in [values for values, count in truth.items() if count < SMALL]:
            assert any(
                world[rare] != truth[rare]
                and _figures(world) == _figures(truth)
                and all(world[values] == count for values, count in given_.items())
                for world in _worlds(truth, rare, hidden)
            ), (rare, given_)


def _worlds(truth: Counter[Values], rare: Values, hidden: list[Values]) -> list[Counter[Values]]:
    """Tables in which somebody of the rare combination has one value of somebody else, and that one theirs."""
    found = []
    for other in hidden:
        for place in range(BASE + 1, len(rare)):
            world = Counter(truth)
            mine, theirs = list(rare), list(other)
            mine[place], theirs[place] = other[place], rare[place]
            world.subtract([rare, other])
            world.update([tuple(mine), tuple(theirs)])
            found.append(+world)
    return found


def test_withholding_the_rare_alone_would_let_a_figure_tell_them() -> None:
    """Ten over age and good beside eleven over age altogether would say that one who is not good is over age."""
    counts = {
        _course("1", "T", "over", "n"): 10,
        _course("1", "H", "over", "n"): 1,
        _course("1", "T", "right", "n"): 40,
        _course("1", "H", "right", "n"): 20,
    }
    found = guarded(counts, base=BASE)
    over = projected(found, COURSE_COLUMNS, ("age",)).get(("over",), 0)
    assert 11 - over == 0 or 11 - over >= SMALL
    assert ("over", "H") not in projected(found, COURSE_COLUMNS, ("age", "learning"))


def test_two_extracts_of_different_columns_tell_no_more_than_the_one_of_all() -> None:
    """Both are parts of one cut, so that what one leaves out cannot be found by the other's."""
    counts = {
        _course("1", "T", "right", "n"): 30,
        _course("1", "T", "over", "n"): 7,
        _course("2", "H", "right", "n"): 3,
        _course("2", "H", "over", "n"): 9,
    }
    found = guarded(counts, base=BASE)
    for first, second in permutations([("sex",), ("sex", "learning"), ("learning", "age"), ("sex", "age")], 2):
        less, more = projected(found, COURSE_COLUMNS, first), projected(found, COURSE_COLUMNS, second)
        shared = [name for name in first if name in second]
        by_less, by_more = projected(less, first, shared), projected(more, second, shared)
        assert by_less == by_more


@pytest.mark.parametrize("columns", [("area", "age"), ("area", "ethnic_group"), ("grade", "ethnic_group"), ("name",)])
def test_columns_that_are_not_decided_on_together_are_in_no_set(columns: tuple[str, ...]) -> None:
    """What happens to pupils is not given by commune, nor anything by ethnic group that figures do not give."""
    assert set_of(columns) is None
