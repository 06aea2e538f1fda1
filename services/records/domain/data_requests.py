"""Requests of people about their data: what may be done with one where it stands, and until when it must be done.

A step that was taken is told by its own words: who says the same of it again, in the same words, repeats a call whose
answer was lost, and changes nothing.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum


class Kind(StrEnum):
    """What a request asks for."""

    CORRECTION = "correction"
    OBJECTION = "objection"
    ERASURE = "erasure"


CENTRE = "records"  # who says that a deed is done: the service, whose name no person has
DEEDS = frozenset({Kind.OBJECTION, Kind.ERASURE})  # what is carried out by the centre itself once it is granted


class State(StrEnum):
    """Where a request stands."""

    RECEIVED = "received"
    GRANTED = "granted"
    REFUSED = "refused"
    DONE = "done"


OPEN = frozenset({State.RECEIVED, State.GRANTED})


@dataclass(frozen=True, slots=True)
class Term:
    """How many days a kind of request may take, by the document that is in force on the day it is received."""

    days: int
    extension_days: int
    source: str


@dataclass(frozen=True, slots=True)
class Filing:
    """A request as it is filed."""

    school_id: int
    kind: Kind
    collection: str
    key: str
    filed_by: str
    wish: str
    receive_time: datetime


@dataclass(frozen=True, slots=True)
class DataRequest:
    """A request with its clock."""

    school_id: int
    data_request_id: int
    kind: Kind
    collection: str
    key: str
    filed_by: str
    wish: str
    receive_time: datetime
    due_date: date
    extension_days: int
    term_source: str
    state: State
    extended_by: str
    extend_reason: str
    decide_time: datetime | None
    decided_by: str
    decide_reason: str
    complete_time: datetime | None
    completed_by: str
    completion_note: str

    def overdue(self, today: date) -> bool:
        """Whether it is open and past its due date."""
        return self.state in OPEN and self.due_date < today


class NotNow(Exception):  # noqa: N818 (says what is the matter)
    """What was asked cannot be done with a request that stands where it stands."""


class CarriedOutByCentre(Exception):  # noqa: N818 (the same)
    """The centre itself carries the request out, and says when it is done."""


class ExtendedBefore(Exception):  # noqa: N818 (the same)
    """The due date was moved before; it may be moved once."""


def decided(request: DataRequest, *, granted: bool, reason: str, by: str, now: datetime) -> DataRequest:
    """The request once it is granted or refused; raises NotNow unless it waits for that, or was decided just so."""
    was_granted = request.state is not State.REFUSED
    if (was_granted, request.decided_by, request.decide_reason) == (granted, by, reason):
        return request
    if request.state is not State.RECEIVED:
        raise NotNow
    state = State.GRANTED if granted else State.REFUSED
    return replace(request, state=state, decide_time=now, decided_by=by, decide_reason=reason)


def extended(request: DataRequest, *, reason: str, by: str) -> DataRequest:
    """The request with its due date moved; raises NotNow unless it is open, ExtendedBefore for another reason."""
    if (request.extended_by, request.extend_reason) == (by, reason):
        return request
    if request.state not in OPEN:
        raise NotNow
    if request.extended_by:
        raise ExtendedBefore
    due_date = request.due_date + timedelta(days=request.extension_days)
    return replace(request, due_date=due_date, extended_by=by, extend_reason=reason)


def completed(request: DataRequest, *, note: str, by: str, now: datetime) -> DataRequest:
    """The request once it is done; raises NotNow unless it was granted, or was done just so.

    Raises CarriedOutByCentre where only the centre itself says so.
    """
    if (request.completed_by, request.completion_note) == (by, note):
        return request
    if request.state is not State.GRANTED:
        raise NotNow
    if request.kind in DEEDS and by != CENTRE:
        raise CarriedOutByCentre
    return replace(request, state=State.DONE, complete_time=now, completed_by=by, completion_note=note)
