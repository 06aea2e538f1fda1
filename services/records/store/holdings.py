"""Keys and versions of what is held of a source."""

from functools import cache

from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.objects import ObjectSpec
from services.records.store.driver import fetch


async def holdings_page(
    connection: AsyncConnection,
    spec: ObjectSpec,
    *,
    school_id: int,
    school_year: int,
    source: str,
    after: str = "",
    most: int | None = None,
) -> list[tuple[str, int]]:
    """Keys and versions of a school's year after a key, in key order, at most so many; deleted ones are left out.

    An empty source: of all sources.
    """
    rows = await fetch(connection, _page(spec), school_id, school_year, source, after, most)
    return [(row[0], row[1]) for row in rows]


@cache
def _page(spec: ObjectSpec) -> str:
    return (
        f"SELECT key, version FROM {spec.field} WHERE school_id = $1 AND school_year = $2"  # noqa: S608
        " AND ($3 = '' OR source = $3)"
        ' AND NOT deleted AND key > $4 COLLATE "C" ORDER BY key LIMIT $5'
    )
