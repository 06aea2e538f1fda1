"""Reports as workbooks: the form as officials read it, with source, time, counting rules and the mark of a sample.

Texts are always written as texts, so that none is taken for a formula. A cell without a value is shaded.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from chassis.clock import VIETNAM
from services.reporting.domain.catalogue import Catalogue
from services.reporting.domain.forms import Cell, Form, Key, Kind, Line, Sheet, cells_of, key_of
from services.reporting.domain.reports import Content, Source, State, Value

MOST_TITLE = 31  # Characters of a worksheet's name.
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

WORDS: Mapping[str, Mapping[str, str]] = {
    "vi": {
        "year": "Năm học {year}",
        "unit": "Đơn vị: {unit}",
        "state": "Trạng thái: {state}, phiên bản {version}",
        "draft": "Trạng thái: {state}, bản nháp theo số liệu lúc xuất",
        "sample": "MẪU MINH HỌA – không phải biểu mẫu ban hành",
        "line": "Chỉ tiêu",
        "source": "Nguồn: {source}",
        "data_time": "Số liệu tính đến {time}; cây đơn vị ngày {day}",
        "schools": "Cộng {count}/{expected} trường",
        "school": "Trường",
        "rules": "Cách tính",
        "cells": "Ô",
        "how": "Cách có giá trị",
        "rule": "Quy tắc đếm",
        "sum": "Tổng hợp",
        "status": "Tình hình nộp",
        "entered": "Trường nhập",
        "summed": "Tổng các ô khác",
        "overridden": "Trường thay giá trị đếm {counted}: {reason}",
        "version": "Phiên bản",
        "state_name": "Trạng thái",
    },
    "en": {
        "year": "School year {year}",
        "unit": "Unit: {unit}",
        "state": "State: {state}, version {version}",
        "draft": "State: {state}, a draft by the figures of the moment",
        "sample": "SAMPLE – not an official form",
        "line": "Item",
        "source": "Source: {source}",
        "data_time": "Data as of {time}; units as of {day}",
        "schools": "{count} of {expected} schools added up",
        "school": "School",
        "rules": "Counting rules",
        "cells": "Cell",
        "how": "How it is filled",
        "rule": "Counting rule",
        "sum": "Sum",
        "status": "Submission",
        "entered": "Entered by the school",
        "summed": "Sum of other cells",
        "overridden": "The school put this in place of {counted}: {reason}",
        "version": "Version",
        "state_name": "State",
    },
}
STATES: Mapping[str, Mapping[State, str]] = {
    "vi": {
        State.DRAFT: "đang lập",
        State.CONFIRMED: "trường đã xác nhận",
        State.REVIEWED: "đã rà soát",
        State.APPROVED: "đã duyệt",
        State.RETURNED: "bị trả lại",
    },
    "en": {state: state.name.lower() for state in State},
}


@dataclass(frozen=True, slots=True)
class About:
    """What a file is about, for its head."""

    unit_name: str
    school_year: int
    language: str
    made: datetime


@dataclass(frozen=True, slots=True)
class SchoolPage:
    """One school's report in a file of many; no content: nothing is confirmed yet."""

    school_id: int
    name: str
    state: State
    content: Content | None


def one_report(form: Form, content: Content, *, about: About, state: State, catalogue: Catalogue) -> bytes:
    """A workbook of one report: a worksheet for each sheet of the form, and the counting rules."""
    said = WORDS[about.language]
    head = said["state"] if content.version else said["draft"]
    line = head.format(state=STATES[about.language][state], version=content.version)
    with _Book(form, about) as book:
        for sheet in form.sheets:
            below = [*_dated(content, said), said["source"].format(source=form.source_document or "–")]
            book.form_sheet(sheet, content.values, head=[line], below=below)
        book.rules(catalogue)
    return book.bytes


def many_reports(
    form: Form,
    pages: Sequence[SchoolPage],
    sums: Mapping[Key, tuple[float, int]],
    *,
    about: About,
    catalogue: Catalogue,
) -> bytes:
    """A workbook of a unit's schools: their sum sheet by sheet, every school's lines, and who has submitted."""
    said = WORDS[about.language]
    counted = sum(1 for page in pages if page.content is not None)
    added = said["schools"].format(count=counted, expected=len(pages))
    values = {key: Value(value, Source.SUMMED) for key, (value, _) in sums.items()}
    with _Book(form, about) as book:
        for sheet in form.sheets:
            below = [said["source"].format(source=form.source_document or "–")]
            book.form_sheet(sheet, values, head=[added], below=below, name=f"{said['sum']} - {_title(sheet, about)}")
        for sheet in form.sheets:
            book.schools_sheet(sheet, pages)
        book.status(pages)
        book.rules(catalogue)
    return book.bytes


class _Book:
    """A workbook under way."""

    def __init__(self, form: Form, about: About) -> None:
        self._form, self._about, self._said = form, about, WORDS[about.language]
        self._buffer = io.BytesIO()
        options = {
            "in_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        }
        self._book = xlsxwriter.Workbook(self._buffer, options)
        self._names: set[str] = set()
        add = self._book.add_format
        self._bold = add({"bold": True, "font_size": 13})
        self._mark = add({"bold": True, "font_color": "#B3261E"})
        self._head = add(
            {
                "bold": True,
                "border": 1,
                "text_wrap": True,
                "align": "center",
                "valign": "vcenter",
                "bg_color": "#E4EFF9",
            }
        )
        self._title = {indent: add({"border": 1, "indent": indent, "bold": indent == 0}) for indent in range(6)}
        number = {"border": 1, "num_format": "#,##0.##"}
        self._value = add(number)
        self._changed = add({**number, "bg_color": "#FDF1E0"})
        self._none = add({"border": 1, "bg_color": "#E3E8EE"})
        self._wrapped = add({"border": 1, "text_wrap": True, "valign": "top"})
        self._note = add({"italic": True, "font_color": "#5A6878"})
        self.bytes = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._book.close()
        self.bytes = self._buffer.getvalue()

    def form_sheet(
        self, sheet: Sheet, values: Mapping[Key, Value], *, head: Iterable[str], below: Iterable[str], name: str = ""
    ) -> None:
        """A sheet of the form with its values."""
        page = self._page(name or _title(sheet, self._about))
        row = self._heading(page, _title(sheet, self._about), head)
        self._columns(page, row, sheet, first=self._said["line"])
        for line in sheet.rows:
            row += 1
            page.write_string(row, 0, _line_title(line, self._about), self._title[line.indent])
            for place, column in enumerate(sheet.columns, start=1):
                self._cell(page, row, place, values.get(key_of(sheet.code, line.code, column.code)))
        for text in below:
            row += 1
            page.write_string(row + 1, 0, text, self._note)

    def schools_sheet(self, sheet: Sheet, pages: Sequence[SchoolPage]) -> None:
        """Every school's lines of a sheet below each other, to filter and sort."""
        page = self._page(_title(sheet, self._about))
        self._columns(page, 0, sheet, first=self._said["school"], second=self._said["line"])
        page.freeze_panes(1, 2)
        row = 0
        for school in pages:
            if school.content is None:
                continue
            for line in sheet.rows:
                row += 1
                page.write_string(row, 0, school.name, self._wrapped)
                page.write_string(row, 1, _line_title(line, self._about), self._title[line.indent])
                for place, column in enumerate(sheet.columns, start=2):
                    key = key_of(sheet.code, line.code, column.code)
                    self._cell(page, row, place, school.content.values.get(key))
        if row:
            page.autofilter(0, 0, row, 1)

    def status(self, pages: Sequence[SchoolPage]) -> None:
        """Which schools have submitted."""
        page = self._page(self._said["status"])
        for place, text in enumerate((self._said["school"], self._said["state_name"], self._said["version"])):
            page.write_string(0, place, text, self._head)
        page.set_column(0, 0, 44)
        page.set_column(1, 2, 18)
        for row, school in enumerate(pages, start=1):
            page.write_string(row, 0, school.name, self._wrapped)
            page.write_string(row, 1, STATES[self._about.language][school.state], self._wrapped)
            page.write_number(row, 2, school.content.version if school.content else 0, self._value)

    def rules(self, catalogue: Catalogue) -> None:
        """How every cell is filled."""
        page = self._page(self._said["rules"])
        page.set_column(0, 0, 52)
        page.set_column(1, 1, 30)
        page.set_column(2, 2, 100)
        for place, text in enumerate((self._said["cells"], self._said["how"], self._said["rule"])):
            page.write_string(0, place, text, self._head)
        cells = cells_of(self._form)
        row = 0
        for sheet in self._form.sheets:
            for line in sheet.rows:
                for column in sheet.columns:
                    cell = cells[key_of(sheet.code, line.code, column.code)]
                    if cell.kind is Kind.BLANK:
                        continue
                    row += 1
                    titles = (_title(sheet, self._about), *(_line_title(one, self._about) for one in (line, column)))
                    page.write_string(row, 0, " / ".join(titles), self._wrapped)
                    for place, text in enumerate(_how(cell, catalogue, self._about.language), start=1):
                        page.write_string(row, place, text, self._wrapped)

    def _page(self, name: str) -> Worksheet:
        # Excel refuses some characters in names of worksheets, longer ones, and two that differ only in case.
        plain = "".join(" " if letter in "[]:*?/\\" else letter for letter in name).strip("' ")[:MOST_TITLE] or "1"
        title, number = plain, 1
        while title.lower() in self._names:
            number += 1
            title = f"{plain[: MOST_TITLE - 3]} {number}"
        self._names.add(title.lower())
        page: Worksheet = self._book.add_worksheet(title)
        page.set_landscape()
        page.set_paper(9)
        page.fit_to_pages(1, 0)
        return page

    def _heading(self, page: Worksheet, title: str, head: Iterable[str]) -> int:
        name = self._form.name_en if self._about.language == "en" else self._form.name_vi
        year = f"{self._about.school_year}-{self._about.school_year + 1}"
        lines = [
            (name.upper(), self._bold),
            *([(self._said["sample"], self._mark)] if self._form.sample else []),
            (self._said["unit"].format(unit=self._about.unit_name), None),
            (self._said["year"].format(year=year), None),
            *((text, None) for text in head),
            (title, self._bold),
        ]
        for row, (text, style) in enumerate(lines):
            page.write_string(row, 0, text, style)
        return len(lines)

    def _columns(self, page: Worksheet, row: int, sheet: Sheet, *, first: str, second: str = "") -> None:
        titles = [first, *([second] if second else []), *(_line_title(one, self._about) for one in sheet.columns)]
        page.set_row(row, 46)
        page.set_column(0, 0, 44)
        page.set_column(1, len(titles) - 1, 15)
        if second:
            page.set_column(1, 1, 40)
        for place, text in enumerate(titles):
            page.write_string(row, place, text, self._head)

    def _cell(self, page: Worksheet, row: int, place: int, value: Value | None) -> None:
        if value is None or value.value is None:
            page.write_blank(row, place, None, self._none)
            return
        overridden = value.source is Source.OVERRIDDEN
        page.write_number(row, place, value.value, self._changed if overridden else self._value)
        if overridden:
            counted = "–" if value.counted is None else f"{value.counted:g}"
            page.write_comment(row, place, self._said["overridden"].format(counted=counted, reason=value.reason))


def _how(cell: Cell, catalogue: Catalogue, language: str) -> tuple[str, str]:
    said = WORDS[language]
    if cell.kind is Kind.ENTERED:
        return said["entered"], ""
    if cell.kind is Kind.SUMMED:
        return said["summed"], ", ".join(cell.parts)
    indicator = catalogue.find(cell.indicator)
    where = ", ".join(f"{name} = {value}" for name, value in cell.where)
    how = f"{cell.indicator} ({where})" if where else cell.indicator
    if indicator is None:
        return how, ""
    return how, indicator.counting_rule_en if language == "en" else indicator.counting_rule_vi


def _dated(content: Content, said: Mapping[str, str]) -> list[str]:
    if content.data_time is None:
        return []
    time = f"{content.data_time.astimezone(VIETNAM):%H:%M %d/%m/%Y}"
    return [said["data_time"].format(time=time, day=f"{content.hierarchy_as_of:%d/%m/%Y}")]


def _title(sheet: Sheet, about: About) -> str:
    return sheet.title_en if about.language == "en" else sheet.title_vi


def _line_title(line: Line, about: About) -> str:
    return line.title_en if about.language == "en" else line.title_vi
