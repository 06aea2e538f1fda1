"""Every set of units that any question of a day can ask about: units as a whole, and the parts of their breakdowns.

A sensitive dimension is shown or withheld by these sets, whichever of them is asked about. Refuses nothing.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from chassis.scopes import ScopeTree
from services.reporting.usecases.places import kinds_below, members, targets_of

EVERY_UNIT = 0
SLICE = 500  # Places of units found before the loop runs other work; a province at once has thousands.


@dataclass(frozen=True, eq=False)
class Lattice:
    """The sets by number; the same tree and day give the same numbers."""

    numbers: Mapping[frozenset[int], int]
    at: Mapping[int, tuple[int, ...]]  # By unit, the sets it is in.
    whole: frozenset[int]  # The sets below topmost units.


class Lattices:
    """Remembers the lattice of the tree and day asked about last."""

    def __init__(self) -> None:
        self._tree: ScopeTree | None = None
        self._day: date | None = None
        self._known: Lattice | None = None

    async def of(self, tree: ScopeTree, day: date) -> Lattice:
        """The lattice of a day; one is asked for at a time."""
        if self._known is None or tree is not self._tree or day != self._day:
            self._known, self._tree, self._day = await _lattice(tree, day), tree, day
        return self._known


def is_top(tree: ScopeTree, unit: int, day: date) -> bool:
    """Whether nothing is above a unit; so it is with unit 0, which stands for all."""
    return not tree.ancestors(unit, day)


async def _lattice(tree: ScopeTree, day: date) -> Lattice:
    numbers: dict[frozenset[int], int] = {}
    units = [EVERY_UNIT, *sorted(unit.unit_id for unit in tree.units(day))]
    done, tops = 0, []
    for unit in units:
        # First of all: the tree remembers what is above each unit, and what follows asks it of thousands at once.
        if is_top(tree, unit, day):
            tops.append(unit)
        done = await _rested(done + 1)
    for unit in units:
        for breakdown in ("", *kinds_below(tree, unit, day)):
            targets = targets_of(tree, unit, breakdown=breakdown, day=day)
            for part in members(targets).values():
                numbers.setdefault(part, len(numbers))
            done = await _rested(done + 1 + len(targets))
    at: dict[int, list[int]] = {}
    for part, number in numbers.items():
        for unit in part:
            at.setdefault(unit, []).append(number)
        done = await _rested(done + len(part))
    return Lattice(
        numbers=numbers,
        at={unit: tuple(found) for unit, found in at.items()},
        whole=frozenset(numbers[tree.subtree(unit, day)] for unit in tops if tree.subtree(unit, day)),
    )


async def _rested(done: int) -> int:
    """What was done since the loop ran other work, which it does once that is a slice."""
    if done < SLICE:
        return done
    await asyncio.sleep(0)
    return 0
