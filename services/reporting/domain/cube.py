"""The cube of stocks as columns in memory: per measure and school two small arrays, summed in one pass.

A combination of dimension values is a small number, the same for all schools, so that a question maps each number to a
group once and then only adds. Refuses nothing; knows no unit but the school.
"""

from array import array
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from services.reporting.domain.catalogue import DIMENSIONS, UNKNOWN_VALUES, Term

NOWHERE = -1  # Group of the combinations that a question leaves out.
EMPTY_WEIGHT = 20  # Of a roll of nothing.
GROUPED_WEIGHT = 6  # Of an answer of a column without its groups, of which each weighs one.
GROUPED_LEAST, GROUPED_TIMES = 120, 8  # What a column's answers may weigh, whatever it holds and for each stock in it.
MOST_WEIGHT = 2_000_000  # Of the rolls that are kept, some 55 bytes each: a province's 68 plain sums weigh 200,000.

Values = tuple[str, ...]  # Dimension values, in the order a question names the dimensions.


@dataclass(slots=True, eq=False)
class Column:
    """Stocks of one measure in one school: numbers of combinations, and beside each its value. Never altered.

    What it comes to in the groups of a question is remembered, since dashboards ask the same again and again: the
    answers asked for last, together in proportion to the column itself.
    """

    combinations: "array[int]"
    values: "array[int]"
    weight: int = 0  # Of the answers that are kept.
    _grouped: dict["Grouping", tuple["array[int]", "array[int]"]] = field(default_factory=dict)

    def grouped(self, grouping: "Grouping") -> Iterable[tuple[int, int]]:
        """Pairs of a group's number and its value."""
        known = self._grouped.pop(grouping, None)
        if known is None:
            groups = grouping.groups
            sums: defaultdict[int, int] = defaultdict(int)
            for number, value in zip(self.combinations, self.values, strict=True):
                sums[groups[number]] += value
            sums.pop(NOWHERE, None)
            known = array("I", sums.keys()), array("q", sums.values())
            self.weight += GROUPED_WEIGHT + len(known[0])
            while self.weight > GROUPED_LEAST + GROUPED_TIMES * len(self.values):
                self.weight -= GROUPED_WEIGHT + len(self._grouped.pop(next(iter(self._grouped)))[0])
        self._grouped[grouping] = known
        return zip(*known, strict=True)

    def prepare(self, grouping: "Grouping") -> int:
        """Have the groups of a question ready; says how many stocks had to be looked at."""
        if grouping in self._grouped:
            return 0
        self.grouped(grouping)
        return len(self.values)


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


class Roll:
    """Sums of one grouping by target, kept up as schools' columns are replaced: exact; only what moved is summed.

    `targets` maps a school to where it counts. What was answered is never altered afterwards. `weight` is how much of
    memory it takes, roughly.
    """

    def __init__(self, grouping: Grouping, targets: Mapping[int, int]) -> None:
        self._grouping = grouping
        self._targets = targets
        self._followed: Mapping[int, Column] = {}
        self._columns: dict[int, Column] = {}
        self.weight = EMPTY_WEIGHT
        self._sums: dict[int, dict[int, int]] = {}
        self._answers: dict[tuple[str, ...], dict[int, dict[Values, int]]] = {}

    def sums(self, columns: Mapping[int, Column], dimensions: Sequence[str]) -> Mapping[int, Mapping[Values, int]]:
        """For each target the groups that are not zero, labelled in the order a question names the dimensions."""
        touched = self._follow(columns)
        if touched:
            # A question may still hold what it was answered before.
            self._answers = {
                order: self._labelled(touched, order) if not answer else {**answer, **self._labelled(touched, order)}
                for order, answer in self._answers.items()
            }
        order = tuple(dimensions)
        if order not in self._answers:
            self._answers[order] = self._labelled(self._sums, order)
            touched = self._sums.keys()
        if touched:
            cells = sum(map(len, self._sums.values()))
            self.weight = EMPTY_WEIGHT + len(self._columns) + (3 * len(self._sums) + cells) * (1 + len(self._answers))
        return self._answers[order]

    def _follow(self, columns: Mapping[int, Column]) -> AbstractSet[int]:
        """Take in what was replaced; the targets whose sums it changes."""
        touched: set[int] = set()
        if columns is self._followed:
            return touched
        self._followed = columns
        known, grouping = self._columns, self._grouping
        few, many = (columns, self._targets) if len(columns) < len(self._targets) else (self._targets, columns)
        for school in [*(one for one in few if one in many), *(one for one in known if one not in columns)]:
            before, after = known.get(school), columns.get(school)
            if before is after:
                continue
            target = self._targets[school]
            into = self._sums.setdefault(target, {})
            for column, sign in ((before, -1), (after, 1)):
                for group, value in column.grouped(grouping) if column else ():
                    into[group] = into.get(group, 0) + sign * value
            if after is None:
                del known[school]
            else:
                known[school] = after
            touched.add(target)
        return touched

    def _labelled(self, targets: Iterable[int], dimensions: Sequence[str]) -> dict[int, dict[Values, int]]:
        labels = self._grouping.labels(dimensions)
        sums = self._sums
        return {target: {labels[group]: value for group, value in sums[target].items() if value} for target in targets}


class Rolls:
    """The rolls that were asked for last, whatever they divide, as long as together they weigh no more than `most`."""

    def __init__(self, most: int = MOST_WEIGHT) -> None:
        self._most = most
        self._kept: dict[Hashable, Roll] = {}
        self.weight = 0

    def __len__(self) -> int:
        return len(self._kept)

    def sums(
        self,
        key: Hashable,
        columns: Mapping[int, Column],
        *,
        grouping: Grouping,
        targets: Mapping[int, int],
        dimensions: Sequence[str],
    ) -> Mapping[int, Mapping[Values, int]]:
        """What the roll of a key says; another key means another grouping or other targets."""
        roll = self._kept.pop(key, None)
        if roll is None:
            roll = Roll(grouping, targets)
        else:
            self.weight -= roll.weight
        found = roll.sums(columns, dimensions)
        self._kept[key] = roll
        self.weight += roll.weight
        while self.weight > self._most:
            self.weight -= self._kept.pop(next(iter(self._kept))).weight
        return found


def sum_columns(
    columns: Mapping[int, Column],
    combinations: Combinations,
    *,
    term: Term,
    dimensions: Sequence[str],
    targets: Mapping[int, int],
) -> Mapping[int, Mapping[Values, int]]:
    """Sum a term over schools, once: for each target the groups that are not zero."""
    return Roll(combinations.grouping(term, dimensions), targets).sums(columns, dimensions)
