"""XLSX as a stream: a row at a time however long a sheet is; only its shared texts are held.

Written for this since the ready readers hold whole sheets, evaluate formulas to what was saved, or do not say which
cells are merged. Refuses macros, document types and files that unpack to far more than they are; opens nothing a file
points to.
"""

import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from xml.parsers import expat

from services.sync.convert.sheets import archive, refused
from services.sync.convert.sheets.archive import ERRORS, MOST_ENTRIES, SMALL
from services.sync.domain.sheets import Cell, Row, serial_day
from services.sync.domain.words import Text

PART: Final = 1 << 18
MOST_SHARED: Final = 150_000_000  # Letters of shared texts.
MOST_MERGED: Final = 200_000  # Cells filled from merged ranges of a sheet.
MOST_COLUMNS: Final = 2_000
_DATES: Final = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
_CODE: Final = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')
_REF: Final = re.compile(r"([A-Z]{1,3})([1-9]\d{0,6})")
_MERGED: Final = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]+\d+):([A-Z]+\d+)"')
_XML: Final = (".xml", ".rels", ".vml")
_BROKEN: Final = Text("cấu trúc bên trong bị hỏng", "its inside is broken")


class Book:
    """An open workbook."""

    def __init__(self, path: Path) -> None:
        """Open and check; raises FileRefusedError."""
        try:
            self._zip = archive.opened(path)
            self._check()
            self.sheets = self._sheets()
            self.from_1904 = self._flag_1904
            self._days = self._day_styles()
            self._shared = self._shared_texts()
        except ERRORS as error:
            raise refused.unreadable(_BROKEN, refused.EXCEL_OR_ZIP) from error

    def _check(self) -> None:
        names = {name.lower() for name in self._zip.namelist()}
        if any(name.endswith("vbaproject.bin") or "/macrosheets/" in name for name in names):
            raise refused.macros()
        if "xl/workbook.xml" not in names:
            raise refused.unreadable(
                Text("không phải tệp Excel .xlsx", "it is no .xlsx workbook"), refused.EXCEL_OR_ZIP
            )

    def _sheets(self) -> list[tuple[str, str, bool]]:
        """Name and part of each sheet, and whether it is hidden."""
        targets: dict[str, str] = {}
        found: list[tuple[str, str, bool]] = []
        self._flag_1904 = False

        def relation(name: str, given: dict[str, str]) -> None:
            if name == "Relationship":
                target = given.get("Target", "")
                targets[given.get("Id", "")] = target.lstrip("/") if target.startswith("/") else f"xl/{target}"

        def workbook(name: str, given: dict[str, str]) -> None:
            if name == "sheet":
                key = next((value for key, value in given.items() if key.endswith(":id")), "")
                hidden = given.get("state", "visible") != "visible"
                found.append((given.get("name", ""), targets.get(key, ""), hidden))
            elif name == "workbookPr":
                self._flag_1904 = given.get("date1904", "0") in ("1", "true")

        self._parse("xl/_rels/workbook.xml.rels", relation)
        self._parse("xl/workbook.xml", workbook)
        return [one for one in found if "/worksheets/" in f"/{one[1]}"]

    def _day_styles(self) -> frozenset[int]:
        formats: dict[int, str] = {}
        styles: list[int] = []
        inside = {"cellXfs": False}

        def start(name: str, given: dict[str, str]) -> None:
            if name == "numFmt":
                formats[int(given["numFmtId"])] = given.get("formatCode", "")
            elif name == "cellXfs":
                inside["cellXfs"] = True
            elif name == "xf" and inside["cellXfs"]:
                styles.append(int(given.get("numFmtId", "0")))

        def end(name: str) -> None:
            if name == "cellXfs":
                inside["cellXfs"] = False

        if "xl/styles.xml" in self._zip.namelist():
            self._parse("xl/styles.xml", start, end)
        shown = {key for key, code in formats.items() if re.search("[dmy]", _CODE.sub("", code), re.IGNORECASE)}
        return frozenset(at for at, number in enumerate(styles) if number in _DATES or number in shown)

    def _shared_texts(self) -> list[str]:
        reader = _SharedReader()
        if "xl/sharedStrings.xml" in self._zip.namelist():
            self._parse("xl/sharedStrings.xml", reader.start, reader.end, reader.letters)
        return reader.texts

    def rows(self, part: str) -> Iterator[Row]:
        """The rows of a sheet, merged cells filled; raises FileRefusedError."""
        try:
            merged = self._merged(part)
            heads = {head for filled in merged.values() for _, head in filled}
            kept: dict[tuple[int, int], Cell] = {}
            for row in self._plain_rows(part):
                kept |= {at: cell for place, cell in row.cells.items() if (at := (row.number, place)) in heads}
                filled = merged.get(row.number, ())
                more = {place: kept[head] for place, head in filled if place not in row.cells and head in kept}
                yield Row(row.number, {**row.cells, **more}) if more else row
        except ERRORS as error:
            raise refused.unreadable(_BROKEN) from error

    def _merged(self, part: str) -> dict[int, list[tuple[int, tuple[int, int]]]]:
        """By row the cells that are merged with one above, and which one that is.

        Only downwards: to the right a merged cell is a group's heading, and is read as one.
        """
        found: dict[int, list[tuple[int, tuple[int, int]]]] = {}
        rest, count = b"", 0
        with self._zip.open(part) as content:
            while data := content.read(PART):
                text = rest + data
                end = 0
                for match in _MERGED.finditer(text):
                    end = match.end()
                    (top, left), (bottom, _) = (_place(one.decode()) for one in match.groups())
                    count += bottom - top
                    if count > MOST_MERGED:
                        raise refused.bomb()
                    for row in range(top + 1, bottom + 1):
                        found.setdefault(row, []).append((left, (top, left)))
                rest = text[max(end, len(text) - 200) :]
        return found

    def _plain_rows(self, part: str) -> Iterator[Row]:
        reader = _SheetReader(self._shared, self._days, from_1904=self.from_1904)
        parser = _parser(reader.start, reader.end, reader.letters)
        with self._zip.open(part) as content:
            while data := content.read(PART):
                _feed(parser, data)
                yield from reader.take()
        _feed(parser, b"", last=True)
        yield from reader.take()

    def _parse(
        self,
        part: str,
        start: Callable[[str, dict[str, str]], None],
        end: Callable[[str], None] | None = None,
        letters: Callable[[str], None] | None = None,
    ) -> None:
        parser = _parser(start, end, letters)
        with self._zip.open(part) as content:
            while data := content.read(PART):
                _feed(parser, data)
        _feed(parser, b"", last=True)


def harmless(path: Path) -> bool:
    """Whether a reader may open a workbook that holds all of it and follows every part: small, and no part declares a
    document type, those that nobody reads here among them.
    """
    try:
        with zipfile.ZipFile(path) as book:
            entries = book.infolist()
            if len(entries) > MOST_ENTRIES or sum(one.file_size for one in entries) > SMALL:
                return False
            for one in entries:
                if one.filename.lower().endswith(_XML):
                    parser = _parser(lambda _name, _given: None, None, None)
                    with book.open(one) as content:
                        while data := content.read(PART):
                            _feed(parser, data)
                    _feed(parser, b"", last=True)
    except (*ERRORS, refused.FileRefusedError):
        return False
    return True


class _SharedReader:
    """Takes the elements of the shared texts; how a text is pronounced is no part of it."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._part: list[str] = []
        self._on = self._phonetic = False
        self._letters = 0

    def start(self, name: str, _given: dict[str, str]) -> None:
        if name == "si":
            self._part = []
        elif name == "rPh":
            self._phonetic = True
        self._on = name == "t" and not self._phonetic

    def end(self, name: str) -> None:
        self._on = False
        if name == "rPh":
            self._phonetic = False
        elif name == "si":
            self.texts.append("".join(self._part))
            self._letters += len(self.texts[-1])
            if self._letters > MOST_SHARED:
                raise refused.bomb()

    def letters(self, data: str) -> None:
        if self._on:
            self._part.append(data)


class _SheetReader:
    """Takes a sheet's elements and makes rows."""

    def __init__(self, shared: list[str], days: frozenset[int], *, from_1904: bool) -> None:
        self._shared = shared
        self._days = days
        self._from_1904 = from_1904
        self._rows: list[Row] = []
        self._number = 0
        self._cells: dict[int, Cell] = {}
        self._place = -1
        self._type = ""
        self._style = 0
        self._formula = False
        self._text: list[str] = []
        self._on = False

    def take(self) -> list[Row]:
        """The rows that are complete by now."""
        rows, self._rows = self._rows, []
        return rows

    def start(self, name: str, given: dict[str, str]) -> None:
        if name == "c":
            found = _REF.fullmatch(given.get("r", ""))
            self._place = _column(found[1]) if found else self._place + 1
            self._type, self._style = given.get("t", "n"), int(given.get("s", "0"))
            self._formula, self._text = False, []
        elif name in ("v", "t"):
            self._on = True
        elif name == "f":
            self._formula = True
        elif name == "row":
            self._number = int(given.get("r", self._number + 1))
            self._cells, self._place = {}, -1

    def end(self, name: str) -> None:
        if name in ("v", "t"):
            self._on = False
        elif name == "c":
            if self._place < MOST_COLUMNS and (cell := self._cell()) is not None:
                self._cells[self._place] = cell
        elif name == "row":
            self._rows.append(Row(self._number, self._cells))

    def letters(self, data: str) -> None:
        if self._on:
            self._text.append(data)

    def _cell(self) -> Cell | None:
        said, kind = "".join(self._text), self._type
        if self._formula or kind == "e":
            return Cell(said, flaw="formula" if self._formula else "error")
        if not said:
            return None
        if kind == "s":
            said = self._shared[int(said)]
            return Cell(said) if said.strip() else None
        if kind in ("inlineStr", "str"):
            return Cell(said) if said.strip() else None
        if kind == "b":
            return Cell(said == "1")
        if kind == "d":
            return Cell(said[:10], day=True)
        value = float(said)
        if self._style in self._days:
            day = serial_day(value, from_1904=self._from_1904)
            return Cell(day or value, day=bool(day))
        return Cell(value)


def _parser(
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None] | None,
    letters: Callable[[str], None] | None,
) -> Any:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    # Names may carry a prefix of their own; what is after it is the same.
    parser.StartElementHandler = lambda name, given: start(name.rpartition(":")[2], given)
    if end is not None:
        parser.EndElementHandler = lambda name: end(name.rpartition(":")[2])
    if letters is not None:
        parser.CharacterDataHandler = letters

    def doctype(*_said: object) -> None:
        raise refused.doctype()

    parser.StartDoctypeDeclHandler = doctype
    return parser


def _feed(parser: Any, data: bytes, *, last: bool = False) -> None:
    try:
        parser.Parse(data, last)
    except expat.ExpatError as error:
        raise refused.unreadable(_BROKEN) from error


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _place(reference: str) -> tuple[int, int]:
    found = _REF.fullmatch(reference)
    if found is None:
        raise ValueError(reference)
    return int(found[2]), _column(found[1])
