"""What a batch is, how it is known again, and how it is cut for records."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from hashlib import blake2b
from typing import Final

from services.sync.domain.full import FullOf

MOST_ROWS: Final = 5_000  # Rows of one call to records.
MOST_BATCH_IDS: Final = 100  # Batches that one call to records names.
MOST_BYTES: Final = 8_000_000  # Bytes of one call to records; a message carries 16 MB.


class RowState(IntEnum):
    """What became of a row, as the interface numbers it."""

    ACCEPTED = 1
    UNCHANGED = 2
    STALE = 3
    REJECTED = 4
    HELD = 5


STATES: Final = tuple(RowState)


@dataclass(frozen=True, slots=True)
class BatchKey:
    """What makes a batch the same batch."""

    unit_id: int
    source: str
    batch_id: str


@dataclass(frozen=True, slots=True)
class Trial:
    """That rows are for a sandbox."""

    root_id: int
    round: int  # How often it was emptied: what comes after is new to records, also under an old batch id.
    self_signed: bool  # Whether the sender has signed its own token.
    by_file: bool = False  # Whether the rows are of a file: then the batches are ours, not the sender's.
    judged: bool = True  # Whether the partner's own client sent them.


@dataclass(frozen=True, slots=True)
class Origin:
    """Where rows come from, whom they are for, and how they are to be taken."""

    unit: str  # As the sender wrote it.
    unit_id: int
    source: str
    backfill: bool
    profile: str
    validate_only: bool = False  # They are only looked at.
    atomic: bool = False  # All of them are stored or none.
    full_of: FullOf | None = None  # What they are everything of.
    records: frozenset[str] | None = None  # What its sender is connected for, by field of a row; None: all.
    trial: Trial | None = None  # Where they are for a sandbox.
    within_id: int | None = None  # Unit of whose schools they have to be, beside the batch's unit.

    def tried(self, trial: Trial) -> "Origin":
        """The same, for a sandbox."""
        return replace(self, trial=trial)

    def narrowed(self, records: frozenset[str]) -> "Origin":
        """The same of a sender who may send only these records."""
        return replace(self, records=records)

    def within(self, unit_id: int) -> "Origin":
        """The same, of rows that may be of schools of this unit only."""
        return replace(self, within_id=unit_id)


def digest_of(*parts: bytes) -> bytes:
    """A digest of parts; where one ends and the next begins counts."""
    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


def request_id(origin: Origin, *, batch: bytes, number: int, refused: Iterable[int]) -> str:
    """The id under which records knows a slice of a batch, so that a repeat after a crash is answered the same.

    `batch` tells the batch and what it holds; which rows were left out belongs to it, since that may be others when
    the tree of units has changed in between.
    """
    told = f"{origin.unit_id}/{origin.source}/{number}/{','.join(map(str, refused))}"
    if origin.trial:
        told += f"/{origin.trial.round}"
    return f"sync-{digest_of(batch, told.encode()).hex()}"


def cuts(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Cut rows of these sizes into runs (start, end) that one call to records can carry."""
    start = weight = 0
    for index, size in enumerate(sizes):
        if index > start and (index - start >= MOST_ROWS or weight + size > MOST_BYTES):
            yield start, index
            start, weight = index, 0
        weight += size
    if start < len(sizes):
        yield start, len(sizes)
