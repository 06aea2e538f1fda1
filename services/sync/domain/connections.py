"""When a school counts as connected, late or silent. The state follows from the clock and is stored nowhere."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

from services.sync.domain.partners import SANDBOX

KINDS: Final = frozenset({"school", "childcare_group"})  # Kinds of unit that send.
MUST_CONNECT: Final = "must_connect"  # Label of units the centre waits for.
FRESH_HOURS: Final = 24  # Amber in the data-operation indicators (freshness).
LATE_HOURS: Final = 72  # Red.


def is_connected(kind: str, labels: Collection[str]) -> bool:
    """Whether a unit has a connection: whoever sends has one, but schools of sandboxes, which count nowhere."""
    return kind in KINDS and SANDBOX not in labels


class State(IntEnum):
    """State of a connection, as the interface numbers it."""

    NEVER = 1
    FRESH = 2
    LATE = 3
    SILENT = 4


@dataclass(frozen=True, slots=True)
class Connection:
    """When a school last sent what."""

    school_id: int
    must_connect: bool
    first_accept_time: datetime | None
    last_accept_time: datetime | None
    source: str
    accepted_count: int
    rejected_count: int
    create_time: datetime

    def state(self, now: datetime) -> State:
        """The state at an instant."""
        if self.last_accept_time is None:
            return State.NEVER
        age = now - self.last_accept_time
        if age < timedelta(hours=FRESH_HOURS):
            return State.FRESH
        return State.LATE if age < timedelta(hours=LATE_HOURS) else State.SILENT


def window(state: State, now: datetime) -> tuple[datetime | None, datetime | None]:
    """The last accept times (after, up to) that make this state; both None for NEVER, one None is open."""
    fresh, late = now - timedelta(hours=FRESH_HOURS), now - timedelta(hours=LATE_HOURS)
    by_state: dict[State, tuple[datetime | None, datetime | None]] = {
        State.NEVER: (None, None),
        State.FRESH: (fresh, None),
        State.LATE: (late, fresh),
        State.SILENT: (None, late),
    }
    return by_state[state]
