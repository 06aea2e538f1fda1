"""A workbook to fill in: Vietnamese headings, lists to choose codes from, and what the centre holds.

A hidden row says each column's field by name, so that the workbook is read back exactly, whatever is done to its
headings.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name

from services.sync.domain.sheets import TEMPLATE_CODES

ROOM: Final = 500  # Empty rows that have lists to choose from, below those that are filled.
MOST_WIDE: Final = 40
_NEEDED: Final = "Các cột có dấu * là bắt buộc. Không xóa dòng ẩn phía trên tiêu đề. Ô để trống nghĩa là không có."


def write(target: Path, told: Mapping[str, Any]) -> None:
    """Write a template: `title`, `sheet`, `columns` (field, label, needed, day, codes) and `rows` of texts."""
    columns: Sequence[Mapping[str, Any]] = told["columns"]
    rows: Sequence[Sequence[str]] = told["rows"]
    book = xlsxwriter.Workbook(
        str(target), {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    )
    sheet = book.add_worksheet(told["sheet"])
    codes = book.add_worksheet(TEMPLATE_CODES)
    bold = book.add_format({"bold": True, "font_size": 14})
    head = book.add_format({"bold": True, "bg_color": "#DDEBF7", "border": 1, "text_wrap": True, "valign": "vcenter"})
    text = book.add_format({"num_format": "@"})
    faint = book.add_format({"italic": True, "font_color": "#666666"})
    sheet.write_string(0, 0, told["title"], bold)
    sheet.write_string(1, 0, _NEEDED, faint)
    sheet.set_row(2, None, None, {"hidden": True})
    last = 4 + len(rows) + ROOM
    lists = 0
    for place, column in enumerate(columns):
        sheet.write_string(2, place, column["field"])
        sheet.write_string(3, place, f"{column['label']} *" if column["needed"] else column["label"], head)
        longest = max([len(column["label"]), *(len(row[place]) for row in rows[:200])])
        sheet.set_column(place, place, min(max(longest + 2, 10), MOST_WIDE), text)
        if column["day"]:
            sheet.write_comment(3, place, "Ghi ngày dạng dd/mm/yyyy, ví dụ 30/09/2015")
        if column["codes"]:
            _offer(sheet, codes, column, place=place, at=lists, last=last)
            lists += 1
    for number, row in enumerate(rows, 4):
        for place, value in enumerate(row):
            if value:
                sheet.write_string(number, place, value)
    sheet.freeze_panes(4, 2)
    codes.hide()
    book.close()


def _offer(sheet: Any, codes: Any, column: Mapping[str, Any], *, place: int, at: int, last: int) -> None:
    offered: Sequence[str] = column["codes"]
    codes.write_string(0, at, column["field"])
    for row, one in enumerate(offered, 1):
        codes.write_string(row, at, one)
    letter = xl_col_to_name(at)
    sheet.data_validation(
        4,
        place,
        last,
        place,
        {
            "validate": "list",
            "source": f"={TEMPLATE_CODES}!${letter}$2:${letter}${len(offered) + 1}",
            "error_title": "Không có trong danh mục",
            "error_message": "Hãy chọn một giá trị trong danh sách.",
            "error_type": "warning",  # Several levels of a school stand in one cell.
        },
    )
