"""Targets that units miss: from reporting's event to what an officer lists, by the rule that comes along."""

from datetime import datetime

import pytest
from iocedu.alerts.v1 import alerts_pb2, alerts_pb2_grpc, rules_pb2, rules_pb2_grpc

from chassis.testing import FixedClock, client
from services.alerts.convert import target_facts
from services.alerts.domain import Transition
from services.alerts.usecases import look_at_due_facts, take_facts
from tests.integration.alerts import scenes
from tests.integration.alerts.scenes import DISTRICT, NOW, hours, target
from tests.integration.alerts.test_evaluation import database
from tests.integration.alerts.test_life import moment
from tests.support.waiting import poll_until

__all__ = ["database"]


async def take(database, told, *, now: datetime = NOW) -> list[Transition]:
    """An event, in one transaction; what became of alerts."""
    facts = list(target_facts(scenes.event("reporting", "targets-changed", told, time=now), lambda _: "office"))
    async with database.transaction() as held:
        return [one.transition for one in await take_facts(held, facts, moment(now))]


async def look(database, now: datetime) -> list[Transition]:
    """What time has changed."""
    async with database.transaction() as held:
        return [one.transition for one in (await look_at_due_facts(held, moment(now), limit=1000))[1]]


@pytest.mark.parametrize(
    "told", [target(95.0), target(94.0, direction="down"), target(94.0, schools=(2, 3)), target(None)]
)
async def test_what_is_reached_not_known_or_rests_on_too_few_schools_raises_nothing(database, told):
    """However long it stays so."""
    assert await take(database, told) == []
    assert await look(database, NOW + hours(48)) == []


async def test_a_target_that_is_missed_for_a_day_is_told_until_it_is_reached(database):
    """Not when it is missed for a moment; what the year's turn leaves without a value ends it as well."""
    for over in (target(95.5), target(None)):
        assert await take(database, target(93.5)) == []
        assert await look(database, NOW + hours(23)) == []
        assert await look(database, NOW + hours(25)) == [Transition.RAISED]
        assert await take(database, over, now=NOW + hours(26)) == [Transition.RESOLVED]
        async with database.transaction() as held:
            await held.exec_driver_sql("DELETE FROM fact")


@pytest.mark.parametrize(
    ("value", "wanted", "counted", "title"),
    [
        (97.996, 98.0, "percent", "đạt 97,996%, chỉ tiêu 98%"),
        (14_999.6, 15_000.0, "pupil", "đạt 14999,6, chỉ tiêu 15000"),
    ],
)
async def test_a_value_that_misses_its_target_does_not_read_like_it(database, value, wanted, counted, title):
    """However near it is: what the title says of them differs, and so does what the alert keeps."""
    assert await take(database, target(value, wanted=wanted, counted=counted)) == []
    async with database.transaction() as held:
        [raised] = (await look_at_due_facts(held, moment(NOW + hours(25)), limit=1000))[1]
    assert raised.alert.title_vi.endswith(title)
    assert raised.alert.facts["value"] == str(value)


async def test_an_event_of_reporting_becomes_an_alert_that_reads_well(database, bus, keys, scopes_tree, token):
    """A rule of one's own on the same kind of fact raises at once, with names and numbers as people write them."""
    await scopes_tree(scenes.units(), scenes.grants())
    async with (
        scenes.alerts_replica(database, bus, keys, clock=FixedClock(NOW)) as address,
        client(address, token("director")) as channel,
    ):
        rule = rules_pb2.RuleDraft(
            fact_kind="target",
            condition="fact.missed && fact.distance > 1.0 && fact.level == 'office'",
            severity=alerts_pb2.SEVERITY_WARNING,
            title_vi="{unit}: {name_vi} {value}, chỉ tiêu {target} ({school_year})",
            title_en="{unit}: {name_en} {value}, target {target}",
            body_vi="{source}",
            body_en="{source}",
            audience_roles=["officer"],
        )
        await rules_pb2_grpc.RulesServiceStub(channel).CreateRule(
            rules_pb2.CreateRuleRequest(unit="1", code="far_below", rule=rule)
        )
        await scenes.publish(bus, "reporting", "targets-changed", target(93.5))
        stub = alerts_pb2_grpc.AlertsServiceStub(channel)

        async def listed() -> list[alerts_pb2.Alert]:
            return list((await stub.ListAlerts(alerts_pb2.ListAlertsRequest(unit=str(DISTRICT)))).alerts)

        [alert] = await poll_until(listed)
    assert alert.title_vi == "Huyện Đại Lộc: Tỷ lệ chuyên cần 93,5%, chỉ tiêu 95% (2026-2027)"
    assert alert.body_vi == "NQ 12/NQ-HĐND"
