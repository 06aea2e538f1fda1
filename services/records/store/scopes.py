"""The version of units and grants: raised with each change of them, published by one replica at a time."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.store.tables import scope_version

PUBLICATION_LOCK: Final = 3 << 48  # beside the lock spaces of schools and of the forest


async def try_publication_lock(connection: AsyncConnection) -> bool:
    """Whether this transaction is the one that may publish."""
    return bool((await connection.execute(sa.select(sa.func.pg_try_advisory_xact_lock(PUBLICATION_LOCK)))).scalar_one())


async def raise_scope_version(connection: AsyncConnection, *, above: int = 0) -> int:
    """Say, in the transaction of the change, that units or grants are other than published; `above` a version."""
    raised = sa.func.greatest(scope_version.c.version, above) + 1
    query = scope_version.update().values(version=raised).returning(scope_version.c.version)
    return int((await connection.execute(query)).scalar_one())


async def scope_versions(connection: AsyncConnection) -> tuple[int, int]:
    """The version of units and grants, and the one last published."""
    row = (await connection.execute(sa.select(scope_version.c.version, scope_version.c.published_version))).one()
    return int(row.version), int(row.published_version)


async def note_published(connection: AsyncConnection, version: int) -> None:
    """Note that a version was published."""
    newer = sa.func.greatest(scope_version.c.published_version, version)
    await connection.execute(scope_version.update().values(published_version=newer))
