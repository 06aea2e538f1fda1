"""Places schools that are gone where their successors are: the past in the units of another day.

A school lies where it lies; one that no longer is on the day of the hierarchy counts at the school it went on as, and
one whose commune ended without it at what became of the commune. Where only a part is known to have gone somewhere the
school is an estimate, and it is for the caller to allow that.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from chassis.scope_tree import holds
from chassis.scopes import ScopeTree
from services.reporting.domain.cube import Rolls
from services.reporting.domain.successions import Succession
from services.reporting.usecases.places import SCHOOL, Places

MOST_STEPS = 20  # Successions one after the other; a circle ends here.


@dataclass(frozen=True)
class Remapped:
    """Places with the schools that are gone, and how many were placed, estimated, or found no place."""

    places: Places
    mapped: frozenset[int] = frozenset()
    estimated: frozenset[int] = frozenset()
    unplaced: frozenset[int] = frozenset()


def remap(
    places: Places,
    schools: Iterable[int],
    *,
    unit: int,
    tree: ScopeTree,
    day: date,
    successions: Sequence[Succession] | None,
) -> Remapped:
    """Give each school that has data and is gone on the day a place, by `successions`; None: follow none."""
    after: dict[int, list[Succession]] = {}
    for one in successions or ():
        after.setdefault(one.unit_id, []).append(one)
    targets = dict(places.targets)
    mapped: set[int] = set()
    estimated: set[int] = set()
    unplaced: set[int] = set()
    for school in schools:
        known = tree.unit(school)
        if known is None or school in targets or holds(known, day):
            continue
        if successions is None:
            if _was_below(tree, unit, school):
                unplaced.add(school)
            continue
        landed, is_partial = _landed(school, after, tree, day)
        if landed is None:
            if _was_below(tree, unit, school):
                unplaced.add(school)
            continue
        target = places.targets.get(landed)
        if target is None:
            continue  # It lies elsewhere.
        targets[school] = target
        (estimated if is_partial else mapped).add(school)
    return Remapped(
        # Made for this one question: its sums must not push out those that are asked again.
        replace(places, targets=targets, rolls=Rolls()) if len(targets) != len(places.targets) else places,
        frozenset(mapped | estimated),
        frozenset(estimated),
        frozenset(unplaced),
    )


def _landed(
    school: int, after: Mapping[int, Sequence[Succession]], tree: ScopeTree, day: date
) -> tuple[int | None, bool]:
    """The unit a school counts in on a day, and whether only a part of something is known to have gone there."""
    waiting, is_partial = school, False
    for _ in range(MOST_STEPS):
        unit = tree.unit(waiting)
        if unit is not None and holds(unit, day):
            return waiting, is_partial
        following = [one for one in after.get(waiting, ()) if one.effective_date <= day]
        if not following:
            parent = _last_parent(tree, waiting)
            if parent is None:
                return None, is_partial
            waiting = parent
            continue
        whole = [one for one in following if not one.partial]
        is_partial = is_partial or len(following) > 1 or not whole
        waiting = (whole or following)[0].successor_id
    return None, is_partial


def _last_parent(tree: ScopeTree, unit_id: int) -> int | None:
    """Where a unit lay at its end."""
    unit = tree.unit(unit_id)
    if unit is None or unit.kind != SCHOOL or not unit.edges:
        return None
    return max(unit.edges, key=lambda edge: edge.valid_to or date.max).parent_id


def _was_below(tree: ScopeTree, unit: int, school: int) -> bool:
    """Whether a school that is gone lay below the unit on its last day."""
    known = tree.unit(school)
    if known is None or known.valid_to is None:
        return False
    last = date.fromordinal(known.valid_to.toordinal() - 1)
    return tree.contains(unit, school, last) if unit else True
