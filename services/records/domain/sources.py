"""Who owns a collection of a school: the source it was last handed over to, from an instant on."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

MOST_AHEAD: Final = timedelta(days=366)  # How long before it begins a hand-over may be planned.


class Owner(NamedTuple):
    """The source that owns a place, and since when."""

    source: str
    since: datetime


@dataclass(frozen=True, slots=True)
class HandOverDraft:
    """What someone asks to hand over, in whichever schools."""

    collections: tuple[str, ...]
    source: str
    from_time: datetime | None  # None: now
    reason: str


@dataclass(frozen=True, slots=True)
class HandOver:
    """A hand-over as it is kept. Fields as in the table."""

    school_id: int
    hand_over_id: int
    collection: str
    source: str
    from_time: datetime
    handed_over_by: str
    reason: str
    create_time: datetime


class Owners:
    """Who owns what was handed over in some schools; what never was has no owner."""

    def __init__(self, owners: Iterable[tuple[int, str, str, datetime]] = ()) -> None:
        self._by_place = {(place[0], place[1]): Owner(place[2], place[3]) for place in owners}

    def of(self, school_id: int, collection: str) -> Owner | None:
        """The owner of a collection of a school."""
        return self._by_place.get((school_id, collection)) if self._by_place else None
