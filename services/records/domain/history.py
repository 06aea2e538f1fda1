"""What a record was for a while, and what changed from one such state to the next.

Only content counts: a higher version of the same content is no state of its own.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import IntEnum
from types import MappingProxyType
from typing import Any, Final

from services.records.domain.objects import Kind, ObjectSpec


class Change(IntEnum):
    """What a change did, as numbered in the interface."""

    CREATED = 1
    CHANGED = 2
    DELETED = 3
    RESTORED = 4
    FIRST_KNOWN = 5  # the oldest state that is kept, though not the first that was


@dataclass(frozen=True, slots=True)
class Brought:
    """Where a request's rows came from."""

    unit_id: int  # the unit the batches are for; 0: not told
    batch_ids: tuple[str, ...]
    by: str  # whose token it was, or who had ordered it


@dataclass(frozen=True, slots=True)
class State:
    """A record's content from one change to the next."""

    history_id: int  # rises from change to change of a record; of its present content it is the highest there is
    version: int
    source: str
    deleted: bool
    from_time: datetime
    until_time: datetime | None  # None: still so
    request_id: str | None  # None: stored before batches were kept
    image: Mapping[str, Any]  # values by column, without what is empty

    def row(self, spec: ObjectSpec, *, school_id: int, key: str) -> Sequence[Any]:
        """The record as the store gives it, without the columns that people search by."""
        head = (school_id, key, self.version, self.version, self.source, 0, self.deleted, self.from_time)
        values = (_value(column.kind, self.image.get(column.name)) for column in spec.columns)
        return (*head, self.request_id, *values, self.image.get("further"))


def change_of(state: State, earlier: State | None, *, pruned_until: datetime | None) -> Change:
    """What led to a state from the one before it, None where none is kept."""
    if state.deleted:
        return Change.DELETED
    if earlier is not None:
        return Change.RESTORED if earlier.deleted else Change.CHANGED
    return Change.CREATED if is_first(state, pruned_until=pruned_until) else Change.FIRST_KNOWN


def is_first(oldest: State, *, pruned_until: datetime | None) -> bool:
    """Whether the oldest state that is kept is the first that was: no other can have been before it and be pruned."""
    return oldest.request_id is not None and (pruned_until is None or oldest.from_time >= pruned_until)


def changed_fields(spec: ObjectSpec, state: State, earlier: State | None) -> Iterator[str]:
    """Names of the fields in which two states differ, in the record's order; `further.<name>` beyond the columns."""
    before: Mapping[str, Any] = earlier.image if earlier is not None else {}
    for column in spec.columns:
        if state.image.get(column.name) != before.get(column.name):
            yield column.name
    old, new = before.get("further") or {}, state.image.get("further") or {}
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield f"further.{name}"


_EMPTY: Final[Mapping[Kind, Callable[[], Any]]] = MappingProxyType(
    {Kind.TEXT: str, Kind.INTEGER: int, Kind.FLAG: bool, Kind.TEXTS: list}
)


def _value(kind: Kind, held: Any) -> Any:
    if held is None:
        return _EMPTY[kind]() if kind in _EMPTY else None
    return date.fromisoformat(held) if kind is Kind.DATE else held
