"""Which cells of a table must not be shown because they could point at persons.

A cell of fewer than five persons is withheld, and with it as many neighbours as it takes that no withheld cell follows
by subtraction from a total: along each dimension, and along the units below each unit whose total can be asked for.
Where no neighbour is left, an empty cell is withheld beside it. Refuses to leave a withheld cell alone in a line while
anything else could stand beside it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from services.reporting.domain.cube import Values

SMALL = 5  # Fewer persons than this are not shown.
UNKNOWN = ""  # A value of every sensitive dimension: nobody may be of it, and no reader knows.
MOST_PARTNERS = 16  # Empty cells looked at before the best of them is taken.

Cell = tuple[int, Values]  # A unit and the values of the dimensions.
Line = tuple[object, ...]
ALONG_UNITS = "unit"


def withheld(
    cells: Mapping[Cell, int], *, sensitive: Sequence[bool], families: Mapping[int, Sequence[int]]
) -> frozenset[Cell]:
    """The cells to withhold; some may be absent from `cells`: they hold nobody, and are withheld to hide another.

    `sensitive` says of each dimension whether it is a sensitive one; `families` names for each unit the units above it
    whose totals a reader can see.
    """
    small = sorted(cell for cell, value in cells.items() if 0 < value < SMALL)
    if not small:
        return frozenset()
    table = _Table(cells, sensitive, families)
    for cell in small:
        table.hide(cell)
    while table.waiting:
        table.protect(table.waiting.popitem()[0])
    return frozenset(table.hidden)


class _Table:
    """Cells and the lines they lie in, while cells are being withheld."""

    def __init__(
        self, cells: Mapping[Cell, int], sensitive: Sequence[bool], families: Mapping[int, Sequence[int]]
    ) -> None:
        self.hidden: set[Cell] = set()
        self.waiting: dict[Line, None] = {}
        self._cells = cells
        self._sensitive = sensitive
        self._families = families
        self._lines: defaultdict[Line, list[Cell]] = defaultdict(list)
        self._hidden_in: defaultdict[Line, int] = defaultdict(int)
        for cell in cells:
            for line in self._lines_of(cell):
                self._lines[line].append(cell)
        self._values = [
            sorted({cell[1][axis] for cell in cells} | ({UNKNOWN, "01"} if named else set()))
            for axis, named in enumerate(sensitive)
        ]
        self._members: defaultdict[int, list[int]] = defaultdict(list)
        for unit, above in families.items():
            for one in above:
                self._members[one].append(unit)

    def hide(self, cell: Cell) -> None:
        """Withhold a cell, and have the lines through it looked at."""
        self.hidden.add(cell)
        for line in self._lines_of(cell):
            self._hidden_in[line] += 1
            self.waiting[line] = None
            if cell not in self._cells:
                self._lines[line].append(cell)

    def protect(self, line: Line) -> None:
        """Withhold more of a line until what is withheld does not follow from its total."""
        axis, cells = line[0], self._lines[line]
        total = sum(self._cells.get(cell, 0) for cell in cells)
        total_is_shown = total >= SMALL or (isinstance(axis, int) and self._sensitive[axis])
        if not total_is_shown:
            return  # Wherever it is asked for, the total is itself a small cell.
        held = [cell for cell in cells if cell in self.hidden]
        count, persons = len(held), sum(self._cells.get(cell, 0) for cell in held)
        others = [cell for cell in cells if cell not in self.hidden]
        others.sort(key=lambda cell: (self._cells.get(cell, 0), cell))
        for cell in others:
            # Two cells of one person each would be known from their sum, hence also the bound on persons.
            if count > 1 and persons >= SMALL and persons > count:
                return
            self.hide(cell)
            count, persons = count + 1, persons + self._cells.get(cell, 0)
        if count == 1:
            partners = list(islice(self._partners(line, held[0] if held else cells[0]), MOST_PARTNERS))
            if partners:
                self.hide(max(partners, key=self._company))

    def _company(self, cell: Cell) -> int:
        """In how many lines through a cell something is withheld already: there it asks for nothing more."""
        return sum(1 for line in self._lines_of(cell) if self._hidden_in[line])

    def _partners(self, line: Line, cell: Cell) -> Iterator[Cell]:
        """Empty cells that could stand beside a cell in a line."""
        axis = line[0]
        unit, values = cell
        beside: Iterator[Cell]
        if isinstance(axis, int):
            beside = ((unit, (*values[:axis], other, *values[axis + 1 :])) for other in self._values[axis])
        else:
            assert isinstance(line[1], int)
            beside = ((other, values) for other in self._members[line[1]])
        return (one for one in beside if one != cell and one not in self._cells)

    def _lines_of(self, cell: Cell) -> list[Line]:
        """The lines a cell lies in: one for each dimension, and one for each unit above."""
        unit, values = cell
        lines: list[Line] = [(axis, unit, values[:axis], values[axis + 1 :]) for axis in range(len(values))]
        lines.extend((ALONG_UNITS, above, values) for above in self._families.get(unit, ()))
        return lines
