"""Which cells of a table must not be shown because they could point at persons.

A cell of fewer than five persons is withheld, and with it as many neighbours as it takes that no withheld cell follows
by subtraction from a total: along each dimension, and along the units below each unit whose total can be asked for.
Where no neighbour is left, an empty cell is withheld beside it. Refuses to leave a withheld cell alone in a line while
anything else could stand beside it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from math import prod
from operator import mul

from services.reporting.domain.cube import Values

SMALL = 5  # Fewer persons than this are not shown.
UNKNOWN = ""  # A value of every sensitive dimension: nobody may be of it, and no reader knows.
MOST_PARTNERS = 16  # Empty cells looked at before the best of them is taken.

Cell = tuple[int, Values]  # A unit and the values of the dimensions.


def withheld(
    cells: Mapping[Cell, int], *, sensitive: Sequence[bool], families: Mapping[int, Sequence[int]]
) -> frozenset[Cell]:
    """The cells to withhold; some may be absent from `cells`: they hold nobody, and are withheld to hide another.

    `sensitive` says of each dimension whether it is a sensitive one; `families` names for each unit the units above it
    whose totals a reader can see.
    """
    if not any(0 < value < SMALL for value in cells.values()):
        return frozenset()
    grid = _Grid(cells, sensitive, families)
    table = _Table(grid, {grid.number(cell): value for cell, value in cells.items()})
    for number in sorted(number for number, value in table.values.items() if 0 < value < SMALL):
        table.hide(number)
    while table.waiting:
        table.protect(table.waiting.popitem()[0])
    return frozenset(map(grid.cell, table.hidden))


class _Grid:
    """Cells and lines as numbers: a table has tens of thousands of them, and each is looked at several times.

    A cell is its unit and values as digits. A line is the cell with one digit set to zero, or with a unit above in
    place of the unit, and as its last digit which of these it is.
    """

    def __init__(
        self, cells: Mapping[Cell, int], sensitive: Sequence[bool], families: Mapping[int, Sequence[int]]
    ) -> None:
        self.sensitive = sensitive
        self._units = sorted({unit for unit, _ in cells} | families.keys())
        self._above = sorted({above for line in families.values() for above in line})
        known: list[set[str]] = [{UNKNOWN, "01"} if named else set() for named in sensitive]
        for _, values in cells:
            for axis, value in enumerate(values):
                known[axis].add(value)
        self._known = [sorted(values) for values in known]
        self._digits = [{value: digit for digit, value in enumerate(values)} for values in self._known]
        self._weights = [prod(map(len, self._known[axis + 1 :])) for axis in range(len(sensitive))]
        self._whole = prod(map(len, self._known))
        self._kinds = len(sensitive) + 1
        place = {unit: digit for digit, unit in enumerate(self._units)}
        higher = {above: digit for digit, above in enumerate(self._above)}
        self._unit_digit = place
        self._families = [tuple(higher[above] for above in families.get(unit, ())) for unit in self._units]
        self._members: list[list[int]] = [[] for _ in self._above]
        for digit, above in enumerate(self._families):
            for one in above:
                self._members[one].append(digit * self._whole)

    def number(self, cell: Cell) -> int:
        """The number of a cell."""
        unit, values = cell
        digits = map(dict.__getitem__, self._digits, values)
        values_number: int = sum(map(mul, digits, self._weights))
        return self._unit_digit[unit] * self._whole + values_number

    def cell(self, number: int) -> Cell:
        """The cell of a number."""
        unit, rest = divmod(number, self._whole)
        values = []
        for weight, known in zip(self._weights, self._known, strict=True):
            digit, rest = divmod(rest, weight)
            values.append(known[digit])
        return self._units[unit], tuple(values)

    def lines(self, number: int) -> Iterator[int]:
        """The lines through a cell: one for each dimension, and one for each unit above."""
        unit, values = divmod(number, self._whole)
        rest = values
        for axis, weight in enumerate(self._weights):
            digit, rest = divmod(rest, weight)
            yield (number - digit * weight) * self._kinds + axis
        for above in self._families[unit]:
            yield (above * self._whole + values) * self._kinds + self._kinds - 1

    def along(self, line: int) -> Iterable[int]:
        """The cells of a line, those that hold nobody among them."""
        start, axis = divmod(line, self._kinds)
        if axis < len(self._weights):
            weight = self._weights[axis]
            return range(start, start + weight * len(self._known[axis]), weight)
        above, values = divmod(start, self._whole)
        return [unit + values for unit in self._members[above]]

    def is_sensitive(self, line: int) -> bool:
        """Whether a line runs along a sensitive dimension: then its total is shown, however small."""
        axis = line % self._kinds
        return axis < len(self.sensitive) and self.sensitive[axis]


class _Table:
    """What is withheld so far, and the lines that are still to be looked at."""

    def __init__(self, grid: _Grid, values: dict[int, int]) -> None:
        self.values = values
        self.hidden: set[int] = set()
        self.waiting: dict[int, None] = {}
        self._grid = grid
        self._touched: set[int] = set()  # Lines in which something is withheld.

    def hide(self, cell: int) -> None:
        """Withhold a cell, and have the lines through it looked at."""
        self.hidden.add(cell)
        self.values.setdefault(cell, 0)
        lines = list(self._grid.lines(cell))
        self._touched.update(lines)
        self.waiting.update(dict.fromkeys(lines))

    def protect(self, line: int) -> None:
        """Withhold more of a line until what is withheld does not follow from its total."""
        known = [(self.values[cell], cell) for cell in self._grid.along(line) if cell in self.values]
        held = [value for value, cell in known if cell in self.hidden]
        if sum(value for value, _ in known) < SMALL and not self._grid.is_sensitive(line):
            return  # Wherever it is asked for, the total is itself a small cell.
        count, persons = len(held), sum(held)
        if _is_safe(count, persons):
            return
        for value, cell in sorted(one for one in known if one[1] not in self.hidden):
            self.hide(cell)
            count, persons = count + 1, persons + value
            if _is_safe(count, persons):
                return
        if count == 1:
            empty = (cell for cell in self._grid.along(line) if cell not in self.values)
            # Best where something is withheld already in the lines across: there it asks for nothing more.
            partner = max(islice(empty, MOST_PARTNERS), key=self._company, default=None)
            if partner is not None:
                self.hide(partner)

    def _company(self, cell: int) -> int:
        return sum(1 for line in self._grid.lines(cell) if line in self._touched)


def _is_safe(count: int, persons: int) -> bool:
    """Whether so many withheld cells of so many persons together do not give one of them away.

    Two cells of one person each would be known from their sum, hence also the bound on persons.
    """
    return count > 1 and persons >= SMALL and persons > count
