"""XLS, the binary workbook of old: read whole by python-calamine, and so only up to a size."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum

from services.sync.convert.sheets import refused
from services.sync.domain.sheets import Cell, Row
from services.sync.domain.words import Text

MOST_BYTES: Final = 30_000_000
_MACROS: Final = "_VBA_PROJECT".encode("utf-16-le")
_ENCRYPTED: Final = "EncryptedPackage".encode("utf-16-le")


def sheets(path: Path) -> Iterator[tuple[str, Iterator[Row], bool]]:
    """Name and rows of each sheet, and whether it is hidden; raises FileRefusedError."""
    content = path.read_bytes() if path.stat().st_size <= MOST_BYTES else b""
    if not content:
        raise refused.unreadable(
            Text("tệp .xls lớn hơn 30 MB, hãy lưu dạng .xlsx", "an .xls of more than 30 MB, save it as .xlsx")
        )
    if _ENCRYPTED in content:
        raise refused.unreadable(Text("tệp có mật khẩu", "it is locked by a password"))
    if _MACROS in content:
        raise refused.macros()
    try:
        book = CalamineWorkbook.from_path(path)
        for about in book.sheets_metadata:
            rows = _rows(book.get_sheet_by_name(about.name).to_python(skip_empty_area=False))
            yield about.name, rows, about.visible != SheetVisibleEnum.Visible
    except CalamineError as error:
        raise refused.unreadable(Text("cấu trúc bên trong bị hỏng", "its inside is broken")) from error


def _rows(values: list[list[Any]]) -> Iterator[Row]:
    for number, row in enumerate(values, 1):
        cells = {place: cell for place, value in enumerate(row) if (cell := _cell(value)) is not None}
        if cells:
            yield Row(number, cells)


def _cell(value: Any) -> Cell | None:
    if isinstance(value, bool):
        return Cell(value)
    if isinstance(value, datetime | date):
        return Cell(value.isoformat()[:10], day=True)
    if isinstance(value, time | timedelta):
        return Cell(str(value))
    if isinstance(value, int | float):
        return Cell(float(value))
    return Cell(value) if isinstance(value, str) and value.strip() else None
