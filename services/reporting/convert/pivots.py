"""Pivots between contract and store, and their answers as lines of a sheet.

A line is a figure of a period; what is withheld says so and has no number. Beside each code stands what it is called,
as far as that is known. Refuses nothing.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import xlsxwriter
from google.protobuf.json_format import MessageToDict, ParseDict
from iocedu.reporting.v1 import pivots_pb2

from chassis.clock import VIETNAM
from services.reporting.convert.analysis import COMPARISONS
from services.reporting.convert.tables import guarded
from services.reporting.domain.catalogue import Dimension, DimensionValue, Indicator
from services.reporting.domain.figures import Figure
from services.reporting.domain.pivots import Asked, Interval, Kept, Pivot, Schedule

Line = list[str | float | None]
WORDS: Mapping[str, Sequence[str]] = {
    "vi": (
        "Năm học", "Ngày", "Mã chỉ số", "Chỉ số", "Mã đơn vị", "Đơn vị", "Giá trị", "Tử số", "Mẫu số", "Năm trước",
        "Cùng ngày năm trước", "Chỉ tiêu", "Che", "Trường đã gửi", "Trường phải gửi", "Số liệu đến",
    ),
    "en": (
        "School year", "Day", "Code", "Indicator", "Unit id", "Unit", "Value", "Numerator", "Denominator", "Last year",
        "Same day last year", "Target", "Withheld", "Schools reporting", "Schools expected", "Data as of",
    ),
}  # fmt: skip
BEFORE_DIMENSIONS = 6  # Headings that stand before the dimensions.
RULES = {"vi": ("Cách tính", "Nguồn", "Quy tắc đếm"), "en": ("Counting rules", "Source", "Counting rule")}


def kept_of(content: pivots_pb2.PivotContent) -> Kept:
    """What a caller wants kept."""
    schedule = content.schedule
    return Kept(
        name=content.name.strip(),
        question=MessageToDict(content.question, preserving_proto_field_name=True),
        shared=content.shared,
        schedule=Schedule(Interval(schedule.interval), schedule.hour, schedule.day, schedule.format or "xlsx"),
    )


def question_of(kept: Kept) -> pivots_pb2.PivotQuestion:
    """The question of a pivot; what only a newer version knows is left out."""
    return ParseDict(dict(kept.question), pivots_pb2.PivotQuestion(), ignore_unknown_fields=True)


def asked_of(kept: Kept) -> Asked:
    """The question of a pivot as a value."""
    question = question_of(kept)
    return Asked(
        indicators=tuple(question.indicators),
        breakdown=question.breakdown,
        dimensions=tuple(question.dimensions),
        periods=tuple((one.school_year, one.as_of) for one in question.periods),
        compare_with=frozenset(COMPARISONS[one] for one in question.compare_with),
        follow_successions=question.follow_successions,
    )


def pivot_message(pivot: Pivot, *, subject: str, abandoned: bool, name: Callable[[int], str]) -> pivots_pb2.Pivot:
    """A pivot as a caller sees it."""
    message = pivots_pb2.Pivot(
        pivot_id=pivot.pivot_id,
        unit_id=pivot.unit_id,
        unit_name=name(pivot.unit_id),
        owner=pivot.owner,
        own=pivot.owner == subject,
        abandoned=abandoned,
        etag=pivot.etag,
    )
    kept, schedule = pivot.kept, pivot.kept.schedule
    message.content.name, message.content.shared = kept.name, kept.shared
    message.content.question.CopyFrom(question_of(kept))
    if schedule.interval is not Interval.NEVER:
        interval: pivots_pb2.PivotInterval.ValueType = int(schedule.interval)  # type: ignore[assignment]  # as in the contract
        message.content.schedule.interval = interval
        message.content.schedule.hour, message.content.schedule.day = schedule.hour, schedule.day
        message.content.schedule.format = schedule.format
    if pivot.next_time is not None:
        message.next_time.FromDatetime(pivot.next_time)
    message.update_time.FromDatetime(pivot.update_time)
    return message


@dataclass(frozen=True, slots=True)
class Told:
    """A figure of a period, beside what it is compared with."""

    school_year: int
    day: str
    data_time: datetime | None
    indicator: Indicator
    unit_name: str
    figure: Figure
    last_year: float | None
    same_day: float | None
    target: float | None


def csv_of(told: Sequence[Told], dimensions: Sequence[Dimension], *, language: str) -> bytes:
    """A table in UTF-8 with a mark by which spreadsheets know it."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(_headings(dimensions, language))
    for line in _lines(told, dimensions, language):
        writer.writerow([_written(one) for one in line])
    return b"\xef\xbb\xbf" + buffer.getvalue().encode()


def xlsx_of(told: Sequence[Told], dimensions: Sequence[Dimension], *, title: str, language: str) -> bytes:
    """A workbook: the figures, and how each is counted. Texts are texts, so that none is taken for a formula."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False}) as book:
        bold, wrapped = book.add_format({"bold": True}), book.add_format({"text_wrap": True, "valign": "top"})
        sheet = book.add_worksheet("Pivot")
        sheet.write_string(0, 0, title, bold)
        sheet.freeze_panes(3, 0)
        for column, heading in enumerate(_headings(dimensions, language)):
            sheet.write_string(2, column, heading, bold)
        for row, line in enumerate(_lines(told, dimensions, language), 3):
            for column, value in enumerate(line):
                if isinstance(value, str):
                    sheet.write_string(row, column, value)
                elif value is not None:
                    sheet.write_number(row, column, value)
        sheet.set_column(0, 20, 16)
        name, source, rule = RULES[language]
        rules = book.add_worksheet(name)
        rules.set_column(0, 2, 60, wrapped)
        for column, heading in enumerate((_headings((), language)[3], rule, source)):
            rules.write_string(0, column, heading, bold)
        for row, one in enumerate({told_.indicator.code: told_.indicator for told_ in told}.values(), 1):
            texts = (one.name_vi, one.counting_rule_vi) if language == "vi" else (one.name_en, one.counting_rule_en)
            for column, text in enumerate((*texts, one.source_document)):
                rules.write_string(row, column, text)
    return buffer.getvalue()


def _written(value: str | float | None) -> str:
    return guarded(value) if isinstance(value, str) else "" if value is None else f"{value:.15g}"


def _headings(dimensions: Sequence[Dimension], language: str) -> list[str]:
    words = WORDS[language]
    of_dimensions = [text for one in dimensions for text in (one.code, _word(one, language))]
    return [*words[:BEFORE_DIMENSIONS], *of_dimensions, *words[BEFORE_DIMENSIONS:]]


def _word(one: Dimension | DimensionValue, language: str) -> str:
    return one.name_vi if language == "vi" else one.name_en


def _lines(told: Sequence[Told], dimensions: Sequence[Dimension], language: str) -> Iterator[Line]:
    words = [{value.code: _word(value, language) for value in one.values} for one in dimensions]
    for one in told:
        figure: Any = one.figure
        values = figure.dimension_values
        yield [
            f"{one.school_year}-{one.school_year + 1}",
            one.day,
            one.indicator.code,
            one.indicator.name_vi if language == "vi" else one.indicator.name_en,
            str(figure.unit_id),
            one.unit_name,
            *(text for code, known in zip(values, words, strict=True) for text in (code, known.get(code, ""))),
            figure.value,
            figure.numerator,
            figure.denominator,
            one.last_year,
            one.same_day,
            one.target,
            "*" if figure.suppressed else "",
            figure.completeness.reporting,
            figure.completeness.expected,
            f"{one.data_time.astimezone(VIETNAM):%Y-%m-%d %H:%M}" if one.data_time else "",
        ]
