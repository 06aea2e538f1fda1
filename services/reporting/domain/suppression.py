"""Which cells of a table must not be shown because they could point at persons.

A cell of fewer than five persons is withheld, and with it as many neighbours as it takes that no withheld cell follows
by subtraction from a total: along each dimension, and along the units below each unit whose total can be asked for.
Where no neighbour is left, an empty cell is withheld beside it. Refuses to leave a withheld cell alone in a line while
anything else could stand beside it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from services.reporting.domain.cube import Values

SMALL = 5  # Fewer persons than this are not shown.
UNKNOWN = ""  # A value of every sensitive dimension: nobody may be of it, and no reader knows.
MOST_PARTNERS = 16  # Empty cells looked at before the best of them is taken.

Cell = tuple[int, Values]  # A unit and the values of the dimensions.
Line = tuple[object, ...]
ALONG_UNITS = "units"


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


@dataclass(slots=True)
class _Along:
    """A line of the table: its cells, and what is withheld of them."""

    name: Line
    cells: list[Cell] = field(default_factory=list)
    total: int = 0
    held: int = 0
    held_persons: int = 0

    @property
    def is_safe(self) -> bool:
        """Whether what is withheld does not follow from the total.

        Two cells of one person each would be known from their sum, hence also the bound on persons.
        """
        return self.held > 1 and self.held_persons >= SMALL and self.held_persons > self.held


class _Table:
    """Cells and the lines they lie in, while cells are being withheld."""

    def __init__(
        self, cells: Mapping[Cell, int], sensitive: Sequence[bool], families: Mapping[int, Sequence[int]]
    ) -> None:
        self.hidden: set[Cell] = set()
        self.waiting: dict[int, None] = {}  # Numbers of lines to look at.
        self._values = dict(cells)
        self._sensitive = sensitive
        self._families = families
        self._lines: list[_Along] = []
        self._numbers: dict[Line, int] = {}
        self._through = {cell: self._place(cell, value) for cell, value in cells.items()}
        self._named = [
            sorted({cell[1][axis] for cell in cells} | ({UNKNOWN, "01"} if named else set()))
            for axis, named in enumerate(sensitive)
        ]
        self._members: defaultdict[int, list[int]] = defaultdict(list)
        for unit, above in families.items():
            for one in above:
                self._members[one].append(unit)

    def hide(self, cell: Cell) -> None:
        """Withhold a cell, and have the lines through it looked at."""
        if cell not in self._through:
            self._values[cell] = 0
            self._through[cell] = self._place(cell, 0)
        self.hidden.add(cell)
        value = self._values[cell]
        for number in self._through[cell]:
            line = self._lines[number]
            line.held += 1
            line.held_persons += value
            self.waiting[number] = None

    def protect(self, number: int) -> None:
        """Withhold more of a line until what is withheld does not follow from its total."""
        line = self._lines[number]
        axis = line.name[0]
        if line.total < SMALL and not (isinstance(axis, int) and self._sensitive[axis]):
            return  # Wherever it is asked for, the total is itself a small cell.
        if line.is_safe:
            return
        values = self._values
        for _, cell in sorted((values[cell], cell) for cell in line.cells if cell not in self.hidden):
            self.hide(cell)
            if line.is_safe:
                return
        if line.held == 1:
            partners = list(islice(self._partners(line), MOST_PARTNERS))
            if partners:
                self.hide(max(partners, key=self._company))

    def _partners(self, line: _Along) -> Iterator[Cell]:
        """Empty cells that could stand beside the only one of a line."""
        [(unit, values)] = line.cells
        axis, above = line.name[0], line.name[1]
        beside: Iterator[Cell]
        if isinstance(axis, int):
            beside = ((unit, (*values[:axis], other, *values[axis + 1 :])) for other in self._named[axis])
        else:
            assert isinstance(above, int)
            beside = ((other, values) for other in self._members[above])
        return (one for one in beside if one not in self._through)

    def _company(self, cell: Cell) -> int:
        """In how many lines through a cell something is withheld already: there it asks for nothing more."""
        numbers = map(self._numbers.get, self._names_of(cell))
        return sum(1 for number in numbers if number is not None and self._lines[number].held)

    def _place(self, cell: Cell, value: int) -> tuple[int, ...]:
        """Put a cell into its lines; says which."""
        through = []
        for name in self._names_of(cell):
            number = self._numbers.get(name)
            if number is None:
                number = self._numbers[name] = len(self._lines)
                self._lines.append(_Along(name))
            line = self._lines[number]
            line.cells.append(cell)
            line.total += value
            through.append(number)
        return tuple(through)

    def _names_of(self, cell: Cell) -> list[Line]:
        """The lines a cell lies in: one for each dimension, and one for each unit above."""
        unit, values = cell
        lines: list[Line] = [(axis, unit, values[:axis], values[axis + 1 :]) for axis in range(len(values))]
        lines.extend((ALONG_UNITS, above, values) for above in self._families.get(unit, ()))
        return lines
