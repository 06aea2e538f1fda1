"""What the centre holds of a school, as files are compared with it: read from records' change feed, by school year.

Of one school at a time, and of each record only what is asked for, so that it fits in memory.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from iocedu.records.v1 import held_records_pb2
from iocedu.records.v1.records_pb2 import Record
from iocedu.records.v1.resources_pb2 import Row

from services.sync.clients.records import Records
from services.sync.convert.imports import TYPES

Kept = TypeVar("Kept")
HELD_AT_ONCE: Final = 250  # Records read in one call: a message carries 16 MB.


async def read_held(records: Records, collection: str, school: str, keys: Sequence[str]) -> AsyncIterator[Record]:
    """Records of a school by key, as of now; those that are gone are left out."""
    for start in range(0, len(keys), HELD_AT_ONCE):
        names = [held_records_pb2.RecordName(school=school, key=key) for key in keys[start : start + HELD_AT_ONCE]]
        request = held_records_pb2.ReadRecordsRequest(collection=collection, names=names)
        for one in (await records.held(request)).held:
            yield one.record


@dataclass
class Shelf(Generic[Kept]):
    """What is wanted of the records of a school in a school year, by collection and key."""

    school: str
    school_year: int
    keep: Callable[[str, Row, str], Kept | None]  # Of a collection's record and its source; None: nothing is wanted.
    held: dict[str, dict[str, Kept]] = field(default_factory=dict)
    grades_before: dict[str, str] = field(default_factory=dict)  # Of pupils by code, a year before.

    async def fill(self, records: Records, collections: Iterable[str]) -> None:
        """Read what is held of these collections, once."""
        for collection in sorted(set(collections) - self.held.keys()):
            found = self.held[collection] = {}
            after, caught_up = 0, False
            while not caught_up:
                page = await records.changes(unit=self.school, types=[TYPES[collection]], after=after)
                for change in page.changes:
                    self._take(found, collection, change)
                after, caught_up = page.position, page.caught_up

    async def fill_of(self, records: Records, collections: Iterable[str], *, source: str) -> None:
        """Read what is held of one source, of a school of a sandbox: these are in no change feed."""
        for collection in sorted(set(collections) - self.held.keys()):
            found = self.held[collection] = {}
            for year in (self.school_year - 1, self.school_year) if self.school_year else ():
                place: Any = {"school": self.school, "collection": collection, "school_year": year, "source": source}
                keys = sorted(await records.holdings(**place))
                async for record in read_held(records, collection, self.school, keys):
                    self._take(found, collection, record)

    def _take(self, found: dict[str, Kept], collection: str, change: Any) -> None:
        row = change.row
        if row.deleted:
            found.pop(row.key, None)
            return
        record = getattr(row, row.WhichOneof("record"))
        if record.school_year == self.school_year:
            found.pop(row.key, None)
            if (kept := self.keep(collection, row, change.source)) is not None:
                found[row.key] = kept
            if row.previous_key:
                found.pop(row.previous_key, None)
        elif collection == "pupils" and record.school_year == self.school_year - 1:
            self.grades_before[row.key.rpartition(".")[0]] = record.grade
