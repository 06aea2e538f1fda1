"""Days are Viet Nam's, instants carry their zone."""

from datetime import UTC, date, datetime, timedelta

import pytest

from chassis.clock import Clock, vietnam_day
from chassis.testing import FixedClock


def test_the_day_begins_at_midnight_in_viet_nam():
    """17:00 UTC is already the next day for every school."""
    assert vietnam_day(datetime(2026, 9, 4, 16, 59, 59, tzinfo=UTC)) == date(2026, 9, 4)
    assert vietnam_day(datetime(2026, 9, 4, 17, 0, tzinfo=UTC)) == date(2026, 9, 5)


def test_an_instant_without_a_zone_is_refused():
    """A naive instant names no day."""
    with pytest.raises(ValueError, match="zone"):
        vietnam_day(datetime(2026, 9, 4, 12, 0))  # noqa: DTZ001 (that is the point)


def test_the_machine_clock_speaks_utc():
    """Whatever the machine's zone, instants are UTC."""
    assert Clock().now().utcoffset() == timedelta(0)


def test_a_fixed_clock_moves_only_when_told():
    """Tests decide what time it is."""
    clock = FixedClock("2026-09-04T23:30:00+07:00")
    assert (clock.now(), clock.today()) == (datetime(2026, 9, 4, 16, 30, tzinfo=UTC), date(2026, 9, 4))
    clock.advance(timedelta(hours=1))
    assert clock.today() == date(2026, 9, 5)
