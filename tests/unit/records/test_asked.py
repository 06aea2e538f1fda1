"""One typed line is taken apart into a name and conditions; dates that do not exist are refused."""

from datetime import date

import pytest

from services.records.domain.asked import Asked, read_line
from services.records.domain.spelling import near


def read(line: str, *, classes: bool = True) -> Asked:
    """A line without conditions beside it."""
    return read_line(line, Asked(), classes=classes)


def test_a_line_is_a_name_with_conditions_anywhere_between_its_words():
    """Dates, years, classes, grades, last digits and ids are told from words by their shape."""
    asked = read("Nguyễn 9/3/2014 văn, Hoà lớp 6A 123 049214000123")
    assert (asked.name, asked.words) == ("nguyen van hoa", ("nguyen", "van", "hoa"))
    assert asked.birth_dates == (date(2014, 3, 9),)
    assert (asked.classes, asked.endings, asked.ids) == (("6a",), ("123",), ("049214000123",))
    assert read("2014-03-09").birth_dates == (date(2014, 3, 9),)
    assert (read("an 2014 lớp 6").birth_years, read("an lớp 6").grades, read("an 6").grades) == (
        (2014,),
        ("06",),
        ("06",),
    )
    assert read("6/1").classes == ("6/1",)
    assert read("HS1").ids == ("HS1",)
    assert read("Lớp").words == ("lop",)


def test_staff_sit_in_no_class():
    """What would be a pupil's class is looked for as an id of staff."""
    assert read("6A", classes=False).ids == ("6A",)


def test_words_stand_once_and_only_marked_ones_ask_for_a_spelling():
    """A word typed plainly stands for every spelling."""
    asked = read("Anh anh Hoà")
    assert asked.words == ("anh", "hoa")
    assert asked.spelled == read("hòa").spelled
    assert len(asked.spelled) == 1


@pytest.mark.parametrize("line", ["31/2/2014", "an 2014-13-01"])
def test_a_date_that_does_not_exist_is_refused(line: str):
    """Whoever mistyped a date is told, and not that nobody was found."""
    with pytest.raises(ValueError, match=r"day|month"):
        read(line)


def test_only_a_line_with_something_in_it_asks_for_anything():
    """Blanks, commas and signs without a letter or digit ask for nothing."""
    for line in (" , ", "%", "- -", '"', "..."):
        assert not read(line).anything
    assert read("nguyễn - an").words == ("nguyen", "an")
    assert read("a").anything


def test_near_words_are_one_letter_away():
    """Another letter, one missing, one too many, two swapped; never the word itself or nothing."""
    found = near("anh")
    assert {"ann", "an", "nh", "anhh", "aanh", "nah", "ahn", "canh"} <= found
    assert not {"anh", "", "hna", "a"} & found
    assert near("a") >= {"b", "ab", "aa"}
