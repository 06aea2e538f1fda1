"""The cube of stocks as columns in memory: per measure and school two small arrays, summed in one pass.

A combination of dimension values is a small number, the same for all schools, so that a question maps each number to a
group once and then only adds. Refuses nothing; knows no unit but the school.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from services.reporting.domain.catalogue import DIMENSIONS, UNKNOWN_VALUES, Term

NOWHERE = -1  # Group of the combinations that a question leaves out.

Values = tuple[str, ...]  # Dimension values, in the order a question names the dimensions.


@dataclass(slots=True, eq=False)
class Column:
    """Stocks of one measure in one school: numbers of combinations, and beside each its value. Never altered.

    What it comes to in the groups of a question is remembered, since dashboards ask the same again and again.
    """

    combinations: "array[int]"
    values: "array[int]"
    _grouped: dict["Grouping", tuple["array[int]", "array[int]"]] = field(default_factory=dict)

    def grouped(self, grouping: "Grouping") -> Iterable[tuple[int, int]]:
        """Pairs of a group's number and its value."""
        known = self._grouped.get(grouping)
        if known is None:
            groups = grouping.groups
            sums: defaultdict[int, int] = defaultdict(int)
            for number, value in zip(self.combinations, self.values, strict=True):
                sums[groups[number]] += value
            sums.pop(NOWHERE, None)
            known = self._grouped[grouping] = array("I", sums.keys()), array("q", sums.values())
        return zip(*known, strict=True)


@dataclass(slots=True)
class Combinations:
    """Combinations of dimension values of one measure, numbered as they turn up."""

    numbers: dict[str, int] = field(default_factory=dict)
    known: list[Values] = field(default_factory=list)
    _groupings: dict[tuple[Term, frozenset[str]], "Grouping"] = field(default_factory=dict)

    def column(self, combinations: Iterable[str], amounts: Iterable[int]) -> Column:
        """A school's stocks, from combinations written as `DIMENSIONS` stand: `level|grade|…`; empty ends may lack."""
        numbers = self.numbers
        coded: array[int] = array("I")
        for combination in combinations:
            number = numbers.get(combination)
            if number is None:
                number = numbers[combination] = len(self.known)
                values = combination.split("|", len(DIMENSIONS) - 1)
                self.known.append((*values, *[""] * (len(DIMENSIONS) - len(values))))
            coded.append(number)
        return Column(coded, array("q", amounts))

    def grouping(self, term: Term, dimensions: Sequence[str]) -> "Grouping":
        """How these combinations fall into groups by the dimensions; remembered, since dashboards ask the same."""
        key = (term, frozenset(dimensions))
        grouping = self._groupings.get(key)
        if grouping is None:
            grouping = self._groupings[key] = Grouping(term, sorted(dimensions, key=DIMENSIONS.index))
        grouping.extend(self.known)
        return grouping


class Grouping:
    """Group of each combination, by number. The order in which dimensions are asked for makes no other grouping."""

    def __init__(self, term: Term, dimensions: Sequence[str]) -> None:
        self._where = [(DIMENSIONS.index(name), value) for name, value in term.where]
        self._known = [DIMENSIONS.index(name) for name in term.known]
        self._dimensions = tuple(dimensions)
        self._asked = [DIMENSIONS.index(name) for name in dimensions]
        self._numbers: dict[Values, int] = {}
        self._labels: list[Values] = []
        self.groups: list[int] = []

    def extend(self, known: Sequence[Values]) -> None:
        """Take in the combinations that turned up since."""
        for combination in known[len(self.groups) :]:
            if any(combination[index] != value for index, value in self._where) or any(
                combination[index] in UNKNOWN_VALUES for index in self._known
            ):
                self.groups.append(NOWHERE)
                continue
            label = tuple(combination[index] for index in self._asked)
            number = self._numbers.get(label)
            if number is None:
                number = self._numbers[label] = len(self._labels)
                self._labels.append(label)
            self.groups.append(number)

    def labels(self, dimensions: Sequence[str]) -> list[Values]:
        """Values of each group, in the order a question names the dimensions."""
        order = [self._dimensions.index(name) for name in dimensions]
        return [tuple(label[place] for place in order) for label in self._labels]


def sum_columns(
    columns: Mapping[int, Column],
    combinations: Combinations,
    *,
    term: Term,
    dimensions: Sequence[str],
    targets: Mapping[int, int],
) -> dict[int, dict[Values, int]]:
    """Sum a term over schools: for each target (`targets` maps a school to where it counts) the non-zero groups."""
    grouping = combinations.grouping(term, dimensions)
    sums: dict[int, dict[int, int]] = {}
    for school, column in columns.items():
        target = targets.get(school)
        if target is None:
            continue
        into = sums.get(target)
        if into is None:
            into = sums[target] = defaultdict(int)
        for group, value in column.grouped(grouping):
            into[group] += value
    labels = grouping.labels(dimensions)
    return {target: {labels[group]: value for group, value in found.items() if value} for target, found in sums.items()}
