"""Values as senders write them."""

import contextlib
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.domain import values
from services.sync.domain.values import READERS, Unreadable

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("09/03/2014", "2014-03-09"),
        ("9/3/2014", "2014-03-09"),
        ("09-03-2014", "2014-03-09"),
        ("2014-03-09", "2014-03-09"),
        (" 2014-03-09T00:00:00Z ", "2014-03-09"),
    ],
)
def test_dates_are_read_as_schools_write_them(written: str, read: str) -> None:
    """Day first in Viet Nam, year first in ISO 8601."""
    assert values.day(written) == read


@pytest.mark.parametrize("written", ["31/02/2015", "2015-02-29", "00/01/2015", "2014-13-01"])
def test_a_date_must_stand_in_the_calendar(written: str) -> None:
    """A form that fits is not yet a date."""
    with pytest.raises(Unreadable) as refused:
        values.day(written)
    assert refused.value.wanted == values.DAY_FORM


@given(st.dates(min_value=date(1000, 1, 1)))
def test_every_day_is_read_in_both_forms(day: date) -> None:
    """And comes out as ISO 8601."""
    assert values.day(day.isoformat()) == day.isoformat()
    assert values.day(f"{day.day:02d}/{day.month:02d}/{day.year}") == day.isoformat()
    assert values.is_day(day.isoformat())


@pytest.mark.parametrize(
    ("written", "read"), [("2026-2027", 2026), ("2026", 2026), (2026, 2026), ("2026 – 2027", 2026)]
)
def test_school_years(written: object, read: int) -> None:
    """By their first calendar year."""
    assert values.school_year(written) == read


@pytest.mark.parametrize("written", ["2026-2028", "26-27", True, 2026.5, [], "năm nay"])
def test_no_school_years(written: object) -> None:
    """Nothing is guessed."""
    with pytest.raises(Unreadable):
        values.school_year(written)


def test_decimal_commas_count() -> None:
    """Vietnamese software writes 8,5."""
    assert values.decimal("8,5") == values.decimal("8.5") == values.decimal(8.5)


@pytest.mark.parametrize(
    ("written", "read"),
    [("1", "01"), (1, "01"), (" 9 ", "09"), ("01", "01"), ("10", "10"), ("0", "0"), ("dang hoc", "dang hoc")],
)
def test_a_dropped_leading_zero_is_put_back(written: object, read: str) -> None:
    """Of one digit, 1 to 9; everything else stays as it came."""
    assert values.two_digits(written) == read


def test_names_have_one_form() -> None:
    """Composed letters and single spaces, however they were typed."""
    assert values.name("Nguyê\u0303n\u00a0 Văn  A") == "Nguyễn Văn A"


@given(st.sampled_from(sorted(READERS)), JSON)
def test_a_reader_reads_or_says_what_is_wanted(reader: str, value: object) -> None:
    """Never anything else, whatever JSON holds."""
    with contextlib.suppress(Unreadable):
        assert READERS[reader](value) is not None
