"""Units in requests and answers: the id behind a reference, the alias of an id."""

from collections.abc import Callable
from datetime import date

from chassis.access import unknown_unit
from chassis.scope_tree import EVERY_UNIT, ScopeTree
from services.records.domain.objects import SCHOOL_KINDS
from services.records.domain.units import SANDBOX


def resolve_unit(tree: ScopeTree, ref: str, day: date) -> int:
    """The id behind a reference; raises UNKNOWN_UNIT."""
    unit_id = tree.resolve(ref, day)
    if unit_id is None:
        raise unknown_unit(ref)
    return unit_id


def records_below(tree: ScopeTree, unit_id: int, day: date) -> frozenset[int]:
    """All whose records a role on a unit reaches, what has ended included; of unit 0 no sandbox."""
    return tree.without(SANDBOX) if unit_id == EVERY_UNIT else tree.reach(unit_id, day)


def subtree_of(tree: ScopeTree, ref: str, day: date) -> frozenset[int]:
    """The same by its reference; raises UNKNOWN_UNIT."""
    return records_below(tree, resolve_unit(tree, ref, day), day)


def schools_below(tree: ScopeTree, ref: str, day: date) -> list[int]:
    """Those of them that send records; raises UNKNOWN_UNIT."""
    found = (tree.unit(unit_id) for unit_id in subtree_of(tree, ref, day))
    return [unit.unit_id for unit in found if unit is not None and unit.kind in SCHOOL_KINDS]


def aliases(tree: ScopeTree, day: date) -> Callable[[int], str]:
    """Names a school by an alias of the day, or by its id where it has none; each is looked up once."""
    known: dict[int, str] = {}

    def alias(unit_id: int) -> str:
        found = known.get(unit_id)
        if found is None:
            found = known[unit_id] = tree.alias(unit_id, "moet", day) or tree.alias(unit_id, "gso", day) or str(unit_id)
        return found

    return alias
