"""The coverage of schools as CSV and as a workbook: sums first, then a school a line with the reasons in words.

A text that a spreadsheet would take for a formula is written behind an apostrophe, or as a text in a workbook.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import xlsxwriter
from google.protobuf.timestamp_pb2 import Timestamp
from iocedu.sync.v1 import coverage_pb2

from chassis.clock import VIETNAM
from services.sync.domain.coverage import CoverageState
from services.sync.domain.coverage_rules import SchoolKind
from services.sync.domain.coverage_words import KINDS, STATES
from services.sync.domain.words import Text

CSV: Final = "text/csv; charset=utf-8"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
HEADINGS: Final = (
    "school_id", "school_name", "kind", "levels", "parent_name", "must_connect", "state", "since_time", "reasons",
    "why", "first_accept_time", "last_accept_time", "source", "expected_count", "arrived_count", "taken_count",
    "rejected_count", "held_count", "open_row_count",
)  # fmt: skip
_NAMES: Final = (
    ("Mã đơn vị", "Unit"), ("Trường", "School"), ("Loại", "Kind"), ("Cấp học", "Levels"), ("Xã, phường", "Commune"),
    ("Phải kết nối", "Has to connect"), ("Trạng thái", "State"), ("Từ lúc", "Since"), ("Mã lý do", "Reasons"),
    ("Vì sao, cần làm gì", "Why, and what to do"), ("Gửi lần đầu", "First sent"), ("Gửi lần cuối", "Last sent"),
    ("Phần mềm", "Source"), ("Loại dữ liệu phải có", "Collections due"), ("Đã có", "Arrived"),
    ("Dòng nhận", "Rows taken"), ("Dòng từ chối", "Rows refused"), ("Dòng giữ lại", "Rows held"),
    ("Dòng còn ở khu cách ly", "Rows in the quarantine"),
)  # fmt: skip
_SUMS: Final = (
    ("must_connect_count", Text("Trường phải kết nối", "Schools that have to be connected")),
    (
        "ever_connected_count",
        Text("Đã kết nối (từng gửi dữ liệu được tiếp nhận)", "Connected (sent data that were taken)"),
    ),
    ("connected_count", Text("Đang kết nối đều", "Connected now")),
    ("late_count", STATES[CoverageState.LATE]),
    ("failing_count", STATES[CoverageState.FAILING]),
    ("silent_count", STATES[CoverageState.SILENT]),
    ("unknown_count", Text("Chưa xét", "Not looked at yet")),
)
_WIDTHS: Final = (9, 38, 22, 9, 24, 9, 13, 17, 26, 80, 17, 17, 14, 11, 9, 11, 11, 11, 11)
_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class About:
    """What a file is about, for its head."""

    unit_name: str
    language: str
    made: datetime


def table(schools: Sequence[coverage_pb2.SchoolCoverage], *, language: str) -> bytes:
    """A school a line, headings for programs, in UTF-8 with a mark by which spreadsheets know it."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(HEADINGS)
    for line in _lines(schools, language=language):
        writer.writerow([_guarded(cell) if isinstance(cell, str) else cell for cell in line])
    return b"\xef\xbb\xbf" + buffer.getvalue().encode()


def workbook(
    schools: Sequence[coverage_pb2.SchoolCoverage],
    total: coverage_pb2.CoverageSums,
    parts: Sequence[coverage_pb2.CoveragePart],
    *,
    about: About,
) -> bytes:
    """Two worksheets: the sums, whole and by commune, and the schools."""
    buffer, vi = io.BytesIO(), about.language != "en"
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
    wrapped = book.add_format({"text_wrap": True, "valign": "top"})
    sheet = book.add_worksheet("Tổng hợp" if vi else "Sums")
    sheet.set_column(0, 0, 44)
    sheet.set_column(1, 8, 16)
    sheet.write_string(0, 0, about.unit_name, bold)
    made = about.made.astimezone(VIETNAM)
    sheet.write_string(1, 0, f"{'Lúc' if vi else 'As of'} {made:%H:%M %d/%m/%Y}")
    for row, (name, label) in enumerate(_SUMS, 3):
        sheet.write_string(row, 0, label.told(about.language))
        sheet.write_number(row, 1, getattr(total, name))
    first = 4 + len(_SUMS)
    for column, label in enumerate((Text("Xã, phường", "Commune"), *(label for _, label in _SUMS))):
        sheet.write_string(first, column, label.told(about.language), bold)
    for row, part in enumerate(parts, first + 1):
        sheet.write_string(row, 0, part.name)
        for column, (name, _) in enumerate(_SUMS, 1):
            sheet.write_number(row, column, getattr(part.sums, name))
    sheet = book.add_worksheet("Trường" if vi else "Schools")
    for column, (names, width) in enumerate(zip(_NAMES, _WIDTHS, strict=True)):
        sheet.set_column(column, column, width)
        sheet.write_string(0, column, names[0] if vi else names[1], bold)
    sheet.freeze_panes(1, 2)
    for row, line in enumerate(_lines(schools, language=about.language), 1):
        for column, cell in enumerate(line):
            if isinstance(cell, str):
                sheet.write_string(row, column, cell, wrapped)
            else:
                sheet.write_number(row, column, cell, wrapped)
    if schools:
        sheet.autofilter(0, 0, len(schools), len(HEADINGS) - 1)
    book.close()
    return buffer.getvalue()


def _lines(schools: Sequence[coverage_pb2.SchoolCoverage], *, language: str) -> Iterator[list[str | int]]:
    for one in schools:
        rows = one.recent_rows
        yield [
            one.school_id,
            one.school_name,
            KINDS[SchoolKind(one.kind)].told(language),
            " ".join(one.levels),
            one.parent_name,
            ("có" if language == "vi" else "yes") if one.must_connect else ("không" if language == "vi" else "no"),
            STATES[CoverageState(one.state)].told(language) if one.state else "",
            _moment(one.since_time, known=one.HasField("since_time")),
            " ".join(dict.fromkeys(reason.reason for reason in one.reasons)),
            "\n".join(reason.message for reason in one.reasons),
            _moment(one.first_accept_time, known=one.HasField("first_accept_time")),
            _moment(one.last_accept_time, known=one.HasField("last_accept_time")),
            one.source,
            one.expected_count,
            one.arrived_count,
            rows.taken_count,
            rows.rejected_count,
            rows.held_count,
            one.open_row_count,
        ]


def _moment(stamp: Timestamp, *, known: bool) -> str:
    """An instant as people read it in Viet Nam, in an order that sorts."""
    return f"{datetime.fromtimestamp(stamp.ToSeconds(), VIETNAM):%Y-%m-%d %H:%M}" if known else ""


def _guarded(text: str) -> str:
    """The text, so that no spreadsheet runs it."""
    return f"'{text}" if text.startswith(_FORMULAS) else text
