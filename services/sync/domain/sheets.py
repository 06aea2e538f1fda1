"""Tables in the sheets of a workbook: found by their headings in any order, read row by row into a sender's names.

Knows headings by normalised text, never by position. Leaves out what is no record (headings that repeat, totals,
signatures) and says so; refuses a table whose records could have no key. Knows no file format.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, NamedTuple

TEMPLATE_CODES: Final = "DanhMuc"  # The hidden sheet of a template that holds the codes to choose from.
PREVIEW: Final = 40  # Rows of a sheet among which its headings must stand.
MOST_HEADER_ROWS: Final = 3
MOST_SKIPPED_NAMED: Final = 50
LONGEST_HEADING: Final = 300  # Letters; a longer text is no heading, no code, and is not remembered.
_BRACKETS: Final = re.compile(r"\([^)]*\)|\[[^\]]*\]")
_NO_LETTER: Final = re.compile(r"[^a-z0-9]+")
_COUNTING: Final = re.compile(r"\(?\s*(\d{1,3}|[a-z])\s*\)?")
_EPOCHS: Final = {False: date(1899, 12, 30), True: date(1904, 1, 1)}
_AS_TEXT: Final = re.compile(r"^'(?=[\d+])")  # Typed before a number so that the cell keeps it as it is written.
_MIDNIGHT: Final = re.compile(r"[ T]+(?:0?0:00(?::00(?:\.0+)?)?|12:00(?::00)? ?(?:SA|AM))$", re.IGNORECASE)
_SERIALS: Final = (2101.0, 73_051.0)  # Days as Excel counts them, to 2099; what is less may be a year.


class Cell(NamedTuple):
    """What stands in a cell: a text, a number, a truth value or a day (ISO); or a flaw instead of a value."""

    value: "str | float | bool"
    day: bool = False  # Whether the value is a day, or a number that is shown as one.
    flaw: str = ""  # `formula` or `error`: there is no value to trust.


class Row(NamedTuple):
    """A row of a sheet, by its number from 1; its cells by column from 0, empty ones left out."""

    number: int
    cells: "Mapping[int, Cell]"


class Column(NamedTuple):
    """What a column of a table says."""

    place: int  # From 0.
    field: str  # The sender's name of the field; of a list what it holds of the element.
    code: str = ""  # Code of the list's element; empty: no list.


@dataclass(frozen=True, slots=True)
class Grid:
    """A list that stands as columns, such as marks by subject."""

    name: str
    code: str
    columns: Mapping[str, tuple[str, str]]  # Heading to (code, field).
    many: frozenset[str]


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of record and the headings that say its fields."""

    name: str
    collection: str
    headings: Mapping[str, str]
    needs: tuple[str, ...]
    extra: frozenset[str]  # Columns that are read for comparison only and are no field.
    days: frozenset[str]
    values: Mapping[str, Mapping[str, str]]
    digits: Mapping[str, int]
    lists: Mapping[str, tuple[str, ...]]
    preamble: Mapping[str, re.Pattern[str]]
    grid: Grid | None = None


@dataclass(slots=True)
class Table:
    """A table that was found in a sheet."""

    kind: Kind
    first: int  # Rows of its headings,
    last: int  # from 1.
    columns: tuple[Column, ...]
    headings: Mapping[int, str]
    titles: Mapping[int, str]  # The same as people read them.
    ignored: list[str]
    missing: list[str]  # Fields its records cannot do without.
    twice: list[tuple[int, int]]  # Columns that say the same field.
    said: dict[str, str] = field(default_factory=dict)  # Fields that text above the table says.
    above: list[str] = field(default_factory=list)  # That text.
    skipped: list[int] = field(default_factory=list)
    from_1904: bool = False  # How numbers are days.


def folded(text: str) -> str:
    """A heading for comparison: without tones, case, brackets, signs and line breaks."""
    return _remembered(text) if len(text) <= LONGEST_HEADING else _folded(text)


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFD", _BRACKETS.sub(" ", text).casefold().replace("đ", "d"))
    bare = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return _NO_LETTER.sub(" ", bare).strip()


_remembered: Final = lru_cache(maxsize=8192)(_folded)  # By the text: what is long would fill the memory.


def column_name(place: int) -> str:
    """The letters of a column from 0: A, B, … AA."""
    name = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        name = chr(65 + rest) + name
    return name


def find_table(rows: Sequence[Row], kinds: Iterable[Kind]) -> Table | None:
    """The table whose headings stand among the first rows of a sheet; the one that says most, the first of equals."""
    best: tuple[int, Table] | None = None
    every = tuple(kinds)
    for end in range(len(rows)):
        for start in range(end, max(end - MOST_HEADER_ROWS, -1), -1):
            if rows[end].number - rows[start].number >= MOST_HEADER_ROWS:
                break
            headings = _headings(rows[start : end + 1])
            for kind in every:
                table = _table(kind, rows, start, end, headings)
                score = len(table.columns) * 4 - len(table.missing) * 3 - (end - start)
                if len(table.columns) >= 2 and (best is None or score > best[0]):  # one is a chance
                    best = score, table
    if best is None or len(best[1].missing) == len(best[1].kind.needs):
        return None
    # What lacks a column and has hardly any is a list of codes.
    return best[1] if not best[1].missing or len(best[1].columns) > 2 else None


def records(table: Table, rows: Iterable[Row]) -> Iterator[tuple[int, dict[str, Any], dict[int, str]]]:
    """The records below the headings: row number, fields by the sender's names, and flawed columns."""
    columns, least = table.columns, 1 if len(table.columns) < 3 else 2  # a lone cell is a signature
    began = False
    for row in rows:
        if row.number <= table.last:
            continue
        given = [(column, cell) for column in columns if (cell := row.cells.get(column.place)) is not None]
        if not given:
            if row.cells:
                _skip(table, row.number)
            continue
        if len(given) < least or _repeats(table, given) or (not began and _counts(given)):
            _skip(table, row.number)
            continue
        began = True
        yield row.number, *_record(table, given)


def serial_day(value: float, *, from_1904: bool) -> str:
    """The day behind a number as Excel counts days; empty: it is none."""
    if not _SERIALS[0] <= value < _SERIALS[1]:
        return ""
    return (_EPOCHS[from_1904] + timedelta(days=int(value))).isoformat()


def _headings(rows: Sequence[Row]) -> dict[int, tuple[str, ...]]:
    """For each column the headings above each other; a group's heading counts for all columns below it."""
    found: dict[int, tuple[str, ...]] = {}
    width = max((max(row.cells, default=-1) for row in rows), default=-1) + 1
    groups = [""] * (len(rows) - 1)
    for place in range(width):
        texts = [str(row.cells[place].value) if place in row.cells else "" for row in rows]
        for level, text in enumerate(texts[:-1]):
            if text:
                groups[level:] = [text, *[""] * (len(groups) - level - 1)]
            elif texts[-1]:
                texts[level] = groups[level]
        if any(texts):
            found[place] = tuple(dict.fromkeys(part for part in texts if part))
    return found


def _table(kind: Kind, rows: Sequence[Row], start: int, end: int, headings: Mapping[int, tuple[str, ...]]) -> Table:
    columns: list[Column] = []
    ignored: list[str] = []
    twice: list[tuple[int, int]] = []
    taken: dict[tuple[str, str], int] = {}
    for place, parts in headings.items():
        column = _column(kind, place, parts)
        if column is None:
            ignored.append(_title(parts))
            continue
        many = kind.grid is not None and column.code and column.field in kind.grid.many
        if (column.field, column.code) in taken and not many:
            twice.append((taken[column.field, column.code], place))
            continue
        taken[column.field, column.code] = place
        columns.append(column)
    above = [str(cell.value) for row in rows[:start] for cell in row.cells.values() if isinstance(cell.value, str)]
    said = _said(kind, above, {column.field for column in columns})
    named = {column.field for column in columns if not column.code} | said.keys()
    return Table(
        kind,
        rows[start].number,
        rows[end].number,
        tuple(columns),
        {place: folded(parts[-1]) for place, parts in headings.items()},
        {place: _title(parts) for place, parts in headings.items()},
        ignored,
        [name for name in kind.needs if name not in named],
        twice,
        said,
        above[:20],
    )


def _title(parts: Sequence[str]) -> str:
    return " / ".join(" ".join(part.split()) for part in parts)[:80]


def _column(kind: Kind, place: int, parts: Sequence[str]) -> Column | None:
    whole = folded(" ".join(parts))
    for said in dict.fromkeys((whole, folded(parts[-1]), folded(parts[0]))):
        if kind.grid is not None and said == whole and (found := kind.grid.columns.get(said)):
            return Column(place, found[1], found[0])
        # Below a group's heading a part alone says little: `Điểm` is one subject's.
        if (name := kind.headings.get(said)) and (said == whole or not _in_grid(kind, parts)):
            return Column(place, name)
    return None


def _in_grid(kind: Kind, parts: Sequence[str]) -> bool:
    return kind.grid is not None and len(parts) > 1 and folded(parts[0]) in kind.grid.columns


def _said(kind: Kind, above: Iterable[str], given: set[str]) -> dict[str, str]:
    said: dict[str, str] = {}
    for text in above:
        for part in re.split(r"[;,\n–]| - ", text):
            for name, pattern in kind.preamble.items():
                if name not in given and (found := pattern.fullmatch(folded(part))):
                    said.setdefault(name, found["value"].upper())
    return said


def _repeats(table: Table, given: Sequence[tuple[Column, Cell]]) -> bool:
    """Whether a row says the headings once more, in our words or its own."""
    like, left = 0, len(given)
    for column, cell in given:
        if (like + left) * 2 <= len(given):
            return False  # Too few are left: of a record the first half tells.
        left -= 1
        if isinstance(cell.value, str) and len(cell.value) <= LONGEST_HEADING:
            said = folded(cell.value)
            like += said == table.headings[column.place] or table.kind.headings.get(said) == column.field
    return like * 2 > len(given)


def _counts(given: Sequence[tuple[Column, Cell]]) -> bool:
    """Whether a row below the headings only counts the columns: (1) (2) (3)."""
    if len(given) < 3:  # two numbers may be a record
        return False
    return all(
        _COUNTING.fullmatch(f"{cell.value:g}" if isinstance(cell.value, float) else str(cell.value))
        for _, cell in given
    ) and _rises([cell for _, cell in given])


def _rises(cells: Sequence[Cell]) -> bool:
    numbers = [re.sub(r"\D", "", f"{one.value:g}" if isinstance(one.value, float) else str(one.value)) for one in cells]
    counted = [int(number) for number in numbers if number]
    return len(counted) >= len(cells) - 1 and all(b == a + 1 for a, b in pairwise(counted))


def _record(table: Table, given: Sequence[tuple[Column, Cell]]) -> tuple[dict[str, Any], dict[int, str]]:
    kind, grid = table.kind, table.kind.grid
    # A column that is there and empty says that nothing is; one that is not there says nothing.
    record: dict[str, Any] = {column.field: "" for column in table.columns if not column.code} | table.said
    flaws: dict[int, str] = {}
    elements: dict[str, dict[str, Any]] = {}
    for column, cell in given:
        if cell.flaw:
            if column.field not in kind.extra:
                flaws[column.place] = cell.flaw
            continue
        value = value_of(table.kind, column.field, cell, from_1904=table.from_1904)
        if value == "":
            continue
        if not column.code or grid is None:
            record[column.field] = value
            continue
        element = elements.setdefault(column.code, {grid.code: column.code})
        if column.field in grid.many:
            element.setdefault(column.field, []).extend(_many(value))
        else:
            element[column.field] = value
    if grid is not None and any(column.code for column in table.columns):
        record[grid.name] = list(elements.values())
    return record, flaws


def _many(value: object) -> list[object]:
    return [part for part in re.split(r"[;\s]+", value) if part] if isinstance(value, str) else [value]


def value_of(kind: Kind, name: str, cell: Cell, *, from_1904: bool = False) -> Any:
    """What a cell says of a field, in the forms that people write: codes by their names, days as numbers."""
    value = cell.value
    if isinstance(value, str):
        value = _AS_TEXT.sub("", unicodedata.normalize("NFC", value).replace("\u00a0", " ").strip())
        if name in kind.days:
            value = _MIDNIGHT.sub("", value)  # How software exports a day; another time is no day.
        if fields := kind.lists.get(name):
            return [dict(zip(fields, part.split(maxsplit=len(fields) - 1), strict=False)) for part in _parts(value)]
    elif isinstance(value, float):
        if name in kind.days and (day := serial_day(value, from_1904=from_1904)):
            return day
        length = kind.digits.get(name, 0)
        if length and value.is_integer() and length - 3 < len(f"{value:.0f}") < length:
            return f"{value:.0f}".zfill(length)  # A cell of a number has lost the zeros it began with.
        value = int(value) if value.is_integer() and abs(value) < 2**53 else value
    codes = kind.values.get(name)
    return _coded(value, codes) if codes else value


def _parts(value: str) -> list[str]:
    return [part for part in (one.strip() for one in re.split(r"[;\n]", value)) if part]


def _coded(value: object, codes: Mapping[str, str]) -> object:
    """The code behind `01`, `Kinh`, `01 - Kinh` or `01 Kinh`; several stay several; what is not known stays."""
    said = str(value)
    if "," in said and folded(said) not in codes:
        return ",".join(str(_coded(part.strip(), codes)) for part in said.split(","))
    first = folded(re.split(r"\s[-–:]\s", said)[0])
    return codes.get(folded(said)) or codes.get(first) or value


def _skip(table: Table, number: int) -> None:
    if len(table.skipped) < MOST_SKIPPED_NAMED:
        table.skipped.append(number)


def read_kinds(spec: Mapping[str, Any]) -> list[Kind]:
    """The kinds of a specification as `specification` of `convert/sheets` makes it."""
    return [
        Kind(
            name=entry["name"],
            collection=entry["collection"],
            headings=entry["headings"],
            needs=tuple(entry["needs"]),
            extra=frozenset(entry["extra"]),
            days=frozenset(entry["days"]),
            values=entry["values"],
            digits=entry["digits"],
            lists={name: tuple(fields) for name, fields in entry["lists"].items()},
            preamble={name: re.compile(pattern) for name, pattern in entry["preamble"].items()},
            grid=_grid(entry["grid"]) if entry["grid"] else None,
        )
        for entry in spec["kinds"]
    ]


def _grid(entry: Mapping[str, Any]) -> Grid:
    columns = {
        folded(f"{said} {part}"): (code, name)
        for code, spoken in entry["codes"].items()
        for said in (code, *spoken, *(f"môn {one}" for one in spoken))
        for name, parts in entry["fields"].items()
        for part in parts
    }
    columns |= {
        folded(f"{entry['list']} {code} {name}"): (code, name) for code in entry["codes"] for name in entry["fields"]
    }
    return Grid(entry["list"], entry["code"], columns, frozenset(entry["many"]))
