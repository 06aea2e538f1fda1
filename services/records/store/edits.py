"""Corrections by hand: who made each and why, under the request that brought it."""

from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.edits import Kept
from services.records.store.tables import record_edit


async def keep_edits(connection: AsyncConnection, kept: Sequence[Kept]) -> None:
    """Keep corrections."""
    await connection.execute(record_edit.insert(), [one._asdict() for one in kept])


async def edits_of(connection: AsyncConnection, school_id: int, request_ids: Collection[str]) -> Mapping[str, Kept]:
    """The corrections of a school that came with these requests, by request id."""
    columns = [record_edit.c[name] for name in Kept._fields]
    wanted = record_edit.c.request_id.in_(request_ids)
    found = await connection.execute(sa.select(*columns).where(record_edit.c.school_id == school_id, wanted))
    return {row.request_id: Kept(*row) for row in found}
