"""Parts of a school's year closed and opened again, in many schools at once.

The schools' own locks are taken first, as by every writer of rows: whoever was at it has committed before something is
closed, and whoever comes later sees that it is. Schools are taken in portions, each in a transaction of its own, lest
closing a province stop all who send; every portion can be repeated.
"""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import outbox
from chassis.clock import Clock
from chassis.database import Database
from services.records.convert.locks import lock_events
from services.records.domain.locks import Actor, Lock, LockDraft
from services.records.store import bulk, locks, requests
from services.records.usecases.apply import request_id_reused

MOST_SCHOOLS: Final = 200  # schools of one transaction


@dataclass(frozen=True, slots=True)
class Asked:
    """How a request is known again: its id (empty: not at all), and a digest of what it asks."""

    request_id: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Counted:
    """What became of a request: the schools it was for, their places, and those that changed."""

    schools: int
    places: int
    changed: int

    def __bytes__(self) -> bytes:
        return f"{self.schools},{self.places},{self.changed}".encode()

    @classmethod
    def read(cls, kept: bytes) -> "Counted":
        """What was kept of an earlier answer."""
        return cls(*map(int, kept.split(b",")))


class _Change(Protocol):
    """Changes the locks of some schools and returns those that changed."""

    def __call__(
        self, connection: AsyncConnection, school_ids: Collection[int], draft: LockDraft, *, by: Actor, now: datetime
    ) -> Awaitable[list[Lock]]: ...


async def set_locks(
    database: Database, clock: Clock, draft: LockDraft, *, schools: Collection[int], by: Actor, asked: Asked
) -> Counted:
    """Close a part of the year in schools; raises REQUEST_ID_REUSED when the id came with another request."""
    return await remembered(
        database,
        clock,
        f"locks/{by.subject}",
        asked,
        lambda: _change_all(locks.add_locks, database, clock, draft, schools=schools, by=by),
    )


async def lift_locks(
    database: Database, clock: Clock, draft: LockDraft, *, schools: Collection[int], by: Actor, asked: Asked
) -> Counted:
    """Open a part of the year in schools again; raises REQUEST_ID_REUSED when the id came with another request."""
    return await remembered(
        database,
        clock,
        f"locks/{by.subject}",
        asked,
        lambda: _change_all(locks.end_locks, database, clock, draft, schools=schools, by=by),
    )


async def _change_all(
    change: _Change, database: Database, clock: Clock, draft: LockDraft, *, schools: Collection[int], by: Actor
) -> Counted:
    ordered, changed = sorted(schools), 0
    for start in range(0, len(ordered), MOST_SCHOOLS):
        portion = ordered[start : start + MOST_SCHOOLS]
        async with database.transaction() as connection:
            await bulk.lock_schools(connection, portion)
            # The clock is read under the locks: what was stored before was stored earlier.
            found = await change(connection, portion, draft, by=by, now=clock.now())
            found.sort(key=lambda lock: (lock.school_id, lock.lock_id))
            await outbox.append(connection, list(lock_events(found)))
        changed += len(found)
    return Counted(len(ordered), len(ordered) * len(draft.collections), changed)


async def remembered(
    database: Database, clock: Clock, within: str, asked: Asked, work: Callable[[], Awaitable[Counted]]
) -> Counted:
    """Do the work unless the same was asked before `within` the same kind and caller, and keep what is answered."""
    if not asked.request_id:
        return await work()
    key = f"{within}/{asked.request_id}"
    async with database.connection() as connection:
        earlier = (await requests.answered(connection, [key])).get(key)
    if earlier is None:
        counted = await work()
        async with database.transaction() as connection:
            if not await requests.keep_answers(connection, [(key, asked.digest, bytes(counted))], now=clock.now()):
                return counted
            earlier = (await requests.answered(connection, [key]))[key]
    if earlier[0] != asked.digest:
        raise request_id_reused(asked.request_id)
    return Counted.read(earlier[1])
