"""A forest of units in time takes what is new, whatever the order, and refuses what cannot be."""

import itertools
from collections.abc import Sequence
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.records.domain.forest import Forest
from services.records.domain.spans import Span, covered
from services.records.domain.units import (
    ADMINISTRATIVE,
    Code,
    InvalidUnitError,
    Name,
    ParentRef,
    SuccessionRef,
    UnitDraft,
)

REFORM = date(2025, 7, 1)
BEFORE, AFTER, ALWAYS = Span(None, REFORM), Span(REFORM, None), Span()


def _unit(
    alias: str,
    *parents: ParentRef,
    kind: str = "commune",
    span: Span = ALWAYS,
    names: Sequence[Name] = (),
    successions: Sequence[SuccessionRef] = (),
) -> UnitDraft:
    system, code = alias.split(":")
    return UnitDraft(kind, span, names or [Name(alias, span)], [Code(system, code, span)], parents, successions, [])


def _under(parent: str, span: Span = ALWAYS, kind: str = ADMINISTRATIVE) -> ParentRef:
    return ParentRef(parent, kind, span)


PROVINCE = _unit("gso:48", kind="province")


def _plan(*drafts: UnitDraft, forest: Forest | None = None):
    return (forest or Forest([])).plan(drafts, ids=itertools.count(1))


@given(st.permutations([PROVINCE, _unit("gso:1", _under("gso:48")), _unit("moet:A", _under("gso:1"), kind="school")]))
def test_parents_may_come_after_their_children(drafts: list[UnitDraft]):
    """Any order of one request gives the same tree."""
    added = _plan(*drafts)
    by_alias = {unit.codes[0].alias: unit for unit in added.units}
    assert [edge.parent_id for edge in by_alias["moet:A"].edges] == [by_alias["gso:1"].unit_id]
    assert [edge.parent_id for edge in by_alias["gso:1"].edges] == [by_alias["gso:48"].unit_id]


def test_the_same_units_again_add_nothing():
    """An import is repeated without harm, and what is new in it is added."""
    commune = _unit("gso:1", _under("gso:48"))
    forest = Forest(_plan(PROVINCE, commune).units)
    again = _plan(PROVINCE, commune, forest=forest)
    assert (again.units, again.updated, len(again.unchanged)) == ([], set(), 2)
    professional = _unit("gso:1", _under("gso:48"), _under("gso:48", kind="professional"))
    assert len(_plan(PROVINCE, professional, forest=forest).updated) == 1


def test_a_code_used_again_later_is_another_unit_and_successions_name_it_by_day():
    """The commune that ends and the one that begins under its code on that day are two."""
    old = _unit(
        "gso:1",
        _under("gso:48", BEFORE),
        span=BEFORE,
        successions=[SuccessionRef("gso:1", "merged_into", REFORM, True)],
    )
    new = _unit("gso:1", _under("gso:48", AFTER), span=AFTER)
    added = _plan(old, PROVINCE, new)
    assert len({unit.unit_id for unit in added.units}) == 3
    by_span = {unit.span: unit for unit in added.units}
    assert [one.successor_id for one in by_span[BEFORE].successions] == [by_span[AFTER].unit_id]


REFUSED = {
    "names overlap": [PROVINCE, _unit("gso:1", _under("gso:48"), names=[Name("a", ALWAYS), Name("b", AFTER)])],
    "a day without a name": [PROVINCE, _unit("gso:1", _under("gso:48"), names=[Name("a", AFTER)])],
    "no parent": [PROVINCE, _unit("gso:1")],
    "a day without a parent": [PROVINCE, _unit("gso:1", _under("gso:48", AFTER))],
    "two parents on a day": [
        PROVINCE,
        _unit("gso:2", kind="province"),
        _unit("gso:1", _under("gso:48"), _under("gso:2")),
    ],
    "an unknown parent": [_unit("gso:1", _under("gso:48"))],
    "a parent that ends": [
        _unit("gso:49", kind="province", span=BEFORE),
        _unit("gso:1", _under("gso:49", BEFORE), _under("gso:49", AFTER)),
    ],
    "its own parent": [_unit("gso:1", _under("gso:1"))],
    "a circle": [_unit("gso:1", _under("gso:2")), _unit("gso:2", _under("gso:1"))],
    "a name after its life": [
        PROVINCE,
        _unit("gso:1", _under("gso:48", BEFORE), span=BEFORE, names=[Name("a", ALWAYS)]),
    ],
}


@pytest.mark.parametrize("drafts", REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_is_refused_naming_the_unit(drafts: list[UnitDraft]):
    """Overlaps, gaps, orphans, circles and lives outlived."""
    with pytest.raises(InvalidUnitError) as error:
        _plan(*drafts)
    assert error.value.unit.startswith("gso:1") or error.value.unit == "gso:2"
    assert error.value.unit in error.value.vi


def test_a_circle_on_no_common_day_is_none():
    """A below B before the reform and B below A after it is history, not a circle."""
    one = _unit("gso:1", _under("gso:2", BEFORE), _under("gso:48", AFTER))
    two = _unit("gso:2", _under("gso:48", BEFORE), _under("gso:1", AFTER))
    assert len(_plan(PROVINCE, one, two).units) == 3


DAYS = st.dates(date(2020, 1, 1), date(2020, 1, 12))
SPANS = st.builds(lambda a, b: Span(min(a, b), max(a, b)) if a != b else Span(a, None), DAYS, DAYS)


@given(SPANS, SPANS, st.lists(SPANS, max_size=4))
def test_spans_agree_with_their_days(one: Span, other: Span, parts: list[Span]):
    """Overlap, cover and common days are what counting the days says."""
    days = [date(2020, 1, number) for number in range(1, 29)]
    mine, theirs = ({day for day in days if span.holds(day)} for span in (one, other))
    assert one.overlaps(other) == bool(mine & theirs)
    common = one.common(other)
    assert {day for day in days if common and common.holds(day)} == mine & theirs
    if one.after and other.after:
        assert one.covers(other) == (theirs <= mine)
    if one.after:
        assert covered(one, parts) == all(any(part.holds(day) for part in parts) for day in mine)
