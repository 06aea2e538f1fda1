"""Units in time: everything for an import or a publication, and units as of a day for those who ask."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import date
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import lock_keys
from services.records.domain.forest import Additions
from services.records.domain.names import stored_names
from services.records.domain.spans import Span
from services.records.domain.units import Code, Edge, Name, Succession, Unit
from services.records.store.spans import on, to_range, to_span
from services.records.store.tables import unit, unit_code, unit_edge, unit_name, unit_succession

FOREST_LOCK: Final = 2  # lock space of the whole forest


async def lock_forest(connection: AsyncConnection) -> None:
    """Let one change of units happen at a time; comes before anything else in the transaction."""
    await lock_keys(connection, [0], space=FOREST_LOCK)


async def load_unit(connection: AsyncConnection, unit_id: int) -> Unit:
    """A unit that is known, with all of its names, codes, edges and successions."""
    return (await load_units(connection, only=unit_id))[0]


async def load_units(connection: AsyncConnection, *, only: int | None = None) -> list[Unit]:
    """Every unit, or one, with all of its names, codes, edges and successions, by id."""

    def of(query: "sa.Select[Any]", table: sa.Table) -> "sa.Select[Any]":
        return query if only is None else query.where(table.c.unit_id == only)

    units = {
        unit_id: Unit(unit_id, kind, to_span(valid), tuple(labels), [], [], [], [])
        for unit_id, kind, valid, labels in await connection.execute(
            of(sa.select(unit.c.unit_id, unit.c.kind, unit.c.valid, unit.c.labels).order_by(unit.c.unit_id), unit)
        )
    }
    for unit_id, name, valid in await connection.execute(
        of(sa.select(unit_name.c.unit_id, unit_name.c.name, unit_name.c.valid).order_by(unit_name.c.valid), unit_name)
    ):
        units[unit_id].names.append(Name(name, to_span(valid)))
    for unit_id, system, code, valid in await connection.execute(
        of(
            sa.select(unit_code.c.unit_id, unit_code.c.system, unit_code.c.code, unit_code.c.valid).order_by(
                unit_code.c.system, unit_code.c.valid
            ),
            unit_code,
        )
    ):
        units[unit_id].codes.append(Code(system, code, to_span(valid)))
    for unit_id, parent_id, kind, valid in await connection.execute(
        of(
            sa.select(unit_edge.c.unit_id, unit_edge.c.parent_id, unit_edge.c.type, unit_edge.c.valid).order_by(
                unit_edge.c.type, unit_edge.c.valid
            ),
            unit_edge,
        )
    ):
        units[unit_id].edges.append(Edge(parent_id, kind, to_span(valid)))
    for unit_id, found in (await load_successions(connection, None if only is None else [only])).items():
        units[unit_id].successions.extend(found)
    return list(units.values())


async def load_successions(
    connection: AsyncConnection, unit_ids: Collection[int] | None = None
) -> dict[int, list[Succession]]:
    """What became of units, in time order; of all units unless some are named."""
    query = sa.select(unit_succession).order_by(unit_succession.c.effective_date, unit_succession.c.successor_id)
    if unit_ids is not None:
        query = query.where(unit_succession.c.unit_id.in_(unit_ids))
    found: defaultdict[int, list[Succession]] = defaultdict(list)
    for row in await connection.execute(query):
        found[row.unit_id].append(Succession(row.successor_id, row.kind, row.effective_date, row.partial))
    return found


async def next_unit_ids(connection: AsyncConnection, count: int) -> Iterator[int]:
    """As many fresh unit ids."""
    rows = await connection.execute(
        sa.text("SELECT nextval('unit_id') FROM generate_series(1, :count)"), {"count": count}
    )
    return iter([int(value) for (value,) in rows])


async def add_units(connection: AsyncConnection, additions: Additions) -> None:
    """Store what an import adds."""
    await _insert(
        connection,
        unit,
        [
            {"unit_id": one.unit_id, "kind": one.kind, "valid": to_range(one.span), "labels": list(one.labels)}
            for one in additions.units
        ],
    )
    await _insert(
        connection,
        unit_name,
        [
            {
                "unit_id": unit_id,
                "name": name.name,
                "sort_name": stored_names(name.name, person=False)[1],
                "valid": to_range(name.span),
            }
            for unit_id, name in additions.names
        ],
    )
    await _insert(
        connection,
        unit_code,
        [
            {"unit_id": unit_id, "system": code.system, "code": code.code, "valid": to_range(code.span)}
            for unit_id, code in additions.codes
        ],
    )
    await _insert(
        connection,
        unit_edge,
        [
            {"unit_id": unit_id, "parent_id": edge.parent_id, "type": edge.type, "valid": to_range(edge.span)}
            for unit_id, edge in additions.edges
        ],
    )
    await _insert(
        connection,
        unit_succession,
        [
            {
                "unit_id": unit_id,
                "successor_id": one.successor_id,
                "kind": one.kind,
                "effective_date": one.day,
                "partial": one.partial,
            }
            for unit_id, one in additions.successions
        ],
    )


async def unit_life(connection: AsyncConnection, unit_id: int) -> Span:
    """The days on which a unit lives."""
    return to_span((await connection.execute(sa.select(unit.c.valid).where(unit.c.unit_id == unit_id))).scalar_one())


async def edges_above(connection: AsyncConnection, unit_id: int, edge_type: str) -> dict[int, list[Edge]]:
    """The edges of a type, of all days, that lead up from a unit, by the unit they lead from."""
    edges = sa.select(unit_edge.c.unit_id, unit_edge.c.parent_id, unit_edge.c.valid).where(
        unit_edge.c.type == edge_type
    )
    above = edges.where(unit_edge.c.unit_id == unit_id).cte("above", recursive=True)
    above = above.union(edges.join(above, above.c.parent_id == unit_edge.c.unit_id))
    found: defaultdict[int, list[Edge]] = defaultdict(list)
    for lower_id, parent_id, valid in await connection.execute(sa.select(above)):
        found[lower_id].append(Edge(parent_id, edge_type, to_span(valid)))
    return found


async def check_now(connection: AsyncConnection) -> None:
    """Let the constraints that wait for the commit speak up already."""
    await connection.execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))


async def resolve_unit(connection: AsyncConnection, ref: str, day: date) -> int | None:
    """The unit behind an alias of that day, or behind an id."""
    if ref.isascii() and ref.isdecimal():
        query = sa.select(unit.c.unit_id).where(unit.c.unit_id == int(ref))
    else:
        system, _, code = ref.partition(":")
        query = sa.select(unit_code.c.unit_id).where(
            unit_code.c.system == system,
            unit_code.c.code == code,
            on(unit_code.c.valid, day),
        )
    return (await connection.execute(query)).scalar_one_or_none()


async def last_named(connection: AsyncConnection, ref: str, day: date) -> int | None:
    """The unit behind an id, or which bore an alias last, up to a day."""
    if ref.isascii() and ref.isdecimal():
        return await resolve_unit(connection, ref, day)
    system, _, code = ref.partition(":")
    query = sa.select(unit_code.c.unit_id).where(
        unit_code.c.system == system, unit_code.c.code == code, sa.func.upper(unit_code.c.valid) <= day
    )
    return (await connection.execute(query.order_by(sa.func.upper(unit_code.c.valid).desc()).limit(1))).scalar()


async def _insert(connection: AsyncConnection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        await connection.execute(sa.insert(table), rows)
