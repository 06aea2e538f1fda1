"""A whole copy as of one moment: school by school, type by type, in pages, from one snapshot of the database.

Pages leave together in portions, so that many small schools cost as few messages and commits of the access log as one
large one. Memory stays flat, since a portion is read, and written down, while only the one before is on its way. A
snapshot keeps the database from tidying up what changes meanwhile, so there are few at once, and none for long.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database
from chassis.errors import Fault, Kind
from chassis.tail import in_time
from services.records.domain.objects import KEY, SPECS, ObjectSpec
from services.records.store.feed import last_position
from services.records.store.lookup import Stored, records_of_school, schools_with

PAGE: Final = 500
PORTION: Final = 2_000  # records at most that leave together
MOST_AT_ONCE: Final = 2
MOST_SECONDS: Final = 900.0
GOODBYE_SECONDS: Final = 5.0  # until a copy whose reader has gone has ended


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


Portion = Sequence[Page]
Note = Callable[[Portion], Awaitable[None]]  # returns once it is written down that a portion is given
Made = asyncio.Queue[tuple[int, Portion] | Exception]  # what is given next; the end is a portion of nothing, or a fault


class Exports:
    """Makes copies, a few at once, one for each subject."""

    def __init__(self, database: Database, *, most_seconds: float = MOST_SECONDS) -> None:
        self._database = database
        self._most_seconds = most_seconds
        self._making: dict[str, asyncio.Task[None]] = {}

    async def copy(
        self,
        schools: Collection[int],
        types: Collection[int],
        *,
        subject: str,
        after: Place | None,
        note: Note,
        most: int = PORTION,
    ) -> AsyncGenerator[tuple[int, Portion]]:
        """The feed's position with each portion after a place, at last with none; raises EXPORTS_BUSY, EXPORT_TOO_SLOW.

        A portion holds `most` records and is given once `note` has written it down. However slowly they are taken, the
        snapshot is closed in time.
        """
        if before := self._making.get(subject):
            await asyncio.wait([before], timeout=GOODBYE_SECONDS)
        if subject in self._making or len(self._making) >= MOST_AT_ONCE:
            raise _busy()
        made: Made = asyncio.Queue()
        making = asyncio.create_task(self._make(made, schools, types, after=after, note=note, most=most))
        self._making[subject] = making
        making.add_done_callback(lambda _: self._making.pop(subject))
        try:
            while True:
                given = await made.get()
                made.task_done()
                if isinstance(given, Exception):
                    raise given
                yield given
                if not given[1]:
                    return
        finally:
            making.cancel()
            await asyncio.gather(making, return_exceptions=True)

    async def _make(
        self,
        made: Made,
        schools: Collection[int],
        types: Collection[int],
        *,
        after: Place | None,
        note: Note,
        most: int,
    ) -> None:
        """Put portions into the queue, each made while the one before it is on its way; at last none, or a fault."""
        try:
            async with asyncio.timeout(self._most_seconds) as limit, self._database.snapshot() as connection:
                position = after.position if after else await in_time(last_position(connection))
                pages = _pages(connection, sorted(schools), types, after=after, most=min(most, PAGE))
                async with aclosing(_portions(pages, most)) as portions:
                    async for portion in portions:
                        await note(portion)
                        made.put_nowait((position, portion))
                        await made.join()
            made.put_nowait((position, ()))
        except Exception as error:  # noqa: BLE001 (whoever takes the portions gets it)
            made.put_nowait(_too_slow() if limit.expired() else error)


async def _pages(
    connection: AsyncConnection, schools: Sequence[int], types: Collection[int], *, after: Place | None, most: int
) -> AsyncGenerator[Page]:
    begun = (after.school_id, after.number) if after else (0, 0)
    specs = [spec for spec in SPECS if not types or spec.number in types]
    held = await in_time(schools_with(connection, specs, schools))
    for school_id, spec in ((school_id, spec) for school_id in schools for spec in specs):
        place = school_id, spec.number
        if place < begun or place not in held:
            continue
        key = after.key if after and place == begun else ""
        while records := await in_time(records_of_school(connection, spec, school_id, after=key, most=most)):
            yield Page(spec, school_id, records)
            key = records[-1][KEY]
            if len(records) < most:
                break


async def _portions(pages: AsyncGenerator[Page], most: int) -> AsyncGenerator[Portion]:
    async with aclosing(pages):
        portion, count = list[Page](), 0
        async for page in pages:
            if portion and count + len(page.records) > most:
                yield portion
                portion, count = [], 0
            portion.append(page)
            count += len(page.records)
        if portion:
            yield portion


def _busy() -> Fault:
    return Fault(
        Kind.EXHAUSTED,
        "EXPORTS_BUSY",
        vi="Bạn đang lấy một bản sao khác, hoặc đang có đủ số bản sao được lấy cùng lúc. Hãy thử lại sau một phút.",
        en="You have a copy under way already, or there are as many as may be at once. Try again in a minute.",
        retry_after=timedelta(minutes=1),
    )


def _too_slow() -> Fault:
    return Fault(
        Kind.UNAVAILABLE,
        "EXPORT_TOO_SLOW",
        vi="Việc lấy bản sao kéo dài quá 15 phút. Hãy kết nối lại từ vị trí cuối đã nhận.",
        en="The copy took more than fifteen minutes. Connect again after the last position you have.",
    )
