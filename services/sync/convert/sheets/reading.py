"""A file into objects in a sender's names, written as lines for the process that asked.

A line is `S {sheet}`, `R <sheet> <row> {object}` or `F <sheet> <row> {flawed columns} {object}`, of OneRoster `J` as
`roster.py` says; at the end `E {sheets}`, or `X {refusal}` where the file is refused.
"""

import json
import re
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from services.sync.convert.sheets import archive, legacy, plain, refused, roster, roster_files
from services.sync.convert.sheets.xlsx import Book
from services.sync.domain import sheets
from services.sync.domain.left_out import HIDDEN_SHEET, NO_RECORD, NO_TABLE, TOO_MANY_SHEETS, skipped_as_kept
from services.sync.domain.rosters import MANIFEST
from services.sync.domain.sheets import TEMPLATE_CODES, Row, Table, column_name
from services.sync.domain.words import Text

_ZIP: Final = b"PK\x03\x04"
_OLE: Final = b"\xd0\xcf\x11\xe0"
_OTHERS: Final = ((b"%PDF", "PDF"), (b"\x89PNG", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"Rar!", "RAR"), (b"7z\xbc", "7z"))
MOST_SHEETS: Final = 200


class Sheet(NamedTuple):
    """A sheet of a file."""

    name: str
    rows: Iterator[Row]
    from_1904: bool = False  # How its numbers are days.
    hidden: bool = False  # Whoever looks at the file does not see it, and so it is not read.


def read(path: Path, spec: dict[str, Any], out: IO[bytes]) -> None:
    """Write what stands in a file; raises FileRefusedError where it is refused as a whole."""
    if _is_roster(path):
        roster.read(path, spec, out)
        return
    kinds, left_out = sheets.read_kinds(spec), re.compile(spec["left_out"])
    told: list[dict[str, Any]] = []
    nearest: list[str] = []
    tables = 0
    for place, (name, rows, from_1904, hidden) in enumerate(open_sheets(path)):
        if hidden and name == TEMPLATE_CODES:
            continue
        if place == MOST_SHEETS:
            told.append({"name": name, "collection": "", "left_out": TOO_MANY_SHEETS, "unread": True})
            break
        preview = list(islice(rows, sheets.PREVIEW))
        codes = left_out.fullmatch(sheets.folded(name))
        table = None if codes or hidden else sheets.find_table(preview, kinds)
        if table is None:
            if preview and not (nearest or hidden):
                fullest = max(preview, key=lambda row: len(row.cells))
                nearest = [str(cell.value)[:40] for cell in islice(fullest.cells.values(), 6)]
            unread = {"unread": True} if preview and not codes else {}
            told.append({"name": name, "collection": "", "left_out": HIDDEN_SHEET if hidden else NO_TABLE, **unread})
            continue
        _check(name, table, spec)
        tables += 1
        table.from_1904 = from_1904
        about = _about(name, table) | {"place": len(told)}
        out.write(b"S %s\n" % _json(about))
        count = 0
        for number, record, flaws in sheets.records(table, chain(preview, rows)):
            count += 1
            if flaws:
                columns = {column_name(place): flaw for place, flaw in flaws.items()}
                out.write(b"F %d %d %s\t%s\n" % (len(told), number, _json(columns), _json(record)))
            else:
                out.write(b"R %d %d %s\n" % (len(told), number, _json(record)))
        told.append(about | {"rows": count, **skipped_as_kept({NO_RECORD: table.skipped})})
    if not tables:
        hidden_names = [one["name"] for one in told if one["left_out"] == HIDDEN_SHEET]
        raise refused.no_table(", ".join(nearest), hidden=hidden_names)
    out.write(b"E %s\n" % _json(told))


def open_sheets(path: Path) -> Iterator[Sheet]:
    """The sheets of a file; raises FileRefusedError."""
    with path.open("rb") as content:
        head = content.read(8)
    if not head:
        raise refused.unreadable(Text("tệp rỗng", "it is empty"))
    for sign, name in _OTHERS:
        if head.startswith(sign):
            raise refused.unreadable(Text(f"đây là tệp {name}, không phải bảng tính", f"it is {name}, no workbook"))
    if _is_roster(path):
        for name, rows in roster_files.sheets(path):
            yield Sheet(name, rows)
    elif head.startswith(_ZIP):
        book = Book(path)
        for name, part, hidden in book.sheets:
            yield Sheet(name, book.rows(part), book.from_1904, hidden)
    elif head.startswith(_OLE):
        for name, rows, hidden in legacy.sheets(path):
            yield Sheet(name, rows, hidden=hidden)
    else:
        yield Sheet("CSV", plain.rows(path))


def _is_roster(path: Path) -> bool:
    """Whether a file is OneRoster's zip; raises FileRefusedError where that is one without its manifest."""
    with path.open("rb") as content:
        names = archive.names(path) if content.read(4) == _ZIP else frozenset()
    if not roster_files.is_roster(names):
        return False
    if MANIFEST not in names:
        raise refused.no_manifest()
    return True


def _check(name: str, table: Table, spec: dict[str, Any]) -> None:
    labels: dict[str, str] = spec["labels"].get(table.kind.name, {})
    if table.missing:
        raise refused.missing_column(name, [labels.get(one, one) for one in table.missing])
    if table.twice:
        pair = table.twice[0]
        field = next(column.field for column in table.columns if column.place == pair[0])
        raise refused.duplicate_column(name, [column_name(place) for place in pair], labels.get(field, field))


def _about(name: str, table: Table) -> dict[str, Any]:
    return {
        "name": name,
        "kind": table.kind.name,
        "collection": table.kind.collection,
        "first": table.first,
        "last": table.last,
        "columns": [[column_name(one.place), one.field, one.code] for one in table.columns],
        "titles": {column_name(one.place): table.titles[one.place] for one in table.columns},
        "ignored": table.ignored,
        "above": table.above,
    }


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
