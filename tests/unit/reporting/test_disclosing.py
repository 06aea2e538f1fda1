"""All that can be asked by ethnic group, answered together: no small count follows from it, by any computation.

The proof is another table of persons: it gives the same answer to every question, and another value to the small count.
Whoever has all answers cannot know which of the two is true, however they add, subtract or bound.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.errors import Fault
from chassis.scopes import ScopeEdge, ScopeTree, ScopeUnit
from services.reporting.domain.catalogue import Catalogue, Indicator, Term
from services.reporting.domain.cube import Combinations
from services.reporting.domain.disclosure import SMALL
from services.reporting.store.mirror import Head, Mirror, Stocks
from services.reporting.usecases.places import Divider, members
from services.reporting.usecases.querying import Question, Questions

TODAY = date(2026, 11, 2)
REFORM = date(2026, 7, 1)
COUNTS = ("", "", "", "", "pupil", ("level", "grade", "sex", "ethnic_group"), "")
CATALOGUE = Catalogue((Indicator("pupils", *COUNTS, numerator=Term("pupils")),))

# Province 1 > communes 2 > schools 10, 11, 12 and 3 > schools 20, 21; school 30 right below the province. Until the
# reform school 12 stood in commune 3.
TREE = ScopeTree(
    [
        ScopeUnit(1, "province"),
        ScopeUnit(2, "commune", edges=(ScopeEdge(1),)),
        ScopeUnit(3, "commune", edges=(ScopeEdge(1),)),
        *(ScopeUnit(one, "school", edges=(ScopeEdge(one // 10 + 1),)) for one in (10, 11, 20, 21)),
        ScopeUnit(12, "school", edges=(ScopeEdge(3, valid_to=REFORM), ScopeEdge(2, valid_from=REFORM))),
        ScopeUnit(30, "school", edges=(ScopeEdge(1),)),
    ]
)
SCHOOLS = (10, 11, 12, 20, 21, 30)
GROUPS = ("01", "14", "26")
UNIVERSE = ("", *GROUPS)
CROSSED: tuple[tuple[str, ...], ...] = ((), ("sex",), ("level",), ("sex", "level"))

Key = tuple[int, str, str]  # School, level and sex.
Table = Mapping[Key, Mapping[str, int]]


class _Still:
    """Stocks that stand still, in place of the mirror of a database."""

    def __init__(self, table: Table) -> None:
        combinations, columns = Combinations(), {}
        for school in {key[0] for key in table}:
            cells = {
                f"{level}||{sex}||||{group}": count
                for (own, level, sex), counts in table.items()
                if own == school
                for group, count in counts.items()
            }
            columns[school] = combinations.column(cells.keys(), cells.values())
        schools = frozenset(columns)
        self._stocks = Stocks(Head(1, None), {"pupils": columns}, {"pupils": combinations}, schools, schools)

    async def stocks(self, _school_year: int) -> Stocks:
        return self._stocks


def _questions(table: Table) -> Questions:
    return Questions(CATALOGUE, cast("Mirror", _Still(table)), Divider())


def _every_question() -> Iterator[Question]:
    for unit in (0, 1, 2, 3, *SCHOOLS):
        for breakdown in ("", "commune", "school"):
            for others in CROSSED:
                yield Question(str(unit), (), 2026, breakdown, (*others, "ethnic_group"))


def _parts(question: Question) -> dict[int, frozenset[int]]:
    return members(Divider().divide(TREE, int(question.unit), breakdown=question.breakdown, day=TODAY).targets)


Cell = tuple[frozenset[int], tuple[tuple[str, str], ...], str]  # Units, level and sex where asked for, and group.


def _count(table: Table, cell: Cell) -> int:
    units, kind, group = cell
    named = dict(kind)
    return sum(
        counts.get(group, 0)
        for (school, level, sex), counts in table.items()
        if school in units and named.get("level", level) == level and named.get("sex", sex) == sex
    )


async def _ask_all(table: Table) -> tuple[dict[Cell, int], set[Cell]]:
    """Every cell that is told, also as nobody, and every cell that can be asked for."""
    questions, told, asked = _questions(table), {}, set()
    kinds = {"level": sorted({key[1] for key in table}), "sex": sorted({key[2] for key in table})}
    for question in _every_question():
        try:
            answer = await questions.ask(question, tree=TREE, today=TODAY)
        except Fault as fault:
            if fault.reason not in {"UNKNOWN_BREAKDOWN", "SENSITIVE_COMBINATION"}:
                raise
            continue
        others = question.dimensions[:-1]
        rows: list[tuple[tuple[str, str], ...]] = [()]
        for other in others:
            rows = [(*row, (other, value)) for row in rows for value in kinds[other]]
        for target, units in _parts(question).items():
            for row in rows:
                found = {
                    one.dimension_values[-1]: one
                    for one in answer.figures
                    if one.unit_id == target and one.dimension_values[:-1] == tuple(value for _, value in row)
                }
                for group in UNIVERSE:
                    cell = (units, tuple(sorted(row)), group)
                    asked.add(cell)
                    if group in found or "*" not in found:
                        told[cell] = int(found[group].value or 0) if group in found else 0
    return told, asked


def _changed(table: Table, *changes: tuple[Key, str, str]) -> Table:
    """The table after persons at places changed from one group to another."""
    copy = {key: dict(counts) for key, counts in table.items()}
    for key, was, becomes in changes:
        copy[key][was] -= 1
        copy[key][becomes] = copy[key].get(becomes, 0) + 1
    return copy


def _others(table: Table) -> Iterator[Table]:
    """Tables in which two persons traded groups, or one took another: as many persons at each place as before."""
    for mine, counts in table.items():
        for group in counts:
            for other in UNIVERSE:
                if other == group:
                    continue
                yield _changed(table, (mine, group, other))
                for yours in table:
                    if yours != mine and table[yours].get(other, 0):
                        yield _changed(table, (mine, group, other), (yours, other, group))


TABLES = st.dictionaries(
    st.tuples(st.sampled_from(SCHOOLS), st.sampled_from(("02", "03")), st.sampled_from("12")),
    st.dictionaries(st.sampled_from(GROUPS), st.one_of(st.integers(1, 6), st.integers(5, 40)), min_size=1, max_size=3),
    min_size=1,
    max_size=9,
)


@settings(max_examples=100)
@given(table=TABLES)
def test_no_small_count_follows_from_all_answers_together(table: Table) -> None:
    """For each small count there is a table with another that answers everything alike."""
    told, asked = asyncio.run(_ask_all(table))
    for cell, value in told.items():
        assert value == _count(table, cell), cell
    small = {cell for cell in asked if 0 < _count(table, cell) < SMALL}
    assert small.isdisjoint(told)
    for other in _others(table):
        if not small:
            break
        if any(_count(other, cell) != _count(table, cell) for cell in small) and all(
            _count(other, cell) == value for cell, value in told.items()
        ):
            small = {cell for cell in small if _count(other, cell) == _count(table, cell)}
    assert not small


def test_a_province_of_large_groups_is_told_whole_and_crossed() -> None:
    """What is safe is shown: withholding everything would be no answer."""
    table = {(school, "02", sex): {"01": 60, "26": 20} for school in SCHOOLS for sex in "12"}
    told, asked = asyncio.run(_ask_all(table))
    assert set(told) == asked
    assert told[TREE.subtree(1, TODAY), (("level", "02"), ("sex", "2")), "26"] == 120


def test_replicas_that_learned_of_schools_in_another_order_show_the_same() -> None:
    """Together they would else tell more than either."""
    table = {(school, "02", "1"): {"01": 20 + school, "26": school % 7, "14": school % 4} for school in SCHOOLS}
    table = {key: {group: count for group, count in counts.items() if count} for key, counts in table.items()}
    turned = dict(reversed([(key, dict(reversed(counts.items()))) for key, counts in table.items()]))
    assert asyncio.run(_ask_all(table)) == asyncio.run(_ask_all(turned))


@pytest.mark.parametrize(
    "asked",
    [
        {"dimensions": ("ethnic_group", "grade")},
        {"dimensions": ("ethnic_group", "sex"), "breakdown": "commune"},
        {"dimensions": ("ethnic_group", "sex"), "unit": "2"},
        {"dimensions": ("ethnic_group",), "hierarchy_as_of": "2026-06-30"},
    ],
)
async def test_a_question_that_no_decision_covers_is_refused(asked: dict[str, Any]) -> None:
    """By grade, by sex below the province, or by another day's hierarchy, differences would tell."""
    question = replace(Question("1", (), 2026), **asked)
    with pytest.raises(Fault) as caught:
        await _questions({(10, "02", "1"): {"01": 9}}).ask(question, tree=TREE, today=TODAY)
    assert caught.value.reason == "SENSITIVE_COMBINATION"


async def test_a_unit_that_is_gone_tells_nothing_of_groups() -> None:
    """Its former schools stand elsewhere today, where they are decided upon."""
    tree = ScopeTree([ScopeUnit(1, "province"), ScopeUnit(9, "school", edges=(ScopeEdge(1),), valid_to=REFORM)])
    question = Question("9", (), 2026, dimensions=("ethnic_group",))
    answer = await _questions({(9, "02", "1"): {"01": 90, "26": 3}}).ask(question, tree=tree, today=TODAY)
    assert [(one.dimension_values, one.value) for one in answer.figures] == [(("*",), None)]
