"""The cube of stocks as columns in memory: per measure and school two small arrays, summed in one pass.

A combination of dimension values is a small number, the same for all schools, so that a question maps each number to a
group once and then only adds. Refuses nothing; knows no unit but the school.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from services.reporting.domain.catalogue import DIMENSIONS, Term

NOWHERE = -1  # Group of the combinations that a question leaves out.

Values = tuple[str, ...]  # Dimension values, in the order a question names the dimensions.


class Column(NamedTuple):
    """Stocks of one measure in one school: numbers of combinations, and beside each its value."""

    combinations: "array[int]"
    values: "array[int]"
    total: int


@dataclass(slots=True)
class Combinations:
    """Combinations of dimension values of one measure, numbered as they turn up."""

    numbers: dict[str, int] = field(default_factory=dict)
    known: list[Values] = field(default_factory=list)
    _groupings: dict[tuple[Term, Values], "Grouping"] = field(default_factory=dict)

    def column(self, combinations: Iterable[str], values: Iterable[int]) -> Column:
        """A school's stocks, from combinations written `level|grade|sex|ethnic_group`."""
        numbers = self.numbers
        coded: array[int] = array("I")
        for combination in combinations:
            number = numbers.get(combination)
            if number is None:
                number = numbers[combination] = len(self.known)
                self.known.append(tuple(combination.split("|", len(DIMENSIONS) - 1)))
            coded.append(number)
        counted = array("q", values)
        return Column(coded, counted, sum(counted))

    def grouping(self, term: Term, dimensions: Sequence[str]) -> "Grouping":
        """How these combinations fall into groups by the dimensions; remembered, since dashboards ask the same."""
        key = (term, tuple(dimensions))
        grouping = self._groupings.get(key)
        if grouping is None:
            grouping = self._groupings[key] = Grouping(term, dimensions)
        grouping.extend(self.known)
        return grouping


class Grouping:
    """Group of each combination, by number."""

    def __init__(self, term: Term, dimensions: Sequence[str]) -> None:
        self._where = [(DIMENSIONS.index(name), value) for name, value in term.where]
        self._asked = [DIMENSIONS.index(name) for name in dimensions]
        self._numbers: dict[Values, int] = {}
        self.groups: list[int] = []
        self.labels: list[Values] = []

    def extend(self, known: Sequence[Values]) -> None:
        """Take in the combinations that turned up since."""
        for combination in known[len(self.groups) :]:
            if any(combination[index] != value for index, value in self._where):
                self.groups.append(NOWHERE)
                continue
            label = tuple(combination[index] for index in self._asked)
            number = self._numbers.get(label)
            if number is None:
                number = self._numbers[label] = len(self.labels)
                self.labels.append(label)
            self.groups.append(number)


def sum_columns(
    columns: Mapping[int, Column],
    combinations: Combinations,
    *,
    term: Term,
    dimensions: Sequence[str],
    targets: Mapping[int, int],
) -> dict[int, dict[Values, int]]:
    """Sum a term over schools: for each target (`targets` maps a school to where it counts) the non-zero groups."""
    sums: dict[int, dict[int, int]] = {}
    plain = not dimensions and not term.where
    grouping = combinations.grouping(term, dimensions)
    groups = grouping.groups
    for school, target in targets.items():
        column = columns.get(school)
        if column is None:
            continue
        into = sums.get(target)
        if into is None:
            into = sums[target] = defaultdict(int)
        if plain:
            into[0] += column.total
            continue
        for number, value in zip(column.combinations, column.values, strict=True):
            into[groups[number]] += value
    labels = grouping.labels or [()]
    return {
        target: {labels[group]: value for group, value in found.items() if group != NOWHERE and value}
        for target, found in sums.items()
    }
