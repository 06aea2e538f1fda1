"""Linking persons leaves the time to pushes while these come, and takes it afterwards."""

from services.records.jobs import LINK_SECONDS, LONGEST_REST, rest_after
from services.records.usecases.persons import Turn


def test_linking_rests_longer_while_the_feed_grows_than_once_it_stands_still() -> None:
    """Nine times what a turn took, or as long as it took."""
    assert rest_after(Turn(waiting=True, end=700), 0.02, end=300) == 9 * 0.02
    assert rest_after(Turn(waiting=True, end=700), 0.02, end=700) == 0.02


def test_a_slow_turn_is_not_followed_by_a_long_rest() -> None:
    """A database that is slow for once must not put linking off."""
    assert rest_after(Turn(waiting=True, end=700), 30.0, end=300) == LONGEST_REST


def test_with_nothing_waiting_linking_looks_again_soon() -> None:
    """However short the look was."""
    assert rest_after(Turn(waiting=False, end=700), 0.001, end=300) == LINK_SECONDS
