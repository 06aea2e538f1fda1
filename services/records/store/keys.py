"""Keys that sources changed: which key each record goes on under."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.arrays import columns, unnested
from services.records.domain.objects import ObjectSpec
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
    connection: AsyncConnection, number: int, identities: Iterable[tuple[int, str]]
) -> Mapping[tuple[int, str], str]:
    """The keys that records of one type had before, by school and key; of several the newest."""
    schools, keys = zip(*identities, strict=True)
    found = await fetch(connection, _PREVIOUS, number, list(schools), list(keys))
    return {(school_id, key): previous for school_id, key, previous in found}


async def former_keys(
    connection: AsyncConnection, identities: Iterable[tuple[int, int, str]]
) -> Mapping[tuple[int, int, str], list[str]]:
    """All keys that records had before, by school, type and key, the nearest first; who always had one is missing."""
    former: dict[tuple[int, int, str], list[str]] = {}
    for school_id, number, key, before in await fetch(connection, _FORMER, *columns(identities, _IDENTITY)):
        former.setdefault((school_id, number, key), []).append(before)
    return former


async def left_keys(
    connection: AsyncConnection, spec: ObjectSpec, identities: Iterable[tuple[int, int, str]]
) -> list[tuple[int, int, str]]:
    """Those of these records of one type whose keys other records that are there had before."""
    given = [(school_id, key) for school_id, number, key in identities if number == spec.number]
    if not given:
        return []
    found = await fetch(connection, _left(spec), *columns(given, _OF_TYPE))
    return [(school_id, spec.number, key) for school_id, key in found]


async def previous_key(connection: AsyncConnection, number: int, *, school_id: int, key: str) -> str:
    """The key that a record had before, empty where it always had its own; of several the newest."""
    found = await fetch(connection, _PREVIOUS_OF, number, school_id, key)
    return str(found[0][0]) if found else ""


async def last_key(connection: AsyncConnection, spec: ObjectSpec, *, school_id: int, key: str) -> str:
    """The key under which a record is there after all renames, empty where it is not."""
    found = await fetch(connection, _last_of(spec), school_id, key)
    return str(found[0][0]) if found else ""


async def next_key(connection: AsyncConnection, number: int, *, school_id: int, key: str) -> str:
    """The key under which a record went on, empty where it did not."""
    found = await fetch(connection, _NEXT_OF, number, school_id, key)
    return str(found[0][0]) if found else ""


_KEEP: Final = (
    "INSERT INTO record_rename (school_id, type, previous_key, key, rename_time)"
    " SELECT *, $5 FROM unnest($1::bigint[], $2::smallint[], $3::text[], $4::text[])"
    " ON CONFLICT (school_id, type, previous_key) DO UPDATE SET key = excluded.key, rename_time = excluded.rename_time"
    " WHERE record_rename.key <> excluded.key"
)
_PREVIOUS: Final = (
    "SELECT DISTINCT ON (school_id, key) school_id, key, previous_key FROM record_rename"
    " JOIN unnest($2::bigint[], $3::text[]) AS given(school_id, key) USING (school_id, key)"
    " WHERE type = $1 ORDER BY school_id, key, rename_time DESC, previous_key"
)
_IDENTITY: Final = ("bigint", "smallint", "text")
_OF_TYPE: Final = ("bigint", "text")
_FORMER: Final = f"""
WITH RECURSIVE former AS (
    SELECT school_id, type, key COLLATE "C" AS key, key COLLATE "C" AS at, 0 AS steps
    FROM {unnested(_IDENTITY)} AS given(school_id, type, key)
    UNION ALL
    SELECT former.school_id, former.type, former.key, renamed.previous_key, former.steps + 1
    FROM former JOIN record_rename AS renamed ON renamed.school_id = former.school_id AND renamed.type = former.type
        AND renamed.key = former.at AND renamed.previous_key <> former.key
    WHERE former.steps < 20
)
SELECT school_id, type, key, at FROM former WHERE steps > 0 ORDER BY steps, at
"""  # noqa: S608 (types of our own)
_NEXT_OF: Final = "SELECT key FROM record_rename WHERE type = $1 AND school_id = $2 AND previous_key = $3"
_PREVIOUS_OF: Final = (
    "SELECT previous_key FROM record_rename WHERE type = $1 AND school_id = $2 AND key = $3"
    " ORDER BY rename_time DESC, previous_key LIMIT 1"
)


# Keys may go round, where a record got an old one back: then none but that at which it is there leads on.
@cache
def _last_of(spec: ObjectSpec) -> str:
    return f"""
WITH RECURSIVE following AS (
    SELECT $2::text COLLATE "C" AS key, 0 AS steps
    UNION ALL
    SELECT renamed.key, following.steps + 1 FROM following JOIN record_rename AS renamed
        ON renamed.type = {spec.number} AND renamed.school_id = $1 AND renamed.previous_key = following.key
    WHERE following.steps < 20
)
SELECT held.key FROM following JOIN {spec.field} AS held ON held.school_id = $1 AND held.key = following.key
WHERE steps > 0 AND NOT held.deleted ORDER BY steps DESC LIMIT 1
"""  # noqa: S608 (names come from the column specs)


@cache
def _left(spec: ObjectSpec) -> str:
    return f"""
WITH RECURSIVE following AS (
    SELECT school_id, key COLLATE "C" AS origin, key COLLATE "C" AS key, 0 AS steps
    FROM {unnested(_OF_TYPE)} AS given(school_id, key)
    UNION ALL
    SELECT following.school_id, following.origin, renamed.key, following.steps + 1
    FROM following JOIN record_rename AS renamed ON renamed.school_id = following.school_id
        AND renamed.type = {spec.number} AND renamed.previous_key = following.key AND renamed.key <> following.origin
    WHERE following.steps < 20
)
SELECT DISTINCT school_id, origin FROM following JOIN {spec.field} AS held USING (school_id, key)
WHERE steps > 0 AND NOT held.deleted
"""  # noqa: S608 (names come from the column specs)
