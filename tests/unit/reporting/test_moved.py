"""Sums by day that are kept up: equal to adding everything up again, within what they may weigh."""

from hypothesis import given
from hypothesis import strategies as st

from services.reporting.domain.moved import QUESTION_WEIGHT, SCHOOL_WEIGHT, Moved, MovedKept

DAYS = st.dictionaries(st.integers(0, 9), st.tuples(st.integers(-9, 9), st.integers(-9, 9)), max_size=5)


@given(steps=st.lists(st.tuples(st.integers(1, 3), DAYS), max_size=20))
def test_what_is_kept_up_school_by_school_is_what_all_of_them_come_to(
    steps: list[tuple[int, dict[int, tuple[int, int]]]],
):
    """However often a school is read anew, also with fewer days than before."""
    moved, known = Moved(), {}
    for school, days in steps:
        moved.put(school, days)
        known[school] = days
    expected = {
        day: [sum(days.get(day, (0, 0))[term] for days in known.values()) for term in range(2)]
        for day in {day for days in known.values() for day in days}
    }
    assert {day: sums for day, sums in moved.sums.items() if any(sums)} == {
        day: sums for day, sums in expected.items() if any(sums)
    }
    assert moved.weight == sum(SCHOOL_WEIGHT + len(days) for days in known.values() if days)


def test_what_was_asked_for_least_recently_is_dropped_when_all_weigh_too_much():
    """Memory does not grow with what was ever asked."""
    kept = MovedKept(most=2 * (QUESTION_WEIGHT + SCHOOL_WEIGHT + 1))
    for key in ("a", "b", "a", "c"):
        moved = kept.of(key)
        moved.put(1, {0: (1,)})
        kept.keep(key, moved)
    assert len(kept) == 2
    assert [kept.of(key).weight > 0 for key in "abc"] == [True, False, True]


def test_questions_of_which_nothing_is_known_are_dropped_too():
    """Else a year to come, asked for from ever another day, would be kept for each of these days."""
    kept = MovedKept(most=3 * QUESTION_WEIGHT)
    for day in range(10):
        kept.keep(day, Moved())
    assert len(kept) == 3
