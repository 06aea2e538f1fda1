"""Keys that sources changed: which key each record goes on under."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.store.driver import fetch


class Rename(NamedTuple):
    """A record of a school and type that went on under another key."""

    school_id: int
    type: int
    previous_key: str
    key: str


async def keep_renames(connection: AsyncConnection, renames: Sequence[Rename], *, now: datetime) -> None:
    """Keep renames; what a key became last is what counts."""
    given = {one[:3]: one for one in renames}
    columns = zip(*(given[identity] for identity in sorted(given)), strict=True)
    await fetch(connection, _KEEP, *map(list, columns), now)


async def previous_keys(
    connection: AsyncConnection, number: int, school_ids: Iterable[int]
) -> Mapping[tuple[int, str], str]:
    """The keys that records of one type and some schools had before, by school and key; of several the newest."""
    found = await fetch(connection, _PREVIOUS, number, list(school_ids))
    return {(school_id, key): previous for school_id, key, previous in found}


async def previous_key(connection: AsyncConnection, number: int, *, school_id: int, key: str) -> str:
    """The key that a record had before, empty where it always had its own; of several the newest."""
    found = await fetch(connection, _PREVIOUS_OF, number, school_id, key)
    return str(found[0][0]) if found else ""


_KEEP: Final = (
    "INSERT INTO record_rename (school_id, type, previous_key, key, rename_time)"
    " SELECT *, $5 FROM unnest($1::bigint[], $2::smallint[], $3::text[], $4::text[])"
    " ON CONFLICT (school_id, type, previous_key) DO UPDATE SET key = excluded.key, rename_time = excluded.rename_time"
    " WHERE record_rename.key <> excluded.key"
)
_PREVIOUS: Final = (
    "SELECT DISTINCT ON (school_id, key) school_id, key, previous_key FROM record_rename"
    " WHERE type = $1 AND school_id = ANY($2::bigint[]) ORDER BY school_id, key, rename_time DESC, previous_key"
)
_PREVIOUS_OF: Final = (
    "SELECT previous_key FROM record_rename WHERE type = $1 AND school_id = $2 AND key = $3"
    " ORDER BY rename_time DESC, previous_key LIMIT 1"
)
