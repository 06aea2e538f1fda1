"""The change feed: for each record the position of its last change, given in the order of commits by the relay.

Reading goes through the feed in windows of bounded size and joins the records as they are now, so that a page costs
the same at any depth and nothing is missed: positions are given in one transaction at a time.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.arrays import plain, texts
from services.records.domain.objects import ObjectSpec
from services.records.store.driver import Record, fetch
from services.records.store.tables import feed, feed_position

WINDOW: Final = 50_000  # positions looked through for one page, whatever the reader may see of them

Changed = tuple[int, int, str, int]  # school, type, key, version


async def append_feed(connection: AsyncConnection, changes: Sequence[Changed]) -> int:
    """Give consecutive positions to changes and return the first; a record's newest change replaces its older one."""
    move = feed_position.update().values(position=feed_position.c.position + len(changes))
    last = (await connection.execute(move.returning(feed_position.c.position))).scalar_one()
    first: int = last - len(changes) + 1
    newest = {change[:3]: (position, change[3]) for position, change in enumerate(changes, first)}
    ordered = sorted(newest)
    places = [newest[identity] for identity in ordered]
    await connection.execute(
        _APPEND,
        {
            "schools": plain([school for school, _, _ in ordered]),
            "types": plain([number for _, number, _ in ordered]),
            "keys": texts([key for _, _, key in ordered]),
            "positions": plain([position for position, _ in places]),
            "versions": plain([version for _, version in places]),
        },
    )
    return first


_APPEND: Final = sa.text(
    "INSERT INTO feed (school_id, type, key, position, version)"
    " SELECT * FROM unnest(CAST(CAST(:schools AS text) AS bigint[]), CAST(CAST(:types AS text) AS smallint[]),"
    " CAST(CAST(:keys AS text) AS text[]), CAST(CAST(:positions AS text) AS bigint[]),"
    " CAST(CAST(:versions AS text) AS bigint[]))"
    " ON CONFLICT (school_id, type, key) DO UPDATE SET position = excluded.position, version = excluded.version"
)


async def last_position(connection: AsyncConnection) -> int:
    """The newest position given."""
    return int((await connection.execute(sa.select(feed_position.c.position))).scalar_one())


async def window_end(connection: AsyncConnection, after: int) -> int | None:
    """The last position of the window after a position; None when the window reaches the end of the feed."""
    query = (
        sa.select(feed.c.position).where(feed.c.position > after).order_by(feed.c.position).offset(WINDOW - 1).limit(1)
    )
    return (await connection.execute(query)).scalar_one_or_none()


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a page of the feed reaches: how many places it holds, the last of them, and of which types they are."""

    count: int
    last: int
    types: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The part of the feed that someone reads: schools (None: all) and types (none: all)."""

    schools: Collection[int] | None
    types: Collection[int] = ()

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return self.schools is None and not self.types

    def conditions(self, *, first: int) -> tuple[str, list[object]]:
        """What a place must be, as conditions whose parameters are numbered from `first`, and their values.

        The schools are joined rather than compared: thousands of them would be searched through for each place.
        """
        text, values = "", list[object]()
        if self.schools is not None:
            text += f" AND feed.school_id IN (SELECT unnest(${first}::bigint[]))"
            values.append(list(self.schools))
        if self.types:
            text += f" AND feed.type = ANY(${first + len(values)}::smallint[])"
            values.append(list(self.types))
        return text, values


async def page_extent(connection: AsyncConnection, wanted: Wanted, *, after: int, until: int, most: int) -> Extent:
    """How far the next `most` places after a position and up to another reach."""
    conditions, values = wanted.conditions(first=4)
    statement = (
        "SELECT count(*), coalesce(max(position), 0), coalesce(array_agg(DISTINCT type), '{}') FROM"  # noqa: S608
        f" (SELECT position, type FROM feed WHERE position > $1 AND position <= $2{conditions}"
        " ORDER BY position LIMIT $3) AS page"
    )
    ((count, last, types),) = await fetch(connection, statement, after, until, most, *values)
    return Extent(count, last, tuple(types))


async def changed_records(
    connection: AsyncConnection, wanted: Wanted, spec: ObjectSpec, *, after: int, until: int
) -> list[Record]:
    """Position and record, as it is now, of each place of one type after a position and up to another, in order."""
    conditions, values = replace(wanted, types=(spec.number,)).conditions(first=3)
    columns = ", ".join(f"held.{name}" for name in spec.row)
    statement = (
        f"SELECT feed.position, {columns} FROM feed"  # noqa: S608 (names come from the column specs)
        f" JOIN {spec.field} AS held ON held.school_id = feed.school_id AND held.key = feed.key"
        f" WHERE feed.position > $1 AND feed.position <= $2{conditions} ORDER BY feed.position"
    )
    return await fetch(connection, statement, after, until, *values)
