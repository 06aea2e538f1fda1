"""Alerts as callers see it: from an event on the broker to what a caller lists, counts, takes and watches."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from datetime import timedelta
from typing import Any, cast

import pytest
import sqlalchemy as sa
from iocedu.alerts.v1 import alerts_pb2, alerts_pb2_grpc, handling_pb2, handling_pb2_grpc
from iocedu.chassis.v1 import scopes_pb2

from chassis.bus import Bus
from chassis.database import Database
from chassis.errors import Fault, Kind
from chassis.testing import FixedClock, client
from deploy.local.issuer import Issuer
from tests.integration.alerts import scenes
from tests.integration.alerts.scenes import (
    DISTRICT,
    NOW,
    OTHER_DISTRICT,
    OTHER_SCHOOL,
    SCHOOL,
    SECOND_SCHOOL,
    a_class,
    alerts_replica,
    figures,
)
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until

Token = Callable[..., str]


@pytest.fixture
async def database(database_factory: DatabaseFactory) -> Database:
    """A fresh database of alerts."""
    return await database_factory("alerts")


@pytest.fixture
def clock() -> FixedClock:
    """Time that stands still."""
    return FixedClock(NOW)


@pytest.fixture
async def address(database: Database, bus: Bus, keys: Issuer, scopes_tree, clock: FixedClock) -> AsyncIterator[str]:
    """A running alerts."""
    await scopes_tree(scenes.units(), scenes.grants())
    async with alerts_replica(database, bus, keys, clock=clock) as listening:
        yield listening


@pytest.fixture
async def stub(address: str, token: Token) -> AsyncIterator[alerts_pb2_grpc.AlertsServiceStub]:
    """The officer's view."""
    async with client(address, token("officer")) as channel:
        yield alerts_pb2_grpc.AlertsServiceStub(channel)


async def _listed(stub: Any, **wanted: Any) -> list[alerts_pb2.Alert]:
    response = await stub.ListAlerts(alerts_pb2.ListAlertsRequest(**{"unit": str(DISTRICT), **wanted}))
    return list(response.alerts)


async def _raised(bus: Bus, stub: Any, *sizes: int) -> list[alerts_pb2.Alert]:
    classes = [a_class(size, key=f"1{letter}2026") for size, letter in zip(sizes, "ABCDEFG", strict=False)]
    await scenes.publish(bus, "reporting", "figures-changed", figures(*classes))
    alerts: list[alerts_pb2.Alert] = await poll_until(lambda: _listed(stub))
    return alerts


async def test_a_class_above_its_limit_is_listed_with_its_texts_and_facts(bus, stub):
    """What an officer reads says which class, how many, the limit and where it comes from."""
    [alert] = await _raised(bus, stub, 40)
    assert alert.title_vi == "Lớp 1A có 40 học sinh, vượt mức 35"
    assert alert.title_en == "Class 1A has 40 pupils, above the limit of 35"
    assert "TH Ái Nghĩa" in alert.body_vi
    assert "TT 28/2020/TT-BGDĐT" in alert.body_vi
    assert (alert.unit_id, alert.unit_name, alert.subject) == (SCHOOL, "TH Ái Nghĩa", "2026/1A2026")
    assert (alert.state, alert.severity) == (alerts_pb2.ALERT_STATE_OPEN, alerts_pb2.SEVERITY_WARNING)
    assert alert.facts["size"] == "40"
    assert alert.create_time.ToDatetime() == NOW.replace(tzinfo=None)


async def test_an_alert_resolves_itself_when_the_condition_clears_and_comes_back_as_a_new_one(bus, stub):
    """Open, resolved without anybody's doing, open again under another id."""
    [first] = await _raised(bus, stub, 40)
    await scenes.publish(bus, "reporting", "figures-changed", figures(a_class(35, version=2)))
    resolved = await poll_until(lambda: _listed(stub, states=[alerts_pb2.ALERT_STATE_RESOLVED]))
    assert [alert.alert_id for alert in resolved] == [first.alert_id]
    assert resolved[0].HasField("resolve_time")
    await scenes.publish(bus, "reporting", "figures-changed", figures(a_class(36, version=3)))
    [second] = await poll_until(lambda: _listed(stub))
    assert second.alert_id != first.alert_id


async def test_alerts_are_grouped_by_rule_with_how_many_since_when_and_where(bus, stub, clock):
    """One alert reads as itself; several as the rule, with the units of most of them first, by the list's filters."""

    async def groups(count: int, **wanted: Any) -> list[alerts_pb2.AlertGroup]:
        request = alerts_pb2.ListAlertGroupsRequest(**{"unit": str(DISTRICT), **wanted})
        found = list((await stub.ListAlertGroups(request)).groups)
        return found if sum(one.alert_count for one in found) == count else []

    await _raised(bus, stub, 40)
    [alone] = await poll_until(lambda: groups(1))
    assert (alone.title_vi, alone.unit_count) == ("Lớp 1A có 40 học sinh, vượt mức 35", 1)
    clock.advance(timedelta(hours=5))
    others = [a_class(41, key="1B2026"), a_class(42, key="1C2026", school=SECOND_SCHOOL)]
    await scenes.publish(bus, "reporting", "figures-changed", figures(*others, a_class(50, school=OTHER_SCHOOL)))
    coverage = scenes.coverage(SECOND_SCHOOL, state="FAILING", reason="MANY_REJECTED")
    await scenes.publish(bus, "sync", "coverage-changed", coverage, time=NOW)
    many, refused = await poll_until(lambda: groups(4))
    assert (many.rule, many.title_vi) == ("class_oversize", "Lớp vượt sĩ số tối đa")
    assert (many.severity, many.taken_count, many.unit_count) == (alerts_pb2.SEVERITY_WARNING, 0, 2)
    assert [(one.unit_name, one.alert_count) for one in many.units] == [("TH Ái Nghĩa", 2), ("TH Đại Minh", 1)]
    assert many.oldest_time.ToDatetime() == NOW.replace(tzinfo=None)
    assert refused.rule == "rejected_rows"
    [old] = await groups(1, min_age_hours=5)
    assert old.title_vi == alone.title_vi
    assert await groups(4, rule="class_oversize") == []
    request = alerts_pb2.ListAlertGroupsRequest(unit=str(DISTRICT), page_size=1)
    first = await stub.ListAlertGroups(request)
    request.page_token = first.next_page_token
    second = await stub.ListAlertGroups(request)
    assert [one.rule for one in (*first.groups, *second.groups)] == ["class_oversize", "rejected_rows"]
    assert not second.next_page_token


async def test_pages_are_newest_first_and_complete(bus, stub):
    """Pages of two give all five alerts, each once."""
    await _raised(bus, stub, 40, 41, 42, 43, 44)
    seen, page_token = [], ""
    while True:
        response = await stub.ListAlerts(
            alerts_pb2.ListAlertsRequest(unit=str(DISTRICT), page_size=2, page_token=page_token)
        )
        seen += [alert.alert_id for alert in response.alerts]
        page_token = response.next_page_token
        if not page_token:
            break
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 5


async def test_filters_leave_out_what_is_not_asked_for(bus, stub):
    """By severity, rule and state."""
    await _raised(bus, stub, 40)
    assert await _listed(stub, min_severity=alerts_pb2.SEVERITY_CRITICAL) == []
    assert await _listed(stub, rule="school_silent") == []
    assert await _listed(stub, states=[alerts_pb2.ALERT_STATE_ACKNOWLEDGED]) == []
    assert len(await _listed(stub, rule="class_oversize", min_severity=alerts_pb2.SEVERITY_WARNING)) == 1


async def test_counts_are_by_state_and_severity(bus, stub):
    """Two open and one acknowledged are counted so; neither the resolved ones nor those of other units are."""
    await scenes.publish(bus, "reporting", "figures-changed", figures(a_class(40, school=OTHER_SCHOOL)))
    await _raised(bus, stub, 40, 41, 42, 43)
    await scenes.publish(bus, "reporting", "figures-changed", figures(a_class(30, version=2, key="1D2026")))
    await poll_until(lambda: _listed(stub, states=[alerts_pb2.ALERT_STATE_RESOLVED]))
    alerts = await _listed(stub)
    await stub.AcknowledgeAlert(
        alerts_pb2.AcknowledgeAlertRequest(unit=str(DISTRICT), alert_id=alerts[0].alert_id, note="Tôi xem.")
    )
    response = await stub.CountAlerts(alerts_pb2.CountAlertsRequest(unit=f"moet:{SCHOOL}"))
    counted = {(count.state, count.severity): count.count for count in response.counts}
    assert counted == {
        (alerts_pb2.ALERT_STATE_OPEN, alerts_pb2.SEVERITY_WARNING): 2,
        (alerts_pb2.ALERT_STATE_ACKNOWLEDGED, alerts_pb2.SEVERITY_WARNING): 1,
    }


async def test_counts_are_broken_down_by_the_units_of_a_kind_and_add_up_to_the_whole(bus, stub):
    """By school each has its own; where no unit of the kind lies above they are counted under 0."""
    classes = [
        a_class(40),
        a_class(41, key="2A2026"),
        a_class(40, school=SECOND_SCHOOL),
        a_class(40, school=OTHER_SCHOOL),
    ]
    await scenes.publish(bus, "reporting", "figures-changed", figures(*classes))

    async def counted(kind):
        request = alerts_pb2.CountAlertsRequest(unit=str(DISTRICT), breakdown=kind)
        return {count.unit_id: count.count for count in (await stub.CountAlerts(request)).counts}

    await poll_until(lambda: _listed(stub, unit=f"moet:{SECOND_SCHOOL}"))
    assert await counted("school") == {SCHOOL: 2, SECOND_SCHOOL: 1}
    assert await counted("office") == {DISTRICT: 3}
    assert await counted("commune") == await counted("") == {0: 3}


async def test_taking_an_alert_says_who_and_what_and_a_repeat_changes_nothing(bus, stub):
    """The taker, the note and the time are kept; the same call again answers the same."""
    [alert] = await _raised(bus, stub, 40)
    request = alerts_pb2.AcknowledgeAlertRequest(
        unit=str(DISTRICT), alert_id=alert.alert_id, note="Đã gọi hiệu trưởng.", etag=alert.etag
    )
    taken = (await stub.AcknowledgeAlert(request)).alert
    assert (taken.acknowledged_by, taken.note) == ("officer", "Đã gọi hiệu trưởng.")
    assert taken.state == alerts_pb2.ALERT_STATE_ACKNOWLEDGED
    assert taken.etag != alert.etag
    assert (await stub.AcknowledgeAlert(request)).alert == taken


async def test_taking_refuses_what_moved_on_or_is_resolved(bus, stub):
    """STALE_ETAG and ALREADY_RESOLVED, each with its status."""
    [alert] = await _raised(bus, stub, 40)
    request = alerts_pb2.AcknowledgeAlertRequest(unit=str(DISTRICT), alert_id=alert.alert_id, etag="0")
    with pytest.raises(Fault) as stale:
        await stub.AcknowledgeAlert(request)
    assert (stale.value.kind, stale.value.reason) == (Kind.CONFLICT, "STALE_ETAG")
    assert stale.value.metadata["etag"] == alert.etag
    await scenes.publish(bus, "reporting", "figures-changed", figures(a_class(30, version=2)))
    await poll_until(lambda: _listed(stub, states=[alerts_pb2.ALERT_STATE_RESOLVED]))
    with pytest.raises(Fault) as late:
        await stub.AcknowledgeAlert(alerts_pb2.AcknowledgeAlertRequest(unit=str(DISTRICT), alert_id=alert.alert_id))
    assert (late.value.kind, late.value.reason) == (Kind.PRECONDITION, "ALREADY_RESOLVED")


async def test_alerts_and_silences_of_other_units_are_handled_by_no_verb_and_stay_as_they_are(
    bus, stub, token, address
):
    """To the officer of another district they do not exist, whether open or closed."""
    await _raised(bus, stub, 40, 41)
    await poll_until(lambda: _has(stub, 2))
    closed, opened = await _listed(stub)
    async with client(address, token("officer")) as ours, client(address, token("other-officer")) as theirs:
        mine, handling = map(handling_pb2_grpc.HandlingServiceStub, (ours, theirs))
        taking = alerts_pb2_grpc.AlertsServiceStub(theirs)
        said: dict[str, Any] = {"resolution": alerts_pb2.RESOLUTION_FALSE_ALARM, "note": "Lớp ghép."}
        resolve, silence = handling_pb2.ResolveAlertRequest, handling_pb2.CreateSilenceRequest
        await mine.ResolveAlert(resolve(unit=str(DISTRICT), alert_id=closed.alert_id, **said))
        wanted = silence(unit=str(DISTRICT), rule="school_silent", reason="Nghỉ bão")
        wanted.end_time.FromDatetime(NOW + timedelta(days=1))
        number = (await mine.CreateSilence(wanted)).silence.silence_id

        async def state() -> list[Any]:
            silences = await mine.ListSilences(handling_pb2.ListSilencesRequest(unit=str(DISTRICT)))
            every = [alerts_pb2.ALERT_STATE_OPEN, alerts_pb2.ALERT_STATE_RESOLVED]
            return [*await _listed(stub, states=every), *silences.silences]

        before = await state()
        where: dict[str, Any] = {"unit": str(OTHER_DISTRICT), "alert_id": opened.alert_id}
        tried: dict[str, Any] = {
            "acknowledge": taking.AcknowledgeAlert(alerts_pb2.AcknowledgeAlertRequest(**where)),
            "resolve": handling.ResolveAlert(resolve(**where, **said)),
            "reopen": handling.ReopenAlert(
                handling_pb2.ReopenAlertRequest(unit=str(OTHER_DISTRICT), alert_id=closed.alert_id, note="Chưa xong.")
            ),
            "comment": handling.CommentAlert(handling_pb2.CommentAlertRequest(**where, text="Đã gọi.")),
            "end": handling.EndSilence(handling_pb2.EndSilenceRequest(unit=str(OTHER_DISTRICT), silence_id=number)),
        }
        refused: dict[str, str] = {}
        for verb, call in tried.items():
            with pytest.raises(Fault) as fault:
                await call
            assert fault.value.kind is Kind.NOT_FOUND
            refused[verb] = fault.value.reason
        assert refused == dict.fromkeys(tried, "UNKNOWN_ALERT") | {"end": "UNKNOWN_SILENCE"}
        assert await state() == before


async def test_nobody_sees_alerts_of_units_without_a_grant(stub):
    """The officer of one district is refused the other, and a unit that does not exist."""
    with pytest.raises(Fault) as refused:
        await _listed(stub, unit=str(OTHER_DISTRICT))
    assert refused.value.reason == "NO_GRANT"
    with pytest.raises(Fault) as unknown:
        await _listed(stub, unit="moet:nowhere")
    assert (unknown.value.kind, unknown.value.reason) == (Kind.NOT_FOUND, "UNKNOWN_UNIT")


async def test_the_rules_in_force_are_listed_with_their_conditions(stub):
    """Those of all four families come with the service, page by page in the order of their codes."""
    seen: list[alerts_pb2.Rule] = []
    page_token = ""
    while not seen or page_token:
        page = await stub.ListRules(alerts_pb2.ListRulesRequest(page_size=5, page_token=page_token))
        seen += page.rules
        page_token = page.next_page_token
    assert [rule.code for rule in seen] == sorted(rule.code for rule in seen)
    assert {rule.family for rule in seen} == {"indicator", "pupil", "data", "statistics"}
    oversize = next(rule for rule in seen if rule.code == "class_oversize")
    assert oversize.condition == "fact.size > fact.size_limit && fact.size_limit > 0 && fact.active"
    assert list(oversize.audience_roles) == ["head_teacher", "officer", "director"]
    assert all(rule.built_in and rule.body_vi and rule.body_en for rule in seen)
    assert [rule.code for rule in seen if not rule.name_vi or not rule.name_en or "…" in rule.name_vi] == []


async def test_a_watch_beats_first_then_shows_each_change_and_resumes_without_a_gap(bus, stub):
    """What happens while nobody watches comes first when a watch resumes after the position it was at."""
    responses = aiter(stub.WatchAlerts(alerts_pb2.WatchAlertsRequest(unit=str(DISTRICT))))
    assert (await anext(responses)).WhichOneof("event") == "heartbeat"
    await scenes.publish(bus, "reporting", "figures-changed", figures(a_class(40)))
    async with asyncio.timeout(60):
        item = (await anext(responses)).item
    assert (item.subject, item.state) == ("2026/1A2026", alerts_pb2.ALERT_STATE_OPEN)
    await responses.aclose()
    away = [figures(a_class(30, version=2)), figures(a_class(50, key="2A2026")), figures(a_class(50, key="3A2026"))]
    await scenes.publish(bus, "reporting", "figures-changed", *away)
    await poll_until(lambda: _has(stub, 2))
    resumed = aiter(stub.WatchAlerts(alerts_pb2.WatchAlertsRequest(unit=str(DISTRICT), after=item.position)))
    async with asyncio.timeout(60):
        seen = [(await anext(resumed)).item for _ in range(4)][1:]
    assert [(alert.subject, alert.state) for alert in seen] == [
        ("2026/1A2026", alerts_pb2.ALERT_STATE_RESOLVED),
        ("2026/2A2026", alerts_pb2.ALERT_STATE_OPEN),
        ("2026/3A2026", alerts_pb2.ALERT_STATE_OPEN),
    ]
    assert [alert.position for alert in seen] == sorted(alert.position for alert in seen)


async def _has(stub: Any, count: int) -> bool:
    return len(await _listed(stub)) == count


FURTHER = [
    scopes_pb2.ScopeGrant(grant_id=20 + number, subject=role, role=role, unit_id=SCHOOL, edge_type="administrative")
    for number, role in enumerate(("clerk", "auditor"))
]


@pytest.fixture
async def of_pupil(bus, stub, database, scopes_tree) -> list[alerts_pb2.Alert]:
    """Two alerts of a school: one on a pupil, one on a class. A clerk and an auditor are there too."""
    await scopes_tree(scenes.units(), [*scenes.grants(), *FURTHER])
    await _raised(bus, stub, 40, 41)
    await poll_until(lambda: _has(stub, 2))
    pupil, of_class = await _listed(stub)
    async with database.transaction() as held:
        personal = "UPDATE alert SET fact_kind = 'pupil', rule = 'early_warning' WHERE alert_id = :alert_id"
        await held.execute(sa.text(personal), {"alert_id": pupil.alert_id})
    return [pupil, of_class]


async def _allowed(stub: Any) -> bool:
    """Whether a grant is known already."""
    try:
        await _listed(stub, unit=str(SCHOOL))
    except Fault:
        return False
    return True


async def _watched(responses: Any, handling: Any, alerts: Sequence[alerts_pb2.Alert]) -> list[str]:
    """What a watcher sees of comments on these alerts, up to the last one's."""
    for alert in alerts:
        await handling.CommentAlert(
            handling_pb2.CommentAlertRequest(unit=str(SCHOOL), alert_id=alert.alert_id, text="Đã gọi.")
        )
    seen = []
    async with asyncio.timeout(60):
        while alerts[-1].subject not in seen:
            response = await anext(responses)
            if response.WhichOneof("event") == "item":
                seen.append(response.item.subject)
    return seen


@pytest.mark.parametrize(("reader", "finds"), [("head", ["pupil", "class"]), ("clerk", ["class"])])
async def test_alerts_on_single_pupils_do_not_exist_for_others_by_any_way_of_reading(
    of_pupil, address, token, reader, finds
):
    """List, groups, counts, steps and streams agree; who may see them finds them by each."""
    wanted = [one for one, kind in zip(of_pupil, ("pupil", "class"), strict=True) if kind in finds]
    async with client(address, token(reader)) as channel, client(address, token("officer")) as officer:
        stub, handling = alerts_pb2_grpc.AlertsServiceStub(channel), handling_pb2_grpc.HandlingServiceStub(channel)
        await poll_until(lambda: _allowed(stub))
        responses = aiter(stub.WatchAlerts(alerts_pb2.WatchAlertsRequest(unit=str(SCHOOL))))
        await anext(responses)
        watched = await _watched(responses, handling_pb2_grpc.HandlingServiceStub(officer), of_pupil)
        await cast("AsyncGenerator[Any, None]", responses).aclose()
        assert watched == [one.subject for one in wanted]
        assert [one.alert_id for one in await _listed(stub, unit=str(SCHOOL))] == [one.alert_id for one in wanted]
        groups = (await stub.ListAlertGroups(alerts_pb2.ListAlertGroupsRequest(unit=str(SCHOOL)))).groups
        assert len(groups) == len(wanted)
        counts = (await stub.CountAlerts(alerts_pb2.CountAlertsRequest(unit=str(SCHOOL)))).counts
        assert sum(one.count for one in counts) == len(wanted)
        for alert in of_pupil:
            asked = handling.ListAlertSteps(
                handling_pb2.ListAlertStepsRequest(unit=str(SCHOOL), alert_id=alert.alert_id)
            )
            if alert in wanted:
                assert [one.note for one in (await asked).steps] == ["Đã gọi."]
                continue
            with pytest.raises(Fault) as unknown:
                await asked
            assert unknown.value.reason == "UNKNOWN_ALERT"


async def test_who_may_see_pupils_alerts_no_more_is_shown_none_in_a_stream_that_runs(
    of_pupil, address, token, scopes_tree
):
    """A head teacher who becomes a clerk goes on watching, and sees what a clerk does."""
    async with client(address, token("head")) as channel, client(address, token("officer")) as officer:
        stub, handling = alerts_pb2_grpc.AlertsServiceStub(channel), handling_pb2_grpc.HandlingServiceStub(officer)
        responses = aiter(stub.WatchAlerts(alerts_pb2.WatchAlertsRequest(unit=str(SCHOOL))))
        await anext(responses)
        assert await _watched(responses, handling, of_pupil) == [one.subject for one in of_pupil]
        demoted = scenes.grants()
        for grant in demoted:
            if grant.subject == "head":
                grant.role = "clerk"
        await scopes_tree(scenes.units(), demoted)

        async def is_clerk() -> bool:
            return len(await _listed(stub, unit=str(SCHOOL))) == 1

        await poll_until(is_clerk)
        assert await _watched(responses, handling, of_pupil) == [of_pupil[-1].subject]
        await cast("AsyncGenerator[Any, None]", responses).aclose()


async def test_silences_that_may_name_a_pupil_are_shown_to_those_alone_who_may_see_alerts_on_pupils(
    of_pupil, address, token
):
    """What its rule or family says to be on something else is shown, and so is what names no subject."""
    covered: list[dict[str, Any]] = [
        {"rule": "early_warning", "subject": "2026/HS1"},
        {"family": "pupil", "subject": "2026/HS2"},
        {"subject": "2026/HS3"},
        {"rule": "class_oversize", "subject": "2026/1A2026"},
        {"family": "indicator", "subject": "2026/1B2026"},
        {"family": "pupil"},
        {},
    ]
    async with client(address, token("officer")) as officer, client(address, token("auditor")) as auditor:
        mine, theirs = map(handling_pb2_grpc.HandlingServiceStub, (officer, auditor))
        await poll_until(lambda: _allowed(alerts_pb2_grpc.AlertsServiceStub(auditor)))
        for covers in covered:
            wanted = handling_pb2.CreateSilenceRequest(unit=str(SCHOOL), reason="Nghỉ bão", **covers)
            wanted.end_time.FromDatetime(NOW + timedelta(days=1))
            await mine.CreateSilence(wanted)
        asked = handling_pb2.ListSilencesRequest(unit=str(SCHOOL))
        every, shown = [[one.subject for one in (await of.ListSilences(asked)).silences] for of in (mine, theirs)]
    assert every == ["", "", "2026/1B2026", "2026/1A2026", "2026/HS3", "2026/HS2", "2026/HS1"]
    assert shown == ["", "", "2026/1B2026", "2026/1A2026"]
