"""Locks that approvals leave word of: each held by one replica, a school's one after the other, lifts with care."""

from datetime import timedelta

from chassis.database import Database
from services.reporting.store import lock_tasks
from services.reporting.store.lock_tasks import LockTask
from tests.integration.reporting.report_scenes import (
    DIRECTOR,
    HEAD,
    OFFICER,
    Desk,
    form,
)
from tests.integration.reporting.scenes import NOW, PRIMARY

LEASE = timedelta(seconds=30)


async def _claimed(database: Database, *, after: timedelta = timedelta()) -> list[LockTask]:
    now = NOW + after
    async with database.transaction() as connection:
        return await lock_tasks.claim_tasks(connection, now=now, lease_until=now + LEASE, limit=10)


async def _done(database: Database, task: LockTask) -> None:
    async with database.transaction() as connection:
        await lock_tasks.finish_task(connection, task, now=NOW)


async def test_a_task_is_held_by_one_until_its_lease_ends(desk: Desk, report_database: Database):
    """It names who approved, what, and one request id that repeats keep."""
    await desk.begin()
    report = await desk.approve()
    (task,) = await _claimed(report_database)
    assert (task.school_id, task.lift, task.collections, task.subject) == (
        PRIMARY,
        False,
        ("pupils", "classes"),
        DIRECTOR,
    )
    assert "Khảo sát" in task.reason
    assert await _claimed(report_database) == []
    (again,) = await _claimed(report_database, after=timedelta(minutes=1))
    assert (again.task_id, again.request_id, again.attempts) == (task.task_id, task.request_id, 2)
    await _done(report_database, again)
    assert await _claimed(report_database, after=timedelta(minutes=5)) == []
    assert (await desk.report()).report.lock_state == 2, report.report_id


async def test_a_lift_waits_for_the_lock_before_it(desk: Desk, report_database: Database):
    """Approved, opened again and approved once more: three tasks, one after the other."""
    await desk.begin()
    await desk.approve()
    await desk.step("Reopen", DIRECTOR, reason="Sai số phòng")
    await desk.step("Confirm", HEAD)
    await desk.step("Review", OFFICER)
    await desk.step("Approve", DIRECTOR)
    seen = []
    for _ in range(3):
        (task,) = await _claimed(report_database)
        assert (await desk.report()).report.lock_state == 1, "the newest approval is still to be locked"
        seen.append(task.lift)
        await _done(report_database, task)
    assert seen == [False, True, False]
    assert (await desk.report()).report.lock_state == 2


async def test_a_lift_leaves_locked_what_another_approved_report_needs(desk: Desk, report_database: Database):
    """And repeats ask for the very same collections, though the other report is opened meanwhile."""
    await desk.begin()
    await desk.approve()
    first = desk.campaign
    only_pupils = form(code="si_so", locked_collections=["pupils"])
    await desk.begin(only_pupils)
    await desk.approve()
    desk.campaign = first
    for task in await _claimed(report_database):
        await _done(report_database, task)
    for task in await _claimed(report_database):
        await _done(report_database, task)
    await desk.step("Reopen", DIRECTOR, reason="Sai lớp")
    (lift,) = await _claimed(report_database)
    assert (lift.lift, lift.collections) == (True, ("classes",))
    assert lift.reason.endswith("Sai lớp")
    (again,) = await _claimed(report_database, after=timedelta(minutes=1))
    assert again.collections == ("classes",)


async def test_a_task_that_failed_is_tried_again_later(desk: Desk, report_database: Database):
    """Not before its time; other schools' go on."""
    await desk.begin()
    await desk.approve()
    (task,) = await _claimed(report_database)
    async with report_database.transaction() as connection:
        until = NOW + timedelta(minutes=2)
        await lock_tasks.postpone_task(connection, task, until=until, failure="UNAVAILABLE")
    assert await _claimed(report_database, after=timedelta(minutes=1)) == []
    assert (await desk.report()).report.lock_state == 1
    assert [one.task_id for one in await _claimed(report_database, after=timedelta(minutes=3))] == [task.task_id]
