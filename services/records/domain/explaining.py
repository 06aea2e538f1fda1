"""Why somebody may do something on a unit: the grants that reach it, each with its way up from the unit."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

from services.records.domain.grants import ADMINISTRATOR, EVERY_UNIT, Grant, givers_of
from services.records.domain.spans import Span
from services.records.domain.units import ADMINISTRATIVE

ParentsOf = Callable[[int], Iterable[int]]
FARTHEST: Final = 1 << 30  # how far a grant on every unit is from any

Place = tuple[int, str, str, int]  # by which holdings are ordered


@dataclass(frozen=True, slots=True)
class Holding:
    """A grant that reaches a unit, with the units from that one up to its own; none where it is held on every unit."""

    grant_id: int  # 0: the settings name its subject
    subject: str
    role: str
    edge_type: str
    span: Span
    delegated_from: int
    delegated_by: str
    path: tuple[int, ...]

    @property
    def place(self) -> Place:
        """Its place in a list: the nearest first."""
        return (len(self.path) - 1 if self.path else FARTHEST, self.role, self.subject, self.grant_id)


@dataclass(frozen=True, slots=True)
class Remedy:
    """A role that would do, and the nearest unit on which somebody holds one that gives it; 0: on every unit only."""

    role: str
    given_by: tuple[str, ...]
    unit_id: int


def counted(grant: Grant, day: date, revoke_day: date | None) -> bool:
    """Whether a grant counts on a day, as is known today; on the day it was revoked it counts no more."""
    return grant.span.holds(day) and (revoke_day is None or day < revoke_day)


def holding(grant: Grant, path: tuple[int, ...]) -> Holding:
    """A stored grant with its way."""
    return Holding(
        grant_id=grant.grant_id,
        subject=grant.subject,
        role=grant.role,
        edge_type=grant.edge_type,
        span=grant.span,
        delegated_from=grant.delegated_from,
        delegated_by=grant.delegated_by,
        path=path,
    )


def administrators_by_settings(subjects: Iterable[str]) -> list[Holding]:
    """What those hold whom the settings name: every unit, always."""
    return [Holding(0, subject, ADMINISTRATOR, ADMINISTRATIVE, Span(), 0, "", ()) for subject in subjects]


def way_up(start: int, goal: int, parents_of: ParentsOf) -> tuple[int, ...]:
    """The units of the shortest way up from one to another, both included; none where no way leads there."""
    ways: dict[int, tuple[int, ...]] = {start: (start,)}
    waiting = [start]
    while waiting:
        following = []
        for unit_id in waiting:
            for parent_id in parents_of(unit_id):
                if parent_id not in ways:
                    ways[parent_id] = (*ways[unit_id], parent_id)
                    following.append(parent_id)
        waiting = following
    return ways.get(goal, ())


def remedies(roles: Collection[str], givers: Collection[Holding]) -> list[Remedy]:
    """For each role the nearest unit with a holder of one that gives it; what is held by delegation gives none."""
    own = sorted((one for one in givers if not one.delegated_from), key=lambda one: one.place)
    found = []
    for role in sorted(roles):
        nearest = next((one for one in own if one.role in givers_of(role)), None)
        unit_id = nearest.path[-1] if nearest and nearest.path else EVERY_UNIT
        found.append(Remedy(role, givers_of(role), unit_id))
    return found
