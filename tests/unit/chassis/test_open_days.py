"""Open days of units: told as spans, nearest terms first, without the holidays of all above."""

from datetime import date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from chassis.clock import VIETNAM
from chassis.open_days import OpenDays, Span
from chassis.scope_tree import EVERY_UNIT, ScopeCalendar, ScopeEdge, ScopeTree, ScopeUnit

TODAY = date(2026, 11, 20)
PROVINCE, COMMUNE, BESIDE, ELSEWHERE = 1, 2, 3, 4
UNITS = (
    ScopeUnit(PROVINCE),
    ScopeUnit(COMMUNE, edges=(ScopeEdge(PROVINCE),)),
    ScopeUnit(BESIDE, edges=(ScopeEdge(PROVINCE),)),
    ScopeUnit(ELSEWHERE),
)
MONDAY_TO_FRIDAY = frozenset(range(1, 6))
BEFORE = ScopeCalendar(EVERY_UNIT, 2025, ((date(2025, 9, 5), date(2026, 5, 30)),))
USUAL = ScopeCalendar(
    EVERY_UNIT, 2026, ((date(2026, 9, 7), date(2027, 5, 28)),), ((date(2027, 2, 5), date(2027, 2, 11)),)
)
DAYS = [date(2026, 11, 2) + timedelta(days=number) for number in range(5)]  # Monday to Friday.


def days_of(unit: int, *calendars: ScopeCalendar) -> OpenDays:
    """The open days of a unit."""
    return ScopeTree(UNITS, calendars=(BEFORE, *calendars)).open_days(unit, TODAY, weekdays=MONDAY_TO_FRIDAY)


def test_open_days_leave_out_other_weekdays_holidays_and_what_no_term_covers() -> None:
    """A Tuesday is one; Saturday, a holiday and July are none."""
    days = days_of(PROVINCE, USUAL)
    assert days.has(date(2026, 11, 24))
    assert not any(map(days.has, (date(2026, 11, 28), date(2027, 2, 8), date(2026, 7, 14))))


def test_the_nearest_unit_with_a_calendar_counts_with_the_holidays_of_all_above() -> None:
    """A commune under water; the year it says nothing of is as above; other units do not notice."""
    told = (
        USUAL,
        ScopeCalendar(PROVINCE, 2026, ((date(2026, 9, 7), date(2027, 5, 28)),), ((DAYS[1], DAYS[1]),)),
        ScopeCalendar(COMMUNE, 2026, ((date(2026, 9, 14), date(2027, 5, 28)),), ((DAYS[3], DAYS[4]),)),
    )
    here, beside, elsewhere = (days_of(unit, *told) for unit in (COMMUNE, BESIDE, ELSEWHERE))
    assert [here.has(day) for day in DAYS] == [True, False, True, False, False]
    assert [beside.has(day) for day in DAYS] == [True, False, True, True, True]
    assert all(map(elsewhere.has, DAYS))
    assert [one.has(date(2026, 9, 8)) for one in (here, beside, elsewhere)] == [False, True, True]
    assert not any(one.has(date(2027, 2, 8)) for one in (here, beside, elsewhere)), "everybody's holiday"
    assert all(one.has(date(2026, 3, 3)) for one in (here, beside, elsewhere)), "the year before holds"


def test_between_terms_no_day_is_open() -> None:
    """What the calendar does not name as a holiday is none."""
    days = days_of(COMMUNE, ScopeCalendar(EVERY_UNIT, 2026, ((DAYS[0], DAYS[1]), (DAYS[3], DAYS[4]))))
    assert [days.has(day) for day in DAYS] == [True, True, False, True, True]


def test_where_nothing_is_told_no_day_is_open_and_no_hour_passes() -> None:
    """Nobody is late by time of which nothing is known."""
    days = ScopeTree(UNITS).open_days(COMMUNE, TODAY, weekdays=MONDAY_TO_FRIDAY)
    assert (days.has(TODAY), days.nth_after(TODAY, 1)) == (False, None)
    assert days.after(datetime(2026, 11, 20, tzinfo=VIETNAM), 1) is None


SPANS: st.SearchStrategy[list[Span]] = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 40)).map(
        lambda span: (TODAY + timedelta(days=span[0]), TODAY + timedelta(days=sum(span)))
    ),
    max_size=4,
)


@given(terms=SPANS, holidays=SPANS, hours=st.integers(1, 24 * 20), count=st.integers(1, 20))
def test_hours_and_days_count_on_open_days_alone(
    terms: list[Span], holidays: list[Span], hours: int, count: int
) -> None:
    """Against a count hour by hour and day by day; None where there are not so many."""
    days = OpenDays(terms, holidays, weekdays=MONDAY_TO_FRIDAY)
    start = datetime(2026, 11, 20, 15, tzinfo=VIETNAM)
    instants = [start + timedelta(hours=one) for one in range(24 * 110)]
    passed = [one + timedelta(hours=1) for one in instants if days.has(one.date())]
    assert days.after(start, hours) == (passed[hours - 1] if len(passed) >= hours else None)
    every = [day for number in range(1, 110) if days.has(day := TODAY + timedelta(days=number))]
    assert days.nth_after(TODAY, count) == (every[count - 1] if len(every) >= count else None)
