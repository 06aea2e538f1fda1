"""Transfers between schools: which step may be taken where one stands, by whom, and who is waited for.

A step that was taken is told by its own words: who says the same of it again, in the same words, repeats a call whose
answer was lost, and changes nothing. A unit above may decide only once the clock of the school waited for is over.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Side(StrEnum):
    """Who takes part."""

    RELEASING = "releasing"
    RECEIVING = "receiving"
    SUPERIOR = "superior"


class State(StrEnum):
    """Where a transfer stands."""

    OPENED = "opened"
    ACCEPTED = "accepted"
    RELEASED = "released"
    PLACED = "placed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Action(StrEnum):
    """What a school does next."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    RELEASE = "release"
    PLACE = "place"
    WITHDRAW = "withdraw"


AWAITED: Final[Mapping[State, Side]] = MappingProxyType(
    {State.OPENED: Side.RECEIVING, State.ACCEPTED: Side.RELEASING, State.RELEASED: Side.RECEIVING}
)
_STEPS: Final[Mapping[tuple[State, Action], State]] = MappingProxyType(
    {
        (State.OPENED, Action.ACCEPT): State.ACCEPTED,
        (State.ACCEPTED, Action.RELEASE): State.RELEASED,
        (State.RELEASED, Action.PLACE): State.PLACED,
        (State.OPENED, Action.REFUSE): State.REFUSED,
        (State.ACCEPTED, Action.REFUSE): State.REFUSED,
        (State.OPENED, Action.WITHDRAW): State.WITHDRAWN,
        (State.ACCEPTED, Action.WITHDRAW): State.WITHDRAWN,
    }
)
_RESULT: Final[Mapping[Action, State]] = MappingProxyType({action: state for (_, action), state in _STEPS.items()})


@dataclass(frozen=True, slots=True)
class Step:
    """What was done."""

    state: State
    side: Side
    note: str
    step_by: str
    step_time: datetime


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer with its clock and its steps."""

    transfer_id: int
    releasing_id: int
    pupil_key: str
    school_year: int
    receiving_id: int
    receiving_key: str
    between_provinces: bool
    opened_by_receiving: bool
    state: State
    due_date: date | None
    term_source: str
    steps: tuple[Step, ...] = ()

    @property
    def awaited(self) -> Side | None:
        """Who is waited for."""
        return AWAITED.get(self.state)

    @property
    def opener(self) -> Side:
        """Which side opened it."""
        return Side.RECEIVING if self.opened_by_receiving else Side.RELEASING

    def late(self, today: date) -> bool:
        """Whether the clock that runs is over."""
        return self.due_date is not None and self.due_date < today

    def side_of(self, school_id: int) -> Side | None:
        """Which side a school is."""
        if school_id == self.releasing_id:
            return Side.RELEASING
        return Side.RECEIVING if school_id == self.receiving_id else None


class NotNow(Exception):  # noqa: N818 (says what is the matter)
    """What was asked cannot be done with a transfer that stands where it stands, or not by this side."""


class ClockRunning(Exception):  # noqa: N818 (the same)
    """The school that is waited for still has time."""


def opened(*, by_receiving: bool) -> State:
    """Where a transfer begins: who receives has accepted by opening it."""
    return State.ACCEPTED if by_receiving else State.OPENED


def stepped(
    transfer: Transfer, action: Action, side: Side, *, note: str, by: str, receiving_key: str = ""
) -> State | None:
    """Where a transfer stands after a school's step; None: the step repeats the last one. Raises NotNow."""
    if _repeats(transfer, _RESULT[action], side, note=note, by=by) and receiving_key in ("", transfer.receiving_key):
        return None
    state = _STEPS.get((transfer.state, action))
    entitled = transfer.opener if action is Action.WITHDRAW else transfer.awaited
    if state is None or side is not entitled:
        raise NotNow
    return state


def decided(transfer: Transfer, *, placed: bool, note: str, by: str, today: date) -> State | None:
    """Where a transfer stands after a unit above decided; None: it decided just so. Raises NotNow, ClockRunning."""
    state = State.PLACED if placed else State.REFUSED
    if _repeats(transfer, state, Side.SUPERIOR, note=note, by=by):
        return None
    if transfer.awaited is None:
        raise NotNow
    if not transfer.late(today):
        raise ClockRunning
    return state


def ended(transfer: Transfer, *, by: str, now: datetime) -> Transfer:
    """A transfer that can go no further, since the pupil's data are not passed on."""
    step = Step(State.WITHDRAWN, Side.SUPERIOR, "", by, now)
    return replace(transfer, state=State.WITHDRAWN, due_date=None, steps=(*transfer.steps, step))


def _repeats(transfer: Transfer, state: State, side: Side, *, note: str, by: str) -> bool:
    last = transfer.steps[-1] if transfer.steps else None
    return last is not None and (last.state, last.side, last.note, last.step_by) == (state, side, note, by)
