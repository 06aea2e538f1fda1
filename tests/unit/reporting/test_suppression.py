"""What may be shown of persons in small groups, and what an attacker could still compute."""

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.reporting.domain.suppression import SMALL, Cell, withheld


def _hidden(cells: Mapping[Any, int], *, sensitive: tuple[bool, ...] = (True,), families=None) -> frozenset[Cell]:
    return withheld(cells, sensitive=sensitive, families=families or {})


def test_a_table_without_small_cells_is_shown_whole() -> None:
    """Nothing is withheld that points at nobody."""
    assert _hidden({(1, ("01",)): 100, (1, ("26",)): 5}) == frozenset()


def test_a_small_cell_takes_its_smallest_neighbour_along() -> None:
    """Total 118: with only 26 withheld, 118 - 100 - 15 would give the 3."""
    cells = {(1, ("01",)): 100, (1, ("14",)): 15, (1, ("26",)): 3}
    assert _hidden(cells) == {(1, ("26",)), (1, ("14",))}


def test_two_small_cells_whose_sum_tells_them_take_a_third_along() -> None:
    """1 + 1 = 2 leaves no doubt about either, as both are known not to be empty."""
    cells = {(1, ("01",)): 100, (1, ("14",)): 1, (1, ("26",)): 1}
    assert _hidden(cells) == set(cells)


def test_a_small_cell_alone_in_its_line_is_hidden_beside_an_empty_one() -> None:
    """All three girls of a grade are of one group: the total of the grade must not say so."""
    hidden = _hidden({(1, ("26",)): 3})
    assert (1, ("26",)) in hidden
    assert len(hidden) == 2


def test_a_school_does_not_follow_from_its_commune() -> None:
    """School 11 has 3 of group 26, school 12 has 20; the commune's 23 can be asked for."""
    cells = {(11, ("26",)): 3, (12, ("26",)): 20, (13, ("26",)): 30, (11, ("01",)): 50, (12, ("01",)): 60}
    hidden = _hidden(cells, families={11: (5,), 12: (5,), 13: (5,)})
    assert {(11, ("26",)), (12, ("26",))} <= hidden


GROUPS = ("01", "14", "26")
GRADES = ("01", "02", "03")
UNITS = {11: (5, 1), 12: (5, 1), 21: (6, 1), 22: (6, 1)}
TABLES = st.dictionaries(
    st.tuples(st.sampled_from(sorted(UNITS)), st.tuples(st.sampled_from(GROUPS), st.sampled_from(GRADES))),
    st.one_of(st.integers(1, 6), st.integers(5, 60)),
    max_size=36,
)


@given(cells=TABLES)
def test_no_withheld_cell_follows_from_totals_by_differences(cells: dict[Cell, int]) -> None:
    """An attacker takes every total there is and subtracts what is shown, again and again: no small cell comes out."""
    hidden = _hidden(cells, sensitive=(True, False), families=UNITS)
    assert {cell for cell, value in cells.items() if value < SMALL} <= hidden
    unknown = set(hidden)
    lines: dict[tuple[object, ...], set[Cell]] = {}
    # Where all are in one grade, the totals over grades are this very table, and withheld like it.
    several_grades = len({grade for _, (_, grade) in cells}) > 1
    for unit, (group, grade) in set(cells) | hidden:
        lines.setdefault(("groups", unit, grade), set()).add((unit, (group, grade)))
        if several_grades:
            lines.setdefault(("grades", unit, group), set()).add((unit, (group, grade)))
        for above in UNITS[unit]:
            lines.setdefault(("units", above, group, grade), set()).add((unit, (group, grade)))
    computed: set[Cell] = set()
    while True:
        fresh = set()
        for name, line in lines.items():
            total = sum(cells.get(cell, 0) for cell in line)
            alone = line & unknown
            # A total by ethnic group that is itself small is withheld where it is asked for.
            if len(alone) == 1 and (name[0] == "groups" or total >= SMALL):
                fresh |= alone
        if not fresh:
            break
        computed |= fresh
        unknown -= fresh
    assert not {cell for cell in computed if 0 < cells.get(cell, 0) < SMALL}
