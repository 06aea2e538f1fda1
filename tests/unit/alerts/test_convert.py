"""Events in and out of alerts, as bytes, without any server."""

from datetime import timedelta

import pytest
from iocedu.alerts.v1 import alerts_pb2

from services.alerts.convert import alerts_changed, class_facts, coverage_facts, states, target_facts
from services.alerts.domain import Change, Fact, Rule, Severity, State, Transition, raise_alert
from tests.integration.alerts import scenes
from tests.integration.alerts.scenes import NOW, a_class, figures


def test_classes_of_two_years_with_one_key_are_two_things():
    """A source that uses a key again next year does not mix up two classes."""
    last_year = a_class(40)
    last_year.school_year = 2025
    facts = list(class_facts(scenes.event("reporting", "figures-changed", figures(a_class(40), last_year))))
    assert [fact.subject for fact in facts] == ["2026/1A2026", "2025/1A2026"]


def test_a_state_of_coverage_counts_its_hours_where_the_school_has_to_connect():
    """Who need not connect waits for nothing; shares are of all rows sent."""
    told = scenes.coverage(1, 2)
    told.schools[1].must_connect = False
    told.schools[0].recent_rows.taken_count = told.schools[0].recent_rows.rejected_count = 30
    facts = list(coverage_facts(scenes.event("sync", "coverage-changed", told)))
    assert [fact.since for fact in facts] == [NOW, None]
    assert [fact.values["rejected_share"] for fact in facts] == [0.5, 0.0]


@pytest.mark.parametrize(
    ("direction", "value", "missed", "distance"),
    [
        ("up", 93.5, True, 1.5),
        ("up", 95.0, False, 0.0),
        ("down", 96.0, True, 1.0),
        ("down", 93.5, False, 0.0),
        ("none", 93.5, False, 0.0),
        ("down", None, False, 0.0),
        ("up", None, False, 0.0),
    ],
)
def test_a_target_is_missed_on_the_side_that_is_worse(direction, value, missed, distance):
    """Where neither side is better, and where nothing is known, it is not."""
    told = scenes.target(value, direction=direction, schools=(2, 3))
    [fact] = target_facts(scenes.event("reporting", "targets-changed", told), lambda _: "office")
    values = fact.values
    assert (values["measured"], values["missed"], values["distance"]) == (value is not None, missed, distance)
    assert (fact.subject, values["level"], values["reporting_share"]) == ("2026/attendance_rate", "office", 0.6667)


def test_a_later_event_about_coverage_has_the_higher_version():
    """To the microsecond."""
    told = scenes.coverage()
    [early] = coverage_facts(scenes.event("sync", "coverage-changed", told, time=NOW))
    [late] = coverage_facts(scenes.event("sync", "coverage-changed", told, time=NOW + timedelta(microseconds=1)))
    assert late.version == early.version + 1


def test_a_standing_that_is_newer_has_the_higher_version_whatever_the_clock_says():
    """Reporting says which is newer; an older reporting does not, and then the later event is."""
    told = scenes.target(93.5)
    told.standings[0].version = 8
    [early] = target_facts(scenes.event("reporting", "targets-changed", told, time=NOW), lambda _: "office")
    told.standings[0].version = 9
    stepped_back = NOW - timedelta(hours=1)
    [late] = target_facts(scenes.event("reporting", "targets-changed", told, time=stepped_back), lambda _: "office")
    assert (early.version, late.version) == (8, 9)
    told.standings[0].version = 0
    [unversioned] = target_facts(scenes.event("reporting", "targets-changed", told), lambda _: "office")
    assert unversioned.version > 1_000_000_000_000_000, "microseconds since 1970"


def test_changes_leave_in_few_events_that_a_message_can_hold():
    """All of them, in order, in payloads well below what the broker takes."""
    rule = Rule("r", 1, "class_size", "true", Severity.INFO, "", "", "x" * 2000, "", ("officer",))
    [fact] = class_facts(scenes.event("reporting", "figures-changed", figures(a_class(40))))
    changes = [
        Change(Transition.RAISED, raise_alert(rule, fact, values={}, unit_name="", now=NOW, position=position))
        for position in range(1, 501)
    ]
    parts = list(alerts_changed(changes, str))
    sent = [alerts_pb2.AlertsChanged.FromString(payload) for payload, _ in parts]
    assert [change.alert.position for event in sent for change in event.changes] == list(range(1, 501))
    assert [count for _, count in parts] == [len(event.changes) for event in sent]
    assert all(len(payload) <= 256_000 for payload, _ in parts)
    assert len(parts) <= 6
    assert list(alerts_changed([], str)) == []


@pytest.mark.parametrize(("kind", "told"), [("class_size", ["clerk", "officer"]), ("pupil", ["officer"])])
def test_alerts_on_single_pupils_are_told_to_those_alone_who_may_see_them(kind, told):
    """Whatever a rule that was written before names."""
    rule = Rule("r", 1, kind, "true", Severity.INFO, "", "", "", "", ("clerk", "officer"))
    fact = Fact(kind, 1, "2026/HS1", 1, {})
    raised = raise_alert(rule, fact, values={}, unit_name="", now=NOW, position=1)
    [(payload, _)] = alerts_changed([Change(Transition.RAISED, raised)], str)
    [change] = alerts_pb2.AlertsChanged.FromString(payload).changes
    assert list(change.audience_roles) == told


def test_states_that_this_version_does_not_know_match_nothing():
    """A newer caller's filter narrows to what there is."""
    assert states([alerts_pb2.ALERT_STATE_OPEN, 99]) == {State.OPEN}
