"""The change feed: for each record the position of its last change, given in the order of commits by the relay.

Reading goes through the feed in windows of bounded size and joins the records as they are now, so that a page costs
the same at any depth and nothing is missed: positions are given in one transaction at a time.
"""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.objects import BY_NUMBER, ObjectSpec
from services.records.store.arrays import numbers, texts
from services.records.store.tables import RECORDS, feed, feed_position

WINDOW: Final = 50_000  # positions looked through for one page, whatever the reader may see of them

Changed = tuple[int, int, str, int]  # school, type, key, version


class FeedEntry(NamedTuple):
    """A place in the feed."""

    position: int
    school_id: int
    type: int
    key: str


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
            "schools": numbers([school for school, _, _ in ordered]),
            "types": numbers([number for _, number, _ in ordered]),
            "keys": texts([key for _, _, key in ordered]),
            "positions": numbers([position for position, _ in places]),
            "versions": numbers([version for _, version in places]),
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


async def feed_page(
    connection: AsyncConnection,
    *,
    after: int,
    until: int | None,
    schools: Collection[int] | None,
    types: Collection[int],
    most: int,
) -> list[FeedEntry]:
    """Places after a position and up to another, of the given schools (None: all) and types (none: all), in order."""
    query = (
        sa.select(feed.c.position, feed.c.school_id, feed.c.type, feed.c.key)
        .where(feed.c.position > after)
        .order_by(feed.c.position)
        .limit(most)
    )
    if until is not None:
        query = query.where(feed.c.position <= until)
    if schools is not None:
        query = query.where(feed.c.school_id == sa.any_(sa.cast(list(schools), sa.ARRAY(sa.BigInteger))))
    if types:
        query = query.where(feed.c.type == sa.any_(sa.cast(list(types), sa.ARRAY(sa.SmallInteger))))
    return [FeedEntry(*row) for row in await connection.execute(query)]


async def current_records(
    connection: AsyncConnection, entries: Sequence[FeedEntry]
) -> dict[tuple[int, int, str], "sa.Row[tuple[object, ...]]"]:
    """The records at these places as they are now, by school, type and key."""
    found: dict[tuple[int, int, str], sa.Row[tuple[object, ...]]] = {}
    for number in {entry.type for entry in entries}:
        wanted = [entry for entry in entries if entry.type == number]
        rows = await connection.execute(
            _current(BY_NUMBER[number]),
            {
                "schools": numbers([entry.school_id for entry in wanted]),
                "keys": texts([entry.key for entry in wanted]),
            },
        )
        found.update({(row[0], number, row[1]): row for row in rows})
    return found


@cache
def _current(spec: ObjectSpec) -> sa.TextualSelect:
    columns = spec.row
    return sa.text(
        f"SELECT {', '.join(f'held.{name}' for name in columns)}"  # noqa: S608 (names come from the column specs)
        " FROM unnest(CAST(CAST(:schools AS text) AS bigint[]), CAST(CAST(:keys AS text) AS text[]))"
        " AS wanted(school_id, key)"
        f" JOIN {spec.field} AS held"
        ' ON held.school_id = wanted.school_id AND held.key = wanted.key COLLATE "C"'
    ).columns(*(RECORDS[spec.field].c[name] for name in columns))
