"""What every servicer of notify stands on: where it reads and writes, what time it is, and units by name."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from chassis.access import unknown_unit
from chassis.clock import Clock
from chassis.database import Database
from chassis.identity import caller
from chassis.scope_tree import ScopeTree
from chassis.scopes import Scopes
from services.notify.usecases.announcements import Scene
from services.notify.usecases.news import unit_name


@dataclass(frozen=True)
class Frame:
    """One per process."""

    database: Database
    scopes: Scopes
    clock: Clock
    wake: Callable[[], None]  # Called after a commit that gives the workers something to do, or moves an inbox.

    @property
    def today(self) -> date:
        """The day in Viet Nam."""
        return self.clock.today()

    @property
    def tree(self) -> ScopeTree:
        """Units and grants as of now."""
        return self.scopes.tree

    def scene(self) -> Scene:
        """The running request's caller at this moment."""
        return Scene(caller().subject, self.clock.now(), self.tree, self.today)

    def unit(self, ref: str) -> int:
        """The id behind a reference; raises UNKNOWN_UNIT."""
        unit_id = self.tree.resolve(ref, self.today)
        if unit_id is None:
            raise unknown_unit(ref)
        return unit_id

    def below(self, ref: str) -> frozenset[int]:
        """A unit and those below it; raises UNKNOWN_UNIT."""
        return self.tree.subtree(self.unit(ref), self.today)

    def named(self) -> Callable[[int], str]:
        """Names units as of now."""
        tree = self.tree
        return lambda unit_id: unit_name(tree, unit_id)
