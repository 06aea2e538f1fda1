"""The access log as a chain: each entry's hash takes in the one before, so that nothing can be changed unseen.

A chain can be made anew from any entry on by whoever owns the database; what was said elsewhere about its end, its
anchors, shows that. Pure and small, so that it can be written again in another language: see docs/accountability.md.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, NamedTuple

from services.records.domain.reading import Reading


class Head(NamedTuple):
    """The end of a chain, or a place in it."""

    sequence: int
    hash: bytes


class Entry(NamedTuple):
    """A reading with the number under which it was written down."""

    entry_id: int
    reading: Reading


class Seal(NamedTuple):
    """What is kept of an entry's place in the chain, and the entry itself where it is still there."""

    sequence: int
    entry_id: int
    hash: bytes
    reading: Reading | None


@dataclass(frozen=True, slots=True)
class Anchor:
    """The end of the chain as it was told outside the database."""

    head: Head
    time: datetime


@dataclass(frozen=True, slots=True)
class Wrong:
    """The first thing that is wrong: at which place of the chain, with which entry, and what."""

    sequence: int
    entry_id: int  # 0: none is known
    what: str


START: Final = Head(0, bytes(32))


def canonical(sequence: int, entry: Entry) -> bytes:
    """An entry as it is hashed: a JSON list without blanks, UTF-8, instants in UTC with six digits of a second."""
    reading = entry.reading
    values = (
        sequence,
        entry.entry_id,
        reading.read_time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        reading.subject,
        reading.method,
        reading.unit_id,
        reading.collection,
        reading.key,
        reading.record_count,
        reading.purpose,
        reading.unmasked,
        reading.trace_id,
    )
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()


def linked(head: Head, entry: Entry) -> Head:
    """The chain's end once an entry is appended."""
    sequence = head.sequence + 1
    return Head(sequence, sha256(head.hash + canonical(sequence, entry)).digest())


def sealed(head: Head, entries: Iterable[Entry]) -> Iterator[Seal]:
    """Append entries in order."""
    for entry in entries:
        head = linked(head, entry)
        yield Seal(head.sequence, entry.entry_id, head.hash, entry.reading)


@dataclass(slots=True)
class Check:
    """Goes along a chain, seal by seal in order of their places, until the first fault."""

    anchors: Sequence[Anchor] = ()
    head: Head = START
    met: int = 0  # anchors that agree
    _due: list[Anchor] = field(init=False)

    def __post_init__(self) -> None:
        self._due = sorted(self.anchors, key=lambda anchor: anchor.head.sequence, reverse=True)

    def take(self, seal: Seal) -> Wrong | None:
        """Look at the next seal."""
        expected = self.head.sequence + 1
        if seal.sequence != expected:
            return Wrong(expected, 0, "its seal is gone")
        if seal.reading is None:
            return Wrong(expected, seal.entry_id, "the entry is gone")
        head = linked(self.head, Entry(seal.entry_id, seal.reading))
        if head.hash != seal.hash:
            return Wrong(expected, seal.entry_id, "the entry or its seal is not what was sealed")
        self.head = head
        while self._due and self._due[-1].head.sequence == head.sequence:
            if (anchor := self._due.pop()).head != head:
                return Wrong(expected, seal.entry_id, f"the anchor of {anchor.time.isoformat()} says another hash")
            self.met += 1
        return None

    def end(self) -> Wrong | None:
        """Say what is wrong with the chain ending here."""
        if self._due:
            anchor = self._due[-1]
            what = f"the chain ends before the anchor of {anchor.time.isoformat()} (place {anchor.head.sequence})"
            return Wrong(self.head.sequence + 1, 0, what)
        return None
