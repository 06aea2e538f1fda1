"""Changed records as rows of what alerts keeps of them: classes, pupils, registers, results. Names are not read.

Refuses an event without its position in the feed: nothing could say what is newer.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from iocedu.records.v1 import records_pb2, resources_pb2, results_pb2

from chassis.errors import Fault, Kind
from services.alerts.domain.early_warning import Reading

POSITION_HEADER = "iocedu-position"
SLICE = 500  # Changes converted before the loop runs other work.
AWAY = ("P", "K")  # Late is present.
PUPIL = resources_pb2.OBJECT_TYPE_PUPIL
SCHOOL_CLASS = resources_pb2.OBJECT_TYPE_SCHOOL_CLASS
REGISTER = resources_pb2.OBJECT_TYPE_ATTENDANCE_REGISTER
RESULT = resources_pb2.OBJECT_TYPE_RESULT
NO_DAY = date(1990, 1, 1)  # Of a register that was deleted.
Row = tuple[Any, ...]
Identity = tuple[int, str]  # school, key


@dataclass(slots=True)
class RecordRows:
    """Rows by type, each the newest of its record; `renames` are pupils' (school, key before, key)."""

    classes: dict[Identity, Row] = field(default_factory=dict)
    pupils: dict[Identity, Row] = field(default_factory=dict)
    registers: dict[Identity, Row] = field(default_factory=dict)
    absences: dict[Identity, list[tuple[str, str]]] = field(default_factory=dict)
    results: dict[Identity, Row] = field(default_factory=dict)
    renames: list[tuple[int, str, str]] = field(default_factory=list)

    @property
    def restricted(self) -> dict[int, list[str]]:
        """Keys of pupils of whom nothing is to be made, by school."""
        found: dict[int, list[str]] = {}
        for school_id, key, *_, restricted in self.pupils.values():
            if restricted:
                found.setdefault(school_id, []).append(key)
        return found

    @property
    def schools(self) -> set[int]:
        """Schools that any row is about."""
        kinds = (self.classes, self.pupils, self.registers, self.results)
        return {school for rows in kinds for school, _ in rows} | {school for school, _, _ in self.renames}


def first_position(headers: Mapping[str, str]) -> int:
    """Position of an event's first change; raises INVALID where the event does not say it."""
    try:
        return int(headers[POSITION_HEADER])
    except (KeyError, ValueError):
        raise Fault(
            Kind.INVALID,
            "NO_POSITION",
            vi="Sự kiện records-changed không ghi vị trí trong luồng thay đổi.",
            en="The event records-changed does not say its position in the change feed.",
        ) from None


async def record_rows(
    rows: RecordRows, changes: Sequence[records_pb2.Change], *, first: int, time: datetime, reading: Reading
) -> None:
    """Add the rows of an event's changes, in slices between which the loop runs; other types are left out."""
    for start in range(0, len(changes), SLICE):
        for place, change in enumerate(changes[start : start + SLICE], start=first + start):
            _add(rows, change, place, time=time, reading=reading)
        await asyncio.sleep(0)


def _add(rows: RecordRows, change: records_pb2.Change, position: int, *, time: datetime, reading: Reading) -> None:
    kind, row, school = change.type, change.row, change.school_id
    identity = school, row.key
    if kind == PUPIL:
        if row.previous_key and not row.deleted:
            rows.renames.append((school, row.previous_key, row.key))
        values = (*_pupil(row.pupil, time, reading), change.restricted)
        _keep(rows.pupils, identity, (*identity, position, row.deleted, *values))
    elif kind == SCHOOL_CLASS:
        group = row.school_class
        _keep(rows.classes, identity, (*identity, position, row.deleted, group.school_year, group.grade))
    elif kind == REGISTER:
        register = row.attendance_register
        away = [] if row.deleted else [(one.pupil_key, one.kind) for one in register.exceptions if one.kind in AWAY]
        day = date.fromisoformat(register.day) if register.day else NO_DAY
        values = (register.school_year, register.class_key, day, register.session, register.scheduled_count, len(away))
        if _keep(rows.registers, identity, (*identity, position, row.deleted, *values)):
            rows.absences[identity] = away
    elif kind == RESULT:
        _keep(rows.results, identity, (*identity, position, row.deleted, *_result(row.result, reading)))


def _keep(rows: dict[Identity, Row], identity: Identity, row: Row) -> bool:
    """Keep the row with the highest position; says whether this is it."""
    known = rows.get(identity)
    if known is not None and known[2] > row[2]:
        return False
    rows[identity] = row
    return True


def _pupil(pupil: resources_pb2.Pupil, time: datetime, reading: Reading) -> Row:
    further = pupil.further
    poor = bool(further) and any(further.get(name, "") == "1" for name in reading.context.poor_household_fields)
    born = int(pupil.birth_date[:4]) if pupil.birth_date else 0
    context = reading.context.weight(poor=poor, birth_year=born, school_year=pupil.school_year, grade=pupil.grade)
    left = pupil.status in reading.left
    in_stock = pupil.status in reading.in_stock
    return pupil.school_year, pupil.class_key, pupil.grade, in_stock, left, time if left else None, context


def _result(result: results_pb2.Result, reading: Reading) -> Row:
    marks = [one.mark for one in result.subject_marks if one.HasField("mark")]
    below_5 = sum(1 for mark in marks if mark < 5)
    below_3_5 = sum(1 for mark in marks if mark < 3.5)
    levels = [(one.subject.casefold(), one.level.casefold()) for one in result.subject_marks if one.level]
    core = sum(1 for subject, level in levels if subject in reading.core_subjects and level in reading.not_completed)
    conduct = (result.conduct_after_retraining or result.conduct_result).casefold() in reading.conduct_failed
    failed = any(level in reading.not_completed | reading.comment_failed for _, level in levels)
    return (
        result.school_year,
        result.pupil_key,
        result.stage,
        below_5,
        below_3_5,
        core,
        conduct,
        bool(below_5) or failed,
        sum(marks),
        len(marks),
    )
