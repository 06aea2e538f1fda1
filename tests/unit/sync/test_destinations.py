"""When destinations are called, how long is waited after failures, and under which version records are sent."""

from datetime import time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.sync.domain.destinations import (
    BREAK_AFTER,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    Window,
    in_windows,
    next_version,
    pause_after,
    retry_after,
)


def test_a_window_may_pass_midnight() -> None:
    """Schools' portals are quiet at night."""
    night = Window(time(18, 0), time(6, 0))

    assert [hour for hour in range(24) if in_windows([night], time(hour))] == [0, 1, 2, 3, 4, 5, *range(18, 24)]
    assert in_windows([], time(12))
    assert not in_windows([Window(time(8), time(9))], time(9))


@given(st.integers(0, 1000), st.floats(0, 1))
def test_pauses_grow_and_stay_within_their_bound(failures: int, chance: float) -> None:
    """A destination that comes back is noticed within a minute, however long it was away."""
    pause = pause_after(failures, chance=chance)

    assert timedelta(seconds=0.5) <= pause <= LONGEST_PAUSE
    assert pause <= pause_after(failures + BREAK_AFTER, chance=chance)
    assert retry_after(failures, chance=chance) <= timedelta(hours=1)


def test_a_pause_begins_short_when_the_circuit_breaks_and_doubles() -> None:
    """The failures that broke it do not count."""
    assert pause_after(BREAK_AFTER, chance=1) == FIRST_PAUSE
    assert pause_after(BREAK_AFTER + 2, chance=1) == 4 * FIRST_PAUSE
    assert pause_after(0, chance=1) == FIRST_PAUSE


@given(st.integers(0, 2**50), st.integers(1, 2**50))
def test_a_record_is_sent_under_a_version_it_never_had(sent: int, position: int) -> None:
    """Whatever the feed's position is, also after a restore of the feed."""
    assert next_version(sent, position) > sent
    assert next_version(sent, position) >= position
