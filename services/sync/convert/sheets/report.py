"""The school's own sheets with what is wrong beside each bad cell.

A workbook keeps its looks where it is small and harmless all through; what else was read becomes one. One that was
refused is not opened again. Of sheets that are long the headings and the rows with
problems come alone, under their own numbers. Who must not see personal data gets these alone, too, and only the columns
that are not personal.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from openpyxl import Workbook, load_workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import column_index_from_string

from services.sync.convert.sheets.reading import MOST_SHEETS, open_sheets
from services.sync.convert.sheets.xlsx import harmless
from services.sync.domain.sheets import folded
from services.sync.domain.words import is_code

MOST_KEPT_BYTES: Final = 5_000_000  # A workbook up to this size keeps its looks,
MOST_KEPT_ROWS: Final = 20_000  # and any sheet up to so many rows is given back whole.
MOST_COMMENT: Final = 1_000
_BAD: Final = PatternFill("solid", fgColor="FFC7CE")
_TOLD: Final = PatternFill("solid", fgColor="FFEB9C")
_NAME: Final = re.compile(r"[\[\]:*?/\\]")
_HEADING: Final = "Lỗi và cách sửa"

Problem = Mapping[str, Any]  # sheet, row, column, message


def write(path: Path, target: Path, told: Mapping[str, Any]) -> None:
    """Write the workbook with its problems; `told` has `problems` and, by sheet, the last row of its `headings`.

    Where it is `masked`: by sheet the first row of the headings and the columns that are shown, with the words for
    codes there. A cell that is neither code nor word stays empty: columns may be shifted.
    """
    problems: dict[tuple[str, int], list[Problem]] = {}
    for one in told["problems"]:
        problems.setdefault((one["sheet"], one["row"]), []).append(one)
    headings: Mapping[str, int] = told["headings"]
    masked: Mapping[str, Mapping[str, Any]] | None = told["masked"]
    keeps = bool(headings) and masked is None and path.stat().st_size <= MOST_KEPT_BYTES and harmless(path)
    book = _opened(path) if keeps else None
    if book is None:
        book = _copied(path, problems, headings, masked)
    for name in book.sheetnames:
        mine = {row: found for (sheet, row), found in problems.items() if sheet == name}
        if name in headings and mine:
            _mark(book[name], mine, heading=headings[name])
    if told.get("summary"):
        _summary(book, told["summary"])
    book.save(target)


def _opened(path: Path) -> Any:
    """The workbook as it looks; None where that is no Excel's own, such as styles that other software wrote."""
    try:
        with path.open("rb") as content:
            return load_workbook(content)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 (whatever openpyxl stumbles over: its values were read before, and are copied)
        return None


def _mark(sheet: Any, problems: Mapping[int, list[Problem]], *, heading: int) -> None:
    last = sheet.max_column + 1
    title = sheet.cell(row=heading, column=last)
    title.value, title.font, title.fill = _HEADING, Font(bold=True), _TOLD
    sheet.column_dimensions[title.column_letter].width = 70
    for row, found in problems.items():
        beside = sheet.cell(row=row, column=last)
        beside.value = _safe("\n".join(one["message"] for one in found))
        beside.fill, beside.alignment = _TOLD, Alignment(wrap_text=True, vertical="top")
        for one in found:
            if one["column"]:
                cell = sheet.cell(row=row, column=column_index_from_string(one["column"]))
                cell.fill = _BAD
                if cell.__class__.__name__ == "Cell":
                    cell.comment = Comment(_safe(one["message"])[:MOST_COMMENT], "IOC Edu", height=120, width=320)


def _copied(
    path: Path,
    problems: Mapping[tuple[str, int], Any],
    headings: Mapping[str, int],
    masked: Mapping[str, Mapping[str, Any]] | None,
) -> Workbook:
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows, *_ in islice(open_sheets(path), MOST_SHEETS) if headings else ():
        if name not in headings:
            continue
        sheet = book.create_sheet(_NAME.sub(" ", name)[:31] or "Trang")
        every = list(islice(rows, MOST_KEPT_ROWS + 1))
        whole = masked is None and len(every) <= MOST_KEPT_ROWS
        first = 1 if masked is None else masked[name]["first"]
        shown = (
            None
            if masked is None
            else {column_index_from_string(one) - 1: _fitting(words) for one, words in masked[name]["columns"].items()}
        )
        for row in chain(every, rows):
            if whole or first <= row.number <= headings[name] or (name, row.number) in problems:
                for place, cell in row.cells.items():
                    value = cell.value
                    if shown is not None and not (
                        place in shown and (row.number <= headings[name] or shown[place](value))
                    ):
                        continue
                    sheet.cell(row=row.number, column=place + 1).value = (
                        _safe(value) if isinstance(value, str) else value
                    )
    if not book.worksheets:
        book.create_sheet("Trang")
    return book


def _fitting(words: Sequence[str] | None) -> Callable[[object], bool]:
    """What a masked column shows: all where it holds names, else what looks like a code or is a word for one."""
    return lambda value: words is None or is_code(str(value).strip()) or folded(str(value)) in words


def _summary(book: Any, lines: Iterable[tuple[str, str]]) -> None:
    sheet = book.create_sheet("Tổng hợp", 0)
    for row, (label, value) in enumerate(lines, 1):
        sheet.cell(row=row, column=1).value = label
        sheet.cell(row=row, column=2).value = _safe(str(value))
    sheet.column_dimensions["A"].width, sheet.column_dimensions["B"].width = 34, 90
    book.active = 0


def _safe(text: str) -> str:
    """A text that a spreadsheet shows and never calculates."""
    plain = ILLEGAL_CHARACTERS_RE.sub("·", text)
    return f"'{plain}" if plain[:1] in ("=", "+", "@") else plain
