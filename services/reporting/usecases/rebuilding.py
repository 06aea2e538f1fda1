"""Verifies the projections against a recount, and rebuilds them from records' change feed while questions are answered.

A rebuild takes the feed's changes like news, so that the figures stay exact throughout; then it recounts school by
school and puts right what differs. What it changes is announced as history, which notifies nobody. Targets are told
anew, since whoever follows them may know of more than a restored database does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from chassis.database import Database
from services.reporting import convert
from services.reporting.clients import ChangeFeed
from services.reporting.store import recount, told_targets
from services.reporting.store.recount import Difference
from services.reporting.usecases import projecting
from services.reporting.usecases.projecting import Facts

SCHOOLS_AT_ONCE = 20

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild did: changes taken from the feed, up to which position, and schools whose figures were wrong."""

    change_count: int
    position: int
    repaired_schools: int


async def verify(database: Database) -> list[Difference]:
    """Every figure that is not what a recount of the facts gives."""
    async with database.transaction() as connection:
        return await recount.differences(connection)


async def rebuild(database: Database, feed: ChangeFeed) -> Rebuilt:
    """Take the whole feed once more, then recount; safe beside the consumers and beside another rebuild."""
    count = position = 0
    async for page in feed.pages(convert.COUNTED_TYPES):
        facts = Facts(await convert.fact_rows(page.changes), await convert.detail_rows(page.changes))
        async with database.transaction() as connection:
            await projecting.follow_records(connection, facts, backfill=True, again=True)
        count, position = count + len(page.changes), page.position
        log.info("feed taken", action="rebuild.page", changes=count, position=position)
    repaired = await repair(database)
    async with database.transaction() as connection:
        await told_targets.forget_told(connection)
    return Rebuilt(count, position, repaired)


async def repair(database: Database) -> int:
    """Recount every school and put right what differs; says how many schools did."""
    async with database.connection() as connection:
        schools = await recount.schools(connection)
    wrong = 0
    for start in range(0, len(schools), SCHOOLS_AT_ONCE):
        wrong += await _repair(database, schools[start : start + SCHOOLS_AT_ONCE])
    return wrong


async def _repair(database: Database, schools: Sequence[int]) -> int:
    async with database.transaction() as connection:
        changed = await recount.repair(connection, schools)
        await projecting.announce(connection, changed, backfill=True)
    return len({school.school_id for school in changed.schools})
