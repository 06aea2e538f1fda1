"""Locks that approvals leave word of: each held by one replica, a school's one after the other, lifts with care."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from iocedu.notify.v1 import notice_requested_pb2
from iocedu.reporting.v1 import report_pb2

from chassis.bus import Bus
from chassis.database import Database
from chassis.errors import Fault, Kind
from chassis.scopes import Scopes
from chassis.testing import FixedClock
from services.reporting.convert.rules import report_rules
from services.reporting.store import lock_tasks
from services.reporting.store.lock_tasks import LockTask
from services.reporting.usecases import locking
from services.reporting.usecases.telling import Teller
from tests.integration.reporting.report_scenes import (
    ADMINISTRATOR,
    COMMUNE_DIRECTOR,
    DIRECTOR,
    HEAD,
    OFFICER,
    Desk,
    form,
)
from tests.integration.reporting.scenes import NOW, PRIMARY, PROVINCE, SECONDARY, YEAR

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


@pytest.mark.parametrize(
    ("other", "kept"),
    [
        ({}, True),
        ({"school_year": YEAR + 1}, False),
        ({"lock_period": "CK1"}, False),
        ({"school": SECONDARY}, False),
        ({"approved": False}, False),
    ],
)
async def test_a_lift_leaves_locked_only_what_is_approved_of_the_same_school_year_and_stage(
    desk: Desk, report_database: Database, other: dict[str, Any], *, kept: bool
):
    """Of the other report everything else is alike: where one thing differs, its lock is another one."""
    results = {"locked_collections": ["results"], "lock_period": "CN"}
    await desk.begin(form(**results))
    await desk.approve()
    first = desk.campaign
    results["lock_period"] = other.get("lock_period", "CN")
    await desk.begin(form(code="cuoi_nam", **results), school_year=other.get("school_year", YEAR))
    school = other.get("school", PRIMARY)
    # A school without data, and a year without, have no counted values: what is approved matters here, not how.
    async with report_database.transaction() as connection:
        given = {
            "campaign": desk.campaign.campaign_id,
            "school": school,
            "state": 4 if other.get("approved", True) else 3,
        }
        await connection.execute(
            sa.text("UPDATE report SET state = :state WHERE campaign_id = :campaign AND school_id = :school"), given
        )
    desk.campaign = first
    [lock] = await _claimed(report_database)
    await _done(report_database, lock)
    await desk.step("Reopen", DIRECTOR, reason="Sai điểm")
    (lift,) = await _claimed(report_database)
    assert (lift.lift, lift.period, lift.collections) == (True, "CN", () if kept else ("results",))


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


@dataclass
class Answering:
    """Locks that are refused as told, or set and lifted; notes what was asked by whom."""

    kind: Kind | None = Kind.DENIED
    asked: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    async def set(self, school_id: int, collections: Sequence[str], **what: Any) -> None:
        """Refuse, or note a lock."""
        await self._answer("set", what)

    async def lift(self, school_id: int, collections: Sequence[str], **what: Any) -> None:
        """Refuse, or note a lift."""
        await self._answer("lift", what)

    async def _answer(self, name: str, what: dict[str, Any]) -> None:
        self.asked.append(name)
        self.reasons.append(what["reason"])
        if self.kind is not None:
            raise Fault(self.kind, "NO_GRANT", vi="Không còn quyền khóa.", en="The right to lock has ended.")


@dataclass
class Timer:
    """Looks at lock tasks as the timer does, however long each pause is."""

    database: Database
    clock: FixedClock
    teller: Teller

    async def look(self, locks: Answering, times: int = 1) -> None:
        """Look so many times, as far apart as no pause is longer."""
        for _ in range(times):
            await locking.do_tasks(self.database, locks, self.clock, self.teller)
            self.clock.advance(locking.LONGEST_PAUSE + timedelta(seconds=1))


@pytest.fixture
async def timer(desk: Desk, report_database: Database, report_clock: FixedClock, bus: Bus) -> Timer:
    """The timer of locks."""
    scopes = Scopes(bus)
    await scopes.refresh()
    return Timer(report_database, report_clock, Teller(scopes, report_clock, report_rules()))


async def test_a_lock_that_is_refused_for_good_is_said_and_asked_again_by_who_may(desk: Desk, timer: Timer, bus: Bus):
    """A few tries, then it stands with the reason; the unit that asked is told, and one of its people asks again."""
    told = await bus.jetstream.subscribe("iocedu.reporting.v1.notice-requested", ordered_consumer=True)
    await desk.begin()
    await desk.approve()
    refusing = Answering()
    await timer.look(refusing, locking.TRIES - 1)
    assert (await desk.report()).report.lock_state == report_pb2.REPORT_LOCK_STATE_LOCKING
    await timer.look(refusing, 3)
    assert refusing.asked == ["set"] * locking.TRIES, "what is refused for good is not asked for ever"
    report = (await desk.report()).report
    assert (report.state, report.lock_state) == (
        report_pb2.REPORT_STATE_APPROVED,
        report_pb2.REPORT_LOCK_STATE_LOCK_REFUSED,
    )
    refusal = report.lock_refusal
    assert (refusal.reason, refusal.message_vi) == ("NO_GRANT", "Không còn quyền khóa.")
    with pytest.raises(Fault) as refused:
        await desk.step("Relock", COMMUNE_DIRECTOR)
    assert refused.value.reason == "NOT_ABOVE"
    asked = await desk.step("Relock", ADMINISTRATOR)
    assert (asked.lock_state, asked.HasField("lock_refusal")) == (report_pb2.REPORT_LOCK_STATE_LOCKING, False)
    agreeing = Answering(kind=None)
    await timer.look(agreeing)
    answer = await desk.report()
    assert (answer.report.lock_state, agreeing.asked) == (report_pb2.REPORT_LOCK_STATE_LOCKED, ["set"])
    assert (answer.steps[-1].action, answer.steps[-1].by) == (report_pb2.REPORT_ACTION_LOCK_ASKED, ADMINISTRATOR)
    with pytest.raises(Fault) as refused:
        await desk.step("Relock", ADMINISTRATOR)
    assert refused.value.reason == "LOCK_NOT_REFUSED"
    notices: list[notice_requested_pb2.NoticeRequest] = []
    while not notices:
        event = notice_requested_pb2.NoticesRequested.FromString((await told.next_msg(timeout=10)).data)
        notices = [one for one in event.requests if one.key.endswith("/lock_refused")]
    [notice] = notices
    assert (list(notice.unit_ids), list(notice.audience_roles)) == ([PROVINCE], ["director", "administrator"])
    assert "hồ sơ từ chối khóa. Không còn quyền khóa." in notice.body_vi
    assert "The right to lock has ended." in notice.body_en


async def test_a_refused_lock_keeps_no_later_one_of_the_school_waiting(desk: Desk, timer: Timer):
    """Nor does it keep the report from being opened again; a lift that is refused is asked again as a lift."""
    await desk.begin()
    await desk.approve()
    await timer.look(Answering(), locking.TRIES)
    first = desk.campaign
    await desk.begin(form(code="si_so", locked_collections=["pupils"]))
    await desk.approve()
    agreeing = Answering(kind=None)
    await timer.look(agreeing)
    assert (agreeing.asked, (await desk.report()).report.lock_state) == (["set"], report_pb2.REPORT_LOCK_STATE_LOCKED)
    desk.campaign = first
    opened = await desk.step("Reopen", DIRECTOR, reason="Sai lớp")
    assert (opened.lock_state, opened.HasField("lock_refusal")) == (report_pb2.REPORT_LOCK_STATE_LIFTING, False)
    await timer.look(Answering(kind=Kind.NOT_FOUND), locking.TRIES)
    assert (await desk.report()).report.lock_state == report_pb2.REPORT_LOCK_STATE_LIFT_REFUSED
    entered = await desk.enter(rooms__rooms__number=(3, ""))
    assert entered.report.lock_state == report_pb2.REPORT_LOCK_STATE_LIFT_REFUSED, (
        "the school's steps leave it as it is"
    )
    for _ in range(2):
        asked = await desk.step("Relock", DIRECTOR)
        assert asked.return_reason == "Sai lớp", "what the school is to mend stays"
        await timer.look(refusing := Answering(), locking.TRIES)
    assert refusing.reasons[-1].endswith("Sai lớp")
    await desk.step("Relock", DIRECTOR)
    await timer.look(agreeing)
    report = (await desk.report()).report
    assert (agreeing.asked, report.lock_state) == (["set", "lift"], report_pb2.REPORT_LOCK_STATE_UNSPECIFIED)


async def test_a_refused_lock_says_nothing_of_a_report_that_was_opened_again_meanwhile(desk: Desk, timer: Timer):
    """Its lift, which is still to come, is what the report waits for."""
    await desk.begin()
    await desk.approve()
    refusing = Answering()
    await timer.look(refusing, locking.TRIES - 1)
    await desk.step("Reopen", DIRECTOR, reason="Sai lớp")
    await timer.look(refusing)
    assert refusing.asked == ["set"] * locking.TRIES
    report = (await desk.report()).report
    assert (report.lock_state, report.HasField("lock_refusal")) == (report_pb2.REPORT_LOCK_STATE_LIFTING, False)
    await timer.look(agreeing := Answering(kind=None))
    report = (await desk.report()).report
    assert (agreeing.asked, report.lock_state) == (["lift"], report_pb2.REPORT_LOCK_STATE_UNSPECIFIED)


async def test_only_refusals_count_as_refusals(desk: Desk, timer: Timer):
    """A lock that was often out of reach is still asked as often as any other before it stands refused."""
    await desk.begin()
    await desk.approve()
    await timer.look(Answering(Kind.UNAVAILABLE), locking.TRIES + 2)
    refusing = Answering()
    await timer.look(refusing, locking.TRIES - 1)
    await timer.look(Answering(Kind.UNAVAILABLE))
    assert (await desk.report()).report.lock_state == report_pb2.REPORT_LOCK_STATE_LOCKING
    await timer.look(refusing, 3)
    assert refusing.asked == ["set"] * locking.TRIES
    assert (await desk.report()).report.lock_state == report_pb2.REPORT_LOCK_STATE_LOCK_REFUSED


@pytest.mark.parametrize("kind", [Kind.UNAVAILABLE, Kind.DEADLINE, Kind.CONFLICT, Kind.UNAUTHENTICATED, Kind.INTERNAL])
async def test_what_repeating_may_cure_is_asked_until_it_is_done(desk: Desk, timer: Timer, kind: Kind):
    """However often it fails."""
    await desk.begin()
    await desk.approve()
    await timer.look(Answering(kind), locking.TRIES + 2)
    assert (await desk.report()).report.lock_state == report_pb2.REPORT_LOCK_STATE_LOCKING
    await timer.look(Answering(None))
    assert (await desk.report()).report.lock_state == report_pb2.REPORT_LOCK_STATE_LOCKED
