"""Imports of files: their states, what they are told to do, and what is known of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any, Final

from services.sync.domain.full import MOST_NAMED, Decision

DEFAULT_SOURCE: Final = "file"
SLICE_ROWS: Final = 1_000  # Rows of a batch; each is one of its own,
SLICE_BYTES: Final = 4_000_000  # of about so many bytes at most.
MOST_ATTEMPTS: Final = 20  # Times an import is begun anew after a process was lost; more are no accident.
KINDS: Final = {  # The type of record of each collection in the ministry's names.
    "profiles": "TRUONG",
    "staff": "GIAO_VIEN",
    "classes": "LOP",
    "pupils": "HOC_SINH",
    "attendance": "DIEM_DANH",
    "results": "KET_QUA",
}


class ImportState(IntEnum):
    """State of an import, as the interface numbers it."""

    QUEUED = 1
    AWAITING_CONFIRMATION = 2
    RUNNING = 3
    SUCCEEDED = 4
    FAILED = 5
    CANCELLED = 6

    @property
    def ended(self) -> bool:
        """Whether nothing follows."""
        return self in (ImportState.SUCCEEDED, ImportState.FAILED, ImportState.CANCELLED)


@dataclass(frozen=True, slots=True)
class Order:
    """What an upload asks for."""

    unit_id: int
    subject: str
    source: str
    file_name: str
    school_year: int
    collection: str
    stage: str
    complete: bool
    backfill: bool
    request_id: str
    validate_only: bool = False  # The file is only looked at.


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows by what became of them."""

    accepted: int = 0
    unchanged: int = 0
    stale: int = 0
    rejected: int = 0
    held: int = 0

    @property
    def done(self) -> int:
        """All of them."""
        return self.accepted + self.unchanged + self.stale + self.rejected + self.held

    def plus(self, other: "Counts") -> "Counts":
        """Both together."""
        return Counts(
            self.accepted + other.accepted,
            self.unchanged + other.unchanged,
            self.stale + other.stale,
            self.rejected + other.rejected,
            self.held + other.held,
        )

    def refused(self) -> "Counts":
        """Of deletions of what a file lacks, which are none of its rows: those that somebody has to look at."""
        return Counts(rejected=self.rejected, held=self.held)


def with_deletions(
    told: Iterable[Mapping[str, Any]], keys: Mapping[str, Sequence[str]], *, lacking: bool
) -> list[Mapping[str, Any]]:
    """What goes with a file, and these keys by collection; `lacking`: because the file lacks them."""
    found = {(one["collection"], one["lacking"]): one for one in told}
    for collection, more in keys.items():
        before = found.get((collection, lacking), {"count": 0, "keys": []})
        named = [*before["keys"], *more][:MOST_NAMED]
        count = before["count"] + len(more)
        found[collection, lacking] = {"collection": collection, "lacking": lacking, "count": count, "keys": named}
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Import:
    """A file on its way in, as it is kept."""

    import_id: int
    order: Order
    size: int
    digest: bytes
    state: ImportState
    attempts: int
    row_count: int
    slices_done: int
    counts: Counts
    sheets: list[Mapping[str, Any]]
    suspicions: list[Mapping[str, Any]]
    error: Mapping[str, Any]
    deletions: list[Mapping[str, Any]]  # What goes with it: collection, lacking, count, first keys.
    decision: Decision | None  # Who confirmed, rejected or stopped it; None: nobody.
    cancel_requested: bool
    create_time: datetime
    update_time: datetime
    end_time: datetime | None

    @property
    def batch_prefix(self) -> str:
        """What the ids of its batches begin with, in the order of its slices."""
        return f"{'looked' if self.order.validate_only else 'import'}-{self.import_id}-"

    @property
    def begun(self) -> bool:
        """Whether something of it was carried, or told to be gone."""
        return self.slices_done > 0 or bool(self.deletions)

    @property
    def collections(self) -> frozenset[str]:
        """What it holds records of, once it was looked at."""
        return frozenset(sheet["collection"] for sheet in self.sheets) - {""}

    @property
    def whole(self) -> frozenset[str]:
        """Of which of them it holds everything: files of several say it themselves, of others who uploads them."""
        complete = self.order.complete
        return frozenset(sheet["collection"] for sheet in self.sheets if sheet.get("complete", complete)) - {""}

    @property
    def is_carried(self) -> bool:
        """Whether something of it is stored, or is being."""
        return self.state in (ImportState.RUNNING, ImportState.SUCCEEDED) or self.counts.accepted > 0

    def overtakes(self, other: "Import") -> bool:
        """Whether it, which was sent after another, says what that one would overwrite or delete."""
        shared = self.collections & other.collections
        return self.is_carried and not shared.isdisjoint(self.whole | other.whole)
