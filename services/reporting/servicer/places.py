"""Units as requests name them: the unit, all below it, and their names. Refuses a unit nobody knows today."""

from dataclasses import dataclass

from chassis.access import unknown_unit
from chassis.clock import Clock
from chassis.request import current_request
from chassis.scopes import Scopes


@dataclass(frozen=True)
class UnitsToday:
    """The tree of units as of today."""

    scopes: Scopes
    clock: Clock

    def resolve(self, ref: str) -> int:
        """The unit's id; raises UNKNOWN_UNIT."""
        unit_id = self.scopes.tree.resolve(ref, self.clock.today())
        if unit_id is None:
            raise unknown_unit(ref)
        return unit_id

    def below(self, ref: str) -> frozenset[int]:
        """The unit and all below it; raises UNKNOWN_UNIT."""
        return self.scopes.tree.subtree(self.resolve(ref), self.clock.today())

    def name(self, unit_id: int) -> str:
        """The unit's name."""
        unit = self.scopes.tree.unit(unit_id)
        return unit.name if unit else f"#{unit_id}"


def language() -> str:
    """The language the caller reads: `vi` or `en`."""
    request = current_request()
    return "en" if request is not None and request.language == "en" else "vi"
