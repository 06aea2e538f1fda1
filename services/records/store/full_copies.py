"""Full copies as they are kept. Who notes or minds them holds the locks of the schools (`bulk.lock_schools`) first."""

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.arrays import plain
from services.records.domain.full_copies import FullCopies, FullCopy
from services.records.store.driver import fetch
from services.records.store.tables import full_copy

_KNOWN: Final = (
    "SELECT school_id, collection, school_year, source, version, awaited FROM full_copy"
    " WHERE school_id = ANY(CAST($1::text AS bigint[]))"
)
_PLACE: Final = ("school_id", "collection", "school_year", "source")


async def full_copies(connection: AsyncConnection, school_ids: Collection[int]) -> FullCopies:
    """What sources have told completely of these schools."""
    found = await fetch(connection, _KNOWN, plain(school_ids))
    return FullCopies(FullCopy(row[0], row[1], row[2], row[3], row[4], frozenset(row[5])) for row in found)


async def keep_full_copies(connection: AsyncConnection, copies: Sequence[FullCopy]) -> None:
    """Note full copies over earlier ones of the same place, never over later ones."""
    rows = [
        {name: getattr(one, name) for name in (*_PLACE, "version")} | {"awaited": sorted(one.awaited)} for one in copies
    ]
    given = insert(full_copy)
    new = given.excluded
    kept = given.on_conflict_do_update(
        index_elements=_PLACE,
        set_={"version": new.version, "awaited": new.awaited},
        where=full_copy.c.version <= new.version,
    )
    await connection.execute(kept, rows)
