"""Partners, the keys by which they sign, and the connections by which they push for schools."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import IntEnum
from typing import Any, Final

from services.sync.domain.collections import COLLECTIONS

INTEGRATOR: Final = "integrator"  # The role a connection gives, and the only one a partner's own tokens act in.
MANAGERS: Final = frozenset({"administrator", "director"})  # Who may manage the partners of their unit.
SANDBOX: Final = "sandbox"  # Label of the units of sandboxes.
NOT_GIVEN: Final = 0  # Grant of a connection that has none yet.
MOST_KEYS: Final = 5  # Keys of a partner that may hold, now or later.


class PartnerState(IntEnum):
    """Whether a partner may do anything, as the interface numbers it."""

    ACTIVE = 1
    SUSPENDED = 2


@dataclass(frozen=True, slots=True)
class Partner:
    """A vendor. Fields as in the table."""

    partner_id: str
    unit_id: int
    display_name: str
    contact: str
    state: int
    state_reason: str
    state_by: str
    state_time: datetime
    revision: int
    create_time: datetime
    created_by: str

    @property
    def etag(self) -> str:
        """What tells this state of it from another."""
        return str(self.revision)


@dataclass(frozen=True, slots=True)
class PartnerKey:
    """A public key. Fields as in the table."""

    partner_id: str
    kid: str
    algorithm: str
    jwk: dict[str, Any]
    valid_from: datetime
    valid_to: datetime | None
    revoke_time: datetime | None
    revoked_by: str
    revoke_reason: str
    create_time: datetime
    created_by: str

    def holds(self, now: datetime) -> bool:
        """Whether tokens it signed are taken at an instant."""
        return self.valid_from <= now and self.may_hold(now)

    def may_hold(self, now: datetime) -> bool:
        """Whether it holds at an instant or may do so later."""
        return self.revoke_time is None and (self.valid_to is None or now < self.valid_to)


class ConnectionState(IntEnum):
    """State of a connection, as the interface numbers it."""

    PLANNED = 1
    IN_FORCE = 2
    ENDED = 3
    WITHOUT_GRANT = 4


@dataclass(frozen=True, slots=True)
class PartnerConnection:
    """That a partner pushes for a unit. Fields as in the table."""

    connection_id: int
    unit_id: int
    partner_id: str
    collections: tuple[str, ...]
    valid_from: date
    valid_to: date | None
    grant_id: int
    connected_by: str
    reason: str
    create_time: datetime
    ended_by: str
    end_reason: str
    end_time: datetime | None
    handed_over_from: int

    def state(self, today: date, *, granted: bool) -> ConnectionState:
        """Its state on a day; `granted`: whether the grant that came of it counts on that day."""
        if self.valid_to is not None and self.valid_to <= today:
            return ConnectionState.ENDED
        if today < self.valid_from:
            return ConnectionState.PLANNED
        return ConnectionState.IN_FORCE if granted else ConnectionState.WITHOUT_GRANT

    def covers(self, grant_id: int, unit_id: int, today: date) -> bool:
        """Whether a grant of the partner is this connection's: the one that came of it, and any on the unit itself
        while the connection is in force, as the one that is being given.
        """
        here = unit_id == self.unit_id and self.state(today, granted=True) is ConnectionState.IN_FORCE
        return here or grant_id == self.grant_id

    def meets(self, *, collections: Collection[str], valid_from: date, valid_to: date | None) -> bool:
        """Whether it is for some of these collections on some of these days."""
        apart = (self.valid_to is not None and self.valid_to <= valid_from) or (
            valid_to is not None and valid_to <= self.valid_from
        )
        if apart or (self.valid_to is not None and self.valid_to <= self.valid_from):
            return False
        return not set(collections).isdisjoint(self.collections)


def pushable(connections: Iterable[PartnerConnection]) -> frozenset[str]:
    """The records that may be pushed by these connections, by name of their field."""
    named = {collection for one in connections for collection in one.collections}
    return frozenset(record for record, collection in COLLECTIONS.items() if collection in named)
