"""Which cells of a table must not be shown because they could point at persons.

A cell of fewer than five persons is withheld, and with it as many neighbours as it takes that no withheld cell follows
by subtraction from a total: along each dimension, and along the units below each unit whose total can be asked for.
Refuses to leave a withheld cell alone in a line whose total is shown.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

SMALL = 5  # Fewer persons than this are not shown.
UNKNOWN = ""  # Stands as a partner where no other value of the dimension turns up.

Cell = tuple[int, tuple[str, ...]]  # A unit and the values of the dimensions.
Line = tuple[object, ...]


def withheld(
    cells: Mapping[Cell, int], *, sensitive: Sequence[bool], families: Mapping[int, Iterable[int]]
) -> frozenset[Cell]:
    """The cells to withhold; some may be absent from `cells`: they hold nobody, and are withheld to hide another.

    `sensitive` says of each dimension whether it is a sensitive one; `families` names for each unit the units above it
    whose totals a reader can see.
    """
    hidden = {cell for cell, value in cells.items() if 0 < value < SMALL}
    if not hidden:
        return frozenset()
    lines: defaultdict[Line, list[Cell]] = defaultdict(list)
    for cell in cells:
        for line in _lines_of(cell, families):
            lines[line].append(cell)
    values = [sorted({cell[1][axis] for cell in cells}) for axis in range(len(sensitive))]
    placed = set(cells)
    waiting = dict.fromkeys(line for cell in sorted(hidden) for line in _lines_of(cell, families))
    while waiting:
        line, _ = waiting.popitem()
        axis = line[0]
        shown_total = isinstance(axis, int) and sensitive[axis]
        fresh = _protect(lines[line], cells, hidden, shown_total=shown_total)
        if fresh is None:
            assert isinstance(axis, int)
            fresh = [_partner(lines[line][0], axis, values[axis])]
        for cell in fresh:
            hidden.add(cell)
            crossing = _lines_of(cell, families)
            waiting.update(dict.fromkeys(crossing))
            if cell not in placed:
                placed.add(cell)
                for crossed in crossing:
                    lines[crossed].append(cell)
    return frozenset(hidden)


def _protect(
    line: Sequence[Cell], cells: Mapping[Cell, int], hidden: set[Cell], *, shown_total: bool
) -> list[Cell] | None:
    """The further cells to withhold in a line; None when it has no cell left and one is withheld alone."""
    total = sum(cells.get(cell, 0) for cell in line)
    if not shown_total and total < SMALL:
        return []  # The total is itself a small cell wherever it is asked for.
    count = sum(1 for cell in line if cell in hidden)
    persons = sum(cells.get(cell, 0) for cell in line if cell in hidden)
    fresh: list[Cell] = []
    others = sorted((cell for cell in line if cell not in hidden), key=lambda cell: (cells.get(cell, 0), cell))
    for cell in others:
        # Two cells of one person each would be known from their sum, hence also the bound on persons.
        if count >= 2 and persons >= SMALL and persons > count:
            break
        fresh.append(cell)
        count += 1
        persons += cells.get(cell, 0)
    return None if count < 2 and shown_total else fresh


def _partner(cell: Cell, axis: int, values: Sequence[str]) -> Cell:
    """An empty cell beside `cell` on the axis."""
    unit, own = cell
    other = next((value for value in values if value != own[axis]), UNKNOWN)
    if other == own[axis]:
        other = "01"
    return unit, (*own[:axis], other, *own[axis + 1 :])


def _lines_of(cell: Cell, families: Mapping[int, Iterable[int]]) -> list[Line]:
    """The lines a cell lies in: one for each dimension, and one for each unit above."""
    unit, values = cell
    along: list[Line] = [(axis, unit, values[:axis], values[axis + 1 :]) for axis in range(len(values))]
    along.extend(("unit", above, values) for above in families.get(unit, ()))
    return along
