"""What the centre holds of a school, as files are compared with it: read from records' change feed, by school year.

Of one school at a time, so that it fits in memory.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from services.sync.clients.records import Records
from services.sync.convert.imports import TYPES, Stored


@dataclass
class Shelf:
    """Records of a school in a school year, by collection and key."""

    school: str
    school_year: int
    held: dict[str, dict[str, Stored]] = field(default_factory=dict)
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

    def _take(self, found: dict[str, Stored], collection: str, change: Any) -> None:
        row = change.row
        if row.deleted:
            found.pop(row.key, None)
            return
        record = getattr(row, row.WhichOneof("record"))
        if record.school_year == self.school_year:
            found[row.key] = Stored(row, change.source)
            if row.previous_key:
                found.pop(row.previous_key, None)
        elif collection == "pupils" and record.school_year == self.school_year - 1:
            self.grades_before[row.key.rpartition(".")[0]] = record.grade
