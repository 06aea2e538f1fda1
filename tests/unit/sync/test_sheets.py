"""Tables found by their headings, and values as sheets hold them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.convert.sheets.specification import load_sheets
from services.sync.domain.sheets import Cell, Row, column_name, find_table, folded, read_kinds, records, serial_day

SHEETS = load_sheets()
KINDS = read_kinds({"kinds": [SHEETS.kinds[name] for name in SHEETS.kinds]})
HEADINGS = ["Mã học sinh", "Họ và tên", "Ngày sinh", "Giới tính", "Dân tộc", "Lớp", "Khối", "Trạng thái"]
LINE: list[Any] = ["HS1", "Trần Thị Lan", "09/03/2015", "Nữ", "26 - Cơ-tu", "6A", "06", "Đang học"]


def rows(*lines: list[Any]) -> list[Row]:
    """Lines as rows of a sheet."""
    return [
        Row(number, {place: Cell(value) for place, value in enumerate(line) if value not in (None, "")})
        for number, line in enumerate(lines, 1)
    ]


@given(st.permutations(range(len(HEADINGS))), st.integers(0, 5))
def test_the_order_of_columns_and_what_stands_above_say_nothing(order: list[int], above: int) -> None:
    """The same record from every order."""
    lines = [["", "", "BÁO CÁO"]] * above + [[HEADINGS[at] for at in order], [LINE[at] for at in order]]
    sheet = rows(*lines)
    table = find_table(sheet, KINDS)
    assert table is not None
    assert table.kind.name == "HOC_SINH"
    ((number, record, flaws),) = records(table, sheet)
    assert (number, flaws) == (above + 2, {})
    assert record == {
        "HOC_SINH_ID": "HS1",
        "HO_TEN": "Trần Thị Lan",
        "NGAY_SINH": "09/03/2015",
        "MA_GIOI_TINH": "2",
        "MA_DAN_TOC": "26",
        "MA_LOP": "6A",
        "MA_KHOI": "06",
        "MA_TRANG_THAI_HIEN_TAI": "01",
    }


@pytest.mark.parametrize(
    ("written", "code"),
    [("01", "01"), ("1", "01"), ("Kinh", "01"), ("KINH", "01"), ("26 - Cơ-tu", "26"), ("co tu", "26"), ("99", "99")],
)
def test_a_code_may_be_written_as_code_name_or_both(written: str, code: str) -> None:
    """What is not known stays, and is refused by the rules of its field."""
    sheet = rows(HEADINGS, [*LINE[:4], written, *LINE[5:]])
    table = find_table(sheet, KINDS)
    assert table is not None
    ((_, record, _),) = records(table, sheet)
    assert record["MA_DAN_TOC"] == code


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("01/02/2022 00:00", "01/02/2022"),
        ("01/02/2022 0:00:00", "01/02/2022"),
        ("01/02/2022 12:00:00 SA", "01/02/2022"),
        ("01/02/2022 12:00:00 AM", "01/02/2022"),
        ("2022-02-01T00:00:00", "2022-02-01"),
        ("'01/02/2022", "01/02/2022"),
        ("01/02/2022 12:00:00 CH", "01/02/2022 12:00:00 CH"),
        ("01/02/2022 07:30", "01/02/2022 07:30"),
    ],
)
def test_a_day_may_stand_with_a_midnight_or_behind_an_apostrophe(written: str, said: str) -> None:
    """As software exports days, and as a cell keeps a number as text; any other time is no day, and is refused."""
    sheet = rows(HEADINGS, ["'0012", LINE[1], written, *LINE[3:]])
    table = find_table(sheet, KINDS)
    assert table is not None
    ((_, record, _),) = records(table, sheet)
    assert (record["NGAY_SINH"], record["HOC_SINH_ID"]) == (said, "0012")


@pytest.mark.parametrize(
    ("number", "kept"), [(49215000123.0, "049215000123"), (1234567.0, 1234567), (123456789012.0, 123456789012)]
)
def test_an_identity_number_gets_back_the_zeros_that_excel_took(number: float, kept: object) -> None:
    """Twelve digits, of which a cell of a number shows fewer; what was never twelve stays."""
    sheet = rows([*HEADINGS, "Số CCCD"], [*LINE, number])
    table = find_table(sheet, KINDS)
    assert table is not None
    ((_, record, _),) = records(table, sheet)
    assert record["MA_CONG_DAN_ID"] == kept


def test_a_year_in_a_column_of_dates_is_no_day() -> None:
    """2015 as Excel counts days would be a day of 1905."""
    assert serial_day(2015.0, from_1904=False) == ""
    assert serial_day(42072.0, from_1904=False) == "2015-03-09"
    assert serial_day(40610.0, from_1904=True) == "2015-03-09"


@given(st.text(alphabet="aàáảãạăđêôơư -\n(*)", max_size=30))
def test_headings_compare_alike_however_they_are_written(text: str) -> None:
    """Upper case, line breaks and tones change nothing; comparing twice neither."""
    assert folded(text) == folded(text.upper()) == folded(text.replace(" ", "\n")) == folded(folded(text))


def test_columns_are_named_as_people_see_them() -> None:
    """A to Z, then AA."""
    assert [column_name(place) for place in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]


@pytest.mark.parametrize("name", sorted(SHEETS.templates))
def test_every_column_of_a_template_is_read_back_under_its_heading(name: str) -> None:
    """By its field name and by the words above it: what a school writes under another would be lost."""
    headings = SHEETS.kinds[name]["headings"]
    grid = SHEETS.kinds[name]["grid"] or {}
    for field in SHEETS.templates[name]:
        if field == grid.get("list"):
            continue
        assert headings.get(folded(field)) == field
        assert headings.get(folded(SHEETS.labels[name][field])) == field
