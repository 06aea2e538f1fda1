"""What schools' pushes to the ministry raise: from sync's event to what an officer lists, and what time alone does."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa
from google.protobuf.message import Message
from iocedu.alerts.v1 import alerts_pb2, alerts_pb2_grpc

from chassis.database import Database
from chassis.testing import FixedClock, client
from services.alerts.convert import push_facts
from services.alerts.domain import Change, Transition
from services.alerts.usecases import look_at_due_facts, take_facts
from services.alerts.usecases.moment import Moment
from tests.integration.alerts import scenes
from tests.integration.alerts.scenes import DISTRICT, NOW, SCHOOL, SECOND_SCHOOL, hours, pushes
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until


@pytest.fixture
async def database(database_factory: DatabaseFactory) -> Database:
    """A fresh database of alerts."""
    return await database_factory("alerts")


@pytest.fixture
def clock() -> FixedClock:
    """Time that moves when told."""
    return FixedClock(NOW)


@pytest.fixture
async def stub(
    database, bus, keys, scopes_tree, clock, token: Callable[..., str]
) -> AsyncIterator[alerts_pb2_grpc.AlertsServiceStub]:
    """A running alerts as the officer of the district sees it."""
    await scopes_tree(scenes.units(), scenes.grants())
    async with (
        scenes.alerts_replica(database, bus, keys, clock=clock) as address,
        client(address, token("officer")) as channel,
    ):
        yield alerts_pb2_grpc.AlertsServiceStub(channel)


def moment(now: datetime) -> Moment:
    """An instant, with units called by their ids."""
    return Moment(now=now, today=now.date(), unit_name=str)


async def take(database: Database, message: Message, *, now: datetime = NOW) -> list[Change]:
    """An event, in one transaction."""
    facts = list(push_facts(scenes.event("sync", "pushes-changed", message, time=now)))
    async with database.transaction() as held:
        return await take_facts(held, facts, moment(now))


async def look(database: Database, now: datetime) -> list[tuple[Transition, str]]:
    """What time has changed."""
    async with database.transaction() as held:
        _, changes = await look_at_due_facts(held, moment(now), limit=1000)
    return told(changes)


def told(changes: list[Change]) -> list[tuple[Transition, str]]:
    """Transitions and rules."""
    return sorted((one.transition, one.alert.rule) for one in changes)


async def listed(stub: Any, **wanted: Any) -> dict[tuple[str, int], alerts_pb2.Alert]:
    """Alerts of the district by rule and unit."""
    response = await stub.ListAlerts(alerts_pb2.ListAlertsRequest(**{"unit": str(DISTRICT), **wanted}))
    return {(one.rule, one.unit_id): one for one in response.alerts}


async def test_failures_and_waiting_that_last_are_told_to_who_can_mend_them_and_end_by_themselves(
    database, bus, stub, clock
):
    """From sync's event on the broker to alerts with their texts, and back to none once the ministry has everything."""
    last = NOW - hours(80)
    await scenes.publish(bus, "sync", "pushes-changed", pushes(failed=3, waiting_since=last, accepted=last))
    await scenes.publish(bus, "sync", "pushes-changed", pushes(SECOND_SCHOOL, failed=1))
    late = await poll_until(lambda: listed(stub))
    assert list(late) == [("push_delayed", SCHOOL)], "failures have not lasted yet"
    assert late["push_delayed", SCHOOL].title_vi == "TH Ái Nghĩa: dữ liệu chờ đẩy lên moet đã 80 giờ"
    assert "Lần thành công gần nhất: 21/11/2026 01:00" in late["push_delayed", SCHOOL].body_vi
    await poll_until(lambda: _known(database, 2))
    clock.advance(hours(4))
    every = await poll_until(lambda: _when(listed(stub, families=["data"]), 3))
    assert set(every) == {("push_delayed", SCHOOL), ("push_failing", SCHOOL), ("push_failing", SECOND_SCHOOL)}
    failing = every["push_failing", SCHOOL]
    assert failing.title_en == "TH Ái Nghĩa: 3 records failed on their way to moet"
    assert (failing.subject, failing.severity) == ("moet", alerts_pb2.SEVERITY_WARNING)
    assert "4 giờ" in failing.body_vi
    await scenes.publish(bus, "sync", "pushes-changed", pushes(accepted=clock.now()), time=clock.now())
    await poll_until(lambda: _when(listed(stub), 1))
    assert list(await listed(stub)) == [("push_failing", SECOND_SCHOOL)]


async def _known(database: Database, count: int) -> bool:
    async with database.connection() as reading:
        found = await reading.scalar(sa.text("SELECT count(*) FROM fact WHERE kind = 'pushes'"))
    return bool(found == count)


async def _when(found: Any, count: int) -> Any:
    answer = await found
    return answer if len(answer) == count else None


async def test_waiting_is_late_after_its_72nd_hour_by_the_clock_alone(database):
    """No event is needed; a record that left takes the clock to the next oldest."""
    assert await take(database, pushes(waiting_since=NOW)) == []
    assert await look(database, NOW + hours(72)) == []
    assert await look(database, NOW + hours(73)) == [(Transition.RAISED, "push_delayed")]
    moved = await take(database, pushes(waiting_since=NOW + hours(50)), now=NOW + hours(74))
    assert told(moved) == [(Transition.RESOLVED, "push_delayed")]


async def test_failures_that_are_mended_within_hours_tell_nobody(database):
    """Three hours, a break, three hours more: never four in a row."""
    assert await take(database, pushes(failed=2)) == []
    assert await take(database, pushes(), now=NOW + hours(3)) == []
    assert await take(database, pushes(failed=2), now=NOW + hours(3.5)) == []
    assert await look(database, NOW + hours(6.5)) == []
    assert await look(database, NOW + hours(7.5)) == [(Transition.RAISED, "push_failing")]


async def test_a_gap_that_stays_after_a_comparison_is_told_until_one_finds_none(database):
    """Six hours for repairs; the text names the comparison and how many."""
    assert await take(database, pushes(gap=5, compared=NOW)) == []
    assert await look(database, NOW + hours(5.9)) == []
    async with database.transaction() as held:
        _, [change] = await look_at_due_facts(held, moment(NOW + hours(6)), limit=10)
    assert (change.alert.rule, change.alert.audience_roles) == ("reconciliation_gap", ("head_teacher", "officer"))
    assert "Lần đối soát 24/11/2026 09:00: 5 bản ghi" in change.alert.body_vi
    closed = await take(database, pushes(compared=NOW + hours(8)), now=NOW + hours(8))
    assert told(closed) == [(Transition.RESOLVED, "reconciliation_gap")]


async def test_a_gap_is_not_told_while_what_explains_it_is(database):
    """What fails or waits is missing there for that reason; the gap is kept and suppressed."""
    await take(database, pushes(failed=2, gap=2, compared=NOW))
    assert await look(database, NOW + hours(4)) == [(Transition.RAISED, "push_failing")]
    assert await look(database, NOW + hours(6)) == [(Transition.SUPPRESSED, "reconciliation_gap")]


async def test_destinations_of_one_school_are_judged_apart_and_late_events_count_for_nothing(database):
    """Two subjects; an event from before does not undo a later one."""
    await take(database, pushes(waiting_since=NOW - hours(90), destination="ioc"))
    assert await take(database, pushes(), now=NOW + hours(1)) == []
    assert await take(database, pushes(waiting_since=NOW - hours(90)), now=NOW) == []
    async with database.connection() as reading:
        rows = await reading.execute(sa.text("SELECT subject FROM alert WHERE state <> 3"))
        assert rows.scalars().all() == ["ioc"]
