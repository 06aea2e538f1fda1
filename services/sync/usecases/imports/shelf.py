"""What the centre holds of a school, as files are compared with it: read from records by school year and key.

Of one school at a time, and of each record only what is asked for, so that it fits in memory.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from iocedu.records.v1 import held_records_pb2
from iocedu.records.v1.records_pb2 import Record
from iocedu.records.v1.resources_pb2 import Row

from services.sync.clients.records import Records

Kept = TypeVar("Kept")
HELD_AT_ONCE: Final = 250  # Records read in one call: a message carries 16 MB.


async def read_held(records: Records, collection: str, school: str, keys: Sequence[str]) -> AsyncIterator[Record]:
    """Records of a school by key, as of now; those that are gone or restricted are left out."""
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
        """Read what is held of these collections, once; what it costs follows from the school's year."""
        for collection in sorted(set(collections) - self.held.keys()):
            found = self.held[collection] = {}
            before = (self.school_year - 1,) if collection == "pupils" else ()
            for year in (*before, self.school_year) if self.school_year else ():
                owned = await records.holdings(school=self.school, collection=collection, school_year=year)
                async for record in read_held(records, collection, self.school, sorted(owned)):
                    self._take(found, collection, record)

    def _take(self, found: dict[str, Kept], collection: str, held: Record) -> None:
        row = held.row
        record = getattr(row, row.WhichOneof("record") or "")
        if record.school_year == self.school_year:
            if (kept := self.keep(collection, row, held.source)) is not None:
                found[row.key] = kept
        elif collection == "pupils":
            self.grades_before[row.key.rpartition(".")[0]] = record.grade
