"""What a source has told completely, and which of its rows come late because of it.

A source that told all it had of a collection of a school's year at a version did not have what it left out. A row below
that version of a record that is not there was overtaken on its way: storing it would bring back what is gone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b


@dataclass(frozen=True, slots=True)
class FullCopy:
    """A source's whole of a collection of a school's year."""

    school_id: int
    collection: str
    school_year: int
    source: str
    version: int
    awaited: frozenset[int] = frozenset()  # Numbers of keys that stood in it and are not there: they may still come.


def number_of(key: str) -> int:
    """The number that stands for a key, so that the key itself is not kept."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big", signed=True)


class FullCopies:
    """What is known of some schools; taking one in counts for whoever asks after it."""

    def __init__(self, copies: Iterable[FullCopy] = ()) -> None:
        self._by_place = {_place(one): one for one in copies}
        self._collections = {place[:3] for place in self._by_place}

    def concern(self, school_id: int, collection: str, source: str) -> bool:
        """Whether something of a collection was told completely, of whatever year."""
        return (school_id, collection, source) in self._collections

    def outdate(self, row: FullCopy, key: str) -> bool:
        """Whether a row of a record that is not there comes late; `row` says its place and version."""
        copy = self._by_place.get(_place(row))
        return copy is not None and row.version < copy.version and number_of(key) not in copy.awaited

    def take(self, copy: FullCopy) -> None:
        """Know one more, unless a later one is known."""
        before = self._by_place.get(_place(copy))
        if before is None or before.version <= copy.version:
            self._by_place[_place(copy)] = copy
            self._collections.add(_place(copy)[:3])


def _place(copy: FullCopy) -> tuple[int, str, str, int]:
    return copy.school_id, copy.collection, copy.source, copy.school_year
