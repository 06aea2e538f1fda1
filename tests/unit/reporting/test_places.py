"""Where schools count: the parts of a unit add up to the whole, by any hierarchy."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Fault
from chassis.scopes import ScopeEdge, ScopeTree, ScopeUnit
from services.reporting.usecases.places import Divider

REFORM = date(2025, 7, 1)
BEFORE, AFTER = date(2025, 6, 30), REFORM
MUST = ("must_connect",)

# Until the reform: province 1 > district 2 > commune 3 > schools 10, 11; school 12 stands right below the province.
# From it on: province 1 > commune 4 > schools 10, 11.
TREE = ScopeTree(
    [
        ScopeUnit(1, "province", "P"),
        ScopeUnit(2, "district", "D", edges=(ScopeEdge(1, valid_to=REFORM),), valid_to=REFORM),
        ScopeUnit(3, "commune", "C", edges=(ScopeEdge(2, valid_to=REFORM),), valid_to=REFORM),
        ScopeUnit(4, "commune", "N", edges=(ScopeEdge(1, valid_from=REFORM),), valid_from=REFORM),
        ScopeUnit(10, "school", "S0", MUST, edges=(ScopeEdge(3, valid_to=REFORM), ScopeEdge(4, valid_from=REFORM))),
        ScopeUnit(11, "school", "S1", (), edges=(ScopeEdge(3, valid_to=REFORM), ScopeEdge(4, valid_from=REFORM))),
        ScopeUnit(12, "school", "S2", MUST, edges=(ScopeEdge(1),)),
        ScopeUnit(13, "site", "S0 site", (), edges=(ScopeEdge(10),)),
        ScopeUnit(14, "childcare_group", "G0", (), edges=(ScopeEdge(4, valid_from=REFORM),), valid_from=REFORM),
        ScopeUnit(15, "childcare_group", "G1", MUST, edges=(ScopeEdge(4, valid_from=REFORM),), valid_from=REFORM),
    ]
)


def test_each_school_counts_in_the_unit_above_it_on_that_day() -> None:
    """The same schools stand in another commune after the reform."""
    before = Divider().divide(TREE, 1, breakdown="commune", day=BEFORE)
    after = Divider().divide(TREE, 1, breakdown="commune", day=AFTER)
    assert (before.targets[10], before.targets[11]) == (3, 3)
    assert (after.targets[10], after.targets[11]) == (4, 4)


def test_a_school_below_none_of_the_units_counts_under_the_unit_itself() -> None:
    """Else the communes would not add up to the province."""
    places = Divider().divide(TREE, 1, breakdown="commune", day=AFTER)
    assert places.targets[12] == 1 == places.rest
    assert list(places.expected) == [4, 1]


def test_what_lies_below_a_school_counts_in_the_school() -> None:
    """A site that sent data of its own is part of its school."""
    assert Divider().divide(TREE, 1, breakdown="school", day=AFTER).targets[13] == 10


def test_only_schools_that_must_connect_are_expected() -> None:
    """Completeness is measured against those that have to send, childcare groups included."""
    assert Divider().divide(TREE, 1, breakdown="", day=BEFORE).expected == {1: frozenset({10, 12})}
    assert Divider().divide(TREE, 1, breakdown="", day=AFTER).expected == {1: frozenset({10, 12, 15})}


def test_the_whole_is_what_its_parts_are_by_either_hierarchy() -> None:
    """Nothing is lost and nothing counted twice by a reform."""
    for day in (BEFORE, AFTER):
        parts = Divider().divide(TREE, 1, breakdown="commune", day=day)
        whole = Divider().divide(TREE, 1, breakdown="", day=day)
        assert set(parts.targets) == set(whole.targets)
        assert sum(map(len, parts.expected.values())) == len(whole.expected[1])


@pytest.mark.parametrize(("breakdown", "day"), [("district", AFTER), ("province", BEFORE), ("galaxy", BEFORE)])
def test_a_kind_with_none_below_is_refused_with_those_there_are(breakdown: str, day: date) -> None:
    """Districts are gone after the reform; the province does not lie below itself."""
    with pytest.raises(Fault) as caught:
        Divider().divide(TREE, 1, breakdown=breakdown, day=day)
    assert caught.value.reason == "UNKNOWN_BREAKDOWN"
    assert "commune" in caught.value.metadata["known"]


def test_another_tree_is_divided_anew() -> None:
    """What was remembered belongs to one version of the tree."""
    divider = Divider()
    divider.divide(TREE, 1, breakdown="", day=AFTER)
    grown = ScopeTree([ScopeUnit(1, "province"), ScopeUnit(20, "school", "", MUST, edges=(ScopeEdge(1),))])
    assert divider.divide(grown, 1, breakdown="", day=AFTER).expected == {1: frozenset({20})}


def test_a_new_day_lets_go_of_what_was_kept_for_the_day_before() -> None:
    """Else a quiet province's figures of every day stay in memory; a look back at an older day drops nothing."""
    divider = Divider()
    old = divider.divide(TREE, 1, breakdown="", day=BEFORE)
    new = divider.divide(TREE, 1, breakdown="", day=AFTER)
    assert new.rolls is not old.rolls
    assert divider.divide(TREE, 1, breakdown="", day=BEFORE).rolls is new.rolls
    assert divider.divide(TREE, 1, breakdown="", day=AFTER) is new


@st.composite
def _forests(draw: st.DrawFn) -> ScopeTree:
    """Provinces' units under any parents before and after the reform, some under two at once, some under none."""
    offices = [ScopeUnit(1, "province"), *(ScopeUnit(2 + n, "commune", edges=(ScopeEdge(1),)) for n in range(4))]
    above = st.lists(st.integers(1, 5), max_size=2, unique=True)
    schools = []
    for number in range(draw(st.integers(1, 8))):
        edges = [ScopeEdge(parent, valid_to=REFORM) for parent in draw(above)]
        edges += [ScopeEdge(parent, valid_from=REFORM) for parent in draw(above)]
        schools.append(ScopeUnit(10 + number, "school", f"S{number}", MUST, edges=tuple(edges)))
    return ScopeTree([*offices, *schools])


@given(
    tree=_forests(), day=st.sampled_from([BEFORE, AFTER]), stocks=st.lists(st.integers(0, 50), min_size=8, max_size=8)
)
def test_by_any_hierarchy_the_communes_add_up_to_the_province(tree: ScopeTree, day: date, stocks: list[int]) -> None:
    """Each pupil counts once, however often a school's parents change or double."""
    parts = Divider().divide(tree, 1, breakdown="commune", day=day)
    whole = Divider().divide(tree, 1, breakdown="", day=day)
    pupils = {10 + number: stock for number, stock in enumerate(stocks)}
    summed = dict.fromkeys(parts.expected, 0)
    for unit, target in parts.targets.items():
        summed[target] += pupils.get(unit, 0)
    assert sum(summed.values()) == sum(pupils.get(unit, 0) for unit in whole.targets)
    assert set().union(*parts.expected.values()) == whole.expected[1]
