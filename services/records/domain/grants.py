"""Roles on units: which there are, who may give which, which may be delegated, and what a grant is."""

from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Final

from services.records.domain.spans import Span

EVERY_UNIT: Final = 0
ADMINISTRATOR: Final = "administrator"
DIRECTOR: Final = "director"

ROLES: Final = frozenset(
    {
        ADMINISTRATOR,
        DIRECTOR,
        "officer",
        "auditor",
        "head_teacher",
        "clerk",
        "integrator",
        "provincial_ioc",
        "operator",
    },
)
# Which roles one may give and take back on the units where one holds the role on the left.
GIVABLE: Final = MappingProxyType(
    {
        ADMINISTRATOR: ROLES,
        DIRECTOR: frozenset({"officer", "auditor", "head_teacher", "clerk", "integrator"}),
        # The school says whose software sends its data.
        "head_teacher": frozenset({"integrator"}),
    },
)
# Which roles their holders may delegate for a time. Not the one that gives every role, nor those that programs,
# partners and operators hold: nobody stands in for a program.
DELEGABLE: Final = frozenset({DIRECTOR, "officer", "auditor", "head_teacher", "clerk"})


def givers_of(role: str) -> tuple[str, ...]:
    """The roles whose holders may give this one; none for a role that does not exist."""
    return tuple(giver for giver, roles in GIVABLE.items() if role in roles)


# How a grant came about that continues one on a unit that ended.
MOVED_BY_MERGER: Final = "moved_by_merger"
MOVED_BY_SPLIT: Final = "moved_by_split"


@dataclass(frozen=True, slots=True)
class GrantDraft:
    """A grant as someone asks for it."""

    subject: str
    role: str
    unit_id: int  # 0: every unit
    edge_type: str
    span: Span
    delegated_from: int = 0  # the grant of which it is delegated; 0: given, not delegated


@dataclass(frozen=True, slots=True)
class Moved:
    """Where a grant comes from that an operation on units moved."""

    provenance: str
    moved_from: int
    operation_id: int


@dataclass(frozen=True, slots=True)
class Grant:
    """A role of a subject on a unit and all below it."""

    grant_id: int
    subject: str
    role: str
    unit_id: int  # 0: every unit
    edge_type: str
    span: Span
    create_time: datetime
    created_by: str
    revoke_time: datetime | None = None
    provenance: str = ""  # empty: given by hand
    moved_from: int = 0  # the grant it continues
    operation_id: int = 0  # what moved it
    delegated_from: int = 0  # the grant of which it is delegated
    delegated_by: str = ""  # whose grant that is

    def stands(self, day: date) -> bool:
        """Whether it is neither revoked nor over by a day."""
        return self.revoke_time is None and day < self.span.end
