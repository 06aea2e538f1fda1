"""Changes on their way: given their places in the feed as the relay takes them, and read from it again.

A page looks through a window of bounded size, however little of it the reader may see: it can be empty and yet move
on. Whoever reads until `caught_up` has missed nothing.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database
from chassis.errors import Fault, Kind
from chassis.outbox import OutboxRow
from chassis.tail import Tail
from services.records.convert.events import RECORDS_CHANGED, changed_keys
from services.records.domain.objects import BY_NUMBER, ObjectSpec
from services.records.domain.persons import PUPIL
from services.records.store import feed, keys, persons
from services.records.store.withheld import withheld_of

POSITION_HEADER: Final = "iocedu-position"
POLL_SECONDS: Final = 0.1
_MOST_CHANGES: Final = 5000  # places given by one statement


class Change(NamedTuple):
    """A record's place in the feed, and the record as it is now."""

    position: int
    spec: ObjectSpec
    stored: Sequence[Any]  # columns as in `spec.row`
    previous_key: str
    counted_elsewhere: bool
    restricted: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Changes in order, and where the next page begins."""

    changes: Sequence[Change]
    position: int
    caught_up: bool


async def stamp_changes(connection: AsyncConnection, rows: Sequence[OutboxRow]) -> Mapping[int, Mapping[str, str]]:
    """Give the changes of these events their positions, in order, and name each event's first in its header."""
    stamps: dict[int, Mapping[str, str]] = {}
    waiting: list[feed.Changed] = []
    places: dict[int, int] = {}  # where in `waiting` an event's changes begin

    async def place() -> None:
        if waiting:
            first = await feed.append_feed(connection, waiting)
            stamps.update({row: {POSITION_HEADER: str(first + offset)} for row, offset in places.items()})
            waiting.clear()
            places.clear()

    for row in rows:
        if row.event != RECORDS_CHANGED:
            continue
        places[row.id] = len(waiting)
        waiting.extend(changed_keys(row.payload))
        if len(waiting) >= _MOST_CHANGES:
            await place()
        await asyncio.sleep(0)
    await place()
    return stamps


async def list_changes(connection: AsyncConnection, wanted: feed.Wanted, *, after: int, most: int) -> Page:
    """A page of the changes wanted after a position. What moved on while it was read stands later in the feed."""
    # Read first: what is placed after this look may be left for the next page, but is never skipped.
    last = await feed.last_position(connection)
    if after > last:
        raise _position_ahead(last)
    until = None if wanted.everything else await feed.window_end(connection, after)
    end = last if until is None else until
    extent = await feed.page_extent(connection, wanted, after=after, until=end, most=most)
    changes: list[Change] = []
    for spec in map(BY_NUMBER.__getitem__, extent.types):
        found = await feed.changed_records(connection, wanted, spec, after=after, until=extent.last)
        if not found:
            continue
        previous = await keys.previous_keys(connection, spec.number, [(row[1], row[2]) for row in found])
        schools = {row[1] for row in found}
        elsewhere = await persons.counted_elsewhere(connection, schools) if spec is PUPIL else frozenset()
        hidden = (await withheld_of(connection, schools)).restricted
        for row in found:
            identity = row[1], row[2]
            restricted = bool(hidden) and (row[1], spec.number, row[2]) in hidden
            changes.append(Change(row[0], spec, row[1:], previous.get(identity, ""), identity in elsewhere, restricted))
    if len(extent.types) > 1:
        changes.sort(key=itemgetter(0))
    position = extent.last if extent.count == most else max(end, after)
    return Page(changes, position, caught_up=position >= last)


def _position_ahead(last: int) -> Fault:
    """Going on would miss what is given these positions again, as after a restore of the database."""
    return Fault(
        Kind.TOO_LATE,
        "POSITION_AHEAD",
        vi=f"Vị trí lớn hơn vị trí cuối cùng của trung tâm ({last}): dữ liệu đã được khôi phục. Hãy đọc lại từ 0.",
        en=f"The position lies beyond the last one here ({last}): the data were restored. Read again from 0.",
        metadata={"last": str(last)},
    )


def feed_tip(database: Database) -> Tail:
    """The end of the feed: wakes who follows it, and outlives a database that is away."""

    async def newest() -> int:
        async with database.connection() as connection:
            return await feed.last_position(connection)

    return Tail("feed", newest, poll_seconds=POLL_SECONDS)
