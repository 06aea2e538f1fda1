"""What the coverage of schools raises: sync's event in, an alert out; a first start raises nothing."""

from datetime import datetime

import pytest
from iocedu.sync.v1 import coverage_pb2

from chassis.database import Database
from services.alerts.convert import coverage_facts
from services.alerts.domain import Change, Transition
from services.alerts.usecases import look_at_due_facts, take_facts
from services.alerts.usecases.moment import Moment
from tests.integration.alerts import scenes
from tests.integration.alerts.scenes import NOW, SCHOOL, hours
from tests.support.databases import DatabaseFactory

CONNECTED, FAILING, SILENT = (
    coverage_pb2.COVERAGE_STATE_CONNECTED,
    coverage_pb2.COVERAGE_STATE_FAILING,
    coverage_pb2.COVERAGE_STATE_SILENT,
)


@pytest.fixture
async def database(database_factory: DatabaseFactory) -> Database:
    """A fresh database of alerts."""
    return await database_factory("alerts")


def moment(now: datetime) -> Moment:
    """An instant, with units called by their ids."""
    return Moment(now=now, today=now.date(), unit_name=str)


def told(
    state: coverage_pb2.CoverageState.ValueType, reason: str = "", *, must: bool = True, baseline: bool = False
) -> coverage_pb2.CoverageChanged:
    """A `coverage-changed` event on one school."""
    one = coverage_pb2.SchoolCoverage(
        school_id=SCHOOL, must_connect=must, state=state, source="vnedu", open_row_count=9
    )
    one.since_time.FromDatetime(NOW)
    if reason:
        one.reasons.add(reason=reason, state=state, message="Mọi lần gửi đều bị từ chối.")
    return coverage_pb2.CoverageChanged(schools=[one], baseline=baseline)


async def take(database: Database, message: coverage_pb2.CoverageChanged, *, now: datetime) -> list[Change]:
    """An event, in one transaction."""
    facts = list(coverage_facts(scenes.event("sync", "coverage-changed", message, time=now)))
    async with database.transaction() as held:
        return await take_facts(held, facts, moment(now))


async def test_a_school_that_gets_nothing_through_is_told_of_until_something_is_taken(database: Database) -> None:
    """Once, with the words of sync, and it ends by itself."""
    (raised,) = await take(database, told(FAILING, "ONLY_REFUSED"), now=NOW)
    assert (raised.transition, raised.alert.rule) == (Transition.RAISED, "school_failing")
    assert raised.alert.body_vi.startswith("Mọi lần gửi đều bị từ chối. Từ 24/11/2026")
    assert "source: vnedu" in raised.alert.body_en
    assert await take(database, told(FAILING, "ONLY_REFUSED"), now=NOW + hours(1)) == []
    (closed,) = await take(database, told(CONNECTED), now=NOW + hours(2))
    assert (closed.transition, closed.alert.rule) == (Transition.RESOLVED, "school_failing")


async def test_a_first_start_raises_no_storm(database: Database) -> None:
    """What all schools are when they are looked at for the first time is no news, nor is it an hour later."""
    assert await take(database, told(FAILING, "ONLY_REFUSED", baseline=True), now=NOW) == []
    async with database.transaction() as held:
        assert await look_at_due_facts(held, moment(NOW + hours(2)), limit=10) == (0, [])


async def test_other_states_and_schools_that_need_not_connect_raise_nothing(database: Database) -> None:
    """Silence has a rule of its own; refused shares, too."""
    assert await take(database, told(SILENT, "NEVER_SENT"), now=NOW) == []
    assert await take(database, told(FAILING, "MANY_REJECTED"), now=NOW + hours(1)) == []
    assert await take(database, told(FAILING, "ONLY_REFUSED", must=False), now=NOW + hours(2)) == []
