"""Reports as CSV, a cell a line, in UTF-8 with a mark by which spreadsheets know it.

A text that a spreadsheet would take for a formula is written behind an apostrophe. Refuses nothing.
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping

from services.reporting.convert.workbooks import SchoolPage
from services.reporting.domain.forms import Form, cells_of
from services.reporting.domain.reports import Source

CSV, ZIP = "text/csv; charset=utf-8", "application/zip"
HEADINGS = (
    "form", "form_version", "sample", "school_year", "school_id", "school_name", "state", "version", "data_time",
    "sheet", "row", "column", "row_title", "column_title", "value", "source", "indicator", "counted_value", "reason",
)  # fmt: skip
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def guarded(text: str) -> str:
    """The text, so that no spreadsheet runs it."""
    return f"'{text}" if text.startswith(_FORMULAS) else text


def table(form: Form, pages: Iterable[SchoolPage], *, school_year: int) -> bytes:
    """The cells of schools' reports, those without a report left out."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(HEADINGS)
    for page in pages:
        writer.writerows(_lines(form, page, school_year))
    return b"\xef\xbb\xbf" + buffer.getvalue().encode()


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Files in an archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _lines(form: Form, page: SchoolPage, school_year: int) -> Iterator[list[str]]:
    if page.content is None:
        return
    cells = cells_of(form)
    titles = {
        (sheet.code, kind, line.code): line.title_vi
        for sheet in form.sheets
        for kind, lines in (("row", sheet.rows), ("column", sheet.columns))
        for line in lines
    }
    time = page.content.data_time.isoformat() if page.content.data_time else ""
    head = [form.code, str(form.version), str(form.sample).lower(), str(school_year), str(page.school_id), page.name]
    head += [page.state.name.lower(), str(page.content.version), time]
    for key, cell in cells.items():
        value = page.content.values.get(key)
        if value is None or value.source is Source.NONE:
            continue
        sheet, row, column = key.split(".")
        line = [*head, sheet, row, column, titles[sheet, "row", row], titles[sheet, "column", column]]
        line += [_number(value.value), value.source.name.lower(), cell.indicator, _number(value.counted), value.reason]
        yield [guarded(text) for text in line]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.15g}"
