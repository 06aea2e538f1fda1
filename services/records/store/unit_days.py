"""Units as of a day: one, or a page of those below another in the order of their names."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.units import Edge, UnitDay
from services.records.store.spans import on, to_span
from services.records.store.tables import unit, unit_code, unit_edge, unit_name
from services.records.store.units import load_successions


async def unit_on(connection: AsyncConnection, unit_id: int, day: date) -> UnitDay | None:
    """A unit as of a day; None on days it does not live."""
    found = await _complete(connection, _alive(day).where(unit.c.unit_id == unit_id), day)
    return found[0] if found else None


async def names_on(connection: AsyncConnection, unit_ids: Collection[int], day: date) -> dict[int, tuple[str, str]]:
    """Kind and name of each unit on a day; units that do not live then are missing."""
    rows = await connection.execute(_alive(day).where(unit.c.unit_id.in_(unit_ids)))
    return {row.unit_id: (row.kind, row.name) for row in rows}


async def units_below(
    connection: AsyncConnection,
    parent_id: int,
    *,
    day: date,
    edge_type: str,
    recursive: bool,
    kinds: Collection[str],
    after: tuple[str, int] | None,
    most: int,
) -> list[UnitDay]:
    """The children of a unit on a day, or its whole subtree without itself, in order of name and id."""
    query = (
        _alive(day)
        .where(unit.c.unit_id.in_(sa.select(_below(parent_id, day=day, edge_type=edge_type, recursive=recursive))))
        .order_by(unit_name.c.sort_name, unit.c.unit_id)
        .limit(most)
    )
    if kinds:
        query = query.where(unit.c.kind.in_(kinds))
    if after is not None:
        query = query.where(sa.tuple_(unit_name.c.sort_name, unit.c.unit_id) > sa.tuple_(*map(sa.literal, after)))
    return await _complete(connection, query, day)


async def units_above(
    connection: AsyncConnection, unit_id: int, *, day: date, edge_type: str, after: int, most: int
) -> list[UnitDay]:
    """The units above a unit on a day, the nearest first, from a distance on."""
    edges = sa.select(unit_edge.c.parent_id).where(unit_edge.c.type == edge_type, on(unit_edge.c.valid, day))
    above = edges.add_columns(sa.literal(1).label("distance")).where(unit_edge.c.unit_id == unit_id)
    chain = above.cte("above", recursive=True)
    chain = chain.union(edges.add_columns(chain.c.distance + 1).join(chain, chain.c.parent_id == unit_edge.c.unit_id))
    query = (
        _alive(day)
        .join(chain, chain.c.parent_id == unit.c.unit_id)
        .where(chain.c.distance > after)
        .order_by(chain.c.distance)
        .limit(most)
    )
    return await _complete(connection, query, day)


async def count_below(
    connection: AsyncConnection, parent_id: int, *, day: date, edge_type: str, recursive: bool
) -> list[tuple[str, int]]:
    """How many units of each kind there are below a unit on a day, in order of kind."""
    query = (
        sa.select(unit.c.kind, sa.func.count())
        .where(
            on(unit.c.valid, day),
            unit.c.unit_id.in_(sa.select(_below(parent_id, day=day, edge_type=edge_type, recursive=recursive))),
        )
        .group_by(unit.c.kind)
        .order_by(unit.c.kind)
    )
    return [(kind, count) for kind, count in await connection.execute(query)]


async def aliases_on(connection: AsyncConnection, wanted: Collection[tuple[int, date]]) -> dict[tuple[int, date], str]:
    """An alias of each unit on its day, the first by code system; units without a code that day are missing."""
    rows = await connection.execute(
        sa.text(
            "SELECT DISTINCT ON (wanted.unit_id, wanted.day) wanted.unit_id, wanted.day, system || ':' || code"
            " FROM unnest(CAST(:units AS bigint[]), CAST(:days AS date[])) AS wanted(unit_id, day)"
            " JOIN unit_code ON unit_code.unit_id = wanted.unit_id AND unit_code.valid @> wanted.day"
            " ORDER BY wanted.unit_id, wanted.day, system"
        ),
        {"units": [unit_id for unit_id, _ in wanted], "days": [day for _, day in wanted]},
    )
    return {(unit_id, day): alias for unit_id, day, alias in rows}


def _alive(day: date) -> sa.Select[tuple[int, str, str, str, object, list[str]]]:
    return (
        sa.select(unit.c.unit_id, unit.c.kind, unit_name.c.name, unit_name.c.sort_name, unit.c.valid, unit.c.labels)
        .join(unit_name, sa.and_(unit_name.c.unit_id == unit.c.unit_id, on(unit_name.c.valid, day)))
        .where(on(unit.c.valid, day))
    )


def _below(parent_id: int, *, day: date, edge_type: str, recursive: bool) -> sa.CTE:
    edges = sa.select(unit_edge.c.unit_id).where(unit_edge.c.type == edge_type, on(unit_edge.c.valid, day))
    children = edges.where(unit_edge.c.parent_id == parent_id)
    if not recursive:
        return children.cte("below")
    below = children.cte("below", recursive=True)
    return below.union(edges.join(below, below.c.unit_id == unit_edge.c.parent_id))


async def _complete(
    connection: AsyncConnection, query: "sa.Select[tuple[int, str, str, str, object, list[str]]]", day: date
) -> list[UnitDay]:
    rows: Sequence[sa.Row[tuple[int, str, str, str, object, list[str]]]] = (await connection.execute(query)).all()
    ids = [row.unit_id for row in rows]
    codes: defaultdict[int, list[str]] = defaultdict(list)
    for unit_id, system, code in await connection.execute(
        sa.select(unit_code.c.unit_id, unit_code.c.system, unit_code.c.code)
        .where(unit_code.c.unit_id.in_(ids), on(unit_code.c.valid, day))
        .order_by(unit_code.c.system)
    ):
        codes[unit_id].append(f"{system}:{code}")
    edges: defaultdict[int, list[Edge]] = defaultdict(list)
    for unit_id, parent_id, kind, valid in await connection.execute(
        sa.select(unit_edge.c.unit_id, unit_edge.c.parent_id, unit_edge.c.type, unit_edge.c.valid)
        .where(unit_edge.c.unit_id.in_(ids), on(unit_edge.c.valid, day))
        .order_by(unit_edge.c.type)
    ):
        edges[unit_id].append(Edge(parent_id, kind, to_span(valid)))
    successions = await load_successions(connection, ids)
    return [
        UnitDay(
            unit_id=row.unit_id,
            kind=row.kind,
            name=row.name,
            sort_name=row.sort_name,
            span=to_span(row.valid),
            labels=tuple(row.labels),
            codes=tuple(codes[row.unit_id]),
            edges=tuple(edges[row.unit_id]),
            successions=tuple(successions.get(row.unit_id, ())),
        )
        for row in rows
    ]
