"""Records looked up: many by key in one query, or a page below a unit in key order."""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.names import search_name
from services.records.domain.objects import ObjectSpec
from services.records.store.driver import fetch
from services.records.store.tables import RECORDS, feed
from services.records.store.terms import LOOKUPS
from services.records.store.withheld import unrestricted
from services.records.store.words import MOST_SPELLINGS, containing

Identity = tuple[int, str]
Stored = Sequence[Any]  # columns as in `spec.row`, then the position in the feed


async def records_by_key(
    connection: AsyncConnection, spec: ObjectSpec, identities: Sequence[Identity], *, withheld: bool
) -> dict[Identity, Stored]:
    """Records of one type by school and key; what never was is missing, and what is restricted unless `withheld`."""
    schools, keys = [school_id for school_id, _ in identities], [key for _, key in identities]
    return {(row[0], row[1]): row for row in await fetch(connection, _by_key(spec, withheld=withheld), schools, keys)}


async def class_names(connection: AsyncConnection, classes: Collection[Identity]) -> dict[Identity, str]:
    """Names of classes by school and key; those that are not there are missing."""
    wanted = sorted(set(classes))
    rows = await fetch(connection, _CLASS_NAMES, [school_id for school_id, _ in wanted], [key for _, key in wanted])
    return {(row[0], row[1]): row[2] for row in rows}


async def records_page(
    connection: AsyncConnection,
    spec: ObjectSpec,
    *,
    schools: Collection[int],
    school_year: int,
    name_contains: str,
    after: Identity | None,
    most: int,
) -> list[Stored]:
    """Records of these schools in order of school and key; a year or a part of a name narrows them.

    What is restricted is left out.
    """
    table = RECORDS[spec.field]
    query = (
        sa.select(*(table.c[name] for name in spec.row), _position(table))
        .select_from(table.outerjoin(feed, _in_feed(spec, table)))
        .where(table.c.school_id == sa.any_(sa.cast(list(schools), sa.ARRAY(sa.BigInteger))), ~table.c.deleted)
        .where(sa.text(unrestricted(spec, spec.field)))
        .order_by(table.c.school_id, table.c.key)
        .limit(most)
    )
    if school_year:
        query = query.where(table.c.school_year == school_year)
    if name_contains:
        typed = search_name(name_contains)
        query = query.where(table.c.search_name.contains(typed, autoescape=True))
        if spec.field in LOOKUPS:
            for meant in await containing(connection, typed.split()):
                if len(meant) <= MOST_SPELLINGS:  # more of them narrow too little to be worth asking the index for
                    terms = sa.literal_column(LOOKUPS[spec.field].terms, ARRAY(sa.Text))
                    query = query.where(terms.overlap(sa.cast(sorted(meant), ARRAY(sa.Text))))
    if after is not None:
        query = query.where(sa.tuple_(table.c.school_id, table.c.key) > sa.tuple_(*map(sa.literal, after)))
    return [tuple(row) for row in await connection.execute(query)]


async def records_of_school(
    connection: AsyncConnection, spec: ObjectSpec, school_id: int, *, after: str, most: int
) -> list[Stored]:
    """Records of one type and school in key order, tombstones and what is restricted left out."""
    return await fetch(connection, _of_school(spec), school_id, after, most)


async def schools_with(
    connection: AsyncConnection, specs: Sequence[ObjectSpec], schools: Collection[int]
) -> set[tuple[int, int]]:
    """Which of these schools have records of which types, be it tombstones: school and type."""
    if not specs:
        return set()
    statement = " UNION ALL ".join(map(_schools_with, specs))
    return {(row[0], row[1]) for row in await fetch(connection, statement, list(schools))}


_CLASS_NAMES: Final = (
    "SELECT held.school_id, held.key, held.name FROM unnest($1::bigint[], $2::text[]) AS wanted(school_id, key)"
    ' JOIN school_class AS held ON held.school_id = wanted.school_id AND held.key = wanted.key COLLATE "C"'
    " WHERE NOT held.deleted"
)


def _position(table: sa.Table) -> sa.ColumnElement[int]:
    # The feed lags behind by the time the relay needs: a position counts only when it was given for this content.
    return sa.case((feed.c.version == table.c.change_version, feed.c.position), else_=0)


def _in_feed(spec: ObjectSpec, table: sa.Table) -> sa.ColumnElement[bool]:
    return sa.and_(feed.c.school_id == table.c.school_id, feed.c.type == spec.number, feed.c.key == table.c.key)


@cache
def _by_key(spec: ObjectSpec, *, withheld: bool) -> str:
    shown = "" if withheld else f" WHERE {unrestricted(spec, 'held')}"
    return (
        f"SELECT {', '.join(f'held.{name}' for name in spec.row)},"  # noqa: S608 (names come from the column specs)
        " CASE WHEN feed.version = held.change_version THEN feed.position ELSE 0 END"
        " FROM unnest($1::bigint[], $2::text[]) AS wanted(school_id, key)"
        f" JOIN {spec.field} AS held"
        ' ON held.school_id = wanted.school_id AND held.key = wanted.key COLLATE "C"'
        " LEFT JOIN feed ON feed.school_id = held.school_id AND feed.key = held.key"
        f" AND feed.type = {spec.number}{shown}"
    )


@cache
def _schools_with(spec: ObjectSpec) -> str:
    return (
        f"SELECT school_id, {spec.number} FROM unnest($1::bigint[]) AS asked(school_id)"  # noqa: S608 (names of specs)
        f" WHERE EXISTS (SELECT FROM {spec.field} AS held WHERE held.school_id = asked.school_id)"
    )


@cache
def _of_school(spec: ObjectSpec) -> str:
    return (
        f"SELECT {', '.join(f'held.{name}' for name in spec.row)},"  # noqa: S608 (names come from the column specs)
        " CASE WHEN feed.version = held.change_version THEN feed.position ELSE 0 END"
        f" FROM {spec.field} AS held"
        f" LEFT JOIN feed ON feed.school_id = held.school_id AND feed.key = held.key AND feed.type = {spec.number}"
        f' WHERE held.school_id = $1 AND held.key > $2 COLLATE "C" AND NOT held.deleted'
        f" AND {unrestricted(spec, 'held')} ORDER BY held.key LIMIT $3"
    )
