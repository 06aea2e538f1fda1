"""Which counts of a sensitive group may be shown, decided once for every question that can be asked.

A region is a set of persons whose groups can be asked for: a unit, what is left of a unit, one sex of a province. The
decision is taken on all regions together, never on an answer, so that answers cannot be subtracted from each other. It
rests on a witness: for each small count there is a move (two persons in different places trade groups, or one takes
another) after which the count is another while every shown number is the same. Who knows all answers therefore cannot
tell which of the two is true. Where no move is free, the cheapest is freed by withholding what it would change.

Refuses nothing. Does not guard against comparing answers given before and after a change of the data.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

SMALL = 5  # Fewer persons than this are not shown, nor told by what is left of a total.
MOST_MOVES = 100  # Moves looked at for one count before the cheapest of them is taken: near ones come first.


@dataclass(frozen=True, eq=False)
class Block:
    """Persons no question tells apart but by their group: how many of each, and every region they are in."""

    kind: tuple[str, ...]  # What they have in common with blocks of other schools: a trade is cheapest within it.
    regions: frozenset[int]
    counts: Mapping[str, int]

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """The groups there are, in a fixed order."""
        return tuple(sorted(self.counts))


@dataclass(frozen=True, slots=True)
class _Move:
    """A person of one group becomes one of another in some regions; in others, where both parties are, nothing does."""

    cost: int
    regions: frozenset[int]
    groups: frozenset[str]


def disclose(blocks: Sequence[Block]) -> dict[int, frozenset[str]]:
    """By region that does not show everything, the groups it shows; whether others are nobody or some stays open.

    The same blocks in the same order give the same decision: replicas must not differ.
    """
    table = _Table(blocks)
    small = table.small_counts()
    for region in dict.fromkeys(region for region, _ in small):
        table.hide(region, frozenset())
    for region, group in small:
        move = table.cheapest(region, group)
        for changed in move.regions:
            table.hide(changed, move.groups)
    return table.shown


class _Table:
    """Counts by region, and what is shown of them so far: less and less."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.shown: dict[int, frozenset[str]] = {}
        self._blocks = blocks
        self._rows: dict[int, dict[str, int]] = {}
        self._members: dict[int, list[Block]] = {}
        for block in blocks:
            for region in block.regions:
                self._members.setdefault(region, []).append(block)
                row = self._rows.setdefault(region, {})
                for group, count in block.counts.items():
                    row[group] = row.get(group, 0) + count
        self._totals = {region: sum(row.values()) for region, row in self._rows.items()}
        self._universe = sorted({group for block in blocks for group in block.counts} | {"", "01"})

    def small_counts(self) -> list[tuple[int, str]]:
        """What must not be told, that of large regions first."""
        return [
            (region, group)
            for region in sorted(self._rows, key=lambda one: (-self._totals[one], one))
            for group, count in sorted(self._rows[region].items())
            if 0 < count < SMALL
        ]

    def hide(self, region: int, groups: frozenset[str]) -> None:
        """Withhold groups of a region, all its small and empty ones, and as many as hide how many these are."""
        row = self._rows[region]
        known = self.shown.get(region)
        shown = {group for group, count in row.items() if count >= SMALL} if known is None else set(known)
        shown -= groups
        left = self._totals[region] - sum(row[group] for group in shown)
        for group in sorted(shown, key=lambda one: (row[one], one)):
            if left >= SMALL:
                break
            shown.remove(group)
            left += row[group]
        self.shown[region] = frozenset(shown)

    def cheapest(self, region: int, group: str) -> _Move:
        """The move that makes a count another at the least loss; one that costs nothing where there is any."""
        best: _Move | None = None
        for looked, move in enumerate(self._trades(region, group)):
            if best is None or move.cost < best.cost:
                best = move
            if not best.cost or looked >= MOST_MOVES:
                break
        if best is not None and not best.cost:
            return best
        for move in self._takings(region, group):
            if best is None or move.cost < best.cost:
                best = move
        assert best is not None, "there are always two groups"
        return best

    def _trades(self, region: int, group: str) -> Iterator[_Move]:
        """Trades between a person in the region and one outside, near ones first; one of the two is of the group."""
        inside = self._members[region]
        having = _one_of_each_kind(block for block in inside if group in block.counts)
        others = _one_of_each_kind(block for block in inside if len(block.counts) > (group in block.counts))
        for outside in self._around(region):
            for mine, other in [(one, other) for one in having for other in outside.groups]:
                if other != group:
                    yield self._move(mine.regions ^ outside.regions, group, other)
            if group in outside.counts:
                for mine, other in [(one, other) for one in others for other in one.groups]:
                    if other != group:
                        yield self._move(mine.regions ^ outside.regions, group, other)

    def _around(self, region: int) -> Iterator[Block]:
        """Blocks outside a region, those that share the smallest regions with it first."""
        seen: set[int] = set()
        wider = {other for block in self._members[region] for other in block.regions}
        for other in sorted(wider, key=lambda one: (self._totals[one], one)):
            for block in self._members[other]:
                if region not in block.regions and id(block) not in seen:
                    seen.add(id(block))
                    yield block
        yield from (block for block in self._blocks if region not in block.regions and id(block) not in seen)

    def _takings(self, region: int, group: str) -> Iterator[_Move]:
        """A person of the group takes another: every region the person is in is changed."""
        for block in _one_of_each_kind(one for one in self._members[region] if group in one.counts):
            for other in self._universe:
                if other != group:
                    yield self._move(block.regions, group, other)

    def _move(self, regions: frozenset[int], group: str, other: str) -> _Move:
        shown, cost = self.shown, 0
        for region in regions:
            open_ = shown.get(region)
            if open_ is None or group in open_ or other in open_:
                cost += self._totals[region]
        return _Move(cost, regions, frozenset((group, other)))


def _one_of_each_kind(blocks: Iterable[Block]) -> list[Block]:
    """The block with most groups of each kind: looking at all would find little more."""
    found: dict[tuple[str, ...], Block] = {}
    for block in blocks:
        known = found.get(block.kind)
        if known is None or len(block.counts) > len(known.counts):
            found[block.kind] = block
    return list(found.values())
