"""Cells of forms: sums follow what they sum, missing data is not zero, and checks say nothing over what is missing."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from services.reporting.domain.forms import Cell, Check, Form, Kind, Line, Sheet, cells_of, in_order_of_sums
from services.reporting.domain.reports import Entry, Source, Value, differing, fill
from services.reporting.usecases.checking import check_defects, findings, named_cells


def _line(code: str, **said: object) -> Line:
    return Line(code, code, code, **said)  # type: ignore[arg-type]  # fields of a line


GRADES = ("a", "b", "c")
ROWS = tuple(_line(one, indicator="pupils") for one in GRADES)
FORM = Form(
    "f", 1, "f", "f", "start",
    (
        Sheet(
            "s", "s", "s",
            (_line("all", sum_of=("half", "c")), _line("half", sum_of=("a", "b")), *ROWS, _line("own", entered=True)),
            (_line("n"), _line("twice", sum_of=("n",))),
        ),
    ),
)  # fmt: skip

numbers = st.one_of(st.none(), st.integers(0, 10_000).map(float))


def test_sums_come_after_what_they_sum_whatever_their_order():
    """A row that sums a row that sums rows, in columns that sum columns."""
    cells = cells_of(FORM)
    done = {key for key, cell in cells.items() if cell.kind is not Kind.SUMMED}
    for cell in in_order_of_sums(cells):
        assert done.issuperset(cell.parts)
        done.add(cell.key)
    assert done == set(cells)


def test_a_circle_of_sums_is_left_out():
    """So that it can be told."""
    cells = {key: Cell(key, Kind.SUMMED, parts=(part,)) for key, part in (("s.a.n", "s.b.n"), ("s.b.n", "s.a.n"))}
    assert in_order_of_sums(cells) == []


@given(st.tuples(numbers, numbers, numbers), st.dictionaries(st.sampled_from(GRADES), st.integers(0, 99), max_size=3))
def test_a_sum_is_the_sum_of_its_parts_or_missing_as_one_of_them_is(counted, overridden):
    """Overridden values count in place of the counted ones, which stay beside them."""
    facts = {f"s.{grade}.n": value for grade, value in zip(GRADES, counted, strict=True)}
    entries = {f"s.{grade}.n": Entry(float(value), "vì", "ai") for grade, value in overridden.items()}
    values = fill(cells_of(FORM), facts, entries)
    parts = [entries[key].value if key in entries else value for key, value in facts.items()]
    expected = None if None in parts else sum(one for one in parts if one is not None)
    assert values["s.all.n"] == Value(expected, Source.SUMMED)
    assert values["s.all.twice"].value == expected
    for key, value in facts.items():
        if key in entries:
            assert values[key] == Value(entries[key].value, Source.OVERRIDDEN, value, "vì", "ai")
    assert values["s.own.n"] == Value(None, Source.ENTERED)


@given(st.dictionaries(st.sampled_from("abcd"), numbers), st.dictionaries(st.sampled_from("abcd"), numbers))
def test_differences_lead_from_one_to_the_other(one, other):
    """What is told as different, and nothing else, is."""
    sides = [{key: Value(value, Source.COUNTED) for key, value in side.items()} for side in (one, other)]
    told = {key: (before, after) for key, before, after in differing(*sides)}
    for key in one.keys() | other.keys():
        assert told.get(key, (one.get(key),) * 2) == (one.get(key), other.get(key))


def test_cells_named_in_texts_of_a_condition_are_no_cells():
    """Only what the condition reads."""
    condition = "cells.s.a.n > 0 && 'cells.s.b.n' != \"x\" && cells . s . c . n < 3"
    assert named_cells(condition) == ["s.a.n", "s.c.n"]


def test_a_check_over_a_missing_value_says_nothing():
    """That it is missing is told by itself."""
    check = Check("c", "error", "cells.s.a.n > cells.s.b.n", "vi", "en")
    form = replace(FORM, checks=(check,))
    assert check_defects(form) == []
    given = dict.fromkeys(("s.a.n", "s.c.n"), 1.0)
    own = {"s.own.n": Entry(1.0, "", "x")}
    assert [one.check for one in findings(form, fill(cells_of(form), given, own))] == ["missing"]
    full = fill(cells_of(form), given | {"s.b.n": 1.0}, own)
    assert [(one.check, one.cells) for one in findings(form, full)] == [("c", ("s.a.n", "s.b.n"))]
