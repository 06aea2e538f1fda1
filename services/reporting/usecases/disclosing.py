"""Decides what of ethnic groups is shown, for all questions of a day at once, and refuses those it does not cover.

Covered: the groups of any unit and of the parts of any breakdown by today's hierarchy; for the topmost units also by
level and sex. What crosses more, or asks by another day's hierarchy, would tell small counts by differences.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import product

from chassis.errors import Fault, Kind
from chassis.scopes import ScopeTree
from services.reporting.domain.catalogue import SENSITIVE, Term
from services.reporting.domain.cube import Combinations, Values
from services.reporting.domain.disclosure import Block, disclose
from services.reporting.store.mirror import Stocks
from services.reporting.usecases.lattice import Lattice, Lattices, is_top

CROSSED = ("level", "sex")  # What the groups of a topmost unit can be crossed with.
WITHHELD = "*"  # Stands in a figure for every group that is not shown.
MOST_KEPT = 8

Region = tuple[int, str | None, str | None]  # A set of the lattice, and the level and sex where only one is meant.


@dataclass(frozen=True, eq=False)
class Disclosure:
    """What is shown of one measure's sensitive groups."""

    lattice: Lattice
    _numbers: Mapping[Region, int]
    _shown: Mapping[int, frozenset[str]]

    def shows(self, units: frozenset[int], dimensions: Sequence[str], values: Values) -> bool:
        """Whether the cell of a question may be shown."""
        named = dict(zip(dimensions, values, strict=True))
        part = self.lattice.numbers.get(units)
        number = None if part is None else self._numbers.get((part, named.get("level"), named.get("sex")))
        if number is None:
            return False  # A unit that is gone: no decision covers it.
        shown = self._shown.get(number)
        return shown is None or named[SENSITIVE] in shown


@dataclass
class Disclosures:
    """Keeps the newest decisions. One is taken at a time, beside the loop: it takes a while for a province."""

    lattices: Lattices = field(default_factory=Lattices)
    _known: dict[tuple[str, int], tuple[Stocks, Disclosure]] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def of(self, measure: str, stocks: Stocks, *, year: int, tree: ScopeTree, today: date) -> Disclosure:
        """The decision on a measure in a school year as it stands."""
        async with self._lock:
            lattice = await self.lattices.of(tree, today)
            known = self._known.pop((measure, year), None)
            if known is None or known[0].columns is not stocks.columns or known[1].lattice is not lattice:
                known = stocks, await _decide(measure, stocks, lattice)
            self._known[measure, year] = known
            while len(self._known) > MOST_KEPT:
                self._known.pop(next(iter(self._known)))
        return known[1]


def check_covered(
    dimensions: Sequence[str], *, unit: int, breakdown: str, day: date, tree: ScopeTree, today: date
) -> None:
    """Refuse a question by a sensitive dimension that no decision covers."""
    others = {dimension for dimension in dimensions if dimension != SENSITIVE}
    whole = not breakdown and is_top(tree, unit, today)
    if day != today or not (not others or (whole and others <= set(CROSSED))):
        raise Fault(
            Kind.INVALID,
            "SENSITIVE_COMBINATION",
            vi="Dân tộc chỉ được phân tích theo cây đơn vị hôm nay: riêng một chiều ở mọi đơn vị, hoặc kèm cấp học"
            " và giới tính cho toàn bộ đơn vị cao nhất. Phân tích sâu hơn có thể làm lộ từng người.",
            en="Ethnic groups are broken down by today's hierarchy only: alone for any unit, or with level and sex"
            " for a topmost unit as a whole. Anything finer could point at persons.",
            metadata={"dimension": SENSITIVE, "crossed": ",".join(CROSSED)},
        )


async def _decide(measure: str, stocks: Stocks, lattice: Lattice) -> Disclosure:
    numbers: dict[Region, int] = {}
    # The cube is only touched on the loop; the thread is given what it alone holds.
    blocks = list(_blocks(measure, stocks, lattice, numbers))
    return Disclosure(lattice, numbers, await asyncio.to_thread(disclose, blocks))


def _blocks(measure: str, stocks: Stocks, lattice: Lattice, numbers: dict[Region, int]) -> Iterator[Block]:
    """The persons of each school by level and sex, in an order that is the same on every replica."""
    columns = stocks.columns.get(measure, {})
    combinations = stocks.combinations.get(measure) or Combinations()
    asked = (*CROSSED, SENSITIVE)
    grouping = combinations.grouping(Term(measure), asked)
    labels = grouping.labels(asked)
    for school in sorted(columns.keys() & lattice.at.keys()):
        found: dict[tuple[str, str], dict[str, int]] = {}
        for group, count in columns[school].grouped(grouping):
            level, sex, ethnic_group = labels[group]
            if count > 0:
                found.setdefault((level, sex), {})[ethnic_group] = count
        for kind, counts in sorted(found.items()):
            regions: list[Region] = [(one, None, None) for one in lattice.at[school]]
            regions += [
                (one, *values)
                for one in lattice.at[school]
                if one in lattice.whole
                for values in product((None, kind[0]), (None, kind[1]))
                if any(value is not None for value in values)
            ]
            yield Block(kind, frozenset(numbers.setdefault(one, len(numbers)) for one in regions), counts)
