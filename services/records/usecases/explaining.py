"""Who may do something on a unit, by the stored grants and the tree of units as of a day."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.clock import vietnam_day
from chassis.scope_tree import ScopeTree
from services.records.domain.explaining import (
    Holding,
    Remedy,
    administrators_by_settings,
    counted,
    holding,
    remedies,
    way_up,
)
from services.records.domain.grants import EVERY_UNIT, Grant, givers_of
from services.records.store import grants


@dataclass(frozen=True, slots=True)
class Question:
    """Where and when access is asked about, in which hierarchy."""

    unit_id: int
    day: date
    tree: ScopeTree
    administrators: Sequence[str]  # whom the settings name
    every_unit: bool = False  # whether only what is held on every unit counts

    @property
    def reached(self) -> int:
        """The unit that a grant must reach."""
        return EVERY_UNIT if self.every_unit else self.unit_id

    def above(self) -> dict[str, tuple[int, ...]]:
        """The units above, by the type of edge on which they are."""
        types = self.tree.edge_types(self.reached, self.day)
        return {one: self.tree.above(self.reached, self.day, one) for one in types}

    def path(self, grant: Grant) -> tuple[int, ...]:
        """The way up from the unit to the grant's."""
        if grant.unit_id == EVERY_UNIT:
            return ()
        return way_up(self.reached, grant.unit_id, lambda one: self._next_above(one, grant.edge_type))

    def _next_above(self, unit_id: int, edge_type: str) -> tuple[int, ...]:
        """The units directly above one; of one that is not alive those that stand for it."""
        return self.tree.parents(unit_id, self.day, edge_type) or self.tree.stand_ins(unit_id, self.day)


async def holdings(
    connection: AsyncConnection, asked: Question, *, roles: Collection[str], subject: str = ""
) -> list[Holding]:
    """The grants of these roles that reach the unit on the day, the nearest first; of one subject or of everybody."""
    found = [
        holding(grant, asked.path(grant))
        for grant in await grants.grants_reaching(
            connection, asked.reached, asked.above(), roles=roles, subject=subject
        )
        if counted(grant, asked.day, vietnam_day(grant.revoke_time) if grant.revoke_time else None)
    ]
    found += [
        one
        for one in administrators_by_settings(asked.administrators)
        if one.role in roles and subject in ("", one.subject)
    ]
    return sorted(found, key=lambda one: one.place)


async def where_given(connection: AsyncConnection, asked: Question, *, roles: Collection[str]) -> list[Remedy]:
    """For each role the nearest unit on which somebody may give it."""
    givers = {giver for role in roles for giver in givers_of(role)}
    return remedies(roles, await holdings(connection, asked, roles=givers))
