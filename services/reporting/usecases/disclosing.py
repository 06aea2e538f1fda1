"""Decides what of ethnic groups is shown, for all questions of a day at once, and refuses those it does not cover.

Covered: the groups of any unit and of the parts of any breakdown by today's hierarchy; for the topmost units also by
level and sex. What crosses more, or asks by another day's hierarchy, would tell small counts by differences.

A decision costs seconds for a province, so while data flows it is taken now and then, and what is answered in between
is answered from the stocks it was taken on: newer figures beside it would tell what it withholds.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
MOST_KEPT = 24  # Of pupils and of staff, for each year that the mirror keeps.
PAUSE_SECONDS = 5.0  # Between two decisions on the same measure and year, however fast its data moves.
SLICE = 50  # Schools put into blocks before the loop runs other work.

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


@dataclass(frozen=True, eq=False)
class Decided:
    """A decision, what it was taken on, and when it was."""

    stocks: Stocks
    tree: ScopeTree
    day: date
    disclosure: Disclosure
    instant: float

    def stands_by(self, tree: ScopeTree, day: date) -> bool:
        """Whether it was taken by this hierarchy."""
        return self.tree is tree and self.day == day


@dataclass
class Disclosures:
    """Keeps the newest decisions. One is taken at a time, beside the loop, for all who wait for it."""

    lattices: Lattices = field(default_factory=Lattices)
    clock: Callable[[], float] = time.monotonic
    _known: dict[tuple[str, int], Decided] = field(default_factory=dict)
    _running: dict[tuple[str, int], asyncio.Task[Decided]] = field(default_factory=dict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def of(self, measure: str, stocks: Stocks, *, year: int, tree: ScopeTree, today: date) -> Decided:
        """A decision on a measure in a school year: on the stocks given, or on some a moment older, which it names."""
        key = (measure, year)
        while True:
            known = self._known.get(key)
            if known is not None and known.stands_by(tree, today):
                if known.stocks.columns.get(measure, {}) == stocks.columns.get(measure, {}):
                    known = replace(known, stocks=stocks)
                    self._keep(key, known)
                    return known
                if self.clock() - known.instant < PAUSE_SECONDS:
                    return known
            decision = self._running.get(key)
            if decision is None:
                decision = self._running[key] = asyncio.create_task(self._decide(key, stocks, tree=tree, day=today))
                decision.add_done_callback(lambda done: self._ended(key, done))
            # Who leaves ends nothing: the thread would go on, and the next to come start another beside it.
            decided = await asyncio.shield(decision)
            if decided.stands_by(tree, today):
                return decided

    async def _decide(self, key: tuple[str, int], stocks: Stocks, *, tree: ScopeTree, day: date) -> Decided:
        async with self._turn:
            lattice = await self.lattices.of(tree, day)
            numbers: dict[Region, int] = {}
            # The cube is only touched on the loop; the thread is given what it alone holds.
            blocks = await _blocks(key[0], stocks, lattice, numbers)
            shown = await asyncio.to_thread(_disclosed, blocks)
        decided = Decided(stocks, tree, day, Disclosure(lattice, numbers, shown), self.clock())
        self._keep(key, decided)
        return decided

    def _keep(self, key: tuple[str, int], decided: Decided) -> None:
        self._known.pop(key, None)
        self._known[key] = decided
        while len(self._known) > MOST_KEPT:
            self._known.pop(next(iter(self._known)))

    def _ended(self, key: tuple[str, int], done: asyncio.Task[Decided]) -> None:
        del self._running[key]
        if not done.cancelled():
            done.exception()  # Told to whoever waits; nobody may.


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


async def _blocks(measure: str, stocks: Stocks, lattice: Lattice, numbers: dict[Region, int]) -> list[Block]:
    """The persons of each school by level and sex, in an order that is the same on every replica."""
    columns = stocks.columns.get(measure, {})
    combinations = stocks.combinations.get(measure) or Combinations()
    asked = (*CROSSED, SENSITIVE)
    grouping = combinations.grouping(Term(measure), asked)
    # Combinations that turn up while the loop runs other work are none of these columns'.
    labels = grouping.labels(asked)
    blocks: list[Block] = []
    for place, school in enumerate(sorted(columns.keys() & lattice.at.keys())):
        if place % SLICE == 0:
            await asyncio.sleep(0)
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
            blocks.append(Block(kind, frozenset(numbers.setdefault(one, len(numbers)) for one in regions), counts))
    return blocks


def _disclosed(blocks: list[Block]) -> dict[int, frozenset[str]]:
    shown = disclose(blocks)
    blocks.clear()  # Here, in the thread: to free a province's blocks would stop the loop.
    return shown
