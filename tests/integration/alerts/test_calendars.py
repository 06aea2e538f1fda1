"""School days follow calendars that records tells: by an event, by revision, in force for units and those below."""

from collections.abc import AsyncIterator
from datetime import date, datetime

import pytest
import sqlalchemy as sa
from iocedu.records.v1 import calendar_pb2

from chassis.database import Database
from chassis.testing import FixedClock
from services.alerts import usecases
from services.alerts.convert import RecordRows, calendars, coverage_facts, record_rows
from services.alerts.convert.tables import early_warning, school_calendars
from services.alerts.domain import Change, Transition
from services.alerts.usecases.moment import Moment
from tests.integration.alerts import scenes
from tests.integration.alerts.scenes import DISTRICT, NOW, OTHER_DISTRICT, OTHER_SCHOOL, PROVINCE, SCHOOL, hours
from tests.integration.alerts.test_pupils import group, register
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until

ABOVE = {SCHOOL: (DISTRICT, PROVINCE), OTHER_SCHOOL: (OTHER_DISTRICT, PROVINCE)}
TODAY = "2026-11-24"  # A Tuesday with lessons, by what came with the service.
READING = early_warning()


@pytest.fixture
async def database(database_factory: DatabaseFactory) -> Database:
    """A fresh database of alerts."""
    return await database_factory("alerts")


@pytest.fixture
async def replica(database, bus, keys, scopes_tree) -> AsyncIterator[str]:
    """A running alerts."""
    await scopes_tree(scenes.units(), scenes.grants())
    async with scenes.alerts_replica(database, bus, keys, clock=FixedClock(NOW)) as address:
        yield address


def moment(now: datetime = NOW) -> Moment:
    """An instant with the units above schools, and the calendars that came with the service."""
    return Moment(
        now=now,
        today=(now + hours(7)).date(),
        unit_name=str,
        above=lambda unit_id: ABOVE.get(unit_id, ()),
        calendars=school_calendars(),
    )


async def tell(database: Database, message: calendar_pb2.CalendarsChanged, now: datetime = NOW) -> None:
    """An event of records, in one transaction."""
    told = list(calendars(scenes.event("records", "calendars-changed", message)))
    async with database.transaction() as held:
        await usecases.take_calendars(held, told, moment(now))


async def school_day(database: Database, school: int, day: str = TODAY) -> bool:
    """Whether a school has lessons."""
    async with database.connection() as reading:
        calendar_of = await usecases.school_calendars(reading, moment())
    assert calendar_of is not None
    return calendar_of(school).is_school_day(date.fromisoformat(day))


async def silent(database: Database) -> list[Change]:
    """Both schools have become silent."""
    facts = coverage_facts(scenes.event("sync", "coverage-changed", scenes.coverage(SCHOOL, OTHER_SCHOOL)))
    async with database.transaction() as held:
        return await usecases.take_facts(held, list(facts), moment())


async def look(database: Database, now: datetime = NOW) -> list[Change]:
    """What time has changed, as the timer sees it."""
    async with database.transaction() as held:
        found = await usecases.look_at_due_facts(held, moment(now), limit=100, renew=usecases.renew)
    return found[1]


async def test_a_commune_that_closes_its_schools_is_not_warned_of_them(database):
    """Its own calendar counts for it and what lies below; the other commune goes on by what came with the service."""
    await tell(database, scenes.calendars(DISTRICT, (TODAY, TODAY)))
    assert not await school_day(database, SCHOOL)
    assert await school_day(database, OTHER_SCHOOL)
    assert [(one.alert.rule, one.alert.unit_id) for one in await silent(database)] == [("school_silent", OTHER_SCHOOL)]


async def test_the_newest_revision_counts_in_whatever_order_it_comes(database):
    """A repeat and a late one change nothing; an import that takes the holiday back does."""
    closed = scenes.calendars(PROVINCE, (TODAY, TODAY), revision=4)
    for message in (closed, scenes.calendars(PROVINCE, revision=3), closed):
        await tell(database, message)
        assert not await school_day(database, SCHOOL)
    await tell(database, scenes.calendars(PROVINCE, revision=5))
    assert await school_day(database, SCHOOL)


async def test_two_revisions_in_one_event_are_one(database):
    """The newer of them."""
    both = scenes.calendars(PROVINCE, (TODAY, TODAY), revision=2)
    both.calendars.extend(scenes.calendars(PROVINCE, revision=1).calendars)
    await tell(database, both)
    assert not await school_day(database, SCHOOL)


async def test_attendance_that_was_missed_is_missed_no_more_once_the_day_is_free(database):
    """Raised at nine; the calendar that frees the day ends it at the next look, and none is raised for that day."""
    rows = RecordRows()
    told = [group(), register(date(2026, 11, 23), {})]
    await record_rows(rows, told, first=1, time=NOW, reading=READING)
    async with database.transaction() as held:
        raised = await usecases.follow_records(held, rows, moment(), READING, baseline=False)
    assert [(one.transition, one.alert.rule) for one in raised] == [(Transition.RAISED, "attendance_unreported")]
    await tell(database, scenes.calendars(PROVINCE, (TODAY, TODAY)))
    assert [(one.transition, one.alert.rule) for one in await look(database)] == [
        (Transition.RESOLVED, "attendance_unreported")
    ]
    assert await look(database, NOW + hours(3)) == []


async def test_a_calendar_that_records_tells_is_kept(database, bus, replica):
    """From the broker to the table, once however often it comes."""
    message = scenes.calendars(DISTRICT, (TODAY, TODAY), revision=9)
    await scenes.publish(bus, "records", "calendars-changed", message, message)

    async def kept() -> list[tuple[int, int, int]]:
        async with database.connection() as reading:
            rows = await reading.execute(sa.text("SELECT unit_id, school_year, revision FROM calendar"))
            return [tuple(row) for row in rows]

    assert await poll_until(kept) == [(DISTRICT, 2026, 9)]
    assert not await school_day(database, SCHOOL)
