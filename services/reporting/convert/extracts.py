"""Extracts between contract and store, and as files: a line a pupil, and beside them what the lines are.

A line has a number that is drawn anew for each file, so that no line of one is known again in another, and nothing of
the person is in it. Lines are sorted by it. Refuses nothing.
"""

import csv
import io
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice

import xlsxwriter
from iocedu.reporting.v1 import exports_pb2, extracts_pb2

from chassis.clock import VIETNAM
from services.reporting.convert.tables import guarded
from services.reporting.domain.catalogue import Indicator
from services.reporting.domain.disclosure import SMALL
from services.reporting.domain.extracts import AREA, WITHHELD, Cut, Extract, Values, Wanted

NUMBER_DIGITS = 12
MOST_LINES = 1_048_575  # Of a sheet, below its headings; what comes after them is written nowhere.
WORDS: Mapping[str, Sequence[str]] = {
    "vi": (
        "Đơn vị", "Năm học", "Số liệu đến", "Lập lúc", "Mục đích", "Người yêu cầu", "Người phê duyệt", "Nguồn",
        "Quy tắc đếm", "Số dòng",
        "Số học sinh không đưa vào (nhóm quá nhỏ, mọi cấp học)", "Cách che", "Số giá trị bị che ở cột {column}",
    ),
    "en": (
        "Unit", "School year", "Data as of", "Made at", "Purpose", "Requested by", "Approved by", "Source",
        "Counting rule", "Lines",
        "Pupils left out (too few alike, of all levels)", "Withholding", "Values withheld in column {column}",
    ),
}  # fmt: skip
RULES = {
    "vi": f"Mỗi tổ hợp giá trị là của ít nhất {SMALL} học sinh; “{WITHHELD}”: bị che. Một lần quyết định mỗi tháng cho"
    " mọi trích xuất. Mã dòng được rút ngẫu nhiên cho riêng tệp này.",
    "en": f"Each combination of values is that of at least {SMALL} pupils; “{WITHHELD}”: withheld. One decision a month"
    " for all extracts. The number of a line is drawn for this file alone.",
}
SHEETS = {"vi": ("Trích xuất", "Giải thích"), "en": ("Extract", "About")}
NUMBER = {"vi": "ma_dong", "en": "line"}


def wanted_of(request: extracts_pb2.RequestExtractRequest, *, unit_id: int, school_year: int, language: str) -> Wanted:
    """What a caller asks for."""
    return Wanted(
        unit_id=unit_id,
        school_year=school_year,
        columns=tuple(request.columns),
        levels=tuple(request.levels),
        format=request.format or "xlsx",
        language=language,
        purpose=request.purpose.strip(),
    )


def extract_message(extract: Extract, export: exports_pb2.Export | None) -> extracts_pb2.Extract:
    """An extract, with its export as long as it is kept."""
    wanted = extract.wanted
    message = extracts_pb2.Extract(
        extract_id=extract.extract_id,
        unit_id=wanted.unit_id,
        school_year=wanted.school_year,
        columns=wanted.columns,
        levels=wanted.levels,
        format=wanted.format,
        purpose=wanted.purpose,
        requested_by=extract.requested_by,
        approved_by=extract.approved_by,
        export=export,
        state=extracts_pb2.ExtractState.ValueType(extract.state),
        refused_by=extract.refused_by,
        refuse_reason=extract.refuse_reason,
    )
    message.request_time.FromDatetime(extract.request_time)
    if extract.approve_time is not None:
        message.approve_time.FromDatetime(extract.approve_time)
    if extract.refuse_time is not None:
        message.refuse_time.FromDatetime(extract.refuse_time)
    return message


@dataclass(frozen=True, slots=True)
class Drawn:
    """An extract as it goes into a file."""

    extract: Extract
    cut: Cut
    counted: Indicator
    made: datetime
    name: Callable[[int], str]

    @property
    def total(self) -> int:
        """How many lines it has."""
        return sum(self.cut.counts.values())


def csv_files(drawn: Drawn, name: str) -> dict[str, bytes]:
    """The lines, and what they are, in UTF-8 with a mark by which spreadsheets know it."""
    wanted = drawn.extract.wanted
    headings = [NUMBER[wanted.language], *wanted.columns]
    return {f"{name}.csv": _csv(chain([headings], _lines(drawn))), f"{name}-about.csv": _csv(_about(drawn))}


def xlsx_of(drawn: Drawn) -> bytes:
    """A workbook: the lines, on as many sheets as they need, and what they are. Texts are texts, and no formulas."""
    wanted, buffer = drawn.extract.wanted, io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "constant_memory": True}
    lines, about = SHEETS[wanted.language]
    with xlsxwriter.Workbook(buffer, options) as book:
        bold, wrapped = book.add_format({"bold": True}), book.add_format({"text_wrap": True, "valign": "top"})
        every = _lines(drawn)
        for number in range(max(math.ceil(drawn.total / MOST_LINES), 1)):
            sheet = book.add_worksheet(f"{lines} {number + 1}" if number else lines)
            sheet.set_column(0, len(wanted.columns), 16)
            for column, heading in enumerate((NUMBER[wanted.language], *wanted.columns)):
                sheet.write_string(0, column, heading, bold)
            for row, line in enumerate(islice(every, MOST_LINES), 1):
                for column, text in enumerate(line):
                    sheet.write_string(row, column, text)
        told = book.add_worksheet(about)
        told.set_column(0, 0, 32, wrapped)
        told.set_column(1, 1, 80, wrapped)
        for row, (heading, text) in enumerate(_about(drawn)):
            told.write_string(row, 0, heading, bold)
            told.write_string(row, 1, text)
    return buffer.getvalue()


def _lines(drawn: Drawn) -> Iterator[Sequence[str]]:
    columns = drawn.extract.wanted.columns
    values = [
        told for values, count in drawn.cut.counts.items() for told in [_told(values, columns, drawn.name)] * count
    ]
    chance = random.SystemRandom()
    chance.shuffle(values)
    numbers = sorted(chance.sample(range(10**NUMBER_DIGITS), len(values)))
    return ((f"{number:0{NUMBER_DIGITS}}", *told) for number, told in zip(numbers, values, strict=True))


def _told(values: Values, columns: Sequence[str], name: Callable[[int], str]) -> Values:
    return tuple(
        name(int(value)) if column == AREA and value != WITHHELD else value
        for column, value in zip(columns, values, strict=True)
    )


def _about(drawn: Drawn) -> list[tuple[str, str]]:
    extract, counted = drawn.extract, drawn.counted
    wanted, data_time = extract.wanted, drawn.cut.data_time
    vietnamese = wanted.language == "vi"
    *headings, withheld = WORDS[wanted.language]
    texts = (
        drawn.name(wanted.unit_id),
        f"{wanted.school_year}-{wanted.school_year + 1}",
        f"{data_time.astimezone(VIETNAM):%H:%M %d/%m/%Y}" if data_time else "",
        f"{drawn.made.astimezone(VIETNAM):%H:%M %d/%m/%Y}",
        wanted.purpose,
        extract.requested_by,
        extract.approved_by,
        counted.source_document,
        counted.counting_rule_vi if vietnamese else counted.counting_rule_en,
        str(drawn.total),
        str(drawn.cut.left_out),
        RULES[wanted.language],
    )
    hidden = [
        (withheld.format(column=column), str(_withheld(drawn.cut.counts, place)))
        for place, column in enumerate(wanted.columns)
    ]
    return [*zip(headings, texts, strict=True), *hidden]


def _withheld(counts: Mapping[Values, int], place: int) -> int:
    return sum(count for values, count in counts.items() if values[place] == WITHHELD)


def _csv(lines: Iterable[Sequence[str]]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([guarded(text) for text in line] for line in lines)
    return b"\xef\xbb\xbf" + buffer.getvalue().encode()
