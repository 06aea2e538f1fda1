"""States of records that were replaced, each as an image of what it held; and read back, the present one with them.

An image is kept whole, not as a difference: one that is missing (an old replica wrote, or it was kept long enough)
falsifies no other. What is empty is left out, so that an image costs what it holds.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.history import State
from services.records.domain.objects import BY_COLLECTION, Kind, ObjectSpec
from services.records.store.driver import fetch
from services.records.store.tables import history_retention

# In the order in which `replaced` gives them.
COLUMNS: Final = "school_id, type, key, version, source, deleted, from_time, until_time, request_id, image"
_PRESENT: Final = 2**63 - 1  # the history id of what has not been replaced

_EMPTY: Final = {Kind.TEXT: "''", Kind.INTEGER: "0", Kind.FLAG: "false", Kind.TEXTS: "CAST('{}' AS text[])"}


@cache
def replaced(spec: ObjectSpec) -> str:
    """What an UPDATE returns of each record it replaced."""
    return (
        f"old.school_id, {spec.number}, old.key, old.change_version, old.source, old.deleted, old.update_time AS since,"
        f" new.update_time AS until, old.request_id, {_image(spec, 'old')}"
    )


async def states(
    connection: AsyncConnection, spec: ObjectSpec, *, school_id: int, key: str, until: int | None, most: int
) -> list[State]:
    """States of a record, newest first, from the present one or from one with this history id on."""
    return _states(await fetch(connection, _page(spec), school_id, key, until or _PRESENT, most))


async def state_at(
    connection: AsyncConnection, spec: ObjectSpec, *, school_id: int, key: str, at: datetime
) -> State | None:
    """The state of a record at an instant, None where none is kept."""
    found = _states(await fetch(connection, _at(spec), school_id, key, at))
    return found[0] if found else None


async def oldest_state(connection: AsyncConnection, spec: ObjectSpec, *, school_id: int, key: str) -> State | None:
    """The oldest state that is kept of a record, None where it never was."""
    found = _states(await fetch(connection, _oldest(spec), school_id, key))
    return found[0] if found else None


async def pruned_until(connection: AsyncConnection, spec: ObjectSpec) -> datetime | None:
    """Until when states of this type that ended may be gone; None: all are kept."""
    query = sa.select(history_retention.c.pruned_until).where(history_retention.c.collection == spec.collection)
    found: datetime | None = await connection.scalar(query)
    return found


async def begin_pruning(connection: AsyncConnection, *, now: datetime) -> list[tuple[ObjectSpec, datetime]]:
    """Note, before anything goes, until when states may be gone; returns that by type, where not all are kept."""
    kept = history_retention.c.kept_days
    horizon = sa.literal(now) - sa.func.make_interval(0, 0, 0, kept)
    query = (
        history_retention.update()
        .where(kept.is_not(None))
        .values(pruned_until=sa.func.greatest(history_retention.c.pruned_until, horizon))
        .returning(history_retention.c.collection, history_retention.c.pruned_until)
    )
    found = [(BY_COLLECTION[collection], until) for collection, until in await connection.execute(query)]
    return sorted(found, key=lambda one: one[0].number)


async def prune_states(connection: AsyncConnection, spec: ObjectSpec, *, before: datetime, most: int) -> int:
    """Forget states of one type that ended before an instant; returns how many."""
    return len(await fetch(connection, _PRUNE, spec.number, before, most))


def _states(rows: Sequence[Sequence[Any]]) -> list[State]:
    return [State(*row) for row in rows]


# The names in these statements come from the column specs, never from a request.
def _image(spec: ObjectSpec, row: str) -> str:
    pairs = [f"'further', {row}.further"]
    for column in spec.columns:
        held = f"{row}.{column.name}"
        pairs.append(f"'{column.name}', {f'nullif({held}, {_EMPTY[column.kind]})' if column.kind in _EMPTY else held}")
    return f"jsonb_strip_nulls(jsonb_build_object({', '.join(pairs)}))"


_PRUNE: Final = (
    "DELETE FROM record_history WHERE ctid = ANY(ARRAY(SELECT ctid FROM record_history"
    " WHERE type = $1 AND until_time < $2 LIMIT $3 FOR UPDATE SKIP LOCKED)) RETURNING 1"
)


@cache
def _both(spec: ObjectSpec) -> str:
    """The present state and those before it: one statement, so that a record that changes meanwhile is seen once."""
    return (
        f"SELECT {_PRESENT} AS history_id, change_version AS version, source, deleted, update_time AS from_time,"  # noqa: S608
        f" NULL::timestamptz AS until_time, request_id, {_image(spec, spec.field)} AS image"
        f" FROM {spec.field} WHERE school_id = $1 AND key = $2"
        " UNION ALL SELECT history_id, version, source, deleted, from_time, until_time, request_id, image"
        f" FROM record_history WHERE school_id = $1 AND type = {spec.number} AND key = $2"
    )


@cache
def _page(spec: ObjectSpec) -> str:
    return f"SELECT * FROM ({_both(spec)}) AS state WHERE history_id <= $3 ORDER BY history_id DESC LIMIT $4"  # noqa: S608


@cache
def _at(spec: ObjectSpec) -> str:
    return (
        f"SELECT * FROM ({_both(spec)}) AS state WHERE from_time <= $3 AND coalesce(until_time > $3, true)"  # noqa: S608
        " ORDER BY history_id DESC LIMIT 1"
    )


@cache
def _oldest(spec: ObjectSpec) -> str:
    return f"SELECT * FROM ({_both(spec)}) AS state ORDER BY history_id LIMIT 1"  # noqa: S608
