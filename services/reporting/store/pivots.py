# ruff: noqa: S608 (statements are put together from constants of this module; nothing comes from outside)
"""Queries on pivots: kept, listed, changed, forgotten, and those whose time has come."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting.domain.pivots import Interval, Kept, Pivot, Schedule


async def add_pivot(
    connection: AsyncConnection,
    kept: Kept,
    *,
    unit_id: int,
    owner: str,
    language: str,
    next_time: datetime | None,
    now: datetime,
) -> int:
    """Keep a pivot; its id."""
    given = {"unit_id": unit_id, "owner": owner, "language": language, "next_time": next_time, "now": now}
    return int((await connection.execute(_ADD, given | _columns(kept))).scalar_one())


async def owned(connection: AsyncConnection, owner: str) -> int:
    """How many pivots someone keeps; others wait until the transaction ends."""
    await connection.execute(_HOLD, {"name": f"pivots/{owner}"})
    return int((await connection.execute(_OWNED, {"owner": owner})).scalar_one())


async def find_pivot(connection: AsyncConnection, pivot_id: int, *, hold: bool = False) -> Pivot | None:
    """A pivot, of whatever unit; `hold` keeps others from changing it until the transaction ends."""
    row = (await connection.execute(_HELD if hold else _ONE, {"pivot_id": pivot_id})).first()
    return _pivot(row) if row else None


async def pivots_page(
    connection: AsyncConnection,
    *,
    unit_id: int,
    above: Collection[int],
    owner: str,
    after: tuple[str, int],
    limit: int,
) -> list[Pivot]:
    """Someone's own pivots of a unit and those shared at it or above, by name, after a name and id."""
    given = {
        "unit_id": unit_id, "above": list(above), "owner": owner, "after_name": after[0], "after_id": after[1],
        "limit": limit,
    }  # fmt: skip
    return [_pivot(row) for row in await connection.execute(_PAGE, given)]


async def change_pivot(
    connection: AsyncConnection, pivot_id: int, kept: Kept, *, next_time: datetime | None, now: datetime
) -> None:
    """Put another content in place of a pivot's."""
    given = {"pivot_id": pivot_id, "next_time": next_time, "now": now}
    await connection.execute(_CHANGE, given | _columns(kept))


async def forget_pivot(connection: AsyncConnection, pivot_id: int) -> None:
    """Forget a pivot."""
    await connection.execute(_FORGET, {"pivot_id": pivot_id})


async def take_due(connection: AsyncConnection, *, now: datetime, limit: int) -> list[Pivot]:
    """Pivots whose time has come; others may take others meanwhile."""
    return [_pivot(row) for row in await connection.execute(_DUE, {"now": now, "limit": limit})]


async def set_next(connection: AsyncConnection, pivot_id: int, next_time: datetime | None) -> None:
    """Say when a pivot is sent next; None: never again."""
    await connection.execute(_NEXT, {"pivot_id": pivot_id, "next_time": next_time})


def _columns(kept: Kept) -> dict[str, Any]:
    schedule = kept.schedule
    return {
        "name": kept.name, "shared": kept.shared, "question": kept.question, "interval": int(schedule.interval),
        "hour": schedule.hour, "day": schedule.day, "format": schedule.format,
    }  # fmt: skip


def _pivot(row: Any) -> Pivot:
    schedule = Schedule(Interval(row.interval), row.hour, row.day, row.format)
    kept = Kept(row.name, row.question, row.shared, schedule)
    return Pivot(row.unit_id, row.pivot_id, row.owner, kept, row.language, row.next_time, row.revision, row.update_time)


_COLUMNS = (
    "unit_id, pivot_id, owner, name, shared, question, interval, hour, day, format, language, next_time, revision,"
    " update_time"
)
_ADD = sa.text(
    "INSERT INTO pivot (unit_id, owner, name, shared, question, interval, hour, day, format, language, next_time,"
    " revision, update_time) VALUES (:unit_id, :owner, :name, :shared, :question, :interval, :hour, :day, :format,"
    " :language, :next_time, 1, :now) RETURNING pivot_id"
).bindparams(sa.bindparam("question", type_=JSONB))
_HOLD = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_OWNED = sa.text("SELECT count(*) FROM pivot WHERE owner = :owner")
_ONE = sa.text(f"SELECT {_COLUMNS} FROM pivot WHERE pivot_id = :pivot_id").columns(question=JSONB)
_HELD = sa.text(f"SELECT {_COLUMNS} FROM pivot WHERE pivot_id = :pivot_id FOR UPDATE").columns(question=JSONB)
_PAGE = sa.text(
    f"SELECT {_COLUMNS} FROM pivot WHERE ((unit_id = :unit_id AND owner = :owner)"
    " OR (shared AND unit_id = ANY(CAST(:above AS bigint[])))) AND (name, pivot_id) > (:after_name, :after_id)"
    " ORDER BY name, pivot_id LIMIT :limit"
).columns(question=JSONB)
_CHANGE = sa.text(
    "UPDATE pivot SET name = :name, shared = :shared, question = :question, interval = :interval, hour = :hour,"
    " day = :day, format = :format, next_time = :next_time, revision = revision + 1, update_time = :now"
    " WHERE pivot_id = :pivot_id"
).bindparams(sa.bindparam("question", type_=JSONB))
_FORGET = sa.text("DELETE FROM pivot WHERE pivot_id = :pivot_id")
_DUE = sa.text(
    f"SELECT {_COLUMNS} FROM pivot WHERE next_time <= :now ORDER BY next_time LIMIT :limit FOR UPDATE SKIP LOCKED"
).columns(question=JSONB)
_NEXT = sa.text("UPDATE pivot SET next_time = :next_time WHERE pivot_id = :pivot_id")
