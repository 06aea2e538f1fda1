"""Facts against real tables: whatever their order and repetition, each condition that holds has one open alert."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from iocedu.alerts.v1 import alerts_pb2
from iocedu.reporting.v1 import reporting_pb2

from chassis.database import Database
from services.alerts import store
from services.alerts.convert import class_facts, coverage_facts
from services.alerts.domain import AlertFilter, Change, Fact, State, Transition
from services.alerts.usecases import look_at_due_facts, take_facts
from services.alerts.usecases.moment import Moment
from tests.integration.alerts import scenes
from tests.integration.alerts.scenes import NOW, SCHOOL, SECOND_SCHOOL, a_class, figures, hours
from tests.support.databases import DatabaseFactory


def moment(now: datetime = NOW) -> Moment:
    """An instant, with units called by their ids."""
    return Moment(now=now, today=now.date(), unit_name=str)


@pytest.fixture
async def database(database_factory: DatabaseFactory) -> Database:
    """A fresh database of alerts."""
    return await database_factory("alerts")


async def take(database: Database, facts: Sequence[Fact], now: datetime = NOW) -> list[Change]:
    """Facts as one transaction."""
    async with database.transaction() as held:
        return await take_facts(held, facts, moment(now))


async def look(database: Database, now: datetime) -> list[Change]:
    """What time has changed, as one transaction."""
    async with database.transaction() as held:
        return (await look_at_due_facts(held, moment(now), limit=1000))[1]


async def unresolved(database: Database) -> set[tuple[str, int, str]]:
    """What is open: rule, unit, subject."""
    everything = AlertFilter(unit_ids=frozenset({SCHOOL, SECOND_SCHOOL}))
    async with database.connection() as reading:
        alerts = await store.list_alerts(reading, everything, below=None, limit=1000)
    assert len({(alert.rule, alert.unit_id, alert.subject) for alert in alerts}) == len(alerts)
    return {(alert.rule, alert.unit_id, alert.subject) for alert in alerts}


def oversize(*classes: reporting_pb2.ClassFigures, backfill: bool = False) -> list[Fact]:
    """Facts of an event with these classes."""
    return list(class_facts(scenes.event("reporting", "figures-changed", figures(*classes, backfill=backfill))))


def silence(*schools: int, at: datetime = NOW, **told: Any) -> list[Fact]:
    """Facts of an event that tells how far these schools are connected."""
    return list(coverage_facts(scenes.event("sync", "coverage-changed", scenes.coverage(*schools, **told), time=at)))


class_keys = st.sampled_from(["1A2026", "1B2026"])
histories = st.dictionaries(
    st.tuples(st.sampled_from([SCHOOL, SECOND_SCHOOL]), class_keys),
    st.lists(st.tuples(st.integers(30, 40), st.booleans()), min_size=1, max_size=4),
    max_size=4,
)


@given(histories=histories, data=st.data())
@settings(max_examples=40)
async def test_any_order_and_repetition_of_facts_ends_with_the_same_open_alerts(database, histories, data):
    """Open is exactly what holds as of the highest version, however events came, repeated and batched."""
    async with database.transaction() as held:
        await held.execute(sa.text("TRUNCATE fact, alert, outbox"))
    told = [
        a_class(size, version=version, school=school, key=key, active=active)
        for (school, key), sizes in histories.items()
        for version, (size, active) in enumerate(sizes, start=1)
    ]
    sequence = data.draw(st.permutations(told)) + data.draw(
        st.lists(st.sampled_from(told), max_size=6) if told else st.just([])
    )
    while sequence:
        count = data.draw(st.integers(1, len(sequence)))
        await take(database, oversize(*sequence[:count]))
        sequence = sequence[count:]
    expected = {
        ("class_oversize", school, f"2026/{key}")
        for (school, key), sizes in histories.items()
        if sizes[-1][0] > 35 and sizes[-1][1]
    }
    assert await unresolved(database) == expected


async def test_the_same_fact_again_raises_nothing(database):
    """Once raised, a repeat of the event changes nothing."""
    assert [change.transition for change in await take(database, oversize(a_class(40)))] == [Transition.RAISED]
    assert await take(database, oversize(a_class(40))) == []


async def test_what_left_is_what_changed(database):
    """The event in the outbox carries the alert, its texts, its transition and whom to tell."""
    [change] = await take(database, oversize(a_class(40)))
    async with database.connection() as reading:
        [row] = (await reading.execute(sa.text("SELECT event, payload, count FROM outbox"))).all()
    assert (row.event, row.count) == ("alerts-changed", 1)
    [sent] = alerts_pb2.AlertsChanged.FromString(row.payload).changes
    assert sent.transition == alerts_pb2.ALERT_TRANSITION_RAISED
    assert sent.alert.alert_id == change.alert.alert_id
    assert sent.alert.title_vi == "Lớp 1A có 40 học sinh, vượt mức 35"
    assert list(sent.audience_roles) == ["head_teacher", "officer", "director"]


async def test_many_changes_leave_in_events_that_a_message_can_hold(database):
    """No event holds more than 1,000 changes or much above 256 kB; together they hold all."""
    await take(database, oversize(*(a_class(40, key=f"{number}A2026") for number in range(2500))))
    async with database.connection() as reading:
        rows = (await reading.execute(sa.text("SELECT count, octet_length(payload) AS size FROM outbox"))).all()
    assert sum(row.count for row in rows) == 2500
    assert max(row.count for row in rows) <= 1000
    assert max(row.size for row in rows) <= 260_000


async def test_history_raises_nothing_and_still_resolves(database):
    """A backfill sets baselines; an open alert whose condition it clears is resolved."""
    assert await take(database, oversize(a_class(40), backfill=True)) == []
    async with database.connection() as reading:
        [row] = (await reading.execute(sa.text('SELECT baseline, "values" FROM fact'))).all()
    assert row.baseline is True
    assert json.loads(json.dumps(row.values))["size"] == 40
    await take(database, oversize(a_class(41, version=2)))
    [change] = await take(database, oversize(a_class(30, version=3), backfill=True))
    assert (change.transition, change.alert.state) == (Transition.RESOLVED, State.RESOLVED)


async def test_a_class_that_is_gone_or_without_a_known_limit_is_no_matter(database):
    """Neither raises; a class that goes resolves its alert."""
    assert await take(database, oversize(a_class(99, limit=0), a_class(99, key="2A2026", active=False))) == []
    await take(database, oversize(a_class(99, key="3A2026")))
    [change] = await take(database, oversize(a_class(99, key="3A2026", version=2, active=False)))
    assert change.transition is Transition.RESOLVED


async def test_a_school_that_never_sent_is_silent_72_hours_after_it_was_registered_and_not_before(database):
    """No event is needed: time alone raises it, once, though nothing else was ever known of it."""
    assert await take(database, silence(reason="NEVER_SENT", baseline=True)) == []
    for hour in range(1, 72):
        assert await look(database, NOW + hours(hour)) == []
    assert await look(database, NOW + hours(72) - hours(0.001)) == []
    [change] = await look(database, NOW + hours(72))
    assert (change.transition, change.alert.rule) == (Transition.RAISED, "school_silent")
    assert await look(database, NOW + hours(73)) == []  # A clock that no text shows is no news.
    sent = silence(state="CONNECTED", reason="", at=NOW + hours(80))
    [change] = await take(database, sent, now=NOW + hours(80))
    assert change.transition is Transition.RESOLVED


async def test_a_timer_that_was_asleep_raises_late_rather_than_never(database):
    """With the hours that have passed."""
    await take(database, silence(reason="NEVER_SENT", baseline=True))
    [change] = await look(database, NOW + hours(100))
    assert change.alert.facts["ever_sent"] == "false"
    assert change.alert.facts["state_hours"] == "100"


async def test_a_clock_that_a_text_shows_is_news_each_hour(database):
    """What people read is never older than its clock."""
    async with database.transaction() as held:
        await held.execute(sa.text("UPDATE rule SET title_vi = '{state_hours} giờ' WHERE code = 'school_silent'"))
    [change] = await take(database, silence(since=NOW - hours(90)))
    assert change.alert.title_vi == "90 giờ"
    [change] = await look(database, NOW + hours(1))
    assert (change.transition, change.told, change.alert.title_vi) == (Transition.UPDATED, False, "91 giờ")


async def test_a_school_that_need_not_connect_is_never_silent(database):
    """Without the duty there is no clock, and losing the duty ends the alert."""
    assert await take(database, silence(since=NOW - hours(500), must_connect=False)) == []
    assert await look(database, NOW + hours(1000)) == []
    duty = silence(SECOND_SCHOOL, since=NOW - hours(500))
    assert [change.transition for change in await take(database, duty)] == [Transition.RAISED]
    released = silence(SECOND_SCHOOL, since=NOW - hours(500), must_connect=False, at=NOW + hours(1))
    [change] = await take(database, released)
    assert change.transition is Transition.RESOLVED


async def test_what_was_sent_counts_though_its_event_comes_late_or_again(database):
    """An older event does not make a school silent that has sent since."""
    await take(database, silence(state="CONNECTED", reason="", at=NOW))
    assert await take(database, silence(at=NOW - hours(1))) == []
    assert await unresolved(database) == set()


async def test_facts_of_a_kind_that_this_version_does_not_know_are_left_alone(database):
    """Another version looks at them; they hold up nothing here."""
    await take(database, silence(reason="NEVER_SENT"))
    async with database.transaction() as held:
        await held.execute(sa.text("UPDATE fact SET kind = 'weather'"))
    assert await look(database, NOW + hours(72)) == []


async def test_an_alert_about_to_be_changed_is_held_until_it_is(database):
    """Nobody takes it in hand between the look at it and its resolution."""
    [change] = await take(database, oversize(a_class(40)))
    async with database.transaction() as first, database.transaction() as second:
        assert list(await store.lock_unresolved(first, [change.alert.key])) == [change.alert.key]
        free = await second.execute(sa.text("SELECT alert_id FROM alert FOR UPDATE SKIP LOCKED"))
        assert free.all() == []


async def test_two_timers_at_once_raise_each_silence_once(database):
    """What one replica has claimed the other leaves alone; together they look at everything."""
    await take(database, silence(*range(1000, 1300), reason="NEVER_SENT", baseline=True))
    async with database.transaction() as first, database.transaction() as second:
        looked, raised = await look_at_due_facts(first, moment(NOW + hours(72)), limit=200)
        assert (looked, len(raised)) == (200, 200)
        others = await store.claim_due_facts(second, now=NOW + hours(72), limit=1000)
        assert len(others) == 100
        assert {fact.unit_id for fact in others}.isdisjoint(change.alert.unit_id for change in raised)
