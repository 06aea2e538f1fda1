"""Declarations of everything: batches that hold all that a source has of a collection of a school's year.

What is held and not in it is gone, once all of it arrived. Nothing is where it cannot be told what was in it, and where
so much would be that it may be a mistake, until a person says so. No key of what was in it is kept: numbers made of
keys are enough to compare, and say nothing of anybody.
"""

from array import array
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from hashlib import blake2b
from typing import Final

MOST_NAMED: Final = 1_000  # Keys of what is gone that an outcome names.


class FullState(IntEnum):
    """How far a declaration is, as the interface numbers it."""

    OPEN = 1
    DONE = 2
    HELD = 3
    UNSURE = 4
    SUPERSEDED = 5
    REJECTED = 6


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person said of a declaration that was held."""

    subject: str
    reason: str
    time: datetime | None = None  # None: not kept.


@dataclass(frozen=True, slots=True)
class FullOf:
    """What a batch declares."""

    school_id: int
    school_year: int
    collection: str
    version: int
    declaration_id: str
    batch_count: int  # 0: not said.

    def agrees_with(self, other: "FullOf") -> bool:
        """Whether both can be of one declaration."""
        counts = {self.batch_count, other.batch_count} - {0}
        return len(counts) < 2 and self.what == other.what

    @property
    def what(self) -> tuple[object, ...]:
        """What all batches of a declaration say alike."""
        return self.school_id, self.school_year, self.collection, self.version, self.declaration_id


@dataclass(frozen=True, slots=True)
class Declaration:
    """A declaration as it is kept."""

    unit_id: int
    source: str
    full_of: FullOf
    backfill: bool
    state: FullState
    outcome: bytes  # Serialized `iocedu.sync.v1.FullOutcome`; empty while it is open.
    decision: Decision | None  # None: no person was asked, or has answered.
    create_time: datetime


@dataclass(slots=True)
class Presence:
    """Which records stood in a batch, or in several."""

    numbers: set[int] = field(default_factory=set)
    unsure: int = 0  # Rows of which it cannot be told which record of which school they are.

    def packed(self) -> bytes:
        """The numbers, as they are kept."""
        return array("q", sorted(self.numbers)).tobytes()

    def add(self, packed: bytes, *, unsure: int) -> None:
        """Take in what was kept of another batch."""
        self.numbers.update(array("q", packed))
        self.unsure += unsure


def number_of(key: str) -> int:
    """The number that stands for a key, the same as in records."""
    return int.from_bytes(blake2b(key.encode(errors="replace"), digest_size=8).digest(), "big", signed=True)


@dataclass(frozen=True, slots=True)
class Lacking:
    """What is held and was not in a declaration."""

    gone: tuple[str, ...]  # Keys in order.
    newer: int  # Records that stay, being held in its version or a higher one.
    awaited: frozenset[int]  # Numbers of records that were in it and are not held.


def lacking(declared: FullOf, present: Collection[int], held: Mapping[str, int]) -> Lacking:
    """Compare what was in a declaration with what is held of the source, by key and version."""
    numbers = {number_of(key): key for key in held}
    lacks = sorted(key for number, key in numbers.items() if number not in present)
    gone = tuple(key for key in lacks if held[key] < declared.version)
    return Lacking(gone, len(lacks) - len(gone), frozenset(one for one in present if one not in numbers))
