"""Sandboxes of partners, what came into them, and how sync's part of them is emptied."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.sync.domain.conformance import Push, Shown
from services.sync.store.tables import (
    batch,
    connection,
    declaration,
    import_,
    quarantined_row,
    replay,
    sandbox,
    sandbox_push,
)

MOST_JUDGED = 2_000  # The newest pushes; a sandbox is no archive.


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A sandbox. Fields as in the table, but the names."""

    partner_id: str
    unit_id: int
    school_ids: tuple[int, ...]
    aliases: tuple[str, ...]
    reset_count: int
    reset_time: datetime | None
    create_time: datetime
    names: Mapping[int, str] = field(default_factory=dict)  # Of schools that the tree of units may not have yet.


async def keep(writes: AsyncConnection, one: Sandbox) -> None:
    """Note a sandbox that records has made."""
    values = {name: getattr(one, name) for name in sandbox.c.keys()}  # noqa: SIM118  a collection of columns
    values |= {"school_ids": list(one.school_ids), "aliases": list(one.aliases)}
    await writes.execute(insert(sandbox).values(values).on_conflict_do_nothing())


async def sandbox_of(reads: AsyncConnection, partner_id: str) -> Sandbox | None:
    """The sandbox of a partner."""
    return _sandbox((await reads.execute(sa.select(sandbox).where(sandbox.c.partner_id == partner_id))).one_or_none())


async def around(reads: AsyncConnection, units: Sequence[int]) -> Sandbox | None:
    """The sandbox whose root is among these units."""
    return _sandbox((await reads.execute(sa.select(sandbox).where(sandbox.c.unit_id.in_(units)))).first())


async def empty(writes: AsyncConnection, one: Sandbox, *, now: datetime) -> Sandbox:
    """Remove what came into a sandbox, and let what comes next be new."""
    units = [one.unit_id, *one.school_ids]
    for condition in (
        batch.c.unit_id.in_(units),
        quarantined_row.c.place_id.in_(units),
        quarantined_row.c.unit_id.in_(units),
        connection.c.school_id.in_(units),
        declaration.c.school_id.in_(units),  # With its batches.
        import_.c.unit_id.in_(units),
        replay.c.place_id.in_(units),
        sandbox_push.c.unit_id == one.unit_id,
    ):
        await writes.execute(sa.delete(condition.left.table).where(condition))
    query = sa.update(sandbox).where(sandbox.c.partner_id == one.partner_id)
    values = {"reset_count": sandbox.c.reset_count + 1, "reset_time": now}
    emptied = _sandbox((await writes.execute(query.values(values).returning(*sandbox.c))).one())
    assert emptied is not None, "a row that was updated is there"
    return emptied


async def note_pushes(writes: AsyncConnection, unit_id: int, pushes: Sequence[Push], *, now: datetime) -> None:
    """Keep what came into a sandbox."""
    rows = [
        {
            "unit_id": unit_id,
            "batch_id": one.batch_id,
            "kind": int(one.kind),
            "self_signed": one.self_signed,
            "row_count": one.row_count,
            "shown": [_told(row) for row in one.rows],
            "create_time": now,
        }
        for one in pushes
    ]
    await writes.execute(sa.insert(sandbox_push), rows)


async def pushes(reads: AsyncConnection, unit_id: int) -> list[Push]:
    """What came into a sandbox, in order, the newest of it."""
    query = sa.select(sandbox_push).where(sandbox_push.c.unit_id == unit_id)
    found = list(await reads.execute(query.order_by(sandbox_push.c.push_id.desc()).limit(MOST_JUDGED)))
    return [
        Push(row.batch_id, row.kind, row.self_signed, row.row_count, tuple(Shown(*one) for one in row.shown))
        for row in reversed(found)
    ]


async def erase(writes: AsyncConnection, school_id: int, keys: Collection[str]) -> int:
    """Forget what came into a school's sandbox and names one of these keys; returns how much."""
    return (await writes.execute(_ERASE, {"school": school_id, "keys": list(keys)})).rowcount


_ERASE = sa.text(
    """
    DELETE FROM sandbox_push USING sandbox
    WHERE sandbox_push.unit_id = sandbox.unit_id AND :school = ANY(sandbox.school_ids)
        AND EXISTS (SELECT FROM jsonb_array_elements(shown) AS named WHERE named ->> 2 = ANY(CAST(:keys AS text[])))
    """
)


async def prune(writes: AsyncConnection, *, before: datetime, most: int) -> int:
    """Forget what came into sandboxes before an instant; returns how much."""
    old = sa.select(sandbox_push.c.unit_id, sandbox_push.c.push_id).where(sandbox_push.c.create_time < before)
    these = sa.tuple_(sandbox_push.c.unit_id, sandbox_push.c.push_id).in_(old.limit(most))
    return (await writes.execute(sa.delete(sandbox_push).where(these))).rowcount


def _told(row: Shown) -> list[Any]:
    return [
        row.index,
        row.record,
        row.key,
        row.version,
        row.deleted,
        int(row.state),
        row.reason,
        row.field,
        row.text_with_id,
    ]


def _sandbox(row: Any) -> Sandbox | None:
    if row is None:
        return None
    told = dict(row._mapping)  # noqa: SLF001  the public name of a row's columns
    return Sandbox(**told | {"school_ids": tuple(row.school_ids), "aliases": tuple(row.aliases)})
