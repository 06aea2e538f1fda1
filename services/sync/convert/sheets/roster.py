"""OneRoster's files into records in the ministry's names: classes, staff and pupils, each put together once.

Writes a line a record, `J <sheet> <row> {about} {object}` with a tab between the two, where `about` says in which row
of which file it stands and what only what is held can answer: a file of changes names classes and people that it says
nothing else of.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

from services.sync.convert.sheets import refused
from services.sync.convert.sheets.roster_files import ABSENT, BULK, RosterFiles
from services.sync.domain.left_out import (
    GONE_ANYWAY,
    NO_ROLE,
    OTHER_ROLE,
    OTHER_YEAR,
    SUBJECT_CLASS,
    UNKNOWN_FILE,
    skipped_as_kept,
)
from services.sync.domain.rosters import (
    CLASS,
    MANIFEST,
    METADATA,
    PEOPLE,
    PUPIL,
    STAFF,
    Joined,
    RosterObject,
    code_of,
    first_year,
    version_of,
)
from services.sync.domain.sheets import MOST_SKIPPED_NAMED

SCHOOL, YEAR, VERSION, GONE = "TRUONG_ID", "NAM_HOC", "PHIEN_BAN", "DA_XOA"
HOMEROOM_TEACHER, CLASS_OF, GRADE, SECONDARY, NAME = "GIAO_VIEN_ID", "MA_LOP", "MA_KHOI", "IS_HOC_SONG_SONG", "HO_TEN"
TO_BE_DELETED: Final = "tobedeleted"
_MAIN: Final = {CLASS: "classes", STAFF: "users", PUPIL: "users"}
_PEOPLE: Final = """
    CREATE TABLE person AS
    SELECT "userSourcedId" AS user, "orgSourcedId" AS org, kind FROM roles JOIN kind_of USING (role)
    UNION SELECT "userSourcedId", "schoolSourcedId", kind FROM enrollments JOIN kind_of USING (role)
"""
_OF_KIND: Final = """
    SELECT person.user, person.org FROM person LEFT JOIN users ON users."sourcedId" = person.user
    WHERE kind = ? ORDER BY users."row" IS NULL, users."row", person.user, person.org
"""
_UNTOLD: Final = """
    SELECT "sourcedId" FROM users UNION SELECT "sourcedId" FROM demographics
    EXCEPT SELECT user FROM person EXCEPT SELECT "userSourcedId" FROM roles
"""
_CLASSES_UNTOLD: Final = """
    SELECT "classSourcedId", "schoolSourcedId", min("row") FROM enrollments
    WHERE role = 'teacher' AND "primary" = 'true' AND "classSourcedId" NOT IN (SELECT "sourcedId" FROM classes)
    GROUP BY "classSourcedId", "schoolSourcedId" ORDER BY 3
"""
_OTHER_ROLES: Final = 'SELECT "row" FROM roles WHERE role NOT IN (SELECT role FROM kind_of) ORDER BY "row" LIMIT ?'


def read(path: Path, spec: Mapping[str, Any], out: IO[bytes]) -> None:
    """Write the records of a zip; raises FileRefusedError where it is refused as a whole."""
    try:
        _read(path, spec, out)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            raise refused.bomb() from error
        raise


def _read(path: Path, spec: Mapping[str, Any], out: IO[bytes]) -> None:
    told = spec["roster"]
    files = RosterFiles(path, told)
    wanted = [kind["name"] for kind in spec["kinds"] if kind["name"] in _MAIN]
    kinds = [kind for kind in (CLASS, *PEOPLE) if kind in wanted]
    if not told["one_school"] and any(map(files.complete, kinds)):
        files.faults.append(refused.not_one_school())
    if files.faults:
        raise refused.together(files.faults)
    reading = _Roster(files, school_year=told["school_year"])
    counts: dict[str, int] = {}
    for place, kind in enumerate(kinds):
        out.write(b"S %s\n" % _json(reading.sheet(kind) | {"place": place}))
    for place, kind in enumerate(kinds):
        counts[kind] = 0
        for joined in reading.records(kind):
            counts[kind] += 1
            _write(out, place, joined)
    if STAFF in kinds and PUPIL in kinds:
        for pupil, member in reading.untold():
            counts[PUPIL] += 1
            _write(out, kinds.index(PUPIL), pupil, other=(kinds.index(STAFF), member))
    out.write(b"E %s\n" % _json(list(reading.told(counts))))


def _write(out: IO[bytes], place: int, joined: Joined, *, other: tuple[int, Joined] | None = None) -> None:
    about: dict[str, Any] = {"rows": {f"{file}.csv": row for file, row in joined.rows.items()}}
    about |= {"flaws": joined.flaws} if joined.flaws else {}
    about |= {"among": joined.among} if joined.among else {}
    about |= {"leaves": joined.leaves} if joined.leaves else {}
    about |= {"only_held": True} if joined.only_held else {}
    about |= {"other": [other[0], other[1].raw]} if other else {}
    for one in (joined, other[1]) if other else (joined,):
        if one.dated and one.version:
            one.raw[VERSION] = one.version
    number = next(iter(joined.rows.values()))
    out.write(b"J %d %d %s\t%s\n" % (place, number, _json(about), _json(joined.raw)))


class _Roster:
    """The records that files say together."""

    def __init__(self, files: RosterFiles, *, school_year: int) -> None:
        self._files, self._table, self._year = files, files.table, school_year
        self._skipped: dict[str, dict[str, list[int]]] = {name: {} for name in files.files}  # By reason.
        rows = files.rows
        rows.execute("CREATE TABLE kind_of (role TEXT PRIMARY KEY, kind TEXT)")
        rows.executemany("INSERT INTO kind_of VALUES (?, ?)", self._table.roles.items())
        rows.execute(_PEOPLE)
        rows.execute("CREATE INDEX person_user ON person (user)")
        for (number,) in rows.execute(_OTHER_ROLES, (MOST_SKIPPED_NAMED,)):
            self._skip("roles", number, OTHER_ROLE)

    def sheet(self, kind: str) -> dict[str, Any]:
        """What the process that asked is told of the rows of a type of record."""
        one = self._table.objects[kind]
        return {
            "name": f"{_MAIN[kind]}.csv",
            "kind": kind,
            "collection": one.collection,
            "columns": [],
            "above": [],
            "from": {to: [f"{file}.csv", letter, column] for to, (file, letter, column) in self._columns(one).items()},
            "defaults": dict(one.defaults),
            "complete": self._files.complete(kind),
        }

    def _columns(self, one: RosterObject) -> dict[str, tuple[str, str, str]]:
        """By field the column that says it first."""
        main = _MAIN[one.name]
        said = {to: (source.file, source.columns[0]) for to, source in one.fields.items()}
        said |= {one.id_field: (main, "sourcedId"), VERSION: (main, "dateLastModified"), GONE: (main, "status")}
        if one.name == CLASS:
            said |= {SCHOOL: (main, "schoolSourcedId"), HOMEROOM_TEACHER: ("enrollments", "userSourcedId")}
        else:
            said |= {SCHOOL: ("roles", "orgSourcedId"), CLASS_OF: ("enrollments", "classSourcedId")}
        files = (main, "demographics") if one.name != CLASS else (main,)
        for file in files:
            said |= {name: (file, METADATA + name) for name in one.extensions if self._letter(file, METADATA + name)}
        return {to: (file, self._letter(file, column), column) for to, (file, column) in said.items()}

    def _letter(self, file: str, column: str) -> str:
        return self._files.files[file].letters.get(column, "")

    def told(self, counts: Mapping[str, int]) -> Iterator[dict[str, Any]]:
        """What each file was taken for."""
        for name, file in self._files.files.items():
            if file.mode == ABSENT:
                continue
            about = {"name": f"{name}.csv", "first": 1, "last": 1, "ignored": file.ignored}
            kinds = [kind for kind in counts if _MAIN[kind] == name]
            for kind in kinds:
                columns = self._columns(self._table.objects[kind]).items()
                yield about | {
                    "collection": self._table.objects[kind].collection,
                    "kind": kind,
                    "columns": [[letter, to, ""] for to, (of, letter, _) in columns if of == name and letter],
                    "rows": counts[kind],
                    "complete": self._files.complete(kind),
                    **skipped_as_kept(self._skipped[name]),
                }
            if not kinds:
                yield about | {
                    "collection": "",
                    "kind": "",
                    "columns": [],
                    "rows": file.row_count,
                    **skipped_as_kept(self._skipped[name]),
                }
        for name in self._files.others:
            reason = self._table.unread.get(name.removesuffix(".csv"), UNKNOWN_FILE)
            yield {"name": name[:100], "collection": "", "left_out": reason}
        yield {"name": MANIFEST, "collection": "", "first": 1}

    def records(self, kind: str) -> Iterator[Joined]:
        """The records of a type in the order of their file."""
        if kind == CLASS:
            yield from self._classes()
            return
        for user, org in self._all(_OF_KIND, kind):
            if (joined := self._person(self._table.objects[kind], user, org)) is not None:
                yield joined

    def untold(self) -> Iterator[tuple[Joined, Joined]]:
        """People of whom no file says what they are: as pupil and as member of staff, of which one may be held."""
        for (user,) in self._all(_UNTOLD):
            row = self._one("users", user)
            if self._files.complete(PUPIL):
                if row is not None:
                    self._skip("users", row["row"], NO_ROLE)
                continue
            org = row["primaryOrgSourcedId"] if row is not None else None
            made = [self._person(self._table.objects[kind], user, org) for kind in PEOPLE]
            member, pupil = made
            if member is not None and pupil is not None:
                yield pupil, member

    def _classes(self) -> Iterator[Joined]:
        one = self._table.objects[CLASS]
        for row in self._all('SELECT * FROM classes ORDER BY "row"'):
            year = self._year_of(row["termSourcedIds"])
            if row["classType"] == "scheduled" or year not in (0, self._year):
                self._skip("classes", row["row"], SUBJECT_CLASS if row["classType"] == "scheduled" else OTHER_YEAR)
                continue
            joined = self._begun(one, row["sourcedId"], row["schoolSourcedId"], "classes", row)
            if row["classType"] != "homeroom":
                self._flaw(joined, one.id_field, "class_type", "classes", row, "classType")
            if self._stamped(joined, "classes", row):
                if not self._gone(joined, one, "classes", row):
                    continue
            else:
                self._take(joined, one, {"classes": row})
                self._homeroom_teacher(joined, row["sourcedId"])
            yield joined
        for class_id, school, number in self._all(_CLASSES_UNTOLD):
            row = self._enrollment(number)
            joined = self._begun(one, class_id, school, "enrollments", row)
            if self._files.files["classes"].mode == BULK:
                self._flaw(joined, one.id_field, "class", "enrollments", row, "classSourcedId")
            joined.only_held = True
            self._homeroom_teacher(joined, class_id)
            yield joined

    def _homeroom_teacher(self, joined: Joined, class_id: str) -> None:
        asked = "SELECT * FROM enrollments WHERE \"classSourcedId\" = ? AND role = 'teacher' AND \"primary\" = 'true'"
        found = [
            (row, self._stamped(joined, "enrollments", row)) for row in self._all(f'{asked} ORDER BY "row"', class_id)
        ]
        longest = self._table.objects[STAFF].longest
        active = [row for row, gone in found if not gone]
        if active:
            joined.raw[HOMEROOM_TEACHER] = code_of(active[0]["userSourcedId"], longest)
            joined.rows["enrollments"] = active[0]["row"]
        elif self._files.files["enrollments"].mode == BULK:
            joined.raw[HOMEROOM_TEACHER] = ""
        elif found:
            joined.leaves = {HOMEROOM_TEACHER: [code_of(row["userSourcedId"], longest) for row, _ in found]}
            joined.rows["enrollments"] = found[0][0]["row"]

    def _person(self, one: RosterObject, user_id: str, org: str | None) -> Joined | None:
        """A pupil or a member of staff at a school; None: nothing is to be said of them."""
        user, roles = self._one("users", user_id), self._of(one, "roles", "orgSourcedId", user_id, org)
        enrolled = self._of(one, "enrollments", "schoolSourcedId", user_id, org)
        demographics = self._one("demographics", user_id)
        parts = [("users", user), *(("roles", row) for row in roles), *(("enrollments", row) for row in enrolled)]
        file, first = next((file, row) for file, row in (*parts, ("demographics", demographics)) if row is not None)
        joined = self._begun(one, user_id, org, file, first)
        if user is None and self._files.files["users"].mode == BULK:
            self._flaw(joined, NAME, "user", file, first, "userSourcedId" if file != "demographics" else "sourcedId")
        gone = {
            file: [row for of, row in parts if of == file and row is not None and self._stamped(joined, file, row)]
            for file in ("users", "roles", "enrollments")
        }
        active = [row for row in roles if row not in gone["roles"]]
        classes = [row for row in enrolled if row not in gone["enrollments"]]
        if gone["users"] or (roles and not active and not classes):
            at = "users" if gone["users"] else "roles"
            return joined if self._gone(joined, one, at, gone[at][0]) else None
        joined.only_held = user is None and not active and not classes
        given = {"users": user, "roles": active[0] if active else None, "demographics": demographics}
        if demographics is not None:
            self._stamped(joined, "demographics", demographics)
        self._take(joined, one, given)
        if one.name == PUPIL:
            if active and active[0]["roleType"]:
                joined.raw[SECONDARY] = "1" if active[0]["roleType"] == "secondary" else "0"
            self._class_of(joined, classes, gone["enrollments"])
        return joined

    def _of(self, one: RosterObject, file: str, school: str, user_id: str, org: str | None) -> list[sqlite3.Row]:
        asked = (
            f'SELECT "{file}".* FROM "{file}" JOIN kind_of USING (role)'  # noqa: S608 (names of our table)
            f' WHERE "userSourcedId" = ? AND "{school}" = ? AND kind = ? ORDER BY "row"'
        )
        return list(self._all(asked, user_id, org, one.name))

    def _class_of(self, joined: Joined, active: list[sqlite3.Row], gone: list[sqlite3.Row]) -> None:
        """The class a pupil is in: one that the files know, or one of those that they only name."""
        longest, homerooms = self._table.objects[CLASS].longest, list[tuple[sqlite3.Row, sqlite3.Row]]()
        for row in sorted(active, key=lambda row: (row["primary"] != "true", row["row"])):
            found = self._one("classes", row["classSourcedId"])
            if found is not None:
                if found["classType"] == "homeroom" and self._year_of(found["termSourcedIds"]) in (0, self._year):
                    homerooms.append((row, found))
                else:
                    homeroom = found["classType"] == "homeroom"
                    self._skip("enrollments", row["row"], OTHER_YEAR if homeroom else SUBJECT_CLASS)
            elif self._files.files["classes"].mode == BULK:
                self._flaw(joined, CLASS_OF, "class", "enrollments", row, "classSourcedId")
            else:
                joined.among.setdefault(CLASS_OF, []).append(code_of(row["classSourcedId"], longest))
                joined.rows.setdefault("enrollments", row["row"])
        if homerooms:
            row, found = homerooms[0]
            joined.among, joined.rows["enrollments"] = {}, row["row"]
            joined.raw[CLASS_OF] = code_of(row["classSourcedId"], longest)
            grade = self._table.objects[CLASS].fields[GRADE]
            if not joined.raw.get(GRADE) and (said := grade.said([found[one] or "" for one in grade.columns])):
                joined.raw[GRADE] = said
        elif self._files.files["enrollments"].mode == BULK and not joined.among:
            joined.raw[CLASS_OF] = ""
        elif gone:
            joined.leaves = {CLASS_OF: [code_of(row["classSourcedId"], longest) for row in gone]}
            joined.rows.setdefault("enrollments", gone[0]["row"])

    def _begun(self, one: RosterObject, sourced_id: str, org: str | None, file: str, row: sqlite3.Row) -> Joined:
        joined = Joined({one.id_field: code_of(sourced_id, one.longest), YEAR: str(self._year)}, {file: row["row"]})
        if org:
            found = self._one("orgs", org)
            if found is not None:
                joined.raw[SCHOOL] = found["identifier"] or org
            elif self._files.files["orgs"].mode == BULK:
                column = "orgSourcedId" if file == "roles" else "schoolSourcedId"
                self._flaw(joined, SCHOOL, "org", file, row, column)
        return joined

    def _take(self, joined: Joined, one: RosterObject, rows: Mapping[str, sqlite3.Row | None]) -> None:
        """What columns say; what a code is not known for, and a grade that is left out, is not said."""
        for to, source in one.fields.items():
            row = rows.get(source.file)
            given = [row[column] for column in source.columns] if row is not None else []
            if row is None or all(value is None for value in given):
                continue
            value = source.said(one or "" for one in given)
            if value or (to != GRADE and not any(given)):
                joined.raw[to] = value
                joined.rows[source.file] = row["row"]
        for file, row in rows.items():
            for name in one.extensions if row is not None else ():
                column = METADATA + name
                if self._letter(file, column) and row is not None:
                    joined.raw[name], joined.rows[file] = row[column] or "", row["row"]

    def _stamped(self, joined: Joined, file: str, row: sqlite3.Row) -> bool:
        """Whether a row says that it is gone; of a file of changes it says the record's version, too."""
        status = row["status"] or ""
        if self._files.files[file].mode == BULK:
            joined.dated = False
            return status == TO_BE_DELETED
        if status not in ("active", TO_BE_DELETED):
            self._flaw(joined, GONE, "status", file, row, "status")
        version = version_of(row["dateLastModified"] or "")
        if not version:
            self._flaw(joined, VERSION, "instant", file, row, "dateLastModified")
        joined.version = max(joined.version, version)
        return status == TO_BE_DELETED

    def _gone(self, joined: Joined, one: RosterObject, file: str, row: sqlite3.Row) -> bool:
        """Make a record one that is gone; False: files of everything that lack it say so already."""
        if self._files.complete(one.name):
            self._skip(file, row["row"], GONE_ANYWAY)
            return False
        joined.raw[GONE] = "1"
        return True

    def _flaw(self, joined: Joined, to: str, flaw: str, file: str, row: sqlite3.Row, column: str) -> None:
        said = [flaw, f"{file}.csv", row["row"], self._letter(file, column), column]
        if said not in (some := joined.flaws.setdefault(to, [])):
            some.append(said)

    def _skip(self, file: str, number: int, reason: str) -> None:
        skipped = self._skipped[file].setdefault(reason, [])
        if len(skipped) < MOST_SKIPPED_NAMED and number not in skipped:
            skipped.append(number)

    def _year_of(self, sessions: str | None) -> int:
        """The school year of a class, by the first of its terms that says one; 0: none does."""
        for session in (sessions or "").split(","):
            found = self._one("academicSessions", session.strip())
            if found is not None and (year := first_year(found["schoolYear"])):
                return year
        return 0

    def _one(self, file: str, sourced_id: str) -> sqlite3.Row | None:
        asked = f'SELECT * FROM "{file}" WHERE "sourcedId" = ?'  # noqa: S608 (names of our table)
        found: sqlite3.Row | None = self._files.rows.execute(asked, (sourced_id,)).fetchone()
        return found

    def _enrollment(self, number: int) -> sqlite3.Row:
        found: sqlite3.Row = self._files.rows.execute('SELECT * FROM enrollments WHERE "row" = ?', (number,)).fetchone()
        return found

    def _all(self, asked: str, *given: object) -> Iterable[sqlite3.Row]:
        return self._files.rows.execute(asked, given)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
