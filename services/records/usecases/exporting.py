"""A whole copy as of one moment: school by school, type by type, in pages, from one snapshot of the database.

Memory stays flat, since a page is read when the one before has left. A snapshot keeps the database from tidying up what
changes meanwhile, so there are few at once, and none for long.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database
from chassis.errors import Fault, Kind
from chassis.tail import in_time
from services.records.domain.objects import KEY, SPECS, ObjectSpec
from services.records.store.feed import last_position
from services.records.store.lookup import Stored, records_of_school

PAGE: Final = 500
MOST_AT_ONCE: Final = 2
MOST_SECONDS: Final = 900.0


class Place(NamedTuple):
    """How far a copy is: the feed's position at its first moment, and the last record given, if any."""

    position: int
    school_id: int = 0
    number: int = 0
    key: str = ""

    def __str__(self) -> str:
        return f"{self.position}.{self.school_id}.{self.number}.{self.key}" if self.school_id else str(self.position)

    @classmethod
    def read(cls, text: str) -> "Place | None":
        """A place as it was given; None: none was."""
        if not text:
            return None
        position, *rest = text.split(".", 3)
        return cls(int(position), int(rest[0]), int(rest[1]), rest[2]) if rest else cls(int(position))


@dataclass(frozen=True, slots=True)
class Page:
    """Records of one type and school that follow each other."""

    spec: ObjectSpec
    school_id: int
    records: Sequence[Stored]


class Exports:
    """Makes copies, a few at once."""

    def __init__(self, database: Database, *, most_seconds: float = MOST_SECONDS) -> None:
        self._database = database
        self._most_seconds = most_seconds
        self._running = 0

    async def copy(
        self, schools: Collection[int], types: Collection[int], *, after: Place | None
    ) -> AsyncGenerator[tuple[int, Page | None]]:
        """The feed's position with each page after a place, then with None; raises EXPORTS_BUSY, EXPORT_TOO_SLOW."""
        if self._running >= MOST_AT_ONCE:
            raise _busy()
        self._running += 1
        try:
            async with AsyncExitStack() as opened:
                connection = await opened.enter_async_context(self._database.snapshot())
                position = after.position if after else await in_time(last_position(connection))
                end = asyncio.get_running_loop().time() + self._most_seconds
                async for page in _pages(connection, sorted(schools), types, after=after):
                    if asyncio.get_running_loop().time() > end:
                        raise _too_slow()
                    yield position, page
            yield position, None
        finally:
            self._running -= 1


async def _pages(
    connection: AsyncConnection, schools: Iterable[int], types: Collection[int], *, after: Place | None
) -> AsyncIterator[Page]:
    begun = (after.school_id, after.number) if after else (0, 0)
    specs = [spec for spec in SPECS if not types or spec.number in types]
    for school_id in schools:
        for spec in specs:
            if (school_id, spec.number) < begun:
                continue
            key = after.key if after and (school_id, spec.number) == begun else ""
            while records := await in_time(records_of_school(connection, spec, school_id, after=key, most=PAGE)):
                yield Page(spec, school_id, records)
                key = records[-1][KEY]
                if len(records) < PAGE:
                    break


def _busy() -> Fault:
    return Fault(
        Kind.EXHAUSTED,
        "EXPORTS_BUSY",
        vi="Đang có đủ số bản sao toàn bộ được lấy cùng lúc. Hãy thử lại sau một phút.",
        en="As many whole copies as may be are under way. Try again in a minute.",
        retry_after=timedelta(minutes=1),
    )


def _too_slow() -> Fault:
    return Fault(
        Kind.UNAVAILABLE,
        "EXPORT_TOO_SLOW",
        vi="Việc lấy bản sao kéo dài quá 15 phút. Hãy kết nối lại từ vị trí cuối đã nhận.",
        en="The copy took more than fifteen minutes. Connect again after the last position you have.",
    )
