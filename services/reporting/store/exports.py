"""Queries on exports: begun, claimed by a replica, brought forward, ended, pruned."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting.domain.exports import Export, ExportState


@dataclass(frozen=True, slots=True)
class Begun:
    """What an export is to hold, and for whom."""

    unit_id: int
    format: str
    by: str
    language: str
    campaign_id: int | None = None
    pivot_id: int | None = None
    extract_id: int | None = None
    scheduled: bool = False


async def add_export(connection: AsyncConnection, begun: Begun, *, now: datetime) -> int:
    """Begin an export; its id."""
    given = {
        "unit_id": begun.unit_id,
        "campaign_id": begun.campaign_id,
        "pivot_id": begun.pivot_id,
        "extract_id": begun.extract_id,
        "scheduled": begun.scheduled,
        "format": begun.format,
        "by": begun.by,
        "language": begun.language,
        "now": now,
    }
    return int((await connection.execute(_ADD, given)).scalar_one())


async def find_export(connection: AsyncConnection, export_id: int, *, unit_id: int) -> Export | None:
    """An export of a unit."""
    row = (await connection.execute(_ONE, {"export_id": export_id, "unit_id": unit_id})).first()
    return _export(row) if row else None


async def find_exports(connection: AsyncConnection, export_ids: Sequence[int], *, unit_id: int) -> dict[int, Export]:
    """Those of these exports of a unit that there are, by id."""
    rows = await connection.execute(_SOME, {"export_ids": export_ids, "unit_id": unit_id})
    return {row.export_id: _export(row) for row in rows}


async def content_of(connection: AsyncConnection, export_id: int) -> bytes:
    """The file."""
    return bytes(await connection.scalar(_CONTENT, {"export_id": export_id}) or b"")


async def claim_export(connection: AsyncConnection, *, now: datetime, lease_until: datetime) -> Export | None:
    """An export nobody works on, left to the caller until the lease ends."""
    row = (await connection.execute(_CLAIM, {"now": now, "lease_until": lease_until})).first()
    return _export(row) if row else None


async def advance(connection: AsyncConnection, export: Export, *, done: int, total: int) -> bool:
    """Note how far it is; whether it still is to go on, and by who claimed it."""
    given = {"export_id": export.export_id, "attempts": export.attempts, "done": done, "total": total}
    return (await connection.execute(_ADVANCE, given)).rowcount == 1


async def renew(connection: AsyncConnection, export: Export, *, lease_until: datetime) -> bool:
    """Leave it to who claimed it for longer; False where it has ended, or somebody else has claimed it since."""
    given = {"export_id": export.export_id, "attempts": export.attempts, "lease_until": lease_until}
    return (await connection.execute(_RENEW, given)).rowcount == 1


async def end_export(
    connection: AsyncConnection,
    export_id: int,
    state: ExportState,
    *,
    now: datetime,
    attempts: int | None = None,
    content: bytes | None = None,
    file_name: str = "",
    failure: str = "",
) -> bool:
    """End a running export; False where it had ended already, or is no longer of the attempt named."""
    given = {
        "export_id": export_id,
        "attempts": attempts,
        "state": int(state),
        "now": now,
        "content": content,
        "file_name": file_name,
        "failure": failure,
    }
    return (await connection.execute(_END, given)).rowcount == 1


async def prune(connection: AsyncConnection, *, before: datetime) -> int:
    """Forget exports that ended before."""
    return (await connection.execute(_PRUNE, {"before": before})).rowcount


def _export(row: sa.Row[tuple[object, ...]]) -> Export:
    return Export(**{**row._asdict(), "state": ExportState(row.state)})


_COLUMNS = (
    "export_id, unit_id, campaign_id, pivot_id, extract_id, scheduled, format, state, done_count, total_count,"
    " file_name, failure, created_by, language, create_time, end_time, attempts"
)
_ADD = sa.text(
    "INSERT INTO export (unit_id, campaign_id, pivot_id, extract_id, scheduled, format, state, created_by, language,"
    " create_time)"
    " VALUES (:unit_id, :campaign_id, :pivot_id, :extract_id, :scheduled, :format, 1, :by, :language, :now)"
    " RETURNING export_id"
)
_ONE = sa.text(f"SELECT {_COLUMNS} FROM export WHERE export_id = :export_id AND unit_id = :unit_id")  # noqa: S608
_SOME = sa.text(
    f"SELECT {_COLUMNS} FROM export WHERE export_id = ANY(CAST(:export_ids AS bigint[])) AND unit_id = :unit_id"  # noqa: S608
)
_CONTENT = sa.text("SELECT content FROM export WHERE export_id = :export_id")
_CLAIM = sa.text(
    "UPDATE export SET lease_until = :lease_until, attempts = attempts + 1 WHERE export_id = ("  # noqa: S608
    "SELECT export_id FROM export WHERE state = 1 AND (lease_until IS NULL OR lease_until < :now)"
    f" ORDER BY export_id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING {_COLUMNS}"
)
_ADVANCE = sa.text(
    "UPDATE export SET done_count = :done, total_count = :total"
    " WHERE export_id = :export_id AND state = 1 AND attempts = :attempts"
)
_RENEW = sa.text(
    "UPDATE export SET lease_until = :lease_until WHERE export_id = :export_id AND state = 1 AND attempts = :attempts"
)
_END = sa.text(
    "UPDATE export SET state = :state, end_time = :now, content = :content, file_name = :file_name, failure = :failure,"
    " lease_until = NULL WHERE export_id = :export_id AND state = 1"
    " AND (CAST(:attempts AS integer) IS NULL OR attempts = :attempts)"
)
_PRUNE = sa.text("DELETE FROM export WHERE end_time < :before")
