"""Locks as they are kept. Who sets, lifts or minds them holds the locks of the schools (`bulk.lock_schools`) first."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.arrays import plain
from chassis.database import given_rows
from services.records.domain.locks import Actor, Lock, LockDraft
from services.records.store.driver import fetch
from services.records.store.tables import lock

_OPEN: Final = (
    "SELECT school_id, lock_id, collection, school_year, period, reason, lock_time, locked_by, lock_service"
    " FROM lock WHERE lift_time IS NULL AND school_id = ANY(CAST($1::text AS bigint[])) AND collection = ANY($2)"
)


async def open_locks(
    connection: AsyncConnection, school_ids: Collection[int], collections: Collection[str]
) -> list[Lock]:
    """What is closed of these collections in these schools."""
    found = await fetch(connection, _OPEN, plain(school_ids), list(collections))
    return [Lock(*row) for row in found]


async def add_locks(
    connection: AsyncConnection, school_ids: Collection[int], draft: LockDraft, *, by: Actor, now: datetime
) -> list[Lock]:
    """Lock a part of the year in schools and return the locks that are new."""
    places = [(school_id, collection) for school_id in sorted(school_ids) for collection in sorted(draft.collections)]
    given = given_rows(
        {
            "school_id": (sa.BigInteger(), [school_id for school_id, _ in places]),
            "collection": (sa.Text(), [collection for _, collection in places]),
        }
    )
    same = {
        "school_year": draft.school_year,
        "period": draft.period,
        "reason": draft.reason,
        "lock_time": now,
        "locked_by": by.subject,
        "lock_service": by.service,
    }
    values = (sa.literal(value, lock.c[name].type) for name, value in same.items())
    query = (
        insert(lock)
        .from_select(
            ["school_id", "collection", *same], sa.select(given.c.school_id, given.c.collection, *values), False
        )
        .on_conflict_do_nothing(
            index_elements=["school_id", "collection", "school_year", "period"], index_where=lock.c.lift_time.is_(None)
        )
        .returning(*lock.c)
    )
    return [Lock(*row) for row in await connection.execute(query)]


async def end_locks(
    connection: AsyncConnection, school_ids: Collection[int], draft: LockDraft, *, by: Actor, now: datetime
) -> list[Lock]:
    """Lift the open locks on a part of the year in schools and return them."""
    query = (
        lock.update()
        .where(
            lock.c.lift_time.is_(None),
            lock.c.school_id == sa.any_(sa.cast(list(school_ids), sa.ARRAY(sa.BigInteger))),
            lock.c.collection == sa.any_(sa.cast(list(draft.collections), sa.ARRAY(sa.Text))),
            lock.c.school_year == draft.school_year,
            lock.c.period == draft.period,
        )
        .values(
            # The clocks of two replicas may differ a little; nothing ends before it begins.
            lift_time=sa.func.greatest(sa.literal(now, lock.c.lift_time.type), lock.c.lock_time),
            lifted_by=by.subject,
            lift_service=by.service,
            lift_reason=draft.reason,
        )
        .returning(*lock.c)
    )
    return [Lock(*row) for row in await connection.execute(query)]


async def locks_page(
    connection: AsyncConnection,
    school_ids: Collection[int],
    *,
    collections: Collection[str],
    school_year: int,
    include_lifted: bool,
    after: tuple[int, int] | None,
    most: int,
) -> list[Lock]:
    """Locks of these schools by school and age; no collections and no year: of all of them."""
    query: sa.Select[Any] = (
        sa.select(*lock.c)
        .where(lock.c.school_id == sa.any_(sa.cast(list(school_ids), sa.ARRAY(sa.BigInteger))))
        .order_by(lock.c.school_id, lock.c.lock_id)
        .limit(most)
    )
    if collections:
        query = query.where(lock.c.collection.in_(collections))
    if school_year:
        query = query.where(lock.c.school_year == school_year)
    if not include_lifted:
        query = query.where(lock.c.lift_time.is_(None))
    if after is not None:
        query = query.where(sa.tuple_(lock.c.school_id, lock.c.lock_id) > sa.tuple_(*map(sa.literal, after)))
    return [Lock(*row) for row in await connection.execute(query)]
