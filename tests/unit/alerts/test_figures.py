"""The arithmetic behind facts and trials: tails, medians, attendance, school days, episodes of the past."""

import itertools
import math
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from chassis.distributions import poisson_tail
from chassis.open_days import OpenDays
from services.alerts.convert.tables import early_warning, school_week
from services.alerts.domain.backtests import Moments, clocked, episodes, looks
from services.alerts.domain.calendar import SchoolCalendar
from services.alerts.domain.early_warning import (
    Attendance,
    Marks,
    PupilYear,
    attendance_of,
    pupil_fields,
    urgency,
)
from services.alerts.domain.statistics import binomial_tail, usual_absence

WEEK, READING = school_week(), early_warning()
YEAR = ((date(2026, 9, 5), date(2027, 5, 31)),)
TET = ((date(2027, 2, 5), date(2027, 2, 11)),)
CALENDAR = SchoolCalendar(OpenDays(YEAR, TET, weekdays=WEEK.weekdays), WEEK.report_by)
NOW = datetime(2026, 11, 24, tzinfo=UTC)
SERVICES = Path(__file__).resolve().parents[3] / "services"
SPANS = ("terms", "holidays")
DAYS = [date(2026, 11, 2) + timedelta(days=number) for number in range(12)]


@given(count=st.integers(1, 60), expected=st.floats(0.1, 60))
def test_a_poisson_tail_is_the_sum_of_its_terms(count, expected):
    """Against the terms themselves, each by logarithms."""
    below = math.fsum(math.exp(k * math.log(expected) - expected - math.lgamma(k + 1)) for k in range(count))
    assert math.isclose(poisson_tail(count, expected), max(1 - below, 0), abs_tol=1e-9)


@given(among=st.integers(1, 60), share=st.floats(0, 1), data=st.data())
def test_a_binomial_tail_falls_with_the_count_and_begins_at_one(among, share, data):
    """None or more is certain; more are never likelier."""
    count = data.draw(st.integers(0, among))
    assert binomial_tail(0, among, share) == 1
    assert binomial_tail(count, among, share) + 1e-12 >= binomial_tail(count + 1, among, share)
    assert 0 <= binomial_tail(count, among, share) <= 1


def test_tails_known_from_tables():
    """P(X ≥ 5) for a mean of 1; P(X ≥ 8) of 10 fair tosses; what is never seen before is not by chance."""
    assert math.isclose(poisson_tail(5, 1.0), 0.00366, abs_tol=1e-5)
    assert math.isclose(binomial_tail(8, 10, 0.5), 0.0546875)
    assert (poisson_tail(5, 0.0), poisson_tail(0, 0.0), usual_absence(30, [])) == (0.0, 1.0, 0.0)
    assert usual_absence(30, [(35, 1), (30, 9), (0, 0), (40, 2)]) == 1.5


@given(away=st.dictionaries(st.sampled_from(DAYS), st.booleans()), reported=st.sets(st.sampled_from(DAYS)))
def test_attendance_equals_a_count_day_by_day(away, reported):
    """The run is read backwards from the last day; a pupil never absent has no count at all."""
    found = attendance_of(sorted(reported), away, recent_days=5)
    if not away:
        assert found == Attendance()
        return
    days = sorted(reported | set(away))
    run = 0
    while run < len(days) and away.get(days[-1 - run], False):
        run += 1
    assert (found.absent_sessions, found.reported_days, found.unexplained_run) == (len(away), len(days), run)
    recent = [day for day, unexcused in away.items() if unexcused and (days[-1] - day).days < 5]
    assert found.unexcused_recent == len(recent)


def test_the_next_time_to_report_by_leaves_out_weekends_and_holidays():
    """It jumps over them."""
    friday = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
    assert CALENDAR.next_deadline(friday) == datetime(2026, 11, 30, 2, 0, tzinfo=UTC)
    tet = datetime(2027, 2, 5, 0, 0, tzinfo=UTC)
    assert CALENDAR.next_deadline(tet) == datetime(2027, 2, 12, 2, 0, tzinfo=UTC)


def _year(attendance: Attendance, marks: Marks) -> PupilYear:
    return PupilYear("HS1", "6A", "06", 2026, in_stock=True, attendance=attendance, marks=marks)


@given(
    absent=st.integers(0, 40),
    reported=st.integers(1, 100),
    below_5=st.integers(0, 8),
    conduct=st.booleans(),
)
def test_signs_come_with_a_reason_each_in_both_languages_and_order_by_gravity_first(absent, reported, below_5, conduct):
    """As many signs as flags say, none without words; circumstances never outweigh a sign."""
    limits = READING.limits_in(2026)
    assert limits is not None
    values = pupil_fields(
        _year(Attendance(absent, max(absent, reported)), Marks("GK1", below_5=below_5, conduct_failed=conduct)), limits
    )
    flags = [values[name] for name in ("attendance_flag", "behaviour_flag", "course_flag")]
    assert values["flag_count"] == sum(1 for flag in flags if flag)
    reasons = [str(values[name]).split("; ") if values[name] else [] for name in ("reasons_vi", "reasons_en")]
    assert len(reasons[0]) == len(reasons[1]) >= int(values["flag_count"])
    graver = {**values, "flag_count": int(values["flag_count"]) + 1}
    assert urgency(graver, 0) > urgency(values, 9)


@given(
    seen=st.lists(st.tuples(st.booleans(), st.booleans()), max_size=8),
    holds_for=st.sampled_from([timedelta(0), timedelta(hours=30)]),
)
def test_episodes_begin_where_the_condition_has_held_and_never_overlap(seen, holds_for):
    """Each ends before the next begins; with nothing to wait for the first begins with the first that holds."""
    moments = [Moments(NOW + timedelta(days=place), holds, holds or stays) for place, (holds, stays) in enumerate(seen)]
    found = episodes(moments, holds_for=holds_for, now=NOW + timedelta(days=len(seen)))
    assert all(one.ended is not None and one.ended <= later.began for one, later in itertools.pairwise(found))
    first = next((moment.time for moment in moments if moment.holds), None)
    if not holds_for:
        assert (found[0].began if found else None) == first
    elif found:
        assert first is not None
        assert found[0].began >= first + holds_for


@given(
    hours=st.integers(1, 400), comes=st.integers(0, 500), goes=st.integers(0, 500), lasting=st.sampled_from([0, 5, 30])
)
def test_few_looks_find_what_silence_brings_about_as_well_as_all_of_them(hours, comes, goes, lasting):
    """The same episodes as looking at each step; as many looks as were foreseen, and some where something changed."""
    end, step = NOW + timedelta(hours=hours), timedelta(hours=6)
    seen: list[datetime] = []

    def look(at: datetime) -> Moments:
        seen.append(at)
        silent = (at - NOW) // timedelta(hours=1)
        return Moments(at, silent >= comes, silent >= goes)

    found = clocked(NOW, end, since=NOW, step=step, look=look)
    foreseen, few = looks(NOW, end, since=NOW, step=step), len(seen)
    every = [look(NOW + number * step) for number in range(-(-hours // 6))]
    held = timedelta(hours=lasting)
    assert episodes(found, holds_for=held, now=end) == episodes(every, holds_for=held, now=end)
    assert all(one.time < end for one in found)
    assert few <= foreseen + 7 or goes > comes
