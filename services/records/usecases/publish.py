"""Units and grants told to every service: the whole of them, under one version, by one replica at a time."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.bus import Bus
from chassis.scopes import chunked, publish_tree, published_version
from services.records.convert.scopes import scope_grants, scope_units
from services.records.store import grants, scopes, units


async def publish_scopes(connection: AsyncConnection, bus: Bus, *, administrators: Sequence[str], day: date) -> bool:
    """Publish the present state unless another replica is at it; says whether this one did.

    The version is read before what it stands for: a change that slips in between is published again under its own.
    A bucket that is ahead (the database was restored) is overtaken.
    """
    if not await scopes.try_publication_lock(connection):
        return False
    version, _ = await scopes.scope_versions(connection)
    forest = scope_units(await units.load_units(connection), day)
    chunks = chunked(forest, scope_grants(await grants.load_grants(connection, day), administrators))
    if not await publish_tree(bus, chunks, version):
        version = await scopes.raise_scope_version(connection, above=await published_version(bus))
        await publish_tree(bus, chunks, version)
    await scopes.note_published(connection, version)
    return True
