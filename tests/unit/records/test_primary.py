"""TT 27/2020: the result of the year at each of its limits."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.records.convert.rules import load_assessment_rules
from services.records.domain.primary import QUALITY_LEVELS, SUBJECT_LEVELS, YearEnd, class_completed, year_result

RULE = load_assessment_rules().primary[0]


def end(subjects: str, qualities: str, tests: str) -> YearEnd:
    """The end of a year as people write it."""
    return YearEnd(tuple(subjects.split()), tuple(qualities.split()), tuple(map(Decimal, tests.split())))


@pytest.mark.parametrize(
    ("found", "result"),
    [
        (end("T T T", "T T", "9 10"), "HTXS"),
        (end("T T T", "T T", "8 10"), "HTT"),
        (end("T T T", "T T", "6 10"), "HT"),
        (end("T T H", "T T", "10 10"), "HT"),
        (end("T T T", "T Đ", "10 10"), "HT"),
        (end("H H H", "Đ Đ", "5 5"), "HT"),
        (end("H H H", "Đ Đ", "5 4"), "CHT"),
        (end("H H C", "Đ Đ", "5 5"), "CHT"),
        (end("T T T", "T C", "10 10"), "CHT"),
    ],
)
def test_the_result_of_the_year(found: YearEnd, result: str):
    """Article 9.1: subjects, qualities and every test."""
    assert year_result(found, RULE).code == result


@given(
    st.lists(st.sampled_from(SUBJECT_LEVELS), min_size=1),
    st.lists(st.sampled_from(QUALITY_LEVELS), min_size=1),
    st.lists(st.integers(1, 10), min_size=1),
    st.data(),
)
def test_a_better_result_never_lowers_the_year(subjects: list[str], qualities: list[str], tests: list[int], data):
    """Of any subject, quality or test."""
    found = YearEnd(tuple(subjects), tuple(qualities), tuple(map(Decimal, tests)))
    place = data.draw(st.integers(0, len(subjects) - 1))
    better = YearEnd((*subjects[:place], "T", *subjects[place + 1 :]), found.qualities, found.tests)
    assert year_result(better, RULE) >= year_result(found, RULE)
    assert class_completed(year_result(found, RULE)) is (year_result(found, RULE).code != "CHT")
