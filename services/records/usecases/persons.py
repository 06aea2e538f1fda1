"""Records linked to persons, behind the change feed; merges and decisions; and each person counted once.

Linking follows the feed in its order, one window a transaction, on one replica at a time: a crash repeats at most a
window, and a repeat changes nothing. Who counts where is brought into line in the same transaction, under the schools'
locks like every change of a record, and told as a change of it. These locks come last, and nobody who has them waits
for a turn to link.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from functools import partial
from itertools import chain
from typing import Final, NamedTuple

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import outbox
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import Fault, Kind
from chassis.outbox import Outgoing
from services.records.convert.events import RECORDS_CHANGED, pack_changes
from services.records.convert.persons import rows_again
from services.records.convert.rules import in_stock_statuses
from services.records.domain.persons import PERSONS, PUPIL, Known, Link, Linked, Traits, link, traits_of
from services.records.store import bulk, keys, persons, rechecks
from services.records.store.lookup import records_by_key
from services.records.store.withheld import withheld_of

log = structlog.get_logger(__name__)

WINDOW: Final = 300  # records linked in one transaction; more would keep the loop from others for too long
BY_RULE: Final = ""  # who merges what is certain


class Turn(NamedTuple):
    """What a turn at linking has seen: whether more is waiting, and where the feed ends."""

    waiting: bool
    end: int


async def link_changes(database: Database, clock: Clock) -> Turn:
    """Link what changed next to persons."""
    async with database.transaction() as connection:
        after = await persons.take_turn(connection, wait=False)
        if after is None:
            return Turn(waiting=False, end=0)
        after = await _from_start_of_new_statuses(connection, after)
        said, position, end = await persons.changed_after(connection, after, most=WINDOW)
        if position == after:
            return Turn(await _recheck(connection, clock), end)
        statuses = in_stock_statuses()
        changed = [traits_of(what, in_stock=statuses) for what in said]
        touched = await _link(connection, changed, now=clock.now()) if changed else ()
        await count_once(connection, touched, today=clock.today())
        await persons.move_on(connection, position)
    return Turn(position < end, end)


async def _recheck(connection: AsyncConnection, clock: Clock) -> bool:
    """Look again at the persons of a school and year that were noted for it; says whether there were any."""
    found = await rechecks.take_recheck(connection)
    if found is None:
        return False
    ordered = sorted(found)
    for start in range(0, len(ordered), WINDOW):
        touched = await _merge_certain(connection, set(ordered[start : start + WINDOW]), now=clock.now())
        await count_once(connection, touched, today=clock.today())
    return True


async def _from_start_of_new_statuses(connection: AsyncConnection, after: int) -> int:
    """The position to go on after: the feed's beginning, once the table says otherwise which pupils are there."""
    statuses = ",".join(sorted(in_stock_statuses()))
    noted = await rechecks.statuses_noted(connection)
    if noted == statuses:
        return after
    await rechecks.note_statuses(connection, statuses)
    if noted is None:
        return after
    log.info("statuses changed", action="persons.statuses_changed", statuses=statuses)
    await persons.move_on(connection, 0)
    return 0


async def rebuild_persons(database: Database) -> int:
    """Build the projection of persons anew, behind the feed; returns how many links led to no record.

    Decisions keep their meaning: records stay with the persons these were made of.
    """
    async with database.transaction() as connection:
        await persons.take_turn(connection)
        return await rechecks.begin_anew(connection)


async def link_pupils(
    connection: AsyncConnection, pupils: Sequence[tuple[int, str]], *, now: datetime
) -> tuple[list[Linked], Collection[int]]:
    """Link records of pupils, by school and key, before their turn in the feed: with their persons, in this order; and
    the persons this was about. One that there is none of, or that ended before it was linked, is left out.
    """
    statuses = in_stock_statuses()
    said = {
        one.identity: one
        for one in map(partial(traits_of, in_stock=statuses), await persons.said_of_pupils(connection, pupils))
    }
    touched = await _link(connection, list(said.values()), now=now)
    linked = []
    for school_id, key in pupils:
        identity = school_id, PUPIL.number, key
        person_id = await persons.person_of(connection, identity)
        if person_id is not None and identity in said:
            linked.append(Linked(said[identity], person_id))
    return linked, touched


async def _link(connection: AsyncConnection, changed: Sequence[Traits], *, now: datetime) -> Collection[int]:
    """Link records and merge what is certain; the persons this was about."""
    keys_before = await keys.former_keys(connection, [one.identity for one in changed])
    former = {identity: [(*identity[:2], key) for key in before] for identity, before in keys_before.items()}
    known = Known(await persons.known_beside(connection, changed, chain.from_iterable(former.values())))
    there = [one.identity for one in changed if not one.deleted]
    left = {one for spec in PERSONS for one in await keys.left_keys(connection, spec, there)}
    for fellow in await persons.fellows_of(connection, left) if left else ():
        known.put(fellow)
    links = link(changed, known, former=former, left=left)
    if not links:
        return ()
    fresh = sorted({one.person_id for one in links if one.person_id < 0}, reverse=True)
    ids = dict(zip(fresh, await persons.new_persons(connection, len(fresh)), strict=True))
    links = [Link(one.traits, ids.get(one.person_id, one.person_id), one.rule) for one in links]
    await persons.keep_links(connection, list({one.traits.identity: one for one in links}.values()), now=now)
    return await _merge_certain(connection, {one.person_id for one in links}, now=now)


async def _merge_certain(connection: AsyncConnection, asked: Collection[int], *, now: datetime) -> Collection[int]:
    """Merge whatever of these persons is certain, and note what is doubtful; the persons this was about."""
    touched = asked = set(asked)
    while certain := await persons.suspect(connection, asked):
        merged: dict[int, int] = {}
        for kept, gone in certain:
            # Pairs that share a person wait for the next round: it is somebody else by then.
            if merged.keys().isdisjoint((kept, gone)) and kept not in merged.values():
                await persons.merge(connection, kept, gone, reason="SAME_ID_NAME_AND_BIRTH", by=BY_RULE, now=now)
                merged[gone] = kept
        asked = set(merged.values())
        touched = touched - merged.keys() | asked
    return touched


async def count_once(connection: AsyncConnection, touched: Collection[int], *, today: date) -> None:
    """Let each of these persons count once in a school year, and tell what changed of that."""
    schools = {school_id for school_id, _ in await persons.wrongly_counted(connection, touched)}
    if not schools:
        return
    await bulk.lock_schools(connection, schools)
    # Looked at again under the schools' locks: what is closed may have been closed since.
    wrong = await persons.wrongly_counted(connection, touched)
    wrong = {identity: here for identity, here in wrong.items() if identity[0] in schools}
    await persons.count(connection, wrong)
    stored = await records_by_key(connection, PUPIL, sorted(wrong), withheld=True)
    restricted = (await withheld_of(connection, schools)).restricted
    elsewhere = {identity for identity, here in wrong.items() if not here}
    leaving = []
    for batch, accepted in rows_again(PUPIL, list(stored.values()), today=today):
        packed = await pack_changes(batch, accepted, elsewhere=elsewhere, restricted=restricted)
        leaving += [Outgoing(RECORDS_CHANGED, one.payload, one.count) for one in packed]
    await outbox.append(connection, leaving)


async def merge_persons(
    database: Database, clock: Clock, kept: int, gone: int, *, below: Collection[int], reason: str, by: str
) -> int:
    """Let two persons be one, with the histories of both; the merge's id. A repeat answers the same.

    Raises SAME_PERSON, and UNKNOWN_PERSON for one who is none, or not wholly below, as `below` tells the units.
    """
    if kept == gone:
        raise _same_person(kept)
    async with database.transaction() as connection:
        await persons.take_turn(connection)
        known = await persons.merge_known(connection, kept, gone, reason=reason, by=by)
        if known is not None:
            return known
        await _refuse_others(connection, (kept, gone), below)
        merge_id = await persons.merge(connection, kept, gone, reason=reason, by=by, now=clock.now())
        await persons.suspect(connection, [kept])
        await count_once(connection, [kept], today=clock.today())
    return merge_id


async def undo_merge(
    database: Database, clock: Clock, merge_id: int, *, below: Collection[int], reason: str, by: str
) -> tuple[int, int]:
    """Part again what a merge put together, and keep the two apart; the persons. A repeat answers the same.

    Raises UNKNOWN_MERGE, also for one of a person who is not wholly below, as `below` tells the units.
    """
    async with database.transaction() as connection:
        await persons.take_turn(connection)
        pair = await persons.merged_pair(connection, merge_id)
        if pair is not None and (pair.undone_by, pair.undo_reason) == (by, reason):
            return pair.kept_id, pair.gone_id
        root = await persons.root_of(connection, pair.kept_id) if pair is not None and not pair.undone_by else None
        if pair is None or root is None or not await _all_below(connection, root, below):
            raise _unknown_merge(merge_id)
        await persons.undo_merge(connection, merge_id, reason=reason, by=by, now=clock.now())
        # The one who was kept may be somebody else's by now.
        await persons.keep_apart(connection, root, pair.gone_id, reason=reason, by=by, now=clock.now())
        await persons.suspect(connection, [root, pair.gone_id])
        await count_once(connection, [root, pair.gone_id], today=clock.today())
    return pair.kept_id, pair.gone_id


async def keep_apart(
    database: Database, clock: Clock, one: int, other: int, *, below: Collection[int], reason: str, by: str
) -> None:
    """Decide that two persons are two, whatever speaks for one; raises what `merge_persons` raises."""
    if one == other:
        raise _same_person(one)
    async with database.transaction() as connection:
        await persons.take_turn(connection)
        await _refuse_others(connection, (one, other), below)
        await persons.keep_apart(connection, one, other, reason=reason, by=by, now=clock.now())


async def _refuse_others(connection: AsyncConnection, person_ids: Iterable[int], below: Collection[int]) -> None:
    for person_id in person_ids:
        if not await _all_below(connection, person_id, below):
            raise _unknown_person(person_id)


async def _all_below(connection: AsyncConnection, person_id: int, below: Collection[int]) -> bool:
    """Whether there is such a person, with all records in these schools."""
    held = (await persons.persons_held(connection, [person_id], withheld=True)).get(person_id, [])
    return bool(held) and all(one.school_id in below for one in held)


def _unknown_merge(merge_id: int) -> Fault:
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_MERGE",
        vi=f"Không có lần gộp hồ sơ {merge_id} còn hiệu lực trong đơn vị này.",
        en=f"No merge {merge_id} is in force in this unit.",
        metadata={"merge_id": str(merge_id)},
    )


def _unknown_person(person_id: int) -> Fault:
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_PERSON",
        vi=f"Không có người mang số {person_id} mà mọi hồ sơ đều thuộc đơn vị này. Hãy chọn đơn vị cấp trên chung, "
        "hoặc xem lại danh sách: người này có thể vừa được gộp.",
        en=f"There is no person {person_id} whose records all lie below this unit. Name a unit above all of them, or "
        "look at the list again: the person may have been merged.",
        metadata={"person_id": str(person_id)},
    )


def _same_person(person_id: int) -> Fault:
    return Fault(
        Kind.INVALID,
        "SAME_PERSON",
        vi=f"Hai số người trùng nhau ({person_id}). Hãy nêu hai người khác nhau.",
        en=f"Both persons are {person_id}. Name two.",
        metadata={"person_id": str(person_id)},
    )
