"""Records linked to persons, behind the change feed; merges and decisions; and each person counted once.

Linking follows the feed in its order, one window a transaction, on one replica at a time: a crash repeats at most a
window, and a repeat changes nothing. Who counts where is brought into line in the same transaction, under the schools'
locks like every change of a record, and told as a change of it. These locks come last, and nobody who has them waits
for a turn to link.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import outbox
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import Fault, Kind
from chassis.outbox import Outgoing
from services.records.convert.events import RECORDS_CHANGED, pack_changes
from services.records.convert.persons import rows_again
from services.records.convert.rules import in_stock_statuses
from services.records.domain.persons import PUPIL, Identity, Known, Link, Traits, link, traits_of
from services.records.store import bulk, persons
from services.records.store.lookup import records_by_key

WINDOW: Final = 300  # records linked in one transaction; more would keep the loop from others for too long
BY_RULE: Final = ""  # who merges what is certain


async def link_changes(database: Database, clock: Clock) -> bool:
    """Link what changed next to persons; says whether more is waiting."""
    async with database.transaction() as connection:
        after = await persons.take_turn(connection, wait=False)
        if after is None:
            return False
        said, position, caught_up = await persons.changed_after(connection, after, most=WINDOW)
        if position == after:
            return False
        statuses = in_stock_statuses()
        changed = [traits_of(what, in_stock=statuses) for what, _ in said]
        previous = {
            one.identity: (one.school_id, one.type, key) for one, (_, key) in zip(changed, said, strict=True) if key
        }
        touched = await _link(connection, changed, previous, now=clock.now())
        await _count_once(connection, touched, today=clock.today())
        await persons.move_on(connection, position)
    return not caught_up


async def _link(
    connection: AsyncConnection, changed: Sequence[Traits], previous: Mapping[Identity, Identity], *, now: datetime
) -> Collection[int]:
    """Link records and merge what is certain; the persons this was about."""
    known = Known(await persons.known_beside(connection, changed, previous.values()))
    links = link(changed, known, previous=previous)
    if not links:
        return ()
    fresh = sorted({one.person_id for one in links if one.person_id < 0}, reverse=True)
    ids = dict(zip(fresh, await persons.new_persons(connection, len(fresh)), strict=True))
    links = [Link(one.traits, ids.get(one.person_id, one.person_id), one.rule) for one in links]
    await persons.keep_links(connection, list({one.traits.identity: one for one in links}.values()), now=now)
    touched = {one.person_id for one in links}
    while certain := await persons.suspect(connection, touched):
        kept, gone = certain[0]
        await persons.merge(connection, kept, gone, reason="SAME_ID_NAME_AND_BIRTH", by=BY_RULE, now=now)
        touched = touched - {gone} | {kept}
    return touched


async def _count_once(connection: AsyncConnection, touched: Collection[int], *, today: date) -> None:
    """Let each of these persons count once in a school year, and tell what changed of that."""
    schools = {school_id for school_id, _ in await persons.wrongly_counted(connection, touched)}
    if not schools:
        return
    await bulk.lock_schools(connection, schools)
    # Looked at again under the locks: what a school has changed since counts as it is now.
    wrong = await persons.wrongly_counted(connection, touched)
    wrong = {identity: here for identity, here in wrong.items() if identity[0] in schools}
    await persons.count(connection, wrong)
    stored = await records_by_key(connection, PUPIL, sorted(wrong))
    elsewhere = {identity for identity, here in wrong.items() if not here}
    leaving = []
    for batch, accepted in rows_again(PUPIL, list(stored.values()), today=today):
        packed = await pack_changes(batch, accepted, elsewhere=elsewhere)
        leaving += [Outgoing(RECORDS_CHANGED, one.payload, one.count) for one in packed]
    await outbox.append(connection, leaving)


async def merge_persons(database: Database, clock: Clock, kept: int, gone: int, *, reason: str, by: str) -> int:
    """Let two persons be one, with the histories of both; the merge's id."""
    async with database.transaction() as connection:
        await persons.take_turn(connection)
        merge_id = await persons.merge(connection, kept, gone, reason=reason, by=by, now=clock.now())
        await persons.suspect(connection, [kept])
        await _count_once(connection, [kept], today=clock.today())
    return merge_id


async def undo_merge(database: Database, clock: Clock, merge_id: int, *, reason: str, by: str) -> tuple[int, int]:
    """Part again what a merge put together, and keep the two apart; raises UNKNOWN_MERGE."""
    async with database.transaction() as connection:
        await persons.take_turn(connection)
        parted = await persons.undo_merge(connection, merge_id, reason=reason, by=by, now=clock.now())
        if parted is None:
            raise unknown_merge(merge_id)
        await persons.keep_apart(connection, *parted, reason=reason, by=by, now=clock.now())
        await persons.suspect(connection, parted)
        await _count_once(connection, parted, today=clock.today())
    return parted


async def keep_apart(database: Database, clock: Clock, one: int, other: int, *, reason: str, by: str) -> None:
    """Decide that two persons are two, whatever speaks for one."""
    async with database.transaction() as connection:
        await persons.take_turn(connection)
        await persons.keep_apart(connection, one, other, reason=reason, by=by, now=clock.now())


def unknown_merge(merge_id: int) -> Fault:
    """What is said to a merge that is none, or was undone."""
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_MERGE",
        vi=f"Không có lần gộp hồ sơ {merge_id} còn hiệu lực trong đơn vị này.",
        en=f"No merge {merge_id} is in force in this unit.",
        metadata={"merge_id": str(merge_id)},
    )
