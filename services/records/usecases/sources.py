"""Collections handed over from one source to another, in many schools at once.

As with locks the schools' own locks are taken first, in portions that can be repeated: once it is answered, no row of
another source is stored any more.
"""

from collections.abc import Collection
from typing import Final

from chassis.clock import Clock
from chassis.database import Database
from services.records.domain.sources import HandOverDraft
from services.records.store import bulk
from services.records.store.sources import add_hand_overs
from services.records.usecases.locks import Asked, Counted, remembered

MOST_SCHOOLS: Final = 200  # schools of one transaction


async def hand_over(
    database: Database, clock: Clock, draft: HandOverDraft, *, schools: Collection[int], by: str, asked: Asked
) -> Counted:
    """Hand over; raises REQUEST_ID_REUSED when the id came with another request."""

    async def work() -> Counted:
        ordered, changed = sorted(schools), 0
        for start in range(0, len(ordered), MOST_SCHOOLS):
            portion = ordered[start : start + MOST_SCHOOLS]
            async with database.transaction() as connection:
                await bulk.lock_schools(connection, portion)
                now = clock.now()  # Read under the locks: what was stored before was stored earlier.
                changed += await add_hand_overs(
                    connection, portion, draft, from_time=draft.from_time or now, by=by, now=now
                )
        return Counted(len(ordered), len(ordered) * len(draft.collections), changed)

    return await remembered(database, clock, f"sources/{by}", asked, work)
