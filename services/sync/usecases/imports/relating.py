"""What files of changes leave open is answered by what is held: they name classes and people that they say no more of.

Of a record that may be a pupil or a member of staff that counts which is held; of classes the one that is held, since
a subject's class is none here; what says something only of a record that is held says nothing where none is. Of
schools beyond the import's unit nothing is read: a row of theirs is refused for that, whatever is held.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from iocedu.records.v1 import held_records_pb2

from services.sync.convert.checks import FindSchool
from services.sync.convert.imports import FileRow, Reading, SheetAt
from services.sync.domain.problems import SCHOOL_OUTSIDE_UNIT
from services.sync.domain.roster_flaws import UNKNOWN_ROLE
from services.sync.domain.rosters import Apart
from services.sync.usecases.imports.office import Office

AT_ONCE: Final = 250  # Records read in one call: a message carries 16 MB.
CLASSES: Final = "classes"

Name = tuple[str, str, str]  # Collection, school, key.


async def related(
    office: Office, reading: Reading, sheets: Sequence[SheetAt | None], rows: Sequence[FileRow], *, find: FindSchool
) -> list[FileRow]:
    """The rows of a slice with nothing left open."""
    rows = [_inside(reading, row, row.apart, find) if row.apart is not None else row for row in rows]
    asked: set[Name] = set()
    for row in rows:
        if row.apart is not None:
            asked.update(_names(reading, sheets, row, row.apart))
    if not asked:
        return rows
    held = await _held(office, asked)
    return [row if row.apart is None else _settled(reading, sheets, row, row.apart, held) for row in rows]


def _inside(reading: Reading, row: FileRow, apart: Apart, find: FindSchool) -> FileRow:
    """A row, with nothing to ask where it is of a school beyond the unit."""
    if _is_open(apart) and find(_name(reading, row)[1]) == SCHOOL_OUTSIDE_UNIT:
        return replace(row, apart=replace(apart, other=None, among={}, only_held=False))
    return row


def _is_open(apart: Apart) -> bool:
    return bool(apart.other or apart.among or apart.only_held)


def _names(reading: Reading, sheets: Sequence[SheetAt | None], row: FileRow, apart: Apart) -> Iterable[Name]:
    if _is_open(apart):
        yield _name(reading, row)
    if apart.other:
        yield _name(reading, _other(sheets, row, apart))
    for codes in apart.among.values():
        for code in codes:
            yield CLASSES, _name(reading, row)[1], f"{code}.{reading.school_year}"


def _settled(
    reading: Reading, sheets: Sequence[SheetAt | None], row: FileRow, apart: Apart, held: set[Name]
) -> FileRow:
    if apart.other:
        other = _other(sheets, row, apart)
        if _name(reading, other) in held:
            return replace(other, apart=replace(apart, other=None))
        known = _name(reading, row) in held
        if not known and not row.raw.get("DA_XOA"):
            return _flawed(row, apart, UNKNOWN_ROLE, next(iter(row.raw)))
        return replace(row, apart=replace(apart, other=None, nothing=not known))
    if apart.only_held and _name(reading, row) not in held:
        return replace(row, apart=replace(apart, nothing=True))
    said: dict[str, Any] = {}
    for field, codes in apart.among.items():
        school = _name(reading, row)[1]
        found = [code for code in codes if (CLASSES, school, f"{code}.{reading.school_year}") in held]
        if not found and _name(reading, row) not in held:
            return _flawed(row, apart, "class", field)
        said |= {field: found[0]} if found else {}
    leaves = {field: codes for field, codes in apart.leaves.items() if field not in said}
    return replace(row, raw=row.raw | said, apart=replace(apart, among={}, leaves=leaves))


def _flawed(row: FileRow, apart: Apart, flaw: str, field: str) -> FileRow:
    file, number, letter, column = row.place(field)
    said = (*apart.flaws.get(field, ()), (flaw, file, number, letter, column or "sourcedId"))
    return replace(row, apart=replace(apart, flaws={**apart.flaws, field: said}, other=None, among={}))


def _other(sheets: Sequence[SheetAt | None], row: FileRow, apart: Apart) -> FileRow:
    assert apart.other is not None, "asked only of rows that may be another"
    place, raw = apart.other
    sheet = sheets[place]
    assert sheet is not None, "rows come after their sheet"
    return replace(row, sheet=sheet, raw=dict(raw))


def _name(reading: Reading, row: FileRow) -> Name:
    made = reading.plain(row)
    return row.sheet.collection, made.school, made.key


async def _held(office: Office, asked: set[Name]) -> set[Name]:
    """Which of these records are held."""
    held: set[Name] = set()
    for collection in sorted({name[0] for name in asked}):
        names = sorted(name for name in asked if name[0] == collection and name[1] and name[2])
        for start in range(0, len(names), AT_ONCE):
            part = names[start : start + AT_ONCE]
            request = held_records_pb2.ReadRecordsRequest(
                collection=collection,
                names=[held_records_pb2.RecordName(school=school, key=key) for _, school, key in part],
                with_restricted=True,
            )
            held.update(part[one.place] for one in (await office.intake.records.held(request)).held)
    return held


def is_open(row: FileRow) -> bool:
    """Whether what a row says depends on what is held."""
    return row.apart is not None and bool(row.apart.other or row.apart.only_held)
