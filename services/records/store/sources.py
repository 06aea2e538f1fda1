"""Hand-overs as they are kept. Who makes or minds them holds the locks of the schools (`bulk.lock_schools`) first."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.arrays import plain
from services.records.domain.sources import HandOver, HandOverDraft, Owners
from services.records.store.driver import fetch
from services.records.store.tables import hand_over

# What was handed over at once counts for whoever comes after it, also where that one looked at the clock before.
_IN_FORCE: Final = (
    "SELECT DISTINCT ON (school_id, collection) school_id, collection, source, from_time FROM hand_over"
    " WHERE school_id = ANY(CAST($1::text AS bigint[])) AND (from_time <= $2 OR from_time = create_time)"
    " ORDER BY school_id, collection, from_time DESC, hand_over_id DESC"
)
_ADD: Final = (
    "INSERT INTO hand_over (school_id, collection, source, from_time, handed_over_by, reason, create_time)"
    " SELECT school_id, collection, $3, $4, $5, $6, $7"
    " FROM unnest($1::bigint[]) AS schools(school_id), unnest($2::text[]) AS collections(collection)"
    " WHERE (SELECT held.source FROM hand_over AS held WHERE held.school_id = schools.school_id"
    " AND held.collection = collections.collection AND held.from_time <= $4"
    " ORDER BY held.from_time DESC, held.hand_over_id DESC LIMIT 1) IS DISTINCT FROM $3"
    " RETURNING 1"
)


async def owners(connection: AsyncConnection, school_ids: Collection[int], *, now: datetime) -> Owners:
    """Who owns what in these schools at an instant."""
    if not school_ids:
        return Owners()
    return Owners(
        (row[0], row[1], row[2], row[3]) for row in await fetch(connection, _IN_FORCE, plain(school_ids), now)
    )


async def add_hand_overs(
    connection: AsyncConnection,
    school_ids: Collection[int],
    draft: HandOverDraft,
    *,
    from_time: datetime,
    by: str,
    now: datetime,
) -> int:
    """Hand over what does not belong to the source at that instant already; returns how many places that were."""
    given = (sorted(school_ids), sorted(draft.collections), draft.source, from_time, by, draft.reason, now)
    return len(await fetch(connection, _ADD, *given))


async def hand_overs_page(
    connection: AsyncConnection,
    school_ids: Collection[int],
    *,
    in_force_at: datetime | None,
    after: tuple[int, int] | None,
    most: int,
) -> list[HandOver]:
    """Hand-overs of these schools by school and age; with an instant only those in force then."""
    table: Any = hand_over
    if in_force_at is not None:
        newest = (table.c.school_id, table.c.collection)
        table = (
            sa.select(*table.c)
            .ext(distinct_on(*newest))
            .where(table.c.from_time <= in_force_at)
            .order_by(*newest, table.c.from_time.desc(), table.c.hand_over_id.desc())
            .subquery()
        )
    query = (
        sa.select(*table.c)
        .where(table.c.school_id == sa.any_(sa.cast(list(school_ids), sa.ARRAY(sa.BigInteger))))
        .order_by(table.c.school_id, table.c.hand_over_id)
        .limit(most)
    )
    if after is not None:
        query = query.where(sa.tuple_(table.c.school_id, table.c.hand_over_id) > sa.tuple_(*map(sa.literal, after)))
    return [HandOver(*row) for row in await connection.execute(query)]
