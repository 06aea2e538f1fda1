"""Asks records for the locks that approvals and reopenings left word of, again and again until it has them.

What it refuses for a reason that repeating cannot cure, as an approver's grant that has ended, is asked a few times,
since records may know of a grant a moment later, and then stands refused: people are told, and later tasks of the
school go on. A task names its request, so that records does it once however often it is asked; a replica that dies
holding one leaves it to another when the lease ends. One school's tasks follow each other, so that a lift never
overtakes its lock.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Protocol

import structlog

from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import Fault, Kind
from chassis.identity import Caller, set_caller
from services.reporting.domain.reports import LockRefusal
from services.reporting.store import lock_tasks
from services.reporting.store.lock_tasks import LockTask
from services.reporting.usecases.campaigns import get_campaign
from services.reporting.usecases.reports import get_report
from services.reporting.usecases.telling import Teller

LEASE = timedelta(seconds=30)
TASKS_AT_ONCE = 20
LONGEST_PAUSE = timedelta(minutes=5)
FOR_GOOD = frozenset({Kind.INVALID, Kind.NOT_FOUND, Kind.DENIED, Kind.EXISTS, Kind.PRECONDITION})
TRIES = 3  # Of what is refused for good.

log = structlog.get_logger(__name__)


class Locks(Protocol):
    """Where locks are set and lifted; see clients.SchoolLocks."""

    async def set(self, school_id: int, collections: Sequence[str], **what: Any) -> None:
        """Set them."""

    async def lift(self, school_id: int, collections: Sequence[str], **what: Any) -> None:
        """Lift them."""


async def do_tasks(database: Database, locks: Locks, clock: Clock, teller: Teller) -> int:
    """Do what waits; says how many tasks were tried."""
    async with database.transaction() as connection:
        now = clock.now()
        tasks = await lock_tasks.claim_tasks(connection, now=now, lease_until=now + LEASE, limit=TASKS_AT_ONCE)
    # Each in a task of its own, since each acts for another person.
    await asyncio.gather(*(asyncio.create_task(_do(database, locks, clock, teller, task)) for task in tasks))
    return len(tasks)


async def _do(database: Database, locks: Locks, clock: Clock, teller: Teller, task: LockTask) -> None:
    set_caller(Caller(task.subject))
    ask = locks.lift if task.lift else locks.set
    try:
        if task.collections:
            await ask(
                task.school_id,
                task.collections,
                school_year=task.school_year,
                period=task.period,
                reason=task.reason,
                request_id=task.request_id,
            )
    except Fault as fault:
        refused = fault.kind in FOR_GOOD
        if refused and task.refusals + 1 >= TRIES:
            await _refused(database, clock, teller, task, fault)
            return
        pause = min(timedelta(seconds=2 ** min(task.attempts, 10)), LONGEST_PAUSE)
        log.warning(
            "lock not done", action="locking.postponed", task=task.task_id, report=task.report_id, reason=fault.reason
        )
        async with database.transaction() as connection:
            until = clock.now() + pause
            await lock_tasks.postpone_task(connection, task, until=until, failure=fault.reason, refused=refused)
        return
    async with database.transaction() as connection:
        await lock_tasks.finish_task(connection, task, now=clock.now())
    log.info("lock done", action="locking.done", report=task.report_id, school=task.school_id, lift=task.lift)


async def _refused(database: Database, clock: Clock, teller: Teller, task: LockTask, fault: Fault) -> None:
    log.error("lock refused", action="locking.refused", task=task.task_id, report=task.report_id, reason=fault.reason)
    now = clock.now()
    async with database.transaction() as connection:
        refusal = LockRefusal(fault.reason, fault.vi, fault.en)
        if await lock_tasks.refuse_task(connection, task, refusal, now=now):
            report = await get_report(connection, task.report_id, below={task.school_id}, now=now)
            campaign = await get_campaign(connection, report.campaign_id, below=frozenset({task.school_id}))
            await teller.lock_refused(connection, campaign, report, refusal)
