"""OneRoster's zip opened: what its manifest declares, and the rows of its files in a database of their own on disk.

Files name each other's rows in any order; laid out on disk they are joined at the same memory however many there are.
The database has no name and is gone with the process.
"""

import csv
import io
import sqlite3
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from services.sync.convert.sheets import archive, refused
from services.sync.convert.sheets.plain import MOST_FIELD
from services.sync.convert.sheets.refused import FileRefusedError
from services.sync.domain.rosters import CLASS, MANIFEST, METADATA, PEOPLE, RosterTable, read_table
from services.sync.domain.sheets import Cell, Row, column_name
from services.sync.domain.words import Text

ABSENT, BULK, DELTA = "absent", "bulk", "delta"
MOST_PROPERTIES: Final = 1_000
_FED: Final = {
    "classes": ("LOP",),
    "users": PEOPLE,
    "demographics": PEOPLE,
}  # Records that metadata columns may tell of.
MOST_ON_DISK: Final = 1_000_000_000  # Bytes of the database.
# At most so much is held of the database, 16 MB; nothing of it is ever taken back.
_ON_DISK: Final = "PRAGMA journal_mode = OFF; PRAGMA temp_store = FILE; PRAGMA cache_size = -16000;"
_PAGE: Final = 4096
_BROKEN: Final = Text("cấu trúc bên trong bị hỏng", "its inside is broken")
_ENCODING: Final = Text("bảng mã không phải UTF-8", "its encoding is not UTF-8")


@dataclass
class File:
    """A file as it was laid out."""

    mode: str
    letters: dict[str, str] = field(default_factory=dict)  # By column that is read.
    ignored: list[str] = field(default_factory=list)
    row_count: int = 0


class RosterFiles:
    """The files of a zip, to be joined."""

    def __init__(self, path: Path, spec: Mapping[str, Any]) -> None:
        """Open, check the manifest, lay out; raises FileRefusedError where nothing can be looked at.

        What else is wrong is in `faults`: of files that have any nothing is to be read.
        """
        self.faults: list[FileRefusedError] = []
        csv.field_size_limit(MOST_FIELD)
        self._extensions = {kind: frozenset(names) for kind, names in spec["extensions"].items()}
        try:
            self._zip = archive.opened(path)
            declared = self._manifest()
            system = declared.get("source.systemCode", ("", 0))[0]
            self.table: RosterTable = read_table(spec["table"], system=system, extensions=self._extensions)
            modes = self._modes(declared)
            self.rows = sqlite3.connect("", isolation_level=None)
            self.rows.row_factory = sqlite3.Row
            self.rows.executescript(_ON_DISK)
            self.rows.executescript(f"PRAGMA page_size = {_PAGE}; PRAGMA max_page_count = {MOST_ON_DISK // _PAGE};")
            self.files = {name: self._laid_out(name, modes.get(name, ABSENT)) for name in self.table.files}
        except archive.ERRORS as error:
            raise refused.unreadable(_BROKEN, refused.ZIP_AGAIN) from error
        self.others = sorted(
            name for name in self._zip.namelist() if name.removesuffix(".csv") not in self.files and name != MANIFEST
        )

    def complete(self, kind: str) -> bool:
        """Whether the files say all records of a type."""
        needs = ("classes",) if kind == CLASS else ("users", "roles")
        return all(self.files[name].mode == BULK for name in needs)

    def _manifest(self) -> dict[str, tuple[str, int]]:
        """What the manifest declares, by property: the value and its row."""
        declared: dict[str, tuple[str, int]] = {}
        for number, given in self._lines(MANIFEST):
            name, value, *_ = (*(one.strip() for one in given), "", "")
            if name and (number > 1 or name != "propertyName"):
                declared[name] = (value, number)
            if len(declared) > MOST_PROPERTIES:
                raise refused.wrong_manifest(number, "", Text("quá nhiều dòng", "too many rows"))
        return declared

    def _modes(self, declared: Mapping[str, tuple[str, int]]) -> dict[str, str]:
        version, number = declared.get("oneroster.version", ("", 0))
        if version not in self.table.versions:
            known = ", ".join(self.table.versions)
            why = Text(f"phải là {known}, đang là “{version}”", f"has to be {known}, is “{version}”")
            self.faults.append(refused.wrong_manifest(number, "oneroster.version", why))
        modes: dict[str, str] = {}
        there = {name.removesuffix(".csv") for name in self._zip.namelist() if name.endswith(".csv")}
        for name, (mode, number) in declared.items():
            if not name.startswith("file."):
                continue
            if mode not in (ABSENT, BULK, DELTA):
                why = Text(
                    f"phải là absent, bulk hoặc delta, đang là “{mode}”", f"is “{mode}”, not absent, bulk or delta"
                )
                self.faults.append(refused.wrong_manifest(number, name, why))
            elif mode != ABSENT and name[5:] not in there:
                self.faults.append(refused.missing_file(number, f"{name[5:]}.csv", mode))
            modes[name[5:]] = mode
        for name in sorted(there & (self.table.files.keys() | self.table.unread.keys())):
            if modes.get(name, ABSENT) == ABSENT:
                why = Text(
                    f"tệp có trong zip mà không được khai bulk hay delta (file.{name})",
                    f"the file is in the zip but is declared neither bulk nor delta (file.{name})",
                )
                number = declared.get(f"file.{name}", ("", 0))[1]
                self.faults.append(refused.wrong_manifest(number, f"file.{name}", why))
        if not any(modes.get(name, ABSENT) != ABSENT for name in ("classes", "users", "roles", "enrollments")):
            why = Text(
                "không khai tệp nào trong classes, users, roles, enrollments",
                "declares none of classes, users, roles and enrollments",
            )
            self.faults.append(refused.wrong_manifest(0, "file.*", why))
        return {name: mode for name, mode in modes.items() if name in there}

    def _laid_out(self, name: str, mode: str) -> File:
        reads = self.table.reads[name]
        extra = sorted(METADATA + one for kind in _FED.get(name, ()) for one in self._extensions[kind])
        found, columns = File(mode), list(dict.fromkeys((*reads, *extra)))
        names = ", ".join(f'"{column}" TEXT' for column in columns)
        self.rows.execute(f'CREATE TABLE "{name}" ("row" INTEGER PRIMARY KEY, {names})')
        if mode in (BULK, DELTA):
            self.rows.execute("BEGIN")
            try:
                self._fill(name, found, columns)
            except FileRefusedError as fault:
                self.faults.append(fault)
            self.rows.execute("COMMIT")
        self._index(name)
        return found

    def _fill(self, name: str, found: File, columns: Sequence[str]) -> None:
        lines, before = self._lines(f"{name}.csv"), len(self.faults)
        places = self._heading(name, found, columns, next(lines, (1, []))[1])
        if len(self.faults) > before:
            return
        signs = ", ".join("?" * (len(places) + 1))
        into = ", ".join(f'"{columns[at]}"' for at in places)
        self.rows.executemany(
            f'INSERT INTO "{name}" ("row", {into}) VALUES ({signs})',  # noqa: S608 (names of our table)
            self._records(name, found, list(places.values()), lines),
        )

    def _heading(self, name: str, found: File, columns: Sequence[str], heading: Sequence[str]) -> dict[int, int]:
        """By column that is read, its place in the file."""
        places: dict[int, int] = {}
        for at, said in enumerate(one.strip() for one in heading):
            if said not in columns:
                found.ignored.append(said[:80])
                continue
            if said in found.letters:
                twice = [found.letters[said], column_name(at)]
                self.faults.append(refused.duplicate_column(f"{name}.csv", twice, said))
                continue
            found.letters[said] = column_name(at)
            places[columns.index(said)] = at
        if missing := [one for one in self.table.files[name] if one not in found.letters]:
            self.faults.append(refused.missing_roster_column(f"{name}.csv", missing))
        return places

    def _records(
        self, name: str, found: File, places: Sequence[int], lines: Iterable[tuple[int, list[str]]]
    ) -> Iterator[tuple[Any, ...]]:
        at_id, width = _place_of(found.letters["sourcedId"]), len(found.letters) + len(found.ignored)
        for number, given in lines:
            if not any(one.strip() for one in given):
                continue
            before = len(self.faults)
            if len(given) > width:
                why = Text("có nhiều ô hơn dòng tiêu đề", "has more cells than the heading")
                self.faults.append(refused.wrong_roster(f"{name}.csv", number, "", why))
            if at_id >= len(given) or not given[at_id].strip():
                why = Text("để trống; mỗi dòng cần một sourcedId", "is empty; every row needs a sourcedId")
                self.faults.append(refused.wrong_roster(f"{name}.csv", number, "sourcedId", why))
            if len(self.faults) > refused.MOST_FAULTS:
                return
            if len(self.faults) > before:
                continue
            found.row_count += 1
            yield number, *(given[at].strip() if at < len(given) else "" for at in places)

    def _index(self, name: str) -> None:
        try:
            self.rows.execute(f'CREATE UNIQUE INDEX "{name}_id" ON "{name}" ("sourcedId")')
        except sqlite3.IntegrityError:
            asked = f'SELECT max("row"), min("row") FROM "{name}" GROUP BY "sourcedId" HAVING count(*) > 1 ORDER BY 1'  # noqa: S608
            for number, first in self.rows.execute(f"{asked} LIMIT {refused.MOST_FAULTS}"):
                why = Text(f"trùng với dòng {first}", f"is the same as that of row {first}")
                self.faults.append(refused.wrong_roster(f"{name}.csv", number, "sourcedId", why))
        for column in ("userSourcedId", "classSourcedId"):
            if column in self.table.reads[name]:
                self.rows.execute(f'CREATE INDEX "{name}_{column}" ON "{name}" ("{column}")')

    def _lines(self, name: str) -> Iterator[tuple[int, list[str]]]:
        """The rows of a file by number from 1."""
        reader = None
        try:
            with self._zip.open(name) as content:
                reader = csv.reader(io.TextIOWrapper(content, "utf-8-sig", newline=""), strict=True)
                yield from enumerate(reader, 1)
        except UnicodeError as error:
            raise refused.unreadable(
                Text(f"{name}: {_ENCODING.vi}", f"{name}: {_ENCODING.en}"), refused.CSV_AGAIN
            ) from error
        except csv.Error as error:
            number = reader.line_num if reader else 1
            raise refused.wrong_roster(name, number, "", Text("không phải CSV hợp lệ", "is no valid CSV")) from error


def _place_of(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def is_roster(names: Iterable[str]) -> bool:
    """Whether an archive with these names is OneRoster's."""
    return any(name.rpartition("/")[2] == MANIFEST or name in ("users.csv", "orgs.csv") for name in names)


def sheets(path: Path) -> Iterator[tuple[str, Iterator[Row]]]:
    """The files of a zip as sheets, for who is shown what is wrong in them; raises FileRefusedError."""
    csv.field_size_limit(MOST_FIELD)
    try:
        opened = archive.opened(path)
        for name in opened.namelist():
            if name.endswith(".csv"):
                yield name, _cells(opened, name)
    except archive.ERRORS as error:
        raise refused.unreadable(_BROKEN, refused.ZIP_AGAIN) from error


def _cells(opened: zipfile.ZipFile, name: str) -> Iterator[Row]:
    with opened.open(name) as content:
        for number, given in enumerate(csv.reader(io.TextIOWrapper(content, "utf-8-sig", newline="")), 1):
            yield Row(number, {at: Cell(one) for at, one in enumerate(given) if one.strip()})
