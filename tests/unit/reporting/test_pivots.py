"""When a pivot is sent: by the clock of Vietnam, always later, on the day it names."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reporting.domain.pivots import VIETNAM, Interval, Schedule

MONDAY = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)  # 10:00 in Vietnam.


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Schedule(), None),
        (Schedule(Interval.DAILY, hour=7), datetime(2026, 11, 3, 0, 0, tzinfo=UTC)),
        (Schedule(Interval.DAILY, hour=11), datetime(2026, 11, 2, 4, 0, tzinfo=UTC)),
        (Schedule(Interval.DAILY, hour=10), datetime(2026, 11, 3, 3, 0, tzinfo=UTC)),
        (Schedule(Interval.WEEKLY, hour=7, day=1), datetime(2026, 11, 9, 0, 0, tzinfo=UTC)),
        (Schedule(Interval.WEEKLY, hour=7, day=7), datetime(2026, 11, 8, 0, 0, tzinfo=UTC)),
        (Schedule(Interval.MONTHLY, hour=7, day=31), datetime(2026, 11, 30, 0, 0, tzinfo=UTC)),
        (Schedule(Interval.MONTHLY, hour=7), datetime(2026, 12, 1, 0, 0, tzinfo=UTC)),
    ],
)
def test_a_pivot_is_sent_at_the_next_hour_of_its_day(schedule: Schedule, expected: datetime | None) -> None:
    """An hour that is just now has passed; a month without the day sends on its last."""
    assert schedule.next_after(MONDAY) == expected


@given(
    interval=st.sampled_from([Interval.DAILY, Interval.WEEKLY, Interval.MONTHLY]),
    hour=st.integers(0, 23),
    day=st.integers(0, 31),
    hours=st.integers(0, 24 * 1000),
)
def test_the_next_time_is_later_by_at_most_its_interval(interval, hour, day, hours) -> None:
    """Whatever the moment: so a schedule neither stands still nor leaves a turn out."""
    moment = MONDAY + timedelta(hours=hours)
    found = Schedule(interval, hour, day).next_after(moment)
    assert found is not None
    most = {Interval.DAILY: 1, Interval.WEEKLY: 7, Interval.MONTHLY: 31}[interval]
    assert timedelta() < found - moment <= timedelta(days=most)
    assert found.astimezone(VIETNAM).hour == hour
