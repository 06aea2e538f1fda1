"""The state of a school: from facts, rules, calendar and time alone."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.open_days import OpenDays
from chassis.years import Years
from services.sync.convert.rules import load_coverage, load_weekdays
from services.sync.domain.coverage import (
    Arrival,
    Assessment,
    CoverageState,
    DayCounts,
    Delivery,
    Facts,
    Status,
    assess,
    held,
)
from services.sync.domain.coverage_rules import CoverageRules, DayCoverage, SchoolKind, day_in, read_coverage
from services.sync.domain.coverage_sums import Standing, count
from services.sync.domain.coverage_words import words
from services.sync.domain.school_days import VIETNAM, begin_of

CONNECTED, LATE, FAILING, SILENT = CoverageState
TERMS = ((date(2026, 9, 5), date(2027, 1, 16)), (date(2027, 1, 18), date(2027, 5, 31)))
HOLIDAYS = ((date(2027, 1, 1), date(2027, 1, 1)), (date(2027, 2, 5), date(2027, 2, 11)))
RULES, DAYS = load_coverage(), OpenDays(TERMS, HOLIDAYS, weekdays=load_weekdays())
TUESDAY = datetime(2026, 11, 3, 10, tzinfo=VIETNAM)
FRIDAY = datetime(2026, 11, 6, 17, tzinfo=VIETNAM)
LAST_SCHOOL_DAY = datetime(2027, 2, 4, 16, tzinfo=VIETNAM)  # The day before the holidays of Tet.
LONG_AGO = datetime(2026, 9, 10, tzinfo=VIETNAM)


def facts(**fields: Any) -> Facts:
    """A primary school that was waited for and connected long ago, and lacks nothing."""
    arrived = {
        (name, 2026): Arrival(LONG_AGO, TUESDAY, "vnedu", 10)
        for name in ("profiles", "staff", "classes", "pupils", "results")
    }
    given_fields: dict[str, Any] = {
        "school_id": 7,
        "kind": SchoolKind.SCHOOL,
        "levels": ("02",),
        "must_connect": True,
        "waited_since": LONG_AGO,
        "known_since": LONG_AGO,
        "first_accept_time": LONG_AGO,
        "last_accept_time": TUESDAY,
        "source": "vnedu",
        "arrivals": arrived | {("attendance", 2026): Arrival(LONG_AGO, TUESDAY, "vnedu", 10, "2027-06-30")},
    }
    return Facts(**given_fields | fields)


def on(day: date, rules: CoverageRules = RULES) -> DayCoverage:
    """The rules of a day, in school years that turn on the usual day."""
    return rules.on(day, Years().first_day(Years().of(day)))


def at(one: Facts, now: datetime) -> Assessment:
    """The state at an instant."""
    return assess(one, on(now.astimezone(VIETNAM).date()), DAYS, now)


def codes(one: Assessment) -> list[str]:
    """Reasons, the gravest first."""
    return [reason.code for reason in one.reasons]


def test_a_school_is_late_after_a_school_day_and_silent_after_three() -> None:
    """By the hours of school days, and it says since when."""
    last = TUESDAY
    assert at(facts(), last + timedelta(hours=23)).state is CONNECTED
    late = at(facts(), last + timedelta(hours=24))
    assert (late.state, codes(late), late.since) == (LATE, ["NOTHING_TAKEN"], last + timedelta(hours=24))
    silent = at(facts(), last + timedelta(hours=72))
    assert (silent.state, codes(silent), silent.since) == (SILENT, ["NOTHING_TAKEN"], last + timedelta(hours=72))


def test_a_weekend_makes_nobody_late() -> None:
    """Who sent on Friday evening is late on Monday evening, not on Saturday."""
    one = facts(last_accept_time=FRIDAY)
    assert at(one, FRIDAY + timedelta(hours=71)).state is CONNECTED
    assert at(one, FRIDAY + timedelta(hours=72)).since == FRIDAY + timedelta(hours=72)


@given(hours=st.integers(0, 24 * 7 + 7))
def test_holidays_make_nobody_late(hours: int) -> None:
    """Over the whole of Tet a school that sent until its last day stays what it was."""
    one = facts(last_accept_time=LAST_SCHOOL_DAY)
    assert at(one, LAST_SCHOOL_DAY + timedelta(hours=hours)).state is CONNECTED


def test_a_summer_makes_nobody_silent() -> None:
    """Days that no calendar covers are no school days."""
    last = datetime(2027, 5, 31, 12, tzinfo=VIETNAM)
    assert at(facts(last_accept_time=last), datetime(2027, 7, 30, tzinfo=VIETNAM)).state is CONNECTED


def test_who_never_sent_is_silent_since_it_is_waited_for_and_nothing_else_is_asked_of_it() -> None:
    """One reason, with words in both languages."""
    never = at(facts(first_accept_time=None, last_accept_time=None, arrivals={}), TUESDAY)
    assert (never.state, codes(never), never.since) == (SILENT, ["NEVER_SENT"], LONG_AGO)
    assert (never.expected_count, never.arrived_count) == (0, 0)
    told = words(never.reasons[0])
    assert "00:00 ngày 10/09/2026" in told.vi
    assert "since 2026-09-10 00:00" in told.en


def test_who_tries_and_gets_nothing_through_is_failing_until_it_gives_up() -> None:
    """Then it is silent as any other."""
    tried = facts(first_accept_time=None, last_accept_time=None, first_refused_time=TUESDAY, last_refused_time=TUESDAY)
    failing = at(tried, TUESDAY + timedelta(hours=1))
    assert (failing.state, codes(failing), failing.since) == (FAILING, ["ONLY_REFUSED"], TUESDAY)
    assert "Mọi lần gửi từ trước đến nay" in words(failing.reasons[0]).vi
    assert codes(at(tried, TUESDAY + timedelta(hours=72))) == ["NEVER_SENT"]


def test_refusals_after_something_was_taken_count_after_some_hours() -> None:
    """A batch that is refused right after a good one is no failure yet; what is taken ends it."""
    one = facts(last_refused_time=TUESDAY + timedelta(minutes=5), first_refused_time=LONG_AGO)
    assert at(one, TUESDAY + timedelta(hours=3)).state is CONNECTED
    failing = at(one, TUESDAY + timedelta(hours=4))
    assert (failing.state, failing.since) == (FAILING, TUESDAY + timedelta(hours=4))
    taken = replace(one, last_accept_time=TUESDAY + timedelta(hours=5))
    assert at(taken, TUESDAY + timedelta(hours=5)).state is CONNECTED


@pytest.mark.parametrize(
    ("taken", "rejected", "state"), [(81, 19, CONNECTED), (80, 20, FAILING), (15, 4, CONNECTED), (16, 4, FAILING)]
)
def test_a_fifth_of_refused_rows_is_failing_from_twenty_rows_on(
    taken: int, rejected: int, state: CoverageState
) -> None:
    """As the rules say."""
    one = at(facts(days={TUESDAY.date(): DayCounts(taken, rejected, 0, 1, 0)}), TUESDAY)
    assert one.state is state
    if state is FAILING:
        assert (codes(one), one.since) == (["MANY_REJECTED"], begin_of(TUESDAY.date()))
        assert f"{rejected} trong {taken + rejected} dòng" in words(one.reasons[0]).vi


def test_many_refused_rows_are_forgotten_after_a_week() -> None:
    """The days that count end."""
    spoilt = {TUESDAY.date(): DayCounts(10, 90, 0, 1, 0)}
    later = TUESDAY + timedelta(days=6)
    still = at(facts(days=spoilt, last_accept_time=later), later)
    assert (still.state, still.since) == (FAILING, begin_of(TUESDAY.date()))
    over = TUESDAY + timedelta(days=7)
    assert at(facts(days=spoilt, last_accept_time=over), over).state is CONNECTED


def test_a_collection_is_overdue_after_its_day_and_says_which() -> None:
    """Pupils are expected by 15 October."""
    arrivals = {key: one for key, one in facts().arrivals.items() if key[0] != "pupils"}
    due = datetime(2026, 10, 16, tzinfo=VIETNAM)
    before, after = due - timedelta(seconds=1), due
    one = facts(arrivals=arrivals, last_accept_time=before)
    assert at(one, before).state is CONNECTED
    late = at(one, after)
    assert (late.state, codes(late), late.since) == (LATE, ["COLLECTION_OVERDUE"], due)
    assert (late.expected_count, late.arrived_count) == (4, 3)
    assert "Học sinh của năm học 2026-2027 phải có muộn nhất ngày 15/10/2026" in words(late.reasons[0]).vi


def test_a_school_that_has_just_joined_has_time() -> None:
    """Two weeks from its first data, whatever the part of the year."""
    one = facts(first_accept_time=TUESDAY, known_since=LONG_AGO, arrivals={})
    soon = TUESDAY + timedelta(days=13)
    assert at(replace(one, last_accept_time=soon), soon).state is CONNECTED
    then = TUESDAY + timedelta(days=14)
    assert set(codes(at(replace(one, last_accept_time=then), then))) == {"COLLECTION_OVERDUE", "REGISTERS_OVERDUE"}


def test_what_came_before_it_was_written_down_is_unknown_not_missing() -> None:
    """Of the school year in which writing down began; of the next one it is asked for."""
    one = facts(known_since=datetime(2026, 10, 1, tzinfo=VIETNAM), arrivals={}, last_accept_time=TUESDAY)
    found = {each.collection: each.status for each in held(one, on(TUESDAY.date()), DAYS, TUESDAY)}
    assert found["pupils"] is Status.UNKNOWN
    assert "COLLECTION_OVERDUE" not in codes(at(one, TUESDAY))
    next_year = datetime(2027, 9, 20, tzinfo=VIETNAM)
    found = {each.collection: each.status for each in held(one, on(next_year.date()), DAYS, next_year)}
    assert found["pupils"] is not Status.UNKNOWN


def test_registers_are_expected_within_three_school_days() -> None:
    """The newest one is of Tuesday: Friday is the third day, on Monday it is overdue."""
    arrivals = dict(facts().arrivals) | {("attendance", 2026): Arrival(LONG_AGO, TUESDAY, "vnedu", 9, "2026-11-03")}
    monday = datetime(2026, 11, 9, tzinfo=VIETNAM)
    sunday = monday - timedelta(seconds=1)
    assert at(facts(arrivals=arrivals, last_accept_time=sunday), sunday).state is CONNECTED
    late = at(facts(arrivals=arrivals, last_accept_time=monday), monday)
    assert (codes(late), late.since) == (["REGISTERS_OVERDUE"], monday)
    assert "ngày 03/11/2026, quá 3 ngày học" in words(late.reasons[0]).vi


def test_of_childcare_groups_no_registers_and_of_kindergartens_no_results_are_expected() -> None:
    """Expectations are by kind and level."""
    day = on(TUESDAY.date())
    named = {kind: {one.collection for one in day.expected(kind, ("01",))} for kind in SchoolKind}
    assert named[SchoolKind.CHILDCARE_GROUP] == {"profiles", "classes", "pupils"}
    assert "attendance" in named[SchoolKind.KINDERGARTEN]
    assert "results" not in named[SchoolKind.KINDERGARTEN]
    assert "results" in {one.collection for one in day.expected(SchoolKind.SCHOOL, ("01", "02"))}


def test_kinds_are_told_by_unit_and_levels() -> None:
    """A school with kindergarten classes is a school."""
    assert RULES.kind_of("school", ("01",)) is SchoolKind.KINDERGARTEN
    assert RULES.kind_of("school", ("01", "02")) is SchoolKind.SCHOOL
    assert RULES.kind_of("school", ()) is SchoolKind.SCHOOL
    assert RULES.kind_of("childcare_group", ("01",)) is SchoolKind.CHILDCARE_GROUP


def test_windows_say_by_day_which_is_open_and_what_is_sent_in_it() -> None:
    """Start, changes and end of the year in their order; of a kindergarten no results at the end."""
    day = on(date(2026, 10, 15))
    windows = day.windows(day.expected(SchoolKind.SCHOOL, ("03",)))
    assert [(one.part, one.open) for one in windows] == [("start", True), ("changes", False), ("end", False)]
    assert (windows[0].first_day, windows[0].last_day) == (date(2026, 8, 1), date(2026, 10, 15))
    assert (windows[2].first_day, windows[2].last_day) == (date(2027, 5, 16), date(2027, 7, 31))
    assert [one.collections for one in windows] == [
        ("profiles", "staff", "classes", "pupils"),
        ("attendance",),
        ("results",),
    ]
    assert day.windows(day.expected(SchoolKind.KINDERGARTEN, ("01",)))[2].collections == ()
    assert [one.open for one in on(date(2026, 10, 16)).windows(())] == [False, True, False]


def test_the_letter_of_a_year_is_a_row_above_the_general_one() -> None:
    """The first row of a part and of a collection counts; the years beside it keep theirs."""
    table = json.loads((files("services.sync") / "rules/coverage.json").read_text(encoding="utf-8"))
    own = {"valid_from": "2026-08-01", "valid_to": "2027-08-01", "source": "windows"}
    table["parts"].insert(0, {"part": "start", "first_day": "08-15", "last_day": "11-05", **own})
    pupils = next(one for one in table["expectations"] if one["collection"] == "pupils")
    table["expectations"].insert(0, pupils | own | {"due": "11-05"})
    rules = read_coverage(table)
    day, next_year = on(date(2026, 11, 1), rules), on(date(2027, 11, 1), rules)
    assert next((one.last_day, one.open) for one in day.windows(())) == (date(2026, 11, 5), True)
    assert next((one.last_day, one.open) for one in next_year.windows(())) == (date(2027, 10, 15), False)
    assert [one.due for one in day.expected(SchoolKind.SCHOOL, ("03",)) if one.collection == "pupils"] == ["11-05"]
    assert [one.due for one in next_year.expected(SchoolKind.SCHOOL, ()) if one.collection == "pupils"] == ["10-15"]


def test_thresholds_are_chosen_by_the_day() -> None:
    """A new row with a later validity leaves the days before as they were."""
    table = {
        "sources": {"a": "A", "b": "B"},
        "kindergarten_levels": [],
        "parts": [],
        "expectations": [],
        "thresholds": [
            json.loads(json.dumps(_row("a", "1990-01-01", "2027-01-01", late=24))),
            _row("b", "2027-01-01", "", late=12),
        ],
    }
    rules = read_coverage(table)
    chosen = [on(day, rules).thresholds for day in (date(2026, 12, 31), date(2027, 1, 1))]
    assert [(one.late_hours, one.source) for one in chosen] == [(24, "A"), (12, "B")]
    with pytest.raises(LookupError):
        on(date(1989, 1, 1), rules)


def _row(source: str, valid_from: str, valid_to: str, *, late: int) -> dict[str, Any]:
    limits = {"silent_hours": 72, "refused_hours": 4, "rejected_share": 0.2, "share_days": 7, "fewest_rows": 20}
    dated = {"valid_from": valid_from, "valid_to": valid_to, "source": source}
    return {"late_hours": late, "grace_days": 14, **limits, **dated}


INSTANTS = st.integers(0, 300 * 24 * 60).map(
    lambda minutes: datetime(2026, 9, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


@given(
    last=INSTANTS,
    tried=st.none() | INSTANTS,
    rejected=st.integers(0, 50),
    now=INSTANTS,
)
def test_the_state_holds_until_the_next_look(
    last: datetime, tried: datetime | None, rejected: int, now: datetime
) -> None:
    """Time alone makes no other state of the same facts before the instant that was said."""
    now = max(now, last, tried or last)
    days = {last.astimezone(VIETNAM).date(): DayCounts(30, rejected, 0, 1, 0)}
    one = facts(
        first_accept_time=LONG_AGO,
        last_accept_time=last,
        first_refused_time=tried,
        last_refused_time=tried,
        days=days,
        arrivals={("attendance", 2026): Arrival(last, last, "vnedu", 1, last.date().isoformat())},
    )
    first = at(one, now)
    assert first.next_look > now
    for share in (0.25, 0.5, 0.999):
        again = at(one, now + share * (first.next_look - now))
        assert (again.state, again.since, codes(again)) == (first.state, first.since, codes(first))


COUNTS = st.builds(DayCounts, *(st.integers(0, 9) for _ in range(5)))
ARRIVALS = st.dictionaries(
    st.sampled_from([("pupils", 2026), ("attendance", 2026), ("classes", 2025)]),
    st.builds(
        lambda time, source, rows, day: Arrival(time, time, source, rows, day),
        INSTANTS,
        st.sampled_from(["vnedu", "misa"]),
        st.integers(1, 9),
        st.sampled_from(["", "2026-11-02", "2026-11-03"]),
    ),
)
DELIVERIES = st.builds(Delivery, st.just(7), COUNTS, ARRIVALS, st.booleans())


def _all(one: Iterable[Delivery]) -> Delivery:
    return reduce(Delivery.beside, one)


@given(batches=st.lists(DELIVERIES, min_size=2, max_size=6), shuffled=st.randoms(use_true_random=False))
def test_the_order_of_batches_does_not_matter(batches: list[Delivery], shuffled: Any) -> None:
    """What is written down of them is the same."""
    others = list(batches)
    shuffled.shuffle(others)
    assert _all(batches) == _all(others)


@given(
    schools=st.lists(
        st.builds(
            Standing, st.integers(1, 99), st.integers(0, 4), st.booleans(), st.booleans(), st.sampled_from("abc")
        ),
        max_size=40,
    )
)
def test_parts_add_up_to_the_whole(schools: list[Standing]) -> None:
    """Whatever they are divided by."""
    total, parts = count(schools, part=lambda one: one.source)
    for name in type(total).__slots__:
        assert getattr(total, name) == sum(getattr(one, name) for one in parts.values())
    assert total.school == total.connected + total.late + total.failing + total.silent + total.unknown


def test_days_of_a_year_lie_in_the_calendar_year_they_belong_to() -> None:
    """From August on in the first."""
    assert (day_in(date(2026, 8, 1), "08-01"), day_in(date(2026, 8, 1), "06-15")) == (
        date(2026, 8, 1),
        date(2027, 6, 15),
    )
