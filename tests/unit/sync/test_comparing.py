"""Comparing finds every difference and nothing else; people are recognised as officers do it."""

from hypothesis import given
from hypothesis import strategies as st

from services.sync.domain.comparing import Match, compare, differing_fields, matched

DIGESTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 3))


@given(DIGESTS, DIGESTS)
def test_each_record_is_the_same_or_in_one_list(ours: dict[str, int], theirs: dict[str, int]) -> None:
    """Missing there, missing here and differing are apart, and whatever is in none is equal on both sides."""
    missing_there, missing_here, differing = compare(ours, theirs)
    told = [*missing_there, *missing_here, *differing]

    assert len(told) == len(set(told))
    assert {one for one in ours.keys() | theirs.keys() if ours.get(one) != theirs.get(one)} == set(told)
    assert set(missing_there) == ours.keys() - theirs.keys()
    assert set(missing_here) == theirs.keys() - ours.keys()


def test_fields_that_differ_are_named_also_where_one_side_has_none() -> None:
    """Names, in order."""
    assert differing_fields({"A": "1", "B": "2", "D": "4"}, {"A": "1", "B": "3", "C": "5"}) == ["B", "C", "D"]


def test_names_are_the_same_as_far_as_is_asked() -> None:
    """One form of each letter always; tones, blanks and capitals only where they are to be ignored."""
    assert Match().folded("Hoà") == Match().folded("Hoà")
    assert Match().folded("Nguyễn  Hòa") == "Nguyễn Hòa"
    assert Match().folded("Đặng") != Match().folded("Dang")
    assert Match(ignore_tones=True).folded("Đặng Thị Hoà") == "Dang Thi Hoa"
    every = Match(ignore_tones=True, ignore_spaces=True, ignore_case=True)
    assert every.folded("ĐẶNG thị  HÒA") == "dangthihoa"


def test_a_person_under_another_id_is_recognised_both_ways_and_only_if_alone() -> None:
    """By name and date of birth; of two who fit nobody is chosen."""
    here = [("h1", {"HO_TEN": "Lê An", "NGAY_SINH": "01/02/2015"}), ("h2", {"HO_TEN": "Vũ Bo", "NGAY_SINH": "1"})]
    there = [
        ("t1", {"HO_TEN": "LE AN", "NGAY_SINH": "01/02/2015"}),
        ("t2", {"HO_TEN": "Vũ Bo", "NGAY_SINH": "1"}),
        ("t3", {"HO_TEN": "Vũ Bo", "NGAY_SINH": "1"}),
        ("t4", {"HO_TEN": "", "NGAY_SINH": ""}),
    ]

    assert matched(here, there, Match(ignore_tones=True, ignore_case=True)) == {"h1": "t1", "t1": "h1"}
    assert matched(here, there, Match()) == {}
    twins = [("h1", {"HO_TEN": "Lê An", "NGAY_SINH": "1"}), ("h2", {"HO_TEN": "Lê An", "NGAY_SINH": "1"})]
    assert matched(twins, [("t1", {"HO_TEN": "Lê An", "NGAY_SINH": "1"})], Match()) == {}
