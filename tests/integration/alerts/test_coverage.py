"""What the coverage of schools raises: sync's event in, an alert out; a first start raises nothing."""

from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa
from iocedu.sync.v1 import coverage_pb2

from chassis.database import Database
from services.alerts.convert import coverage_facts
from services.alerts.domain import Change, Transition
from services.alerts.usecases import follow_rules, look_at_due_facts, take_facts
from services.alerts.usecases.moment import Moment
from tests.integration.alerts import scenes
from tests.integration.alerts.scenes import NOW, hours
from tests.support.databases import DatabaseFactory

CONNECTED, FAILING, LATE, SILENT = "CONNECTED", "FAILING", "LATE", "SILENT"


@pytest.fixture
async def database(database_factory: DatabaseFactory) -> Database:
    """A fresh database of alerts."""
    return await database_factory("alerts")


def moment(now: datetime) -> Moment:
    """An instant, with units called by their ids."""
    return Moment(now=now, today=now.date(), unit_name=str)


def told(state: str, reason: str = "", *, must: bool = True, baseline: bool = False) -> coverage_pb2.CoverageChanged:
    """A `coverage-changed` event on one school."""
    return scenes.coverage(state=state, reason=reason, must_connect=must, baseline=baseline)


async def take(database: Database, message: coverage_pb2.CoverageChanged, *, now: datetime) -> list[Change]:
    """An event, in one transaction."""
    facts = list(coverage_facts(scenes.event("sync", "coverage-changed", message, time=now)))
    async with database.transaction() as held:
        return await take_facts(held, facts, moment(now))


async def test_a_school_that_gets_nothing_through_is_told_of_until_something_is_taken(database: Database) -> None:
    """Once, with the words of sync, and it ends by itself."""
    (raised,) = await take(database, told(FAILING, "ONLY_REFUSED"), now=NOW)
    assert (raised.transition, raised.alert.rule) == (Transition.RAISED, "school_failing")
    assert raised.alert.body_vi.startswith("Không có gì được tiếp nhận. Từ 24/11/2026")
    assert "source: vnedu" in raised.alert.body_en
    assert await take(database, told(FAILING, "ONLY_REFUSED"), now=NOW + hours(1)) == []
    (closed,) = await take(database, told(CONNECTED), now=NOW + hours(2))
    assert (closed.transition, closed.alert.rule) == (Transition.RESOLVED, "school_failing")


async def test_a_first_start_raises_no_storm(database: Database) -> None:
    """What all schools are when they are looked at for the first time is no news, nor is it an hour later."""
    for state, reason in ((FAILING, "ONLY_REFUSED"), (SILENT, "NOTHING_TAKEN"), (FAILING, "MANY_REJECTED")):
        assert await take(database, told(state, reason, baseline=True), now=NOW) == []
        async with database.transaction() as held:
            assert (await look_at_due_facts(held, moment(NOW + hours(2)), limit=10))[1] == []


@pytest.mark.parametrize(
    ("state", "reason", "rule"),
    [(SILENT, "NOTHING_TAKEN", ("school_silent", 2)), (FAILING, "MANY_REJECTED", ("rejected_rows", 3))],
)
async def test_silence_and_refused_rows_are_judged_as_the_page_of_coverage_shows_them(database, state, reason, rule):
    """One source: what sync says of a school, by its thresholds and school days; it ends when sync says so."""
    (raised,) = await take(database, told(state, reason), now=NOW)
    assert (raised.transition, (raised.alert.rule, raised.alert.rule_version)) == (Transition.RAISED, rule)
    assert raised.alert.body_vi.startswith("Không có gì được tiếp nhận. ")
    (closed,) = await take(database, told(CONNECTED), now=NOW + hours(2))
    assert (closed.transition, closed.alert.rule) == (Transition.RESOLVED, rule[0])


async def test_an_alert_on_refused_rows_outlasts_a_share_that_swings_about_its_limit(database: Database) -> None:
    """Nobody is told anew; it ends with a low share, with another trouble, or after a day without."""

    async def then(
        after: float, state: str, reason: str = "", *, refused: int = 19, must: bool = True
    ) -> list[Transition]:
        now = NOW + hours(after)
        message = scenes.coverage(state=state, reason=reason, since=now, must_connect=must)
        rows = message.schools[0].recent_rows
        rows.taken_count, rows.rejected_count = 100 - refused, refused
        changes = await take(database, message, now=now)
        return [one.transition for one in changes if one.alert.rule == "rejected_rows"]

    async def looked(after: float) -> list[Transition]:
        async with database.transaction() as held:
            _, changes = await look_at_due_facts(held, moment(NOW + hours(after)), limit=10)
        return [one.transition for one in changes if one.alert.rule == "rejected_rows"]

    assert await then(0, FAILING, "MANY_REJECTED", refused=21) == [Transition.RAISED]
    assert set(await then(1, CONNECTED)) <= {Transition.UPDATED}
    assert set(await then(2, FAILING, "MANY_REJECTED", refused=22)) <= {Transition.UPDATED}
    assert set(await then(3, LATE, "NOTHING_TAKEN")) <= {Transition.UPDATED}
    assert Transition.RESOLVED not in await looked(26.9)
    assert await looked(27) == [Transition.RESOLVED]
    endings: list[dict[str, Any]] = [
        {"state": CONNECTED, "refused": 9},
        {"state": FAILING, "reason": "ONLY_REFUSED"},
        {"state": CONNECTED, "must": False},
        {"state": SILENT, "reason": "NOTHING_TAKEN"},
    ]
    for after, ending in enumerate(endings, start=30):
        assert await then(after, FAILING, "MANY_REJECTED", refused=30) == [Transition.RAISED]
        assert await then(after + 0.5, **ending) == [Transition.RESOLVED]


async def test_schools_that_need_not_connect_are_neither_silent_nor_failing(database: Database) -> None:
    """And a school that never sent has 72 hours from its registration."""
    assert await take(database, told(SILENT, "NEVER_SENT"), now=NOW) == []
    assert await take(database, told(SILENT, "NOTHING_TAKEN", must=False), now=NOW + hours(1)) == []
    assert await take(database, told(FAILING, "ONLY_REFUSED", must=False), now=NOW + hours(2)) == []


async def test_alerts_raised_on_connections_go_on_by_coverage(database: Database) -> None:
    """As after an upgrade: the old version of the rule raised it, the new one takes it over or ends it."""
    (raised,) = await take(database, told(SILENT, "NOTHING_TAKEN"), now=NOW)
    async with database.transaction() as held:
        await held.execute(sa.text("UPDATE alert SET rule_version = 1, fact_kind = 'connection'"))
        _, (carried,) = await follow_rules(held, moment(NOW), limit=10)
        kind = await held.scalar(sa.text("SELECT fact_kind FROM alert"))
    assert (carried.transition, carried.alert.alert_id, kind) == (
        Transition.CARRIED_OVER,
        raised.alert.alert_id,
        "coverage",
    )
