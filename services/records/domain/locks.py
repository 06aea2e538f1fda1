"""Locks: which parts of a school's year are closed, and which lock a record stands under.

A record stands in a place: its school and collection, its school year and, for results and attendance, its stage or its
month. A lock closes a place; one without a period closes the whole year. A deleted record stands in no year, and a row
that deletes one meets the lock where the record stood.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any, Final, NamedTuple

from services.records.domain.objects import SCHOOL_ID, ObjectSpec

STAGES: Final = frozenset({"GK1", "CK1", "GK2", "CK2", "CN"})
WHOLE_YEAR: Final = ""


class Place(NamedTuple):
    """Where in time a record stands, within its school and collection."""

    school_year: int
    period: str  # A stage, a month `YYYY-MM`, or empty.


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks for a lock or its end: a person, and the service that asks on the person's behalf, if one does."""

    subject: str
    service: str = ""


@dataclass(frozen=True, slots=True)
class LockDraft:
    """What someone asks to lock or to lift, in whichever schools."""

    collections: tuple[str, ...]
    school_year: int
    period: str
    reason: str


@dataclass(frozen=True, slots=True)
class Lock:
    """A place that is closed, or was. Fields as in the table."""

    school_id: int
    lock_id: int
    collection: str
    school_year: int
    period: str
    reason: str
    lock_time: datetime
    locked_by: str
    lock_service: str = ""
    lift_time: datetime | None = None
    lifted_by: str = ""
    lift_service: str = ""
    lift_reason: str = ""


class OpenLocks:
    """What is closed in some schools."""

    def __init__(self, locks: Iterable[Lock] = ()) -> None:
        self._by_place = {(lock.school_id, lock.collection, lock.school_year, lock.period): lock for lock in locks}
        self._collections = {lock.collection for lock in self._by_place.values()}

    def concern(self, spec: ObjectSpec) -> bool:
        """Whether anything of this type is closed."""
        return spec.collection in self._collections

    def over(self, spec: ObjectSpec, school_id: int, place: Place) -> Lock | None:
        """The lock that a record in a place stands under, the whole year's before the period's."""
        year = self._by_place.get((school_id, spec.collection, place.school_year, WHOLE_YEAR))
        return year or self._by_place.get((school_id, spec.collection, *place))

    def broken_by(self, spec: ObjectSpec, row: Sequence[Any], *, stood: Place | None) -> Lock | None:
        """The lock that storing a row with these columns would break: where it goes, or where its record stood."""
        lock = self.over(spec, row[SCHOOL_ID], place_of(spec, row))
        return lock or (self.over(spec, row[SCHOOL_ID], stood) if stood is not None else None)


def place_of(spec: ObjectSpec, row: Sequence[Any]) -> Place:
    """Where a record stands, by its columns as in `spec.row`; of a deleted one a place that no lock closes."""
    year, period = _columns(spec)
    return Place(row[year], period_of(row[period]) if period is not None else WHOLE_YEAR)


def period_of(value: object) -> str:
    """The period that a stage or a day belongs to."""
    return f"{value.year:04}-{value.month:02}" if isinstance(value, date) else str(value or WHOLE_YEAR)


def period_fits(spec: ObjectSpec, school_year: int, period: str) -> bool:
    """Whether records of a type and year can stand in a period."""
    if period == WHOLE_YEAR:
        return True
    if spec.period == "stage":
        return period in STAGES
    return spec.period == "day" and period[:4] in (str(school_year), str(school_year + 1))


@cache
def _columns(spec: ObjectSpec) -> tuple[int, int | None]:
    return spec.row.index("school_year"), spec.row.index(spec.period) if spec.period else None
