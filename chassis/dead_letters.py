"""Events a consumer gave up: kept with the reason, listed, handed to the same handler once more, forgotten in the end.

Nothing here decides when to give up (see `inbox`). What an exception says is not kept, since it may quote a person's
data: only stable reasons and texts written for people are.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.bus import Event
from chassis.database import Database, chassis_tables
from chassis.errors import Fault
from chassis.workers import Worker

PRUNE_SECONDS: Final = 3600.0
PRUNED_AT_ONCE: Final = 100  # Each may be large.

log = structlog.get_logger(__name__)
_TABLE = chassis_tables(sa.MetaData()).dead_letter


@dataclass(frozen=True)
class Listed:
    """What a list says of an event that was given up: by whom, why and when, not what it holds."""

    dead_letter_id: int
    consumer: str
    event_id: str
    subject: str
    reason: str
    message: str
    trace_id: str
    create_time: datetime


@dataclass(frozen=True)
class DeadLetter:
    """An event that was given up, whole, and by whom."""

    dead_letter_id: int
    consumer: str
    event: Event


_LISTED = [_TABLE.c[field.name] for field in fields(Listed)]


def reason_of(error: Exception) -> str:
    """A stable reason: the fault's, or the exception's class in upper case."""
    if isinstance(error, Fault):
        return error.reason
    name = type(error).__name__
    return "".join(f"_{letter}" if letter.isupper() and index else letter for index, letter in enumerate(name)).upper()


async def keep(database: Database, consumer: str, event: Event, error: Exception) -> None:
    """Keep an event that is given up; keeping it twice keeps one."""
    values = {
        "consumer": consumer,
        "event_id": event.id,
        "event_type": event.type,
        "source": event.source,
        "subject": event.subject,
        "event_time": event.time,
        "headers": dict(event.headers),
        "payload": event.data,
        "reason": reason_of(error),
        "message": _message_of(error),
        "trace_id": _trace_of(event),
    }
    async with database.transaction() as connection:
        await connection.execute(insert(_TABLE).values(values).on_conflict_do_nothing(constraint="dead_letter_once"))


async def count(database: Database) -> int:
    """How many there are."""
    async with database.connection() as connection:
        return int(await connection.scalar(sa.select(sa.func.count()).select_from(_TABLE)) or 0)


async def page(database: Database, *, limit: int, below: int | None = None) -> list[Listed]:
    """The newest entries without payloads and headers, those with ids under `below` where that is given."""
    query = sa.select(*_LISTED).order_by(_TABLE.c.dead_letter_id.desc()).limit(limit)
    if below is not None:
        query = query.where(_TABLE.c.dead_letter_id < below)
    async with database.connection() as connection:
        return [Listed(**row) for row in (await connection.execute(query)).mappings()]


async def following(database: Database, ids: Sequence[int], *, after: int, limit: int) -> list[DeadLetter]:
    """The entries after an id, oldest first: those with the given ids, or all when none is given."""
    query = sa.select(_TABLE).where(_TABLE.c.dead_letter_id > after).order_by(_TABLE.c.dead_letter_id).limit(limit)
    if ids:
        query = query.where(_TABLE.c.dead_letter_id.in_(ids))
    async with database.connection() as connection:
        return [_letter(row) for row in await connection.execute(query)]


async def forget(database: Database, dead_letter_id: int) -> None:
    """Remove an entry that was handled."""
    async with database.transaction() as connection:
        await connection.execute(sa.delete(_TABLE).where(_TABLE.c.dead_letter_id == dead_letter_id))


async def rewrite(
    connection: AsyncConnection, event_type: str, mentions: Sequence[bytes], change: Callable[[bytes], bytes]
) -> int:
    """Change what entries of a type hold that mention one of these; says how many are changed.

    So that what must be erased is not kept here either; replayed, the entry holds what is left.
    """
    found = (await connection.execute(_MENTIONING, {"type": event_type, "mentions": list(mentions)})).all()
    changed = [(row.dead_letter_id, after) for row in found if (after := change(row.payload)) != row.payload]
    for dead_letter_id, payload in changed:
        await connection.execute(
            sa.update(_TABLE).where(_TABLE.c.dead_letter_id == dead_letter_id).values(payload=payload)
        )
    return len(changed)


def pruner(database: Database, *, kept: timedelta) -> Worker:
    """Forgets, every hour, entries nobody replayed in time: they hold personal data. Every replica may run it."""

    async def run(stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await prune(database, kept=kept)
            except Exception as error:  # noqa: BLE001 (the next look prunes what this one did not)
                log.warning("dead letters not pruned", action="dead_letters.prune_failed", reason=reason_of(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), PRUNE_SECONDS)

    return Worker("dead-letter-pruner", run)


async def prune(database: Database, *, kept: timedelta) -> int:
    """Forget what is older, a few a transaction; returns how many."""
    total = 0
    while True:
        async with database.transaction() as connection:
            gone = (await connection.execute(_PRUNE, {"kept": kept, "most": PRUNED_AT_ONCE})).rowcount
        total += gone
        if gone < PRUNED_AT_ONCE:
            return total


_MENTIONING = sa.text(
    "SELECT dead_letter_id, payload FROM dead_letter WHERE event_type = :type AND EXISTS"
    " (SELECT FROM unnest(CAST(:mentions AS bytea[])) AS mention WHERE position(mention IN payload) > 0)"
    " ORDER BY dead_letter_id FOR UPDATE"
)
# Ids follow time: looking at the oldest alone needs no index on time.
_PRUNE = sa.text(
    """
    DELETE FROM dead_letter WHERE dead_letter_id IN (
        SELECT dead_letter_id FROM (
            SELECT dead_letter_id, create_time FROM dead_letter ORDER BY dead_letter_id LIMIT :most
            FOR UPDATE SKIP LOCKED
        ) AS oldest
        WHERE create_time < clock_timestamp() - CAST(:kept AS interval)
    )
    """
)


def _message_of(error: Exception) -> str:
    if isinstance(error, Fault):
        return error.en
    return f"The handler failed with {type(error).__name__}; the log of the trace says where."


def _trace_of(event: Event) -> str:
    parts = event.headers.get("traceparent", "").split("-")
    return parts[1] if len(parts) == 4 else ""


def _letter(row: sa.Row[Any]) -> DeadLetter:
    event = Event(
        id=row.event_id,
        type=row.event_type,
        source=row.source,
        subject=row.subject,
        time=row.event_time,
        data=row.payload,
        headers=row.headers,
    )
    return DeadLetter(dead_letter_id=row.dead_letter_id, consumer=row.consumer, event=event)
