"""Operations change units from their day on, keep every rule of the forest, and say what stands in their way."""

import copy
import itertools
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.records.domain.differences import difference, effects
from services.records.domain.forest import Forest
from services.records.domain.operations import (
    CreateUnit,
    DissolveUnit,
    MergeUnits,
    MoveUnit,
    NewUnit,
    Operation,
    RecodeUnit,
    RenameUnit,
    SplitPart,
    SplitUnit,
)
from services.records.domain.reorganised import Draft
from services.records.domain.reorganising import reorganise
from services.records.domain.units import ADMINISTRATIVE, ROOT_KINDS
from tests.unit.records.forests import PROVINCE, as_drafts, planted, view

DAY = date(2025, 7, 1)
EVE = DAY - timedelta(days=1)
TAM_KY = NewUnit("commune", "Phường Tam Kỳ", codes=[("gso", "1")], parents=[("gso:502", ADMINISTRATIVE)])


def _do(forest: Forest, operation: Operation, *, day: date = DAY) -> Draft:
    return reorganise(forest, operation, day=day, ids=itertools.count(100))


def _done(forest: Forest, operation: Operation, *, day: date = DAY) -> Draft:
    draft = _do(forest, operation, day=day)
    assert [one.en for one in draft.obstacles] == []
    return draft


def _id(forest: Forest, ref: str, day: date = EVE) -> int:
    found = forest.resolve(ref, day)
    assert found is not None
    return found


def test_a_rename_holds_from_its_day_until_the_next_one():
    """One that is recorded later for an earlier day does not undo what comes after."""
    forest = planted()
    _done(forest, RenameUnit("gso:1", "late"), day=date(2026, 1, 1))
    draft = _done(forest, RenameUnit("gso:1", "middle"))
    names = [view(forest.units(), day)[_id(forest, "gso:1")].name for day in (EVE, DAY, date(2026, 1, 1))]
    assert names == ["gso:1", "middle", "late"]
    assert effects(draft) == {_id(forest, "gso:1"): ["renamed"]}


def test_a_code_that_is_free_from_a_day_on_can_be_anothers():
    """The look-up by date tells the two apart."""
    forest = planted()
    first = _id(forest, "gso:1")
    _done(forest, RecodeUnit("gso:1", "gso", "9"))
    second = _id(forest, "gso:2")
    _done(forest, RecodeUnit("gso:2", "gso", "1"))
    assert (forest.resolve("gso:1", EVE), forest.resolve("gso:1", DAY)) == (first, second)
    assert forest.resolve("gso:9", DAY) == first


def test_merged_units_go_on_in_a_new_one_that_may_take_a_code_over():
    """Their schools lie below it from the day on, and below them before."""
    forest = planted()
    first, second, school = (_id(forest, ref) for ref in ("gso:1", "gso:2", "moet:A"))
    draft = _done(forest, MergeUnits(["gso:1", "gso:2"], TAM_KY))
    before, after = view(forest.units(), EVE), view(forest.units(), DAY)
    assert before[school].parents[0] == (ADMINISTRATIVE, first)
    assert after[school].parents[0] == (ADMINISTRATIVE, 100)
    assert forest.resolve("gso:1", DAY) == 100
    assert not {first, second} & after.keys()
    assert [(s.successor_id, s.kind, s.partial) for s in forest.unit(first).successions] == [
        (100, "merged_into", False)
    ]
    assert effects(draft)[100] == ["begins", "succeeds"]
    assert effects(draft)[first] == ["ends"]


def test_a_unit_that_merges_into_an_existing_one_hands_over_professional_children_too():
    """A department's schools follow it along every type of edge."""
    forest = planted([*PROVINCE])
    school, other = _id(forest, "moet:A"), _id(forest, "gso:48")
    _done(forest, MergeUnits(["moet:49"], "gso:48"))
    assert ("professional", other) in view(forest.units(), DAY)[school].parents


def test_a_split_that_ends_a_unit_leaves_no_child_behind():
    """Each child goes with a part; what is not named is refused by name, or goes to `children_to`."""
    parts = [SplitPart(TAM_KY), SplitPart("gso:2")]
    (left,) = _do(planted(), SplitUnit("gso:1", parts)).obstacles
    assert (left.reason, left.metadata["count"]) == ("UNIT_HAS_CHILDREN", "1")
    assert "moet:A" in left.vi
    forest = planted()
    first, second, school = (_id(forest, ref) for ref in ("gso:1", "gso:2", "moet:A"))
    _done(forest, SplitUnit("gso:1", parts, children_to="gso:1"))
    assert view(forest.units(), DAY)[school].parents[0] == (ADMINISTRATIVE, 100)
    assert [(s.successor_id, s.partial) for s in forest.unit(first).successions] == [(100, True), (second, True)]


def test_a_unit_that_gives_a_part_away_goes_on():
    """The succession is marked partial, and only the children named go."""
    forest = planted()
    first, second, school = (_id(forest, ref) for ref in ("gso:1", "gso:2", "moet:A"))
    _done(forest, SplitUnit("gso:1", [SplitPart("gso:2", ["moet:A"])], continues=True))
    after = view(forest.units(), DAY)
    assert first in after
    assert after[school].parents[0] == (ADMINISTRATIVE, second)
    assert forest.unit(first).successions[0].partial


def test_a_dissolved_districts_communes_go_to_the_province():
    """As on 2025-07-01."""
    forest = planted()
    province, commune = _id(forest, "gso:48"), _id(forest, "gso:1")
    _done(forest, DissolveUnit("gso:502", "gso:48"))
    assert view(forest.units(), DAY)[commune].parents == ((ADMINISTRATIVE, province),)


REFUSED = {
    "UNKNOWN_UNIT": RenameUnit("gso:none", "x"),
    "CODE_TAKEN": RecodeUnit("gso:1", "gso", "2"),
    "UNIT_HAS_CHILDREN": DissolveUnit("gso:502"),
    "OWN_ANCESTOR": MoveUnit("gso:502", "gso:1"),
    "NOTHING_CHANGES": MoveUnit("gso:1", "gso:502"),
    "SAME_UNIT": MergeUnits(["gso:1", "gso:2"], "gso:2"),
    "NOT_A_CHILD": SplitUnit("gso:1", [SplitPart("gso:2", ["moet:C"])], continues=True),
    "UNIT_WITHOUT_PARENT": CreateUnit(NewUnit("commune", "x")),
}


@pytest.mark.parametrize(("reason", "operation"), REFUSED.items(), ids=REFUSED.keys())
def test_what_stands_in_the_way_has_a_reason_and_a_remedy(reason: str, operation: Operation):
    """Stable for programs, a sentence in two languages for people."""
    (found,) = _do(planted(), operation).obstacles
    assert found.reason == reason
    assert found.vi.endswith(".")
    assert found.en.endswith(".")
    assert found.field


def test_a_unit_that_has_ended_is_named_with_what_goes_on_for_it():
    """The remedy is the successor."""
    forest = planted()
    _done(forest, MergeUnits(["gso:1"], "gso:2"))
    (found,) = _do(forest, RenameUnit("gso:1", "x"), day=date(2026, 1, 1)).obstacles
    assert (found.reason, found.metadata["valid_to"]) == ("UNIT_ENDED", "2025-07-01")
    assert "gso:2" in found.en
    (again,) = _do(forest, DissolveUnit("gso:1"), day=date(2025, 1, 1)).obstacles
    assert again.reason == "UNIT_ENDED"


def test_nothing_happens_to_a_unit_before_its_life_or_to_undo_a_later_change():
    """A unit cannot end on its first day, nor before what is recorded of it."""
    forest = planted()
    _done(forest, CreateUnit(NewUnit("commune", "x", [("gso", "9")], [("gso:502", ADMINISTRATIVE)])))
    (early,) = _do(forest, RenameUnit("gso:9", "y"), day=EVE).obstacles
    assert (early.reason, early.metadata["valid_from"]) == ("BEFORE_UNIT", "2025-07-01")
    assert _do(forest, DissolveUnit("gso:9")).obstacles[0].reason == "BEFORE_UNIT"
    forest = planted()
    _done(forest, RenameUnit("gso:3", "y"), day=date(2026, 1, 1))
    (later,) = _do(forest, DissolveUnit("gso:3", "gso:503")).obstacles
    assert (later.reason, later.metadata["later"]) == ("LATER_CHANGES", "2026-01-01")


def test_a_parent_must_live_as_long_as_what_is_put_below_it():
    """Also where its end lies in the future."""
    forest = planted()
    _done(forest, DissolveUnit("gso:503", "gso:48"), day=date(2030, 1, 1))
    (found,) = _do(forest, MoveUnit("gso:1", "gso:503")).obstacles
    assert found.reason == "PARENT_NOT_ALIVE"
    assert "2030-01-01" in found.en


DAYS = st.dates(date(2025, 1, 1), date(2025, 1, 16))
REFS = st.integers(1, 13).map(str)
EDGES = st.sampled_from([ADMINISTRATIVE, ADMINISTRATIVE, ADMINISTRATIVE, "professional"])
NEW = st.builds(
    NewUnit,
    kind=st.sampled_from(["commune", "school", "province"]),
    name=st.sampled_from("abc"),
    codes=st.lists(st.tuples(st.just("gso"), st.sampled_from(["1", "2", "77"])), max_size=1),
    parents=REFS.map(lambda ref: [(ref, ADMINISTRATIVE)]),
)
TARGETS = st.one_of(REFS, NEW)
PARTS = st.builds(SplitPart, TARGETS, st.lists(REFS, max_size=1))
OPERATIONS = st.one_of(
    st.builds(CreateUnit, NEW),
    st.builds(RenameUnit, REFS, st.sampled_from("abc")),
    st.builds(RecodeUnit, REFS, st.just("gso"), st.sampled_from(["", "1", "2", "77"])),
    st.builds(MoveUnit, REFS, REFS, EDGES),
    st.builds(MergeUnits, st.lists(REFS, min_size=1, max_size=2), TARGETS),
    st.builds(SplitUnit, REFS, st.lists(PARTS, min_size=1, max_size=2), st.booleans(), st.one_of(st.just(""), REFS)),
    st.builds(DissolveUnit, REFS, REFS),
)
LOOKED_AT = [date(2024, 12, 31) + timedelta(days=number) for number in range(19)]


@settings(max_examples=300)
@given(st.lists(st.tuples(DAYS, OPERATIONS), max_size=12))
def test_whatever_is_done_in_whatever_order_the_forest_keeps_its_rules(steps: list[tuple[date, Operation]]):
    """One living parent on every day, no circle, no code twice; history stays; an import of the end state equals it."""
    units = list(planted().units())
    ids = itertools.count(12)
    for day, operation in steps:
        forest = Forest(copy.deepcopy(units))
        draft = reorganise(forest, operation, day=day, ids=ids)
        if draft.obstacles:
            continue
        before, units = units, list(forest.units())
        for earlier in (looked for looked in LOOKED_AT if looked < day):
            assert view(units, earlier) == view(before, earlier)
        assert difference(draft).added.units == draft.begun
    for day in LOOKED_AT:
        seen = view(units, day)
        codes = [alias for one in seen.values() for alias in one.codes]
        assert len(codes) == len(set(codes))
        for unit_id, one in seen.items():
            above = [parent for kind, parent in one.parents if kind == ADMINISTRATIVE]
            assert len(above) == 1 or (one.kind in ROOT_KINDS and len(above) <= 1)
            assert all(parent in seen for _, parent in one.parents)
            assert one.name
            assert "|" not in one.name
            climbed = {unit_id}
            while above:
                assert above[0] not in climbed
                climbed.add(above[0])
                above = [parent for kind, parent in seen[above[0]].parents if kind == ADMINISTRATIVE]
    imported = Forest([]).plan(as_drafts(units), ids=iter([one.unit_id for one in units])).units
    assert [(one.span, one.names, one.edges) for one in imported] == [(one.span, one.names, one.edges) for one in units]
    assert [one.successions for one in imported] == [one.successions for one in units]
