"""Registers, results and traits against a count in Python: whatever order, repetition and interleaving they come in."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from iocedu.records.v1 import records_pb2, resources_pb2, results_pb2
from sqlalchemy import text

from chassis.database import Database
from services.reporting import convert
from services.reporting.store import projection, recount
from tests.support.databases import DatabaseFactory

YEAR = 2026
TABLES = (
    "fact", "stock", "class_figure", "school_figure", "tally", "day_tally", "movement", "class_session", "absence",
    "pupil_absence",
)  # fmt: skip


@pytest.fixture
async def database(database_factory: DatabaseFactory) -> Database:
    """A fresh database of reporting."""
    return await database_factory("reporting")


async def _merge(database: Database, *changes: records_pb2.Change) -> None:
    rows, details = await convert.fact_rows(changes), await convert.detail_rows(changes)
    async with database.transaction() as connection:
        await projection.merge(connection, rows, details)


def _change(kind: str, record: object, key: str, position: int, *, gone: bool = False) -> records_pb2.Change:
    row = resources_pb2.Row(key=key, version=1, deleted=gone)
    if not gone:
        getattr(row, kind).CopyFrom(record)
    number = getattr(resources_pb2, f"OBJECT_TYPE_{kind.upper()}")
    return records_pb2.Change(school_id=1, type=number, row=row, position=position)


def pupil(key: str, position: int, **fields) -> records_pb2.Change:
    """A pupil of grade 6 in class A."""
    defaults: dict[str, Any] = {
        "school_year": YEAR,
        "level": "03",
        "grade": "06",
        "sex": "1",
        "status": "01",
        "class_key": "A",
    }
    return _change("pupil", resources_pb2.Pupil(**(defaults | fields)), key, position)


def school_class(key: str, position: int, **fields) -> records_pb2.Change:
    """A class of grade 6."""
    defaults: dict[str, Any] = {"school_year": YEAR, "name": key, "level": "03", "grade": "06"}
    return _change("school_class", resources_pb2.SchoolClass(**(defaults | fields)), key, position)


def register(key: str, position: int, *, day: int = 2, session: int = 1, absent: str = "", **fields):
    """A register of class A with 30 pupils expected; `absent` is a list such as `p:P q:K`."""
    defaults: dict[str, Any] = {"school_year": YEAR, "class_key": "A", "scheduled_count": 30}
    record = resources_pb2.AttendanceRegister(
        **(defaults | fields),
        day=date(YEAR, 11, day).isoformat(),
        session=session,
    )
    for one in absent.split():
        name, kind = one.split(":")
        record.exceptions.add(pupil_key=name, kind=kind)
    return _change("attendance_register", record, key, position)


def result(key: str, position: int, *, about: str = "p", stage: str = "CN", learning: str = "T", **marks):
    """A result under TT 22."""
    record = results_pb2.Result(
        school_year=YEAR, pupil_key=about, stage=stage, regulation="TT22", learning_result=learning
    )
    for subject, mark in marks.items():
        record.subject_marks.add(subject=subject, mark=mark)
    return _change("result", record, key, position)


async def _rows(database: Database, statement: str) -> set[tuple[Any, ...]]:
    async with database.connection() as connection:
        return {tuple(row) for row in await connection.execute(text(statement))}


async def _exact(database: Database) -> bool:
    async with database.connection() as connection:
        return await recount.differences(connection) == []


async def test_a_result_lies_where_its_pupil_does_whichever_comes_first(database: Database) -> None:
    """A result before its pupil counts nowhere; it follows the pupil from grade to grade, and out of the school."""
    tallied = "SELECT grade, item, value FROM tally WHERE measure = 'learning_tt22' AND value <> 0"
    await _merge(database, result("r", 1, learning="Tốt"))
    assert await _rows(database, tallied) == set()
    await _merge(database, pupil("p", 2))
    assert await _rows(database, tallied) == {("06", "CN||T", 1)}
    await _merge(database, pupil("p", 3, grade="07"))
    assert await _rows(database, tallied) == {("07", "CN||T", 1)}
    await _merge(database, pupil("p", 4, grade="07", status="05"))
    assert await _rows(database, tallied) == set()
    assert await _exact(database)


async def test_absent_days_count_by_the_main_session_that_is_there(database: Database) -> None:
    """Absent both times on day 2, in the afternoon alone on day 3: one counted day until the morning of 3 is gone."""
    counted = "SELECT pupil_key, session_count, counted_day_count FROM pupil_absence"
    await _merge(
        database,
        register("a", 1, day=2, session=1, absent="p:P q:M"),
        register("b", 2, day=2, session=2, absent="p:K"),
        register("c", 3, day=3, session=1),
        register("d", 4, day=3, session=2, absent="p:P"),
    )
    assert await _rows(database, counted) == {("p", 3, 1)}
    await _merge(database, _change("attendance_register", None, "c", 5, gone=True))
    assert await _rows(database, counted) == {("p", 3, 2)}
    await _merge(database, register("a", 6, day=2, session=1))
    assert await _rows(database, counted) == {("p", 2, 1)}
    assert await _exact(database)


async def test_the_days_of_registers_add_up_to_the_year(database: Database) -> None:
    """Two registers of one day and one of another; a corrected one replaces what it said."""
    await _merge(database, register("a", 1, absent="p:P"), register("b", 2, session=2), register("c", 3, day=3))
    await _merge(database, register("a", 4, absent="p:P q:K", scheduled_count=28))
    days = (
        "SELECT extract(day FROM day)::int, measure, value FROM day_tally"
        " WHERE measure LIKE 'sessions_%' AND value <> 0"
    )
    assert await _rows(database, days) == {
        (2, "sessions_scheduled", 58),
        (2, "sessions_present", 56),
        (2, "sessions_absent", 2),
        (2, "sessions_absent_not_permitted", 1),
        (3, "sessions_scheduled", 30),
        (3, "sessions_present", 30),
    }
    assert await _exact(database)


async def test_a_recount_finds_and_repairs_what_was_tampered_with(database: Database) -> None:
    """Each of the further tables can be found wrong, and is right after the repair."""
    await _merge(
        database,
        pupil("p", 1, birth_date="2013-02-01"),
        school_class("A", 2),
        register("a", 3, absent="p:K"),
        result("r", 4, about="p", TOAN=7.5),
    )
    async with database.transaction() as connection:
        for statement in (
            "UPDATE tally SET value = value + 1 WHERE measure = 'marks'",
            "UPDATE day_tally SET value = 3",
            "UPDATE class_session SET session_count = 9",
            "UPDATE pupil_absence SET counted_day_count = 0",
            "UPDATE fact SET level = '09' WHERE measure = 'results'",
        ):
            await connection.execute(text(statement))
        wrong = {one.table for one in await recount.differences(connection)}
        assert wrong >= {"tally", "day_tally", "class_session", "pupil_absence", "fact"}
    async with database.transaction() as connection:
        await recount.repair(connection, [1])
    assert await _exact(database)


@dataclass(frozen=True)
class Step:
    """What happens to one record."""

    kind: str
    key: str
    grade: str
    status: str
    name: str
    day: int
    session: int
    absent: str
    gone: bool


STEPS = st.builds(
    Step,
    kind=st.sampled_from(["pupil", "pupil", "register", "register", "result", "result", "class"]),
    key=st.sampled_from("xy"),
    grade=st.sampled_from(["06", "07"]),
    status=st.sampled_from(["01", "01", "05"]),
    name=st.sampled_from("AB"),
    day=st.integers(2, 3),
    session=st.integers(1, 2),
    absent=st.sampled_from(["", "x:P", "x:K y:P", "y:M"]),
    gone=st.booleans().filter(bool) | st.just(False) | st.just(False),
)


def _of(step: Step, position: int) -> records_pb2.Change:
    if step.kind == "pupil":
        made = pupil(step.key, position, grade=step.grade, status=step.status, birth_date="2010-05-05")
    elif step.kind == "class":
        made = school_class(step.name, position, grade=step.grade)
    elif step.kind == "register":
        made = register(step.key, position, day=step.day, session=step.session, absent=step.absent, class_key=step.name)
    else:
        made = result(step.key, position, about=step.key, learning="T" if step.name == "A" else "K", TOAN=6.5)
    if step.gone:
        made.row.CopyFrom(resources_pb2.Row(key=made.row.key, version=1, deleted=True))
    return made


def _expected(newest: dict[tuple[int, str], records_pb2.Change]) -> tuple[Counter[Any], Counter[Any]]:
    """Tallies of results and dropouts, and counted days, by hand: knows neither deltas nor SQL."""
    alive = {key: one.row for key, one in newest.items() if not one.row.deleted}
    pupils = {row.key: row.pupil for (kind, _), row in alive.items() if kind == resources_pb2.OBJECT_TYPE_PUPIL}
    registers = [
        row.attendance_register
        for (kind, _), row in alive.items()
        if kind == resources_pb2.OBJECT_TYPE_ATTENDANCE_REGISTER
    ]
    tallied: Counter[Any] = Counter()
    for one in pupils.values():
        if one.status == "05":
            tallied["dropouts", one.grade, "||"] += 1
        elif int(one.grade) <= 7:  # Born 2010: 16 years old, over age in grades 6 (11) and 7 (12).
            tallied["pupils_over_age", one.grade, "||"] += 1
    for (kind, _), row in alive.items():
        about = pupils.get(row.result.pupil_key) if kind == resources_pb2.OBJECT_TYPE_RESULT else None
        if about is not None and about.status == "01":
            tallied["learning_tt22", about.grade, f"CN||{row.result.learning_result}"] += 1
            tallied["mark_tenths", about.grade, "CN|TOAN|"] += 65
    days: dict[str, set[str]] = {}
    for sheet in registers:
        main = min(other.session for other in registers if (other.class_key, other.day) == (sheet.class_key, sheet.day))
        for absence in sheet.exceptions:
            if absence.kind != "M" and sheet.session == main:
                days.setdefault(absence.pupil_key, set()).add(sheet.day)
    return tallied, Counter({key: len(found) for key, found in days.items()})


@settings(max_examples=40)
@given(steps=st.lists(STEPS, min_size=1, max_size=22), data=st.data())
async def test_any_order_repetition_and_interleaving_gives_the_recount(database, steps, data):
    """Two replicas at once, batches in any order, some twice: every table is a recount, and what a loop counts."""
    changes = [_of(step, position) for position, step in enumerate(steps, start=1)]
    repeated = data.draw(st.lists(st.sampled_from(changes), max_size=4))
    arriving = data.draw(st.permutations([*changes, *repeated]))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(arriving)), max_size=3)))
    batches = [arriving[start:end] for start, end in zip([0, *cuts], [*cuts, len(arriving)], strict=True)]
    async with database.transaction() as connection:
        for table in TABLES:
            await connection.execute(text(f"TRUNCATE {table}"))

    async def replica(share: list[list[records_pb2.Change]]) -> None:
        for batch in share:
            await _merge(database, *batch)

    await asyncio.gather(replica(batches[::2]), replica(batches[1::2]))
    assert await _exact(database)
    tallied, days = _expected({(one.type, one.row.key): one for one in changes})
    watched = "'dropouts', 'pupils_over_age', 'learning_tt22', 'mark_tenths'"
    found = await _rows(
        database,
        f"SELECT measure, grade, item, sum(value)::int FROM tally WHERE measure IN ({watched})"
        " GROUP BY 1, 2, 3 HAVING sum(value) <> 0",
    )
    assert {row[:3]: row[3] for row in found} == dict(tallied)
    counted = await _rows(
        database, "SELECT pupil_key, counted_day_count FROM pupil_absence WHERE counted_day_count > 0"
    )
    assert {row[0]: row[1] for row in counted} == dict(days)
    moved = await _rows(
        database,
        "SELECT kept.measure, kept.value, moved.value FROM (SELECT measure, sum(value) AS value FROM tally"
        " WHERE measure NOT LIKE 'sessions_%' GROUP BY 1) AS kept FULL JOIN (SELECT measure, sum(change) AS value"
        " FROM movement WHERE item <> '' GROUP BY 1) AS moved USING (measure)"
        " WHERE coalesce(kept.value, 0) <> coalesce(moved.value, 0)",
    )
    assert moved == set()
