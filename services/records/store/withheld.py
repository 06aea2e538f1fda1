"""Which records are erased or restricted, as those who store, show and pass on records need to know it.

It stands beside the records, by school, type and key, and so holds for every type. There is little of it: a school's
is read at once, and a query leaves it out by `unrestricted`.
"""

from collections.abc import Collection, Iterable, Sequence
from operator import itemgetter
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.erasing import Identity, Restriction, Withheld
from services.records.domain.objects import ObjectSpec
from services.records.store.driver import Record, fetch


def unrestricted(spec: ObjectSpec, row: str) -> str:
    """A condition that a row of a type, by its name in the query, is not restricted."""
    return (
        "NOT EXISTS (SELECT FROM restricted_record AS restricted"
        f" WHERE restricted.school_id = {row}.school_id AND restricted.type = {spec.number}"
        f" AND restricted.key = {row}.key)"
    )


async def withheld_of(connection: AsyncConnection, school_ids: Iterable[int]) -> Withheld:
    """What of these schools is erased or restricted; who stores holds the schools' locks, so that it stays so."""
    rows = await fetch(connection, _OF_SCHOOLS, list(school_ids))
    erased = frozenset((row[0], row[1], row[2]) for row in rows if row[3] is None)
    return Withheld(erased, _together(row for row in rows if row[3] is not None))


async def restrictions(connection: AsyncConnection, identities: Collection[Identity]) -> dict[Identity, Restriction]:
    """Those of the records that are restricted."""
    if not identities:
        return {}
    rows = await fetch(connection, _RESTRICTIONS, *map(list, zip(*identities, strict=True)))
    return _together(rows)


def _together(rows: Iterable[Record]) -> dict[Identity, Restriction]:
    """Each record once, since the first request that restricted it, without whatever any of them dropped."""
    found: dict[Identity, Restriction] = {}
    for school_id, number, key, since, dropped, source in sorted(rows, key=itemgetter(3)):
        first = found.get((school_id, number, key), Restriction(since, (), source))
        found[school_id, number, key] = first._replace(dropped=(*first.dropped, *dropped))
    return found


async def follow_restrictions(connection: AsyncConnection, followers: Sequence[tuple[Identity, Identity]]) -> None:
    """Restrict records, each as the one that it belongs to or was before, given second."""
    columns = [list(column) for pair in zip(*followers, strict=True) for column in zip(*pair, strict=True)]
    await fetch(connection, _FOLLOW, *columns)


_OF_SCHOOLS: Final = (
    "SELECT school_id, type, key, NULL::timestamptz, NULL::text[], source FROM erased_record"
    " WHERE school_id = ANY($1::bigint[])"
    " UNION ALL SELECT school_id, type, key, restrict_time, dropped, source FROM restricted_record"
    " WHERE school_id = ANY($1::bigint[])"
)
_RESTRICTIONS: Final = (
    "SELECT school_id, type, key, restrict_time, dropped, source FROM restricted_record"
    ' JOIN unnest($1::bigint[], $2::smallint[], $3::text[] COLLATE "C") AS given(school_id, type, key)'
    " USING (school_id, type, key)"
)
_FOLLOW: Final = (
    "INSERT INTO restricted_record (school_id, type, key, data_request_id, restrict_time, dropped, source)"
    " SELECT DISTINCT given.school_id, given.type, given.key,"
    " origin.data_request_id, origin.restrict_time,"
    " CASE WHEN origin.type = given.type THEN origin.dropped ELSE '{}' END, origin.source"
    " FROM unnest($1::bigint[], $2::smallint[], $3::text[], $4::bigint[], $5::smallint[], $6::text[])"
    " AS given(school_id, type, key, origin_school, origin_type, origin_key)"
    " JOIN restricted_record AS origin ON origin.school_id = given.origin_school AND origin.type = given.origin_type"
    ' AND origin.key = given.origin_key COLLATE "C" ON CONFLICT DO NOTHING'
)
