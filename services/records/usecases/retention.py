"""What is kept no longer is let go: some hundred registers a transaction, day by day, oldest first.

Counts stay: a register goes on saying how many were away and how, not who and why. What is locked is left, and looked
at again by every run until its lock is lifted. A crash repeats at most a portion, and a repeat changes nothing.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import outbox
from chassis.clock import Clock
from chassis.database import Database
from chassis.outbox import Outgoing
from services.records.convert.erasing import altered_rows
from services.records.convert.events import RECORDS_CHANGED, pack_changes
from services.records.convert.incoming import column_values
from services.records.convert.withholding import drop_names
from services.records.domain.locks import OpenLocks, Place, period_of
from services.records.domain.retention import ATTENDANCE_NAMES, RetentionRule
from services.records.store import bulk, erasing, locks, retention
from services.records.store.lookup import records_by_key
from services.records.store.retention import REGISTER, Run
from services.records.store.sandboxes import sandboxed

AT_ONCE: Final = 500  # registers of one transaction


@dataclass(frozen=True, slots=True)
class Retained:
    """What a run let go, or would: from which day to which, and how many; and what stayed since it is locked."""

    first: date
    before: date
    changed: int = 0
    locked: int = 0


async def due(connection: AsyncConnection, rule: RetentionRule, *, today: date) -> Retained | None:
    """What a run would look through; None: everything is kept, or there is nothing that old."""
    before, first = rule.before(today), await retention.first_day(connection, ATTENDANCE_NAMES)
    if before is None or first is None or first >= before:
        return None
    return Retained(first, before, await retention.count_naming(connection, first, before))


async def retain_attendance(database: Database, clock: Clock, rule: RetentionRule) -> Retained | None:
    """Let the names go that registers kept long enough; None: there are none."""
    async with database.connection() as connection:
        wanted = await due(connection, rule, today=clock.today())
    if wanted is None:
        return None
    done, done_until, day = replace(wanted, changed=0), wanted.before, wanted.first
    while day < wanted.before:
        changed, locked = await _retain_day(database, clock, day)
        done = replace(done, changed=done.changed + changed, locked=done.locked + locked)
        if locked:
            done_until = min(done_until, day)
        day += timedelta(days=1)
    run = Run(ATTENDANCE_NAMES, done.before, done_until, done.changed, done.locked, rule.source, clock.now())
    async with database.transaction() as connection:
        await retention.note_run(connection, run)
    return done


async def _retain_day(database: Database, clock: Clock, day: date) -> tuple[int, int]:
    """Let the names of a day go; how many registers lost them, and how many are locked."""
    changed = locked = 0
    after = (0, "")
    while True:
        async with database.connection() as connection:
            found = await retention.naming_registers(connection, day, after=after, most=AT_ONCE)
        if not found:
            return changed, locked
        after = found[-1][:2]
        async with database.transaction() as connection:
            some = await _retain(connection, clock, day, found)
        changed, locked = changed + some, locked + len(found) - some


async def _retain(connection: AsyncConnection, clock: Clock, day: date, found: list[tuple[int, str, int]]) -> int:
    schools = {school_id for school_id, _, _ in found}
    await bulk.lock_schools(connection, schools)
    closed = OpenLocks(await locks.open_locks(connection, schools, [REGISTER.collection]))
    free = [
        (school_id, key)
        for school_id, key, year in found
        if closed.over(REGISTER, school_id, Place(year, period_of(day))) is None
    ]
    stored = await records_by_key(connection, REGISTER, free, withheld=True)
    untold = await sandboxed(connection, schools)
    for batch, accepted, entries in altered_rows(
        REGISTER, list(stored.values()), drop_names, request_id=f"retention-{day.isoformat()}", today=clock.today()
    ):
        rows = await column_values(REGISTER, entries, batch=batch, now=clock.now())
        await bulk.replace_records(connection, REGISTER, rows)
        packed = await pack_changes(batch, accepted, untold=untold)
        await outbox.append(connection, [Outgoing(RECORDS_CHANGED, one.payload, one.count) for one in packed])
    await erasing.forget_states_of(connection, REGISTER, free)
    return len(free)
