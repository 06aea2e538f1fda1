"""Rules come and go by date and by hand: no alert stays open on one that is not in force, and all say why."""

import asyncio
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from chassis.database import Database
from chassis.testing import FixedClock
from services.alerts import store
from services.alerts.domain import Alert, AlertFilter, Reason, State, Step, Transition
from services.alerts.usecases import acknowledge_alert, follow_rules, take_facts
from services.alerts.usecases.moment import Moment
from services.alerts.usecases.write_rules import check_rule
from tests.integration.alerts import scenes
from tests.integration.alerts.scenes import NOW, SCHOOL, SECOND_SCHOOL, a_class, figures
from tests.integration.alerts.test_evaluation import oversize
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until

LATER = NOW + timedelta(minutes=5)
RULE = "class_oversize"
NEXT_VERSION = """
INSERT INTO rule (code, version, fact_kind, condition, severity, title_vi, title_en, body_vi, body_en, audience_roles,
                  source_document, enabled, valid_from)
SELECT code, 2, fact_kind, :condition, 3, 'Lớp {name}: {size}', 'Class {name}: {size}', body_vi, body_en,
       ARRAY['director'], 'TT 15/2026/TT-BGDĐT', true, CAST(:valid_from AS date)
FROM rule WHERE code = 'class_oversize'
"""


@pytest.fixture
async def database(database_factory: DatabaseFactory) -> Database:
    """A database of alerts, with one alert taken in hand (40 pupils) and one open (48)."""
    database = await database_factory("alerts")
    facts = oversize(a_class(40), a_class(48, school=SECOND_SCHOOL))
    async with database.transaction() as held:
        await take_facts(held, facts, _moment(NOW))
    [_, first] = await alerts(database)
    async with database.transaction() as held:
        await acknowledge_alert(
            held,
            first.alert_id,
            lies_below=lambda _unit_id: True,
            by="officer",
            note="Tôi xem.",
            etag="",
            now=NOW,
            unit_name=str,
        )
    return database


def _moment(now) -> Moment:
    return Moment(now=now, today=now.date(), unit_name=str)


async def alerts(database: Database) -> list[Alert]:
    """All of them, newest first."""
    everything = AlertFilter(unit_ids=frozenset({SCHOOL, SECOND_SCHOOL}), states=frozenset(State))
    async with database.connection() as reading:
        return await store.list_alerts(reading, everything, below=None, limit=1000)


async def settle(database: Database, now=LATER) -> list[tuple[Transition, int]]:
    """What the timer does with rules: transitions, by school."""
    async with database.transaction() as held:
        _, changes = await follow_rules(held, _moment(now), limit=1000)
    return sorted((change.transition, change.alert.unit_id) for change in changes)


async def change(database: Database, statement: str, **values: object) -> None:
    """What an operator does to the rules."""
    async with database.transaction() as held:
        await held.execute(sa.text(statement), values)


async def test_every_rule_that_comes_with_the_service_could_be_written_by_staff(database):
    """What is refused to them is not shipped either."""
    async with database.connection() as reading:
        rules = await store.list_rules(reading, NOW.date())
        for rule in rules:
            await check_rule(reading, rule)
    assert {"class_oversize", "early_warning"} <= {rule.code for rule in rules}


async def test_rules_in_force_leave_their_alerts_alone(database):
    """Nothing to do, nothing done, time and again."""
    assert await settle(database) == []


@pytest.mark.parametrize(
    "withdrawal",
    [
        "UPDATE rule SET enabled = false WHERE code = 'class_oversize'",
        "UPDATE rule SET valid_to = '2026-11-24' WHERE code = 'class_oversize'",
        "DELETE FROM rule WHERE code = 'class_oversize'",
    ],
)
async def test_a_rule_that_is_withdrawn_resolves_its_alerts_and_says_so(database, withdrawal):
    """Switched off, run out or deleted; whoever had taken one in hand stays in its history."""
    await change(database, withdrawal)
    assert await settle(database) == [(Transition.RESOLVED, SCHOOL), (Transition.RESOLVED, SECOND_SCHOOL)]
    opened, taken = await alerts(database)
    withdrawn = Step(Transition.RESOLVED, LATER, 1, reason=Reason.RULE_WITHDRAWN)
    assert (opened.state, opened.resolve_time, opened.history) == (State.RESOLVED, LATER, (withdrawn,))
    assert taken.history == (Step(Transition.ACKNOWLEDGED, NOW, 1, by="officer", note="Tôi xem."), withdrawn)
    assert await settle(database) == []


async def test_a_new_version_carries_over_what_still_holds_and_resolves_the_rest(database):
    """From its first day on; texts, severity and audience are those of the new version, the person stays."""
    await change(database, NEXT_VERSION, condition="fact.size < 45", valid_from=date(2026, 11, 25))
    assert await settle(database) == []
    tomorrow = NOW + timedelta(days=1)
    assert await settle(database, tomorrow) == [(Transition.RESOLVED, SECOND_SCHOOL), (Transition.CARRIED_OVER, SCHOOL)]
    ended, carried = await alerts(database)
    assert ended.history == (Step(Transition.RESOLVED, tomorrow, 1, reason=Reason.RULE_CHANGED),)
    assert (carried.state, carried.acknowledged_by, carried.create_time) == (State.ACKNOWLEDGED, "officer", NOW)
    assert (carried.rule_version, carried.severity, carried.audience_roles) == (2, 3, ("director",))
    assert (carried.title_vi, carried.facts["size"]) == ("Lớp 1A: 40", "40")
    assert carried.history[1:] == (Step(Transition.CARRIED_OVER, tomorrow, 2, reason=Reason.RULE_CHANGED),)
    assert await settle(database, tomorrow) == []


async def test_two_timers_at_once_carry_over_each_alert_once(database):
    """One waits for the other, finds it settled, and does nothing."""
    await change(database, NEXT_VERSION, condition="fact.size > 35", valid_from=None)

    async def waits() -> bool:
        waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        async with database.connection() as reading:
            return len((await reading.execute(sa.text(waiting))).all()) == 1

    async with database.transaction() as held:
        await follow_rules(held, _moment(LATER), limit=1000)
        waiting = asyncio.ensure_future(settle(database))
        await poll_until(waits)
    assert await waiting == []
    for alert in await alerts(database):
        assert [step.transition for step in alert.history].count(Transition.CARRIED_OVER) == 1


async def test_a_fact_that_comes_before_the_timer_carries_over_too(database):
    """Whoever looks first settles it; the timer then finds nothing."""
    await change(database, NEXT_VERSION, condition="fact.size > 41", valid_from=None)
    facts = oversize(a_class(40, version=2), a_class(47, version=2, school=SECOND_SCHOOL))
    async with database.transaction() as held:
        changes = await take_facts(held, facts, _moment(LATER))
    assert {(one.transition, one.alert.unit_id) for one in changes} == {
        (Transition.RESOLVED, SCHOOL),
        (Transition.CARRIED_OVER, SECOND_SCHOOL),
    }
    assert {one.alert.history[-1].reason for one in changes} == {Reason.RULE_CHANGED}
    assert await settle(database) == []


async def test_a_version_that_cannot_be_used_closes_nothing(database):
    """A faulty rule is no reason to call off what a sound one found."""
    await change(database, NEXT_VERSION, condition="fact.sise > 41", valid_from=None)
    assert await settle(database) == []
    assert {alert.state for alert in await alerts(database)} == {State.OPEN, State.ACKNOWLEDGED}


async def test_a_version_that_fails_on_a_fact_closes_nothing_there_and_still_follows_the_others(database):
    """Dividing by zero for a class of 40; nor does such a fact stop those that come with it, or the next look."""
    await change(database, NEXT_VERSION, condition="100 / (fact.size - 40) > 1000", valid_from=None)
    assert await settle(database) == [(Transition.RESOLVED, SECOND_SCHOOL)]
    assert await settle(database) == []
    other = (
        "INSERT INTO rule SELECT 'small', version, fact_kind, 'fact.size < 41', severity, title_vi, title_en, body_vi,"
    )
    await change(database, f"{other} body_en, audience_roles, '', true FROM rule WHERE code = '{RULE}' AND version = 1")
    facts = oversize(a_class(40, version=2), a_class(40, school=SECOND_SCHOOL, version=2))
    async with database.transaction() as held:
        changes = await take_facts(held, facts, _moment(LATER))
    assert {(one.transition, one.alert.rule, one.alert.unit_id) for one in changes} == {
        (Transition.RAISED, "small", SCHOOL),
        (Transition.RAISED, "small", SECOND_SCHOOL),
    }
    assert [alert.rule_version for alert in await alerts(database) if alert.state is State.ACKNOWLEDGED] == [1]


async def test_notices_follow_and_the_timer_does_it_by_itself(database_factory, bus, keys, scopes_tree):
    """Withdrawn in a running house: open alerts close, and their notices show it."""
    await scopes_tree(scenes.units(), scenes.grants())
    ours, told, clock = await database_factory("alerts"), await database_factory("notify"), FixedClock(NOW)

    async def shown() -> tuple[int, int]:
        question = "SELECT count(*), count(*) FILTER (WHERE resolved) FROM notice JOIN matter USING (alert_id)"
        async with told.connection() as reading:
            total, resolved = (await reading.execute(sa.text(question))).one()
        return total, resolved

    async def are(total: int, resolved: int) -> bool:
        return await shown() == (total, resolved)

    async with (
        scenes.alerts_replica(ours, bus, keys, clock=clock),
        scenes.alerts_replica(ours, bus, keys, clock=clock),
        scenes.notify_replica(told, bus, keys, clock=clock),
    ):
        await scenes.publish(bus, "reporting", "figures-changed", figures(a_class(40)))
        await poll_until(lambda: are(3, 0))
        await change(ours, f"UPDATE rule SET enabled = false WHERE code = '{RULE}'")
        await poll_until(lambda: are(3, 3))
