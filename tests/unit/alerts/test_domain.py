"""Facts, verdicts and texts without any server."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerts.domain import (
    CLASS_SIZE,
    FIRST_KEPT,
    NEWEST_KEPT,
    PUSHES,
    SHAPES,
    Alert,
    Fact,
    Reason,
    Rule,
    Scalar,
    Severity,
    State,
    Step,
    Transition,
    judge,
    newest,
    raise_alert,
    render,
    unknown_placeholders,
)
from services.alerts.domain.texts import shown

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)


def fact(version: int = 1, *, subject: str = "", since: datetime | None = NOW, **values: str | int | bool) -> Fact:
    """A fact on what is passed on."""
    return Fact(PUSHES, 100, subject, version, values, since=since)


@given(st.lists(st.builds(fact, version=st.integers(1, 9), subject=st.sampled_from("abc")), max_size=9))
def test_of_each_thing_the_newest_fact_is_kept_in_the_order_of_locks(facts):
    """One per key, none newer among those given, keys rising."""
    kept = newest(facts)
    assert [one.key for one in kept] == sorted({one.key for one in facts})
    assert all(one.version == max(other.version for other in facts if other.key == one.key) for one in kept)


@pytest.mark.parametrize(
    ("after", "waiting_hours"),
    [(timedelta(0), 0), (timedelta(minutes=59), 0), (timedelta(hours=72), 72), (timedelta(hours=-3), 0)],
)
def test_waiting_is_counted_in_whole_hours(after, waiting_hours):
    """An hour counts when it is over; a clock behind the sender's counts nothing."""
    assert fact().at(NOW + after)["waiting_hours"] == waiting_hours


@given(st.timedeltas(min_value=timedelta(hours=-5), max_value=timedelta(days=90)))
def test_a_running_fact_is_looked_at_when_it_changes_next_and_not_before(elapsed):
    """At the next look the wait is longer, an instant before it is not."""
    now = NOW + elapsed
    look = fact().next_look(now)
    assert look is not None
    assert look > now
    assert fact().at(look)["waiting_hours"] != fact().at(now)["waiting_hours"]
    assert fact().at(look - timedelta(microseconds=1))["waiting_hours"] == fact().at(now)["waiting_hours"]


def test_where_no_clock_runs_time_changes_nothing():
    """No next look, no wait."""
    assert fact(since=None).next_look(NOW) is None
    assert fact(since=None).at(NOW + timedelta(days=9))["waiting_hours"] == 0


def test_fields_that_a_stored_fact_does_not_know_are_empty():
    """An older row, evaluated by a newer version, has every field of the shape."""
    known = fact(failed=3).at(NOW)
    assert (known["failed"], known["gap"], known["destination"], known["waiting_hours"]) == (3, 0, "", 0)


@pytest.mark.parametrize(
    ("holds", "is_open", "quiet", "verdict"),
    [
        (True, False, False, Transition.RAISED),
        (True, False, True, None),
        (True, True, False, None),
        (False, True, False, Transition.RESOLVED),
        (False, True, True, Transition.RESOLVED),
        (False, False, False, None),
    ],
)
def test_a_look_raises_once_resolves_by_itself_and_raises_nothing_from_history(holds, is_open, quiet, verdict):
    """The whole table of verdicts."""
    assert judge(holds=holds, is_open=is_open, quiet=quiet, outdated=False, changed=False) is verdict
    updated = Transition.UPDATED if holds and is_open else verdict
    assert judge(holds=holds, is_open=is_open, quiet=quiet, outdated=False, changed=True) is updated


@pytest.mark.parametrize("quiet", [True, False])
def test_what_still_holds_under_another_version_of_its_rule_is_carried_over(quiet):
    """Whoever has it in hand keeps it; what no longer holds ends all the same."""
    assert judge(holds=True, is_open=True, quiet=quiet, outdated=True, changed=True) is Transition.CARRIED_OVER
    assert judge(holds=False, is_open=True, quiet=quiet, outdated=True, changed=True) is Transition.RESOLVED


def test_texts_are_filled_with_the_facts_and_nothing_else():
    """Values are put in as they are; format tricks and unknown names stay text."""
    values = {"name": "1A {size}", "size": "40"}
    assert render("Lớp {name}: {size}, {unknown}, {name.__class__}, {0}", values) == (
        "Lớp 1A {size}: 40, {unknown}, {name.__class__}, {0}"
    )
    assert unknown_placeholders("{unit} {waiting_hours} {siz}", SHAPES[PUSHES]) == ["siz"]


def test_an_alert_goes_through_its_life_with_a_new_etag_each_time():
    """Raised, taken, taken over, resolved: each step has its own etag and position; what raised it stays."""
    rule = Rule(
        "r", 3, PUSHES, "true", Severity.CRITICAL, "{unit}", "{unit}", "{destination}", "{destination}", ("officer",)
    )
    values = fact(destination="moet", failed=2).at(NOW)
    raised = raise_alert(rule, fact(), values=values, unit_name="TH Ái Nghĩa", now=NOW, position=5)
    assert (raised.alert_id, raised.position, raised.state, raised.rule_version) == (5, 5, State.OPEN, 3)
    assert (raised.title_vi, raised.body_en, raised.facts["failed"]) == ("TH Ái Nghĩa", "moet", "2")
    taken = raised.acknowledged("officer", note="Tôi xem.", now=NOW, position=6)
    over = taken.acknowledged("director", note="", now=NOW, position=7)
    done = over.resolved(NOW, position=8, reason=Reason.FACTS_CHANGED)
    assert len({raised.etag, taken.etag, over.etag, done.etag}) == 4
    assert (done.state, done.acknowledged_by, done.alert_id, done.facts) == (
        State.RESOLVED,
        "director",
        5,
        raised.facts,
    )


@pytest.mark.parametrize(
    ("value", "language", "expected"),
    [
        ("2026-11-05", "vi", "05/11/2026"),
        ("2026-11-05", "en", "05/11/2026"),
        ("2026-11-05x", "vi", "2026-11-05x"),
        (0.1284, "vi", "12,8%"),
        (0.1284, "en", "12.8%"),
        (45, "vi", "45"),
        (True, "vi", "true"),
    ],
)
def test_texts_write_days_and_shares_as_people_do(value: Scalar, language: str, expected: str):
    """Days by day, month and year; a comma before decimals in Vietnamese."""
    assert shown({"absent_share": value}, "", language=language)["absent_share"] == expected


def test_texts_name_a_school_year_by_both_its_years():
    """People read 2026-2027; the facts keep the number."""
    body = "năm học {school_year}"
    rule = Rule("r", 1, CLASS_SIZE, "true", Severity.WARNING, "{name}", "{name}", body, body, ("officer",))
    one = Fact(CLASS_SIZE, 100, "2026/1A", 1, {"name": "1A", "school_year": 2026})
    raised = raise_alert(rule, one, values=one.at(NOW), unit_name="TH Ái Nghĩa", now=NOW, position=1)
    assert (raised.body_vi, raised.facts["school_year"]) == ("năm học 2026-2027", "2026")


def test_an_alert_carried_over_stays_in_the_hands_it_was_in():
    """What its rule says is new; who took it, when and with what note, and all that happened, is as it was."""
    rule = Rule("r", 1, PUSHES, "true", Severity.INFO, "", "", "", "", ("officer",))
    values = fact().at(NOW)
    raised = raise_alert(rule, fact(), values=values, unit_name="", now=NOW, position=5)
    taken = raised.acknowledged("officer", note="Tôi xem.", now=NOW + timedelta(hours=1), position=6)
    renewed = replace(rule, version=2, severity=Severity.CRITICAL, audience_roles=("director",))
    later = NOW + timedelta(hours=2)
    again = raise_alert(renewed, fact(), values=values, unit_name="", now=later, position=7)
    step = Step(Transition.CARRIED_OVER, later, 2, reason=Reason.RULE_CHANGED)
    assert taken.carried_over(again) == replace(
        taken,
        rule_version=2,
        severity=Severity.CRITICAL,
        audience_roles=("director",),
        revision=3,
        position=7,
        history=(*taken.history, step),
    )


def test_of_a_long_history_the_first_and_the_newest_steps_are_kept():
    """And how many there were is known."""
    rule = Rule("r", 1, PUSHES, "true", Severity.INFO, "", "", "", "", ("officer",))
    alert = raise_alert(rule, fact(), values={}, unit_name="", now=NOW, position=1)
    for number in range(100):
        alert = alert.acknowledged("officer", note=str(number), now=NOW, position=number + 2)
    kept = [int(step.note) for step in alert.history]
    assert kept == [*range(FIRST_KEPT), *range(100 - NEWEST_KEPT, 100)]
    assert alert.step_count == 100


def a_class_of(size: int, *, at: datetime, position: int, staff: int = 1) -> Alert:
    """An alert on a class as its rule raises it at an instant."""
    rule = Rule("r", 1, CLASS_SIZE, "true", Severity.WARNING, "{size} em", "{size} pupils", "", "", ("officer",))
    one = Fact(CLASS_SIZE, 100, "2026/1A", position, {"size": size, "size_limit": staff})
    return raise_alert(rule, one, values=one.at(at), unit_name="TH Ái Nghĩa", now=at, position=position)


def test_of_a_days_newer_facts_the_last_is_one_step_and_a_persons_steps_stay():
    """What it was raised with stays beside what it says; a count that rises by the hour pushes nothing out."""
    day = timedelta(days=1)
    alert = a_class_of(40, at=NOW, position=1)
    for hour in range(1, 9):
        alert = alert.updated(a_class_of(40 + hour, at=NOW + timedelta(hours=hour), position=1 + hour))
    assert [step.title_vi for step in alert.history] == ["48 em"]
    alert = alert.commented("head", text="Đang tách lớp.", now=NOW + timedelta(hours=9), position=10)
    alert = alert.updated(a_class_of(47, at=NOW + timedelta(hours=10), position=11))
    alert = alert.updated(a_class_of(46, at=NOW + day, position=12))
    assert [step.title_en for step in alert.history] == ["48 pupils", "", "47 pupils", "46 pupils"]
    assert (alert.alert_id, alert.step_count, alert.position) == (1, 4, 12)
    assert (alert.raised_title_vi, alert.raised_facts["size"]) == ("40 em", "40")
    assert (alert.title_vi, alert.facts["size"], alert.facts_time) == ("46 em", "46", NOW + day)
    erased = alert.erased(now=NOW + day, position=13)
    assert (erased.facts, erased.raised_facts, erased.raised_title_vi, erased.history) == ({}, {}, "", ())


def test_newer_facts_that_leave_the_title_make_nothing_stale_that_a_person_does():
    """They are told to whoever watches, and are no step."""
    raised = a_class_of(40, at=NOW, position=1)
    seen = raised.updated(a_class_of(40, at=NOW + timedelta(hours=1), position=2, staff=35))
    assert (seen.facts["size_limit"], seen.raised_facts["size_limit"]) == ("35", "1")
    assert (seen.etag, seen.history, seen.position) == (raised.etag, (), 2)
