"""The wrong fields of a row that was not stored, as who corrects it sees them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from iocedu.sync.v1 import imports_pb2

from services.sync.convert.imports import FileRow, sheet_at
from services.sync.domain.paths import value_at
from services.sync.domain.profiles import Fields

NAME_FIELDS = "HO_TEN", "TEN"


def cells_of(
    raw: Fields,
    fields: Iterable[str],
    sheet: Mapping[str, Any] | None,
    *,
    labels: Mapping[str, str],
    shown: Callable[[str, str, str], bool],
) -> list[imports_pb2.ImportCell]:
    """Heading, column and value of each field; `sheet` is what is known of the one it came on, if anything.

    `shown` says by field, column and what stands there whether the caller may see that.
    """
    row = FileRow(sheet_at(sheet), 0, raw, {}) if sheet is not None else None
    titles: Mapping[str, str] = sheet.get("titles", {}) if sheet is not None else {}
    cells = []
    for field in fields:
        _, column, title = row.sheet.sources.get(field, ("", "", "")) if row else ("", "", "")
        column = column or (row.column(field) if row else "")
        title = title or titles.get(column, "") or labels.get(field, "") or field
        value = _written(value_at(raw, field))
        told = value if shown(field, column, value) else ""
        cells.append(imports_pb2.ImportCell(field=field, heading=title, column=column, value=told))
    return cells


def name_of(raw: Fields) -> str:
    """The name of the person, class or school that a row is of; empty: it says none."""
    return next((str(raw[field]) for field in NAME_FIELDS if raw.get(field)), "")


def _written(value: Any) -> str:
    """A single value as a cell has it; a list is not corrected as one."""
    return "" if value is None or isinstance(value, list | dict) else str(value)
