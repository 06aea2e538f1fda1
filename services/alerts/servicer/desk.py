"""What every servicer of alerts works with: database, tree, time, and what the caller may see."""

from collections.abc import Callable
from dataclasses import dataclass

from chassis.access import caller_may, unknown_unit
from chassis.clock import Clock
from chassis.database import Database
from chassis.scopes import Scopes
from chassis.tail import Tail
from services.alerts.convert import UnitName
from services.alerts.domain import Alert
from services.alerts.domain.rules import PERSONAL_ROLES
from services.alerts.domain.shapes import PERSONAL
from services.alerts.usecases.moment import Moment


@dataclass(frozen=True)
class Desk:
    """Shared by the servicers."""

    database: Database
    scopes: Scopes
    clock: Clock
    tail: Tail
    unit_name: UnitName
    moment: Callable[[], Moment]

    def unit_id(self, ref: str) -> int:
        """The unit behind an alias or id; raises UNKNOWN_UNIT."""
        unit_id = self.scopes.tree.resolve(ref, self.clock.today())
        if unit_id is None:
            raise unknown_unit(ref)
        return unit_id

    def subtree(self, ref: str) -> Callable[[], frozenset[int]]:
        """Gives the ids of the unit and all below it, as of the moment it is asked; raises UNKNOWN_UNIT."""
        unit_id = self.unit_id(ref)
        return lambda: self.scopes.tree.subtree(unit_id, self.clock.today())

    def hidden_kinds(self, ref: str) -> frozenset[str]:
        """The kinds of facts whose alerts the caller may not see below a unit."""
        unit_id = self.unit_id(ref)
        may = caller_may(self.scopes.tree, PERSONAL_ROLES, unit_id, self.clock.today())
        return frozenset() if may else PERSONAL

    def visible(self, alert: Alert | None, ref: str) -> Alert | None:
        """The alert where it stands on the unit or below it and the caller may see it."""
        if alert is None or alert.place not in self.subtree(ref)() or alert.fact_kind in self.hidden_kinds(ref):
            return None
        return alert
