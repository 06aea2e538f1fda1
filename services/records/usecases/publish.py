"""Units, grants and calendars told to every service: whole, under one version, by one replica at a time."""

import asyncio
from collections.abc import Sequence
from datetime import date

from iocedu.chassis.v1.scopes_pb2 import ScopeChunk
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.bus import Bus
from chassis.scopes import chunked, publish_tree, published_version
from services.records.convert.scopes import scope_calendars, scope_grants, scope_units, scope_years
from services.records.domain.calendars import Calendar
from services.records.domain.grants import Grant
from services.records.domain.units import Unit
from services.records.store import calendars, grants, scopes, units


async def publish_scopes(connection: AsyncConnection, bus: Bus, *, administrators: Sequence[str], day: date) -> bool:
    """Publish the present state unless another replica is at it; says whether this one did.

    The version is read before what it stands for: a change that slips in between is published again under its own.
    A bucket that is ahead (the database was restored) is overtaken.
    """
    if not await scopes.try_publication_lock(connection):
        return False
    version, _ = await scopes.scope_versions(connection)
    forest, given = await units.load_units(connection), await grants.load_grants(connection, day)
    told = await calendars.every_calendar(connection)
    chunks = await asyncio.to_thread(_chunks, forest, given, told, administrators=administrators, day=day)
    if not await publish_tree(bus, chunks, version):
        version = await scopes.raise_scope_version(connection, above=await published_version(bus))
        await publish_tree(bus, chunks, version)
    await scopes.note_published(connection, version)
    return True


async def is_published(connection: AsyncConnection, bus: Bus) -> bool:
    """Whether the bucket holds the present version; it does not when it has lost its content."""
    version, published = await scopes.scope_versions(connection)
    return version == published == await published_version(bus)


def _chunks(
    forest: list[Unit],
    given: list[Grant],
    told: list[Calendar],
    *,
    administrators: Sequence[str],
    day: date,
) -> Sequence[ScopeChunk]:
    return chunked(
        scope_units(forest, day), scope_grants(given, administrators), scope_years(told), scope_calendars(told)
    )
