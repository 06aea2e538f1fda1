"""Rules as staff write, switch and try them, through the real chain: what is refused says where, why and what to do."""

import re
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from iocedu.alerts.v1 import (
    alerts_pb2,
    alerts_pb2_grpc,
    handling_pb2,
    handling_pb2_grpc,
    insight_pb2,
    insight_pb2_grpc,
    rules_pb2,
    rules_pb2_grpc,
)

from chassis.bus import Bus
from chassis.database import Database
from chassis.errors import Fault
from chassis.testing import FixedClock, client
from services.alerts.usecases import try_rules
from tests.integration.alerts import scenes
from tests.integration.alerts.scenes import (
    DISTRICT,
    NOW,
    OTHER_SCHOOL,
    PROVINCE,
    SCHOOL,
    SECOND_SCHOOL,
    a_class,
    figures,
)
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until

ALL = str(PROVINCE)


class Desk:
    """The stubs of one person, and what they are used with."""

    def __init__(self, channel: Any, bus: Bus, database: Database, clock: FixedClock) -> None:
        self.rules = rules_pb2_grpc.RulesServiceStub(channel)
        self.alerts = alerts_pb2_grpc.AlertsServiceStub(channel)
        self.handling = handling_pb2_grpc.HandlingServiceStub(channel)
        self.insight = insight_pb2_grpc.InsightServiceStub(channel)
        self.bus, self.database, self.clock = bus, database, clock

    async def tell(self, *classes: Any) -> None:
        """Publish classes' sizes and wait until they are known."""
        await scenes.publish(self.bus, "reporting", "figures-changed", figures(*classes))
        versions = {(one.school_id, f"{one.school_year}/{one.class_key}", one.version) for one in classes}

        async def known() -> bool:
            async with self.database.connection() as reading:
                rows = await reading.execute(sa.text("SELECT unit_id, subject, version FROM fact"))
                return versions <= {tuple(row) for row in rows}

        await poll_until(known)

    async def listed(self, rule: str, **wanted: Any) -> list[alerts_pb2.Alert]:
        """Alerts of a rule."""
        request = alerts_pb2.ListAlertsRequest(**({"unit": ALL, "rule": rule} | wanted))
        return list((await self.alerts.ListAlerts(request)).alerts)


@pytest.fixture
async def database(database_factory: DatabaseFactory) -> Database:
    """A fresh database of alerts."""
    return await database_factory("alerts")


@pytest.fixture
def clock() -> FixedClock:
    """Time that moves when told."""
    return FixedClock(NOW)


@pytest.fixture
async def address(database, bus, keys, scopes_tree, clock) -> AsyncIterator[str]:
    """A running alerts."""
    await scopes_tree(scenes.units(), scenes.grants())
    async with scenes.alerts_replica(database, bus, keys, clock=clock) as listening:
        yield listening


@pytest.fixture
async def desk(address, bus, database, clock, token: Callable[..., str]) -> AsyncIterator[Desk]:
    """The director's."""
    async with client(address, token("director")) as channel:
        yield Desk(channel, bus, database, clock)


def a_draft(**fields: Any) -> rules_pb2.RuleDraft:
    """A rule on classes above 38 pupils."""
    values: dict[str, Any] = {
        "fact_kind": "class_size",
        "condition": "fact.size > 38",
        "severity": alerts_pb2.SEVERITY_CRITICAL,
        "title_vi": "Lớp {name} quá đông: {size}",
        "title_en": "Class {name} is crowded: {size}",
        "body_vi": "{unit} tách lớp.",
        "body_en": "{unit} splits it.",
        "audience_roles": ["officer"],
    }
    return rules_pb2.RuleDraft(**(values | fields))


async def refusal(call: Any) -> Fault:
    """What a call is refused with."""
    with pytest.raises(Fault) as refused:
        await call
    return refused.value


async def test_a_rule_that_is_written_raises_and_its_next_version_takes_its_alerts_along(desk):
    """From the draft to the alert; the history of the rule says who wrote which version and why."""
    request = rules_pb2.CreateRuleRequest(
        unit=ALL, code="class_crowded", rule=a_draft(change_note="Theo họp giao ban.")
    )
    rule = (await desk.rules.CreateRule(request)).rule
    assert (rule.version, rule.created_by, rule.family, rule.unit_id) == (1, "director", "indicator", PROVINCE)
    await desk.tell(a_class(40), a_class(39, school=OTHER_SCHOOL))
    assert len(await poll_until(lambda: desk.listed("class_crowded"))) == 2
    again = rules_pb2.UpdateRuleRequest(
        unit=ALL, code="class_crowded", rule=a_draft(condition="fact.size > 39", title_vi="Lớp {name}"), version=1
    )
    assert (await desk.rules.UpdateRule(again)).rule.version == 2
    [left] = await poll_until(lambda: _when(desk.listed("class_crowded"), lambda found: len(found) == 1))
    assert (left.title_vi, left.rule_version, left.unit_id) == ("Lớp 1A", 2, SCHOOL)
    versions = (await desk.rules.ListRuleVersions(rules_pb2.ListRuleVersionsRequest(code="class_crowded"))).rules
    assert [(one.version, one.change_note) for one in versions] == [(2, ""), (1, "Theo họp giao ban.")]
    assert (await refusal(desk.rules.UpdateRule(again))).reason == "STALE_RULE"


async def _when(found: Any, enough: Callable[[Any], bool]) -> Any:
    answer = await found
    return answer if enough(answer) else None


@pytest.mark.parametrize(
    ("wrong", "field", "says"),
    [
        ({"condition": "fact.sise > 3"}, "rule.condition", "no such field: sise"),
        ({"condition": "fact.name > 3"}, "rule.condition", "the condition fails on"),
        ({"condition": "fact.size"}, "rule.condition", "not yes or no"),
        ({"clear_condition": "fact.size <"}, "rule.clear_condition", "not CEL"),
        ({"condition": "fact.active && fact.grade == 7 && fact.size > 45"}, "rule.condition", "within quotes, as '07'"),
        ({"title_vi": "Lớp {nam}"}, "rule.title_vi", "nam"),
        ({"body_en": " "}, "rule.body_en", "must not be empty"),
        ({"audience_roles": []}, "rule.audience_roles", "at least one role"),
        (
            {"audience_roles": ["officer", "teacher"]},
            "rule.audience_roles",
            "there is no role: teacher; choose of: admin",
        ),
        (
            {"fact_kind": "pupil", "condition": "fact.absent_sessions > 3", "audience_roles": ["officer", "clerk"]}
            | dict.fromkeys(("title_vi", "title_en", "body_vi", "body_en"), "{unit}"),
            "rule.audience_roles",
            "alerts on single pupils are not told to: clerk; choose of: admin",
        ),
        ({"audience_roles": ["officer", "officer"]}, "rule.audience_roles", "name each value once"),
        ({"fact_kind": "weather"}, "rule.fact_kind", "no facts of kind"),
        ({"inhibited_by": ["nothing"]}, "rule.inhibited_by", "there is no rule: nothing"),
        ({"valid_from": "2027-01-01", "valid_to": "2026-01-01"}, "rule.valid_to", "after the day it begins"),
    ],
)
async def test_what_cannot_be_used_is_refused_with_the_field_and_the_reason(desk, wrong, field, says):
    """Nothing is stored; a dry run says the same."""
    request = rules_pb2.CreateRuleRequest(unit=ALL, code="class_wrong", rule=a_draft(**wrong))
    for call in (
        desk.rules.CreateRule(request),
        desk.rules.DryRunRule(rules_pb2.DryRunRuleRequest(unit=ALL, rule=request.rule)),
    ):
        fault = await refusal(call)
        assert (fault.reason, fault.violations[0].field) == ("INVALID_RULE", field)
        assert says in fault.en
    unknown = await refusal(desk.rules.ListRuleVersions(rules_pb2.ListRuleVersionsRequest(code="class_wrong")))
    assert unknown.reason == "UNKNOWN_RULE"


async def test_all_that_is_wrong_with_a_rule_is_refused_at_once_each_by_its_field(desk):
    """So that it is corrected once: written, tried on now or on the past, and also where its code is taken."""
    wrong = a_draft(condition="fact.sise > 3", body_en=" ", audience_roles=["teacher"], inhibited_by=["nothing"])
    for call in (
        desk.rules.CreateRule(rules_pb2.CreateRuleRequest(unit=ALL, code="class_wrong", rule=wrong)),
        desk.rules.DryRunRule(rules_pb2.DryRunRuleRequest(unit=ALL, rule=wrong)),
        desk.rules.BacktestRule(rules_pb2.BacktestRuleRequest(unit=ALL, rule=wrong, since="2026-11-01")),
    ):
        fault = await refusal(call)
        fields = [one.field.removeprefix("rule.") for one in fault.violations]
        assert (fault.reason, fields) == ("INVALID_RULE", ["condition", "body_en", "audience_roles", "inhibited_by"])
        assert "4 things" in fault.en
    taken = rules_pb2.CreateRuleRequest(unit=ALL, code="class_oversize", rule=wrong)
    fault = await refusal(desk.rules.CreateRule(taken))
    assert (fault.reason, [one.field for one in fault.violations][:2]) == ("RULE_EXISTS", ["code", "rule.condition"])


async def test_a_code_is_taken_once_whichever_unit_asks(desk):
    """The second is refused by its field, with what to do, and the first stays as it was."""
    request = rules_pb2.CreateRuleRequest(unit=ALL, code="class_crowded", rule=a_draft())
    await desk.rules.CreateRule(request)
    request.unit, request.rule.condition = str(DISTRICT), "fact.size > 1"
    fault = await refusal(desk.rules.CreateRule(request))
    assert (fault.reason, fault.violations[0].field) == ("RULE_EXISTS", "code")
    assert "Choose another code" in fault.en
    versions = (await desk.rules.ListRuleVersions(rules_pb2.ListRuleVersionsRequest(code="class_crowded"))).rules
    assert [one.condition for one in versions] == ["fact.size > 38"]


@pytest.mark.parametrize("field", ["severity", "audience_reach", "group_by"])
async def test_a_number_that_stands_for_nothing_is_refused_by_its_field(desk, field):
    """Nothing is guessed, and nothing fails inside."""
    request = rules_pb2.CreateRuleRequest(unit=ALL, code="class_wrong", rule=a_draft(**{field: 99}))
    fault = await refusal(desk.rules.CreateRule(request))
    assert (fault.reason, fault.violations[0].field) == ("INVALID_FIELD", f"rule.{field}")


@pytest.mark.parametrize(
    ("wrong", "reason", "field"),
    [
        ({"rule": "class_oversise"}, "INVALID_SILENCE", "rule"),
        ({"family": "weather"}, "INVALID_SILENCE", "family"),
        ({"unit": "moet:nowhere"}, "UNKNOWN_UNIT", ""),
        ({"unit": "424242"}, "UNKNOWN_UNIT", ""),
    ],
)
async def test_a_silence_names_what_there_is(desk, database, wrong, reason, field):
    """One that would cover nothing is refused, so that nobody believes it does."""
    request = handling_pb2.CreateSilenceRequest(**({"unit": ALL, "reason": "Nghỉ bão"} | wrong))
    request.end_time.FromDatetime(NOW + timedelta(days=1))
    fault = await refusal(desk.handling.CreateSilence(request))
    assert fault.reason == reason
    assert [one.field for one in fault.violations][:1] == ([field] if field else [])
    async with database.connection() as reading:
        assert await reading.scalar(sa.text("SELECT count(*) FROM silence")) == 0


async def test_a_rule_that_came_with_the_service_is_copied_not_altered_and_what_is_off_stays_off(
    desk, database, token, address
):
    """The copy has the original's texts and its own limit; a new version of the original does not switch it on."""
    altered = rules_pb2.UpdateRuleRequest(unit="0", code="class_oversize", rule=a_draft())
    assert (await refusal(desk.rules.UpdateRule(altered))).reason == "NO_GRANT"
    copied = rules_pb2.CreateRuleRequest(
        unit=str(DISTRICT),
        code="class_oversize_dai_loc",
        copied_from="class_oversize",
        rule=rules_pb2.RuleDraft(fact_kind="class_size", condition="fact.size > 45"),
    )
    copy = (await desk.rules.CreateRule(copied)).rule
    assert copy.name_vi == re.sub(r"{\w+}", "…", copy.title_vi), "what was altered may be of something else"
    assert (copy.title_vi, copy.copied_from, copy.built_in, copy.unit_id) == (
        "Lớp {name} có {size} học sinh, vượt mức {size_limit}", "class_oversize", False, DISTRICT,
    )  # fmt: skip
    await desk.tell(a_class(46), a_class(46, school=OTHER_SCHOOL))
    assert [one.unit_id for one in await poll_until(lambda: desk.listed("class_oversize_dai_loc"))] == [SCHOOL]
    async with database.transaction() as held:
        await held.execute(
            sa.text("INSERT INTO rule_switch VALUES ('class_oversize', false, 'Dùng bản của huyện.', 'admin', now())")
        )
        await held.execute(
            sa.text(
                "INSERT INTO rule (code, version, fact_kind, condition, severity, title_vi, title_en, body_vi, body_en,"
                " audience_roles, source_document, enabled, built_in) SELECT code, 2, fact_kind, condition, severity,"
                " title_vi, title_en, body_vi, body_en, audience_roles, '', true, true FROM rule"
                " WHERE code = 'class_oversize'"
            )
        )

    async def gone() -> Any:
        return await desk.listed("class_oversize") == []

    await poll_until(gone)
    rules = (await desk.alerts.ListRules(alerts_pb2.ListRulesRequest())).rules
    assert [(one.version, one.enabled) for one in rules if one.code == "class_oversize"] == [(2, False)]


async def test_a_copy_is_as_it_was_tried_also_in_what_was_cleared(desk, database):
    """Fields that are said to count do so where they are empty; what is not named is as in the original."""
    async with database.transaction() as held:
        await held.execute(
            sa.text(
                "UPDATE rule SET for_minutes = 60, school_days_only = true, clear_condition = 'fact.size < 30',"
                " inhibited_by = ARRAY['school_silent'], acknowledge_hours = 24 WHERE code = 'class_oversize'"
            )
        )
    request = rules_pb2.CreateRuleRequest(unit=ALL, copied_from="class_oversize", rule=a_draft())

    async def copied(code: str, *counting: str) -> tuple[Any, ...]:
        request.code, request.update_mask.paths[:] = code, counting
        rule = (await desk.rules.CreateRule(request)).rule
        return (
            rule.for_minutes, rule.school_days_only, rule.clear_condition, list(rule.inhibited_by),
            rule.acknowledge_hours, rule.condition,
        )  # fmt: skip

    assert await copied("class_a") == (60, True, "fact.size < 30", ["school_silent"], 24, "fact.size > 38")
    assert await copied("class_b", "*") == (0, False, "", [], 0, "fact.size > 38")
    original = "fact.size > fact.size_limit && fact.size_limit > 0 && fact.active"
    some = await copied("class_c", "for_minutes", "inhibited_by", "clear_condition")
    assert some == (0, True, "", [], 24, original)
    request.code, request.update_mask.paths[:] = "class_d", ["for_minute"]
    fault = await refusal(desk.rules.CreateRule(request))
    assert [(one.field, one.reason) for one in fault.violations] == [("update_mask", "INVALID_FIELD")]
    assert "there is no field: for_minute; choose of: fact_kind" in fault.violations[0].en


async def test_a_dry_run_says_what_and_how_many_people_and_touches_nothing(desk, database):
    """Facts looked at, alerts, units, people, and how the alerts would read."""
    await desk.tell(
        a_class(40), a_class(39, key="1B2026"), a_class(41, school=SECOND_SCHOOL), a_class(20, key="1C2026")
    )
    request = rules_pb2.DryRunRuleRequest(unit=ALL, rule=a_draft(audience_roles=["officer", "head_teacher"]))
    found = await desk.rules.DryRunRule(request)
    assert (found.fact_count, found.alert_count, found.unit_count, found.people_count) == (4, 3, 2, 2)
    assert [(one.unit_name, one.count) for one in found.units] == [("TH Ái Nghĩa", 2), ("TH Đại Minh", 1)]
    assert "Lớp 1A quá đông: 40" in [one.title_vi for one in found.examples]
    assert list(found.not_considered) == []
    lasting = await desk.rules.DryRunRule(rules_pb2.DryRunRuleRequest(unit=ALL, rule=a_draft(for_minutes=60)))
    assert (lasting.alert_count, list(lasting.not_considered)) == (3, ["for_minutes"])
    alone = a_draft(audience_roles=["head_teacher"], audience_reach=alerts_pb2.AUDIENCE_REACH_UNIT)
    assert (await desk.rules.DryRunRule(rules_pb2.DryRunRuleRequest(unit=ALL, rule=alone))).people_count == 1
    async with database.connection() as reading:
        assert await reading.scalar(sa.text("SELECT count(*) FROM rule WHERE NOT built_in")) == 0
    fault = await refusal(desk.rules.DryRunRule(rules_pb2.DryRunRuleRequest(unit=ALL, rule=a_draft(condition="1"))))
    assert fault.reason == "INVALID_RULE"


async def test_a_backtest_replays_the_past_day_by_day(desk):
    """Three days: above, below, above. The last state of each day counts; a condition that must last fires less."""
    for version, size in enumerate((40, 41, 30, 42), start=1):
        await desk.tell(a_class(size, version=version))
        if version > 1:
            desk.clock.advance(timedelta(days=1))
    since = (NOW - timedelta(days=1)).date().isoformat()
    found = await desk.rules.BacktestRule(rules_pb2.BacktestRuleRequest(unit=ALL, rule=a_draft(), since=since))
    assert (found.fact_count, found.state_count, found.alert_count, found.open_count) == (1, 3, 2, 1)
    assert dict(found.alerts_by_day) == {"2026-11-24": 1, "2026-11-26": 1}
    lasting = a_draft(for_minutes=36 * 60)
    found = await desk.rules.BacktestRule(rules_pb2.BacktestRuleRequest(unit=ALL, rule=lasting, since=since))
    assert found.alert_count == 0


async def test_a_backtest_over_too_much_past_is_refused_and_says_what_helps(desk, monkeypatch):
    """What would hold up others: a later day, or a smaller unit."""
    await desk.tell(a_class(40), a_class(39, school=OTHER_SCHOOL))
    monkeypatch.setattr(try_rules, "MOST_LOOKS", 1)
    request = rules_pb2.BacktestRuleRequest(unit=ALL, rule=a_draft(), since="2026-11-01")
    fault = await refusal(desk.rules.BacktestRule(request))
    assert [(one.field, one.reason) for one in fault.violations] == [("since", "TOO_MUCH_PAST")]
    request.unit = str(SCHOOL)
    assert (await desk.rules.BacktestRule(request)).alert_count == 1


async def test_a_backtest_from_a_day_to_come_is_refused(desk):
    """Nothing has been yet that the rule could be tried on."""
    await desk.tell(a_class(40))
    request = rules_pb2.BacktestRuleRequest(unit=ALL, rule=a_draft(), since="2030-11-01")
    fault = await refusal(desk.rules.BacktestRule(request))
    assert [(one.field, one.reason) for one in fault.violations] == [("since", "NO_PAST")]


async def test_statistics_tell_noisy_rules_and_false_alarms(desk):
    """Two raised, one of them closed as a false alarm after an hour."""
    await desk.tell(a_class(40), a_class(41, key="1B2026"))
    [alert, _] = await poll_until(lambda: _when(desk.listed("class_oversize"), lambda found: len(found) == 2))
    desk.clock.advance(timedelta(hours=1))
    await desk.handling.ResolveAlert(
        handling_pb2.ResolveAlertRequest(
            unit=ALL, alert_id=alert.alert_id, resolution=alerts_pb2.RESOLUTION_FALSE_ALARM, note="Lớp ghép."
        )
    )
    [one] = (await desk.insight.ListRuleStatistics(insight_pb2.ListRuleStatisticsRequest(unit=ALL))).rules
    assert (one.rule, one.raised_count, one.open_count, one.false_alarm_count) == ("class_oversize", 2, 1, 1)
    assert one.median_minutes_to_resolve == 60
    assert not one.HasField("median_minutes_to_acknowledge")


@pytest.mark.parametrize("day", ["2026-02-30", "0001-01-01"])
async def test_a_day_that_does_not_exist_is_refused_by_its_field(desk, day):
    """By statistics and by backtests alike."""
    for call in (
        desk.insight.ListRuleStatistics(insight_pb2.ListRuleStatisticsRequest(unit=ALL, since=day)),
        desk.rules.BacktestRule(rules_pb2.BacktestRuleRequest(unit=ALL, rule=a_draft(), since=day)),
    ):
        fault = await refusal(call)
        assert [(one.field, one.reason) for one in fault.violations] == [("since", "INVALID_DATE")]


async def test_the_worklist_finds_by_family_age_and_who_has_it_and_hides_pupils_from_others(
    desk, address, token, database
):
    """The provincial centre sees no alert on a single pupil, and does not count it."""
    async with database.transaction() as held:
        await held.execute(
            sa.text("UPDATE rule SET family = 'pupil' WHERE code = 'class_oversize'"),
        )
    await desk.tell(a_class(40))
    await poll_until(lambda: desk.listed("class_oversize", families=["pupil"]))
    assert await desk.listed("", families=["data"]) == []
    assert await desk.listed("", min_age_hours=1) == []
    desk.clock.advance(timedelta(hours=2))
    assert len(await desk.listed("", min_age_hours=1)) == 1
    assert await desk.listed("", taken_by="director") == []
    async with database.transaction() as held:
        await held.execute(sa.text("UPDATE alert SET fact_kind = 'pupil'"))
    assert len(await desk.listed("")) == 1
    async with client(address, token("ioc")) as channel:
        outside = alerts_pb2_grpc.AlertsServiceStub(channel)
        request = alerts_pb2.ListAlertsRequest(unit=ALL)
        assert list((await outside.ListAlerts(request)).alerts) == []
        assert list((await outside.CountAlerts(alerts_pb2.CountAlertsRequest(unit=ALL))).counts) == []
