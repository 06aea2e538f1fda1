"""Connections of partners as they are kept; ended ones stay."""

from collections.abc import Collection
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.sync.domain.partners import NOT_GIVEN, PartnerConnection
from services.sync.store.tables import partner_connection


async def add(writes: AsyncConnection, one: PartnerConnection) -> PartnerConnection:
    """Add a connection; its id is given here."""
    columns = [name for name in partner_connection.c.keys() if name != "connection_id"]  # noqa: SIM118  columns
    values = {name: getattr(one, name) for name in columns} | {"collections": list(one.collections)}
    query = sa.insert(partner_connection).values(values).returning(*partner_connection.c)
    return _connection((await writes.execute(query)).one())


async def change(writes: AsyncConnection, one: PartnerConnection, **values: Any) -> PartnerConnection:
    """Change a connection that is there."""
    query = sa.update(partner_connection).where(*_is(one.unit_id, one.connection_id)).values(values)
    return _connection((await writes.execute(query.returning(*partner_connection.c))).one())


async def drop_ungranted(writes: AsyncConnection, one: PartnerConnection) -> None:
    """Drop a connection whose grant was refused, unless somebody else has asked for it, too."""
    table = partner_connection.c
    own = (table.grant_id == NOT_GIVEN, table.connected_by == one.connected_by)
    await writes.execute(sa.delete(partner_connection).where(*_is(one.unit_id, one.connection_id), *own))


async def by_id(reads: AsyncConnection, unit_id: int, connection_id: int) -> PartnerConnection | None:
    """One connection of a unit."""
    row = (await reads.execute(sa.select(partner_connection).where(*_is(unit_id, connection_id)))).one_or_none()
    return None if row is None else _connection(row)


async def on_unit(writes: AsyncConnection, unit_id: int) -> list[PartnerConnection]:
    """All connections of a unit itself, by age, kept from other writers until the transaction ends."""
    lock = sa.text("SELECT pg_advisory_xact_lock(hashtext('partner_connection'), hashint8(:unit))")
    await writes.execute(lock, {"unit": unit_id})
    query = sa.select(partner_connection).where(partner_connection.c.unit_id == unit_id)
    return list(map(_connection, await writes.execute(query.order_by(partner_connection.c.connection_id))))


async def of_partner(reads: AsyncConnection, partner_id: str, units: Collection[int]) -> list[PartnerConnection]:
    """The connections of a partner on these units, ended ones too."""
    query = sa.select(partner_connection).where(
        partner_connection.c.partner_id == partner_id, partner_connection.c.unit_id.in_(units)
    )
    return list(map(_connection, await reads.execute(query)))


async def in_force(reads: AsyncConnection, day: date) -> dict[str, list[tuple[list[str] | None, set[int]]]]:
    """Of each partner the collections that it is connected for on a day, with the units."""
    table = partner_connection.c
    query = sa.select(table.partner_id, table.collections, sa.func.array_agg(table.unit_id).label("units"))
    found: dict[str, list[tuple[list[str] | None, set[int]]]] = {}
    for row in await reads.execute(query.where(*_holds(day)).group_by(table.partner_id, table.collections)):
        found.setdefault(row.partner_id, []).append((row.collections, set(row.units)))
    return found


async def grants_by_partner(reads: AsyncConnection) -> dict[str, frozenset[int]]:
    """Of each partner the grants that came of connections, of ended ones too."""
    table = partner_connection.c
    query = sa.select(table.partner_id, sa.func.array_agg(table.grant_id).label("grants")).group_by(table.partner_id)
    return {row.partner_id: frozenset(row.grants) for row in await reads.execute(query)}


async def listed(
    reads: AsyncConnection,
    *,
    units: Collection[int] | None = None,
    partner_id: str = "",
    day: date | None,
    before: int | None,
    most: int,
) -> list[PartnerConnection]:
    """Connections on units or of a partner, the newest first; with a day only those that hold on it."""
    query = sa.select(partner_connection).order_by(partner_connection.c.connection_id.desc()).limit(most)
    if units is not None:
        query = query.where(partner_connection.c.unit_id == sa.any_(sa.cast(list(units), sa.ARRAY(sa.BigInteger))))
    if partner_id:
        query = query.where(partner_connection.c.partner_id == partner_id)
    if day is not None:
        query = query.where(*_holds(day))
    if before is not None:
        query = query.where(partner_connection.c.connection_id < before)
    return list(map(_connection, await reads.execute(query)))


def _is(unit_id: int, connection_id: int) -> "tuple[sa.ColumnElement[bool], ...]":
    return (partner_connection.c.unit_id == unit_id, partner_connection.c.connection_id == connection_id)


def _holds(day: date) -> "tuple[sa.ColumnElement[bool], ...]":
    ends = partner_connection.c.valid_to
    return (partner_connection.c.valid_from <= day, sa.or_(ends.is_(None), ends > day))


def _connection(row: Any) -> PartnerConnection:
    told = dict(row._mapping)  # noqa: SLF001  the public name of a row's columns
    return PartnerConnection(**told | {"collections": tuple(row.collections)})
