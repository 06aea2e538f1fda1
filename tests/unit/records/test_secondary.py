"""TT 22/2021: the circular's own cases, numbers worked by hand, and what must hold for any marks."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.records.convert.rules import load_assessment_rules
from services.records.domain.secondary import (
    LEVELS,
    Level,
    Results,
    conduct_of_year,
    learning_result,
    level_of,
    promoted,
    rounded,
    term_average,
    title_of,
    year_average,
)

RULES = load_assessment_rules()
RULE = RULES.secondary[0]
MARKS = st.integers(0, 100).map(lambda tenths: Decimal(tenths) / 10)
RESULTS = st.builds(
    Results,
    st.lists(MARKS, min_size=6, max_size=10).map(tuple),
    st.lists(st.booleans(), max_size=4).map(tuple),
)


def marks(text: str) -> tuple[Decimal, ...]:
    """Marks as people write them."""
    return tuple(map(Decimal, text.split()))


@pytest.mark.parametrize(
    ("regular", "midterm", "final", "average"),
    [
        ("8 9", "7", "8", "7.9"),  # (17 + 14 + 24) / 7 = 7.857…
        ("7 8 9 8", "6.5", "7.5", "7.5"),  # (32 + 13 + 22.5) / 9 = 7.5
        ("10 10", "10", "10", "10.0"),
        ("0 0 0", "0", "0", "0.0"),
        ("6 7 7", "6.0", "6.5", "6.4"),  # (20 + 12 + 19.5) / 8 = 6.4375
    ],
)
def test_a_term_average_weighs_the_sum_of_regular_marks(regular: str, midterm: str, final: str, average: str):
    """The regular marks count one each, not together: ĐTBmhk = (ΣTX + 2·GK + 3·CK) / (n + 5)."""
    assert term_average(marks(regular), Decimal(midterm), Decimal(final), RULE) == Decimal(average)


@pytest.mark.parametrize(
    ("first", "second", "average"),
    [("7.0", "8.5", "8.0"), ("6.4", "6.5", "6.5"), ("5.0", "4.9", "4.9"), ("9.3", "8.7", "8.9")],
)
def test_a_year_average_counts_the_second_term_twice(first: str, second: str, average: str):
    """(6.4 + 13.0) / 3 = 6.466… is 6.5."""
    assert year_average(Decimal(first), Decimal(second), RULE) == Decimal(average)


def test_a_tie_goes_up_which_a_binary_float_would_miss():
    """8.25 is 8.3 and 7.85 is 7.9: `round` gives 8.2 and 7.8."""
    assert rounded(Decimal("8.25"), RULE) == Decimal("8.3")
    assert rounded(Decimal("7.85"), RULE) == Decimal("7.9")
    assert (round(8.25, 1), round(7.85, 1)) == (8.2, 7.8)
    # Eight weights make ties: (24.5 + 16 + 25.5) / 8 = 66 / 8 = 8.25.
    assert term_average(marks("8.2 8 8.3"), Decimal(8), Decimal("8.5"), RULE) == Decimal("8.3")


@pytest.mark.parametrize(
    ("scored", "comments", "level"),
    [
        ("8.0 8.0 8.0 8.0 8.0 8.0 6.5 6.5", "Đ Đ Đ Đ", "T"),
        ("8.0 8.0 8.0 8.0 8.0 7.9 6.5 6.5", "Đ Đ Đ Đ", "K"),
        ("8.0 8.0 8.0 8.0 8.0 8.0 6.5 6.4", "Đ Đ Đ Đ", "K"),
        ("6.5 6.5 6.5 6.5 6.5 6.5 5.0 5.0", "Đ Đ Đ Đ", "K"),
        ("6.5 6.5 6.5 6.5 6.5 6.4 5.0 5.0", "Đ Đ Đ Đ", "Đ"),
        ("5.0 5.0 5.0 5.0 5.0 5.0 3.5 3.5", "Đ Đ Đ CĐ", "Đ"),
        ("5.0 5.0 5.0 5.0 5.0 5.0 3.5 3.4", "Đ Đ Đ Đ", "CĐ"),
        ("5.0 5.0 5.0 5.0 5.0 4.9 3.5 3.5", "Đ Đ Đ Đ", "CĐ"),
        ("9.0 9.0 9.0 9.0 9.0 9.0 9.0 9.0", "Đ Đ CĐ CĐ", "CĐ"),
    ],
)
def test_a_level_begins_exactly_at_its_limits(scored: str, comments: str, level: str):
    """Article 9.2, each limit met and missed by a tenth."""
    assert level_of(Results(marks(scored), passed(comments)), RULE).code == level


def passed(text: str) -> tuple[bool, ...]:
    """Levels of subjects that are assessed by comment."""
    return tuple(one == "Đ" for one in text.split())


@pytest.mark.parametrize(
    ("scored", "comments", "level"),
    [
        ("8.5 8.5 8.5 8.5 8.5 8.5 8.5 4.0", "Đ Đ Đ Đ", "K"),  # Đạt, would be Tốt
        ("8.5 8.5 8.5 8.5 8.5 8.5 8.5 3.0", "Đ Đ Đ Đ", "Đ"),  # Chưa đạt, would be Tốt
        ("8.5 8.5 8.5 8.5 8.5 8.5 8.5 5.0", "Đ Đ Đ Đ", "K"),  # one level below Tốt: stays
        ("7.0 7.0 7.0 7.0 7.0 7.0 7.0 3.0", "Đ Đ Đ Đ", "Đ"),  # Chưa đạt, would be Khá
        ("7.0 7.0 7.0 7.0 7.0 7.0 7.0 4.0", "Đ Đ Đ Đ", "Đ"),  # one level below Khá: stays
        ("8.5 8.5 8.5 8.5 8.5 8.5 8.5 8.5", "Đ Đ Đ CĐ", "K"),  # a subject assessed by comment counts alike
        ("8.5 8.5 8.5 8.5 8.5 8.5 4.0 4.0", "Đ Đ Đ Đ", "Đ"),  # two subjects: no exception
        ("8.5 8.5 8.5 8.5 8.5 8.5 8.5 3.0", "Đ Đ Đ CĐ", "CĐ"),  # two again
        ("5.0 5.0 5.0 5.0 5.0 5.0 5.0 3.0", "Đ Đ Đ Đ", "CĐ"),  # would be Đạt only
    ],
)
def test_one_subject_alone_lowers_by_less(scored: str, comments: str, level: str):
    """Article 9.3."""
    assert learning_result(Results(marks(scored), passed(comments)), RULE).code == level


@given(RESULTS, st.data())
def test_a_better_result_never_lowers_the_level(results: Results, data: st.DataObject):
    """Of any subject, the exception included."""
    place = data.draw(st.integers(0, len(results.marks) - 1))
    better = data.draw(MARKS.filter(lambda mark: mark >= results.marks[place]))
    raised = (*results.marks[:place], better, *results.marks[place + 1 :])
    assert learning_result(Results(raised, results.passed), RULE) >= learning_result(results, RULE)
    every = Results(results.marks, (True,) * len(results.passed))
    assert learning_result(every, RULE) >= learning_result(results, RULE)


@given(RESULTS)
def test_the_exception_raises_by_one_level_and_never_to_the_top(results: Results):
    """By exactly one, and only where a single subject kept the pupil two levels lower."""
    before, after = level_of(results, RULE), learning_result(results, RULE)
    assert after - before in (0, 1)
    if after > before:
        assert after in (Level.SATISFACTORY, Level.FAIR)
        assert any(
            level_of(Results((*results.marks[:place], Decimal(10), *results.marks[place + 1 :]), one), RULE)
            >= before + 2
            for place in range(len(results.marks))
            for one in _passed_with_one_better(results.passed)
        )


def _passed_with_one_better(levels: tuple[bool, ...]) -> list[tuple[bool, ...]]:
    return [levels, *((*levels[:place], True, *levels[place + 1 :]) for place in range(len(levels)))]


@given(st.lists(MARKS, min_size=2, max_size=5), MARKS, MARKS)
def test_an_average_lies_between_its_marks_and_has_one_decimal(
    regular: list[Decimal], midterm: Decimal, final: Decimal
):
    """Weights move it, nothing takes it out."""
    average = term_average(regular, midterm, final, RULE)
    every = [*regular, midterm, final]
    assert min(every) <= average <= max(every)
    assert average == average.quantize(Decimal("0.1"))


# Rows the first term, columns the second, both from Tốt to Chưa đạt.
CONDUCT = """
    T K K CĐ
    T K Đ CĐ
    K K Đ CĐ
    K Đ Đ CĐ
"""


def test_conduct_of_the_year_follows_the_table_of_article_8():
    """Every pair of terms."""
    order = [Level.GOOD, Level.FAIR, Level.SATISFACTORY, Level.UNSATISFACTORY]
    table = [[conduct_of_year(first, second).code for second in order] for first in order]
    assert table == [line.split() for line in CONDUCT.strip().splitlines()]


@pytest.mark.parametrize(
    ("learning", "conduct", "scored", "title"),
    [
        ("T", "T", "9 9 9 9 9 9 8 8", "XS"),
        ("T", "T", "9 9 9 9 9 8.9 8 8", "G"),
        ("T", "K", "9 9 9 9 9 9 9 9", ""),
        ("K", "T", "9 9 9 9 9 9 9 4", ""),
    ],
)
def test_titles(learning: str, conduct: str, scored: str, title: str):
    """Article 15: both Tốt; Xuất sắc with six averages of 9.0."""
    assert title_of(LEVELS[learning], LEVELS[conduct], marks(scored), RULE) == title


@pytest.mark.parametrize(
    ("learning", "conduct", "absent", "moves_up"),
    [("Đ", "Đ", 45, True), ("Đ", "Đ", 46, False), ("CĐ", "T", 0, False), ("T", "CĐ", 0, False), ("T", "T", 0, True)],
)
def test_moving_up(learning: str, conduct: str, absent: int, moves_up: bool):  # noqa: FBT001 (a case)
    """Article 12.1: both at least Đạt, and not more than 45 sessions absent."""
    most = RULES.absence[0].most
    assert promoted(LEVELS[learning], LEVELS[conduct], absent, absent_most=most) is moves_up
