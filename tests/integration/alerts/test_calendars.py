"""School days are those of the calendars that come with the tree of units; what hangs on them is looked at anew."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from iocedu.chassis.v1 import scopes_pb2

from chassis.database import Database
from chassis.scopes import chunked, publish_tree
from chassis.testing import FixedClock
from services.alerts import store, usecases
from services.alerts.convert import RecordRows, coverage_facts, record_rows
from services.alerts.convert.tables import early_warning
from services.alerts.domain import AlertFilter, Change, Rule, Severity, Transition
from services.alerts.usecases.moment import Moment
from services.alerts.usecases.project import report_facts
from tests.integration.alerts import scenes
from tests.integration.alerts.scenes import DISTRICT, NOW, OTHER_SCHOOL, PROVINCE, SCHOOL, a_class, hours, school_year
from tests.integration.alerts.test_evaluation import oversize
from tests.integration.alerts.test_pupils import group, register
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until

TODAY = "2026-11-24"  # A Tuesday.
READING = early_warning()


@pytest.fixture
async def database(database_factory: DatabaseFactory) -> Database:
    """A fresh database of alerts."""
    return await database_factory("alerts")


def moment(*calendars: scopes_pb2.ScopeCalendar, now: datetime = NOW) -> Moment:
    """An instant with these calendars beside that of every unit."""
    today = (now + hours(7)).date()
    calendar = scenes.calendar_of(*calendars, day=today)
    return Moment(now=now, today=today, unit_name=str, calendar=calendar)


async def miss_attendance(database: Database) -> list[Change]:
    """A school reports on Monday, and not on Tuesday."""
    rows = RecordRows()
    await record_rows(rows, [group(), register(date(2026, 11, 23), {})], first=1, time=NOW, reading=READING)
    async with database.transaction() as held:
        return await usecases.follow_records(held, rows, moment(), READING, baseline=False)


async def test_a_commune_that_closes_its_schools_is_not_warned_of_them(database):
    """Its own calendar counts for it and what lies below; the other commune goes on by that of every unit."""
    facts = coverage_facts(scenes.event("sync", "coverage-changed", scenes.coverage(SCHOOL, OTHER_SCHOOL)))
    async with database.transaction() as held:
        raised = await usecases.take_facts(held, list(facts), moment(school_year(DISTRICT, TODAY)))
    assert [(one.alert.rule, one.alert.unit_id) for one in raised] == [("school_silent", OTHER_SCHOOL)]


async def test_attendance_that_was_missed_is_missed_no_more_once_the_day_is_free(database):
    """Raised at nine; the calendar that frees the day ends it at the next look, and none is raised for that day."""
    raised = await miss_attendance(database)
    assert [(one.transition, one.alert.rule) for one in raised] == [(Transition.RAISED, "attendance_unreported")]
    freed = school_year(PROVINCE, TODAY)

    async def look(now: datetime) -> list[Change]:
        async with database.transaction() as held:
            found = await usecases.look_at_due_facts(held, moment(freed, now=now), limit=100, renew=usecases.renew)
        return found[1]

    async with database.transaction() as held:
        await usecases.follow_calendars(held, moment(freed))
    assert [(one.transition, one.alert.rule) for one in await look(NOW)] == [
        (Transition.RESOLVED, "attendance_unreported")
    ]
    assert await look(NOW + hours(3)) == []


async def test_a_calendar_that_comes_with_the_tree_ends_what_is_missed_at_once(database, bus, keys):
    """From the bucket to the alert, without anything else that happens."""
    await miss_attendance(database)

    async def publish(version: int, *calendars: scopes_pb2.ScopeCalendar) -> None:
        chunks = chunked(scenes.units(), scenes.grants(), (), [school_year(0), *calendars])
        assert await publish_tree(bus, chunks, version)

    async def missed() -> bool:
        wanted = AlertFilter(unit_ids=frozenset({SCHOOL}), rule="attendance_unreported")
        async with database.connection() as reading:
            return bool(await store.list_alerts(reading, wanted, below=None, limit=1))

    async def settled() -> bool:
        return not await missed()

    await publish(1)
    async with scenes.alerts_replica(database, bus, keys, clock=FixedClock(NOW)):
        assert await missed()
        await publish(2, school_year(DISTRICT, TODAY))
        await poll_until(settled)


@pytest.mark.parametrize(("last", "reports"), [(date(2026, 11, 11), True), (date(2026, 11, 10), False)])
async def test_a_school_that_reported_nothing_for_two_weeks_does_not_report_here(database, last, reports):
    """Within them it does, to the day."""
    rows = RecordRows()
    await record_rows(rows, [group(), register(last, {})], first=1, time=NOW, reading=READING)
    async with database.transaction() as held:
        await usecases.follow_records(held, rows, moment(), READING, baseline=False)
        [fact] = await report_facts(held, [SCHOOL], moment(), version=2, baseline=False)
    assert fact.values["reports_at_all"] is reports


CROWDED = Rule(
    "crowded", 1, "class_size", "fact.size > 38", Severity.WARNING, "{name}", "{name}", "{unit}", "{unit}", ("officer",)
)
FRIDAY, SATURDAY = datetime(2026, 11, 27, 2, tzinfo=UTC), datetime(2026, 11, 28, 2, tzinfo=UTC)


@pytest.mark.parametrize(("school_days_only", "now", "before"), [(True, 0, [39]), (False, 1, [0])])
async def test_rules_on_school_days_alone_raise_on_no_other_day_when_they_are_tried(
    database, school_days_only, now, before
):
    """Of a class that is crowded from Saturday on: a backtest begins it as Monday does, in Viet Nam."""
    rule = replace(CROWDED, school_days_only=school_days_only)
    for version, days in enumerate((0, 1, 2), start=1):
        at = moment(now=SATURDAY + hours(24 * days))
        async with database.transaction() as held:
            await usecases.take_facts(held, oversize(a_class(39 + days, version=version)), at)
    async with database.connection() as reading:
        on_sunday = await usecases.dry_run(reading, rule, {SCHOOL}, moment(now=SATURDAY + hours(24)))
        on_monday = await usecases.dry_run(reading, rule, {SCHOOL}, moment(now=SATURDAY + hours(48)))
        past = await usecases.backtest(reading, rule, {SCHOOL}, moment(now=SATURDAY + hours(72)), since=FRIDAY, k=3)
    assert (on_sunday.by_unit.total(), on_monday.by_unit.total()) == (now, 1)
    [alerts] = past.episodes.values()
    assert [(one.began - SATURDAY) / hours(1) for one in alerts] == before


@pytest.mark.parametrize("holiday", ["", "2026-11-30"])
async def test_what_holds_from_a_weekend_on_is_raised_as_the_next_school_day_begins(database, holiday):
    """By the clock alone, though nothing more is told of it; on a holiday it goes on waiting."""
    rule = replace(CROWDED, school_days_only=True)
    calendars = [school_year(PROVINCE), school_year(SCHOOL, holiday)] if holiday else []
    begins = SATURDAY + hours(39 + (24 if holiday else 0))
    async with database.transaction() as held:
        await usecases.create_rule(held, rule, by="director", moment=moment(now=FRIDAY))
        crowded = oversize(a_class(39, limit=0))
        assert await usecases.take_facts(held, crowded, moment(*calendars, now=SATURDAY)) == []

    async def look(at: datetime) -> list[tuple[str, Transition]]:
        async with database.transaction() as held:
            _, changes = await usecases.look_at_due_facts(held, moment(*calendars, now=at), limit=100)
        return [(one.alert.rule, one.transition) for one in changes]

    for hour in range(0, int((begins - SATURDAY) / hours(1)), 12):
        assert await look(SATURDAY + hours(hour)) == []
    assert await look(begins - hours(0.1)) == []
    assert await look(begins) == [("crowded", Transition.RAISED)]


@pytest.mark.parametrize("minutes", [24 * 60, 48 * 60])
async def test_what_has_to_hold_for_a_while_and_waits_for_school_is_looked_at_once_both_are_over(database, minutes):
    """Crowded from Saturday at nine; school begins on Monday."""
    rule = replace(CROWDED, school_days_only=True, for_minutes=minutes)
    over = SATURDAY + max(hours(39), hours(minutes / 60))
    async with database.transaction() as held:
        await usecases.create_rule(held, rule, by="director", moment=moment(now=FRIDAY))
        assert await usecases.take_facts(held, oversize(a_class(39, limit=0)), moment(now=SATURDAY)) == []
    for at, looked_at, raised in [(over - hours(0.1), 0, []), (over, 1, ["crowded"])]:
        async with database.transaction() as held:
            count, changes = await usecases.look_at_due_facts(held, moment(now=at), limit=100)
        assert (count, [one.alert.rule for one in changes]) == (looked_at, raised)


async def test_only_what_is_to_be_raised_is_looked_at_as_school_begins(database):
    """Neither a class that is not crowded nor one whose alert is open already."""
    rule = replace(CROWDED, school_days_only=True)
    async with database.transaction() as held:
        await usecases.create_rule(held, rule, by="director", moment=moment(now=FRIDAY))
        crowded = oversize(a_class(39, limit=0))
        [raised] = await usecases.take_facts(held, crowded, moment(now=FRIDAY))
        still = oversize(a_class(40, limit=0, version=2), a_class(20, key="1B2026", limit=0))
        [updated] = await usecases.take_facts(held, still, moment(now=SATURDAY))
        assert (raised.transition, updated.transition) == (Transition.RAISED, Transition.UPDATED)
        assert await usecases.look_at_due_facts(held, moment(now=SATURDAY + hours(48)), limit=100) == (0, [])


async def test_what_waits_for_a_school_year_that_is_not_known_yet_is_raised_as_it_begins(database):
    """The terms come in August; what holds since July has waited for them."""
    july, august = datetime(2027, 7, 31, 17, tzinfo=UTC), datetime(2027, 8, 20, tzinfo=UTC)
    begins = datetime(2027, 9, 5, 17, tzinfo=UTC)
    term = scopes_pb2.ScopeSpan(first_day="2027-09-06", last_day="2028-05-26")
    following = scopes_pb2.ScopeCalendar(unit_id=PROVINCE, year=2027, terms=[term])
    async with database.transaction() as held:
        await usecases.create_rule(held, replace(CROWDED, school_days_only=True), by="d", moment=moment(now=july))
        assert await usecases.take_facts(held, oversize(a_class(39, limit=0)), moment(now=july)) == []
        await usecases.follow_calendars(held, moment(following, now=august))

    async def look(at: datetime) -> list[tuple[str, Transition]]:
        async with database.transaction() as held:
            _, changes = await usecases.look_at_due_facts(held, moment(following, now=at), limit=100)
        return [(one.alert.rule, one.transition) for one in changes]

    assert await look(august) == []
    assert await look(begins - hours(0.1)) == []
    assert await look(begins) == [("crowded", Transition.RAISED)]


async def test_a_backtest_counts_alerts_by_the_day_in_viet_nam(database):
    """Half past six in the morning there is the evening before in Greenwich."""
    early = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
    async with database.transaction() as held:
        await usecases.take_facts(held, oversize(a_class(40)), moment(now=early))
    async with database.connection() as reading:
        past = await usecases.backtest(reading, CROWDED, {SCHOOL}, moment(now=early + hours(1)), since=NOW, k=3)
    assert past.by_day == {"2026-11-25": 1}
