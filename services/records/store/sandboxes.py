"""Which schools were made for sandboxes, and how those are emptied. Nothing else may be removed here."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.store.tables import RECORDS, metadata, sandbox_school

# Whatever is kept by school goes; the access log, which is kept for ever, is not.
_KEPT_BY_SCHOOL: Final = [
    table for table in metadata.tables.values() if "school_id" in table.c and table is not sandbox_school
]


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A sandbox."""

    root_id: int
    school_ids: tuple[int, ...]


async def sandbox_of(connection: AsyncConnection, subject: str) -> Sandbox | None:
    """The sandbox of a subject."""
    query = sa.select(sandbox_school).where(sandbox_school.c.subject == subject).order_by(sandbox_school.c.school_id)
    found = list(await connection.execute(query))
    return Sandbox(found[0].root_id, tuple(row.school_id for row in found)) if found else None


async def sandboxed(connection: AsyncConnection, school_ids: Collection[int]) -> frozenset[int]:
    """Those of these schools that were made for sandboxes."""
    wanted = sa.cast(list(school_ids), sa.ARRAY(sa.BigInteger))
    query = sa.select(sandbox_school.c.school_id).where(sandbox_school.c.school_id == sa.any_(wanted))
    return frozenset((await connection.execute(query)).scalars())


async def keep_sandbox(
    connection: AsyncConnection, subject: str, root_id: int, school_ids: Sequence[int], *, now: datetime
) -> None:
    """Note schools that have just been made as a subject's sandbox."""
    rows = [{"school_id": one, "root_id": root_id, "subject": subject, "create_time": now} for one in school_ids]
    await connection.execute(sa.insert(sandbox_school), rows)


async def empty(connection: AsyncConnection, subject: str) -> int:
    """Remove whatever is kept of the schools of a subject's sandbox; returns how many records that were."""
    mine = sa.select(sandbox_school.c.school_id).where(sandbox_school.c.subject == subject)
    removed = 0
    for table in _KEPT_BY_SCHOOL:
        gone = (await connection.execute(sa.delete(table).where(table.c.school_id.in_(mine)))).rowcount
        removed += gone if table.name in RECORDS else 0
    return removed
