"""Records of persons that another school may know of."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.persons import Identity
from services.records.store.driver import fetch


async def disclose(
    connection: AsyncConnection, identity: Identity, to_school_id: int, *, reason: str, by: str, now: datetime
) -> None:
    """Let a school know of a record; who let it first stays noted."""
    await fetch(connection, _DISCLOSE, *identity, to_school_id, reason, now, by)


async def disclosed_to(
    connection: AsyncConnection, identities: Sequence[Identity], school_ids: Collection[int]
) -> set[Identity]:
    """Those of the records that one of these schools may know of, which itself has one of the same person."""
    if not identities or not school_ids:
        return set()
    columns = [list(column) for column in zip(*identities, strict=True)]
    return {(row[0], row[1], row[2]) for row in await fetch(connection, _DISCLOSED, *columns, list(school_ids))}


_DISCLOSE: Final = (
    "INSERT INTO person_disclosure (school_id, type, key, to_school_id, reason, disclose_time, disclosed_by)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING"
)
_DISCLOSED: Final = """
SELECT noted.school_id, noted.type, noted.key
FROM unnest($1::bigint[], $2::smallint[], $3::text[]) AS given(school_id, type, key)
    JOIN person_disclosure AS noted
        ON noted.school_id = given.school_id AND noted.type = given.type AND noted.key = given.key COLLATE "C"
    JOIN person_record AS mine
        ON mine.school_id = noted.school_id AND mine.type = noted.type AND mine.key = noted.key
WHERE noted.to_school_id = ANY($4::bigint[]) AND EXISTS (
    SELECT FROM person_record AS theirs
    WHERE theirs.root_id = mine.root_id AND theirs.school_id = noted.to_school_id AND NOT theirs.deleted)
"""
