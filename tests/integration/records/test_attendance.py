"""A school year's registers counted: what was reported, who was absent, and the 45-session count."""

import random
from typing import Any

import pytest
from iocedu.records.v1 import attendance_pb2, resources_pb2

from chassis.errors import Fault, Kind
from services.records.store import attendance, pupil_years
from tests.integration.records.scenes import PROVINCE, SCHOOL_A, SCHOOL_B, Running, pupil, reason

AMBER, RED, OVER = (
    attendance_pb2.ABSENCE_ALARM_AMBER,
    attendance_pb2.ABSENCE_ALARM_RED,
    attendance_pb2.ABSENCE_ALARM_OVER,
)


def register(
    day: int, absent: str = "", *, session: int = 1, class_key: str = "6A", version: int = 1, **fields: Any
) -> resources_pb2.Row:
    """A register of the day with this number; `absent` is for example `1P 2K 3M`."""
    date = f"2026-{9 + day // 28:02}-{1 + day % 28:02}"
    exceptions = [resources_pb2.AttendanceException(pupil_key=one[:-1], kind=one[-1]) for one in absent.split()]
    record = resources_pb2.AttendanceRegister(
        school_year=2026, class_key=class_key, day=date, session=session, scheduled_count=40, exceptions=exceptions
    )
    return resources_pb2.Row(
        school=SCHOOL_A, key=f"{class_key}.{date}.{session}", version=version, attendance_register=record, **fields
    )


def renamed(row: resources_pb2.Row, previous: str) -> resources_pb2.Row:
    """A row that says which key the record had."""
    row.previous_key = previous
    return row


async def count(records: Running, key: str) -> attendance_pb2.PupilAttendance:
    """A pupil's count."""
    request = attendance_pb2.GetPupilAttendanceRequest(school=SCHOOL_A, pupil_key=key, school_year=2026)
    answer: attendance_pb2.PupilAttendance = (await (await records.attendance()).GetPupilAttendance(request)).attendance
    return answer


async def listed(records: Running, **fields: Any) -> list[tuple[str, int, int]]:
    """Key, count and alarm of all pupils of a list, page by page."""
    stub, token, found = await records.attendance(), "", []
    while True:
        page = await stub.ListAbsentPupils(
            attendance_pb2.ListAbsentPupilsRequest(
                school=SCHOOL_A, school_year=2026, page_size=2, page_token=token, **fields
            )
        )
        found += [(one.pupil_key, one.counted_session_count, one.alarm) for one in page.pupils]
        token = page.next_page_token
        if not token:
            return found


async def test_a_pupils_year_is_counted(records: Running):
    """With and without permission, late, days; two absent sessions of a day are one in the 45-session count."""
    await records.apply(
        pupil("1"),
        register(0, "1P"),
        register(0, "1P", session=2),
        register(1, "1K"),
        register(2, "1M"),
        register(3, session=1),
        register(3, "1K", session=2),
        register(4, "1P", session=2),
    )
    found = await count(records, "1")
    assert (found.session_count, found.absent_day_count) == (7, 4)
    assert (found.absent_with_permission_count, found.absent_without_permission_count, found.late_count) == (3, 2, 1)
    # Day 0 once, day 1; not day 3, absent from its second session only; day 4, whose only register is its main session.
    assert found.counted_session_count == 3
    assert found.alarm == attendance_pb2.ABSENCE_ALARM_NONE
    assert (found.full_name, found.grade, found.class_key) == ("Nguyễn Văn Hòa", "06", "6A")


async def test_a_day_nobody_reported_is_not_a_day_of_presence(records: Running):
    """A class without a register on a day on which another has one is not reported."""
    await records.apply(pupil("1"), register(0), register(1, class_key="6B"), register(2, class_key="6B"), register(2))
    assert (await count(records, "1")).unreported_day_count == 1
    stub = await records.attendance()
    answer = await stub.GetSchoolAttendance(
        attendance_pb2.GetSchoolAttendanceRequest(school=SCHOOL_A, school_year=2026)
    )
    assert [(one.class_key, one.day_count, one.unreported_day_count) for one in answer.classes] == [
        ("6A", 2, 1),
        ("6B", 2, 1),
    ]
    assert (answer.total.class_key, answer.total.day_count, answer.total.scheduled_count) == ("", 4, 160)


async def test_a_class_is_counted_alone(records: Running):
    """Sessions, pupils expected, and each kind of exception."""
    await records.apply(register(0, "1P 2K"), register(0, "1M", session=2), register(0, "9K", class_key="6B"))
    stub = await records.attendance()
    answer = await stub.GetSchoolAttendance(
        attendance_pb2.GetSchoolAttendanceRequest(school=SCHOOL_A, school_year=2026, class_key="6A")
    )
    (one,) = answer.classes
    assert one == attendance_pb2.ClassAttendance(
        class_key="6A",
        session_count=2,
        day_count=1,
        scheduled_count=80,
        absent_with_permission_count=1,
        absent_without_permission_count=1,
        late_count=1,
    )
    assert await records.rows("SELECT count(*) FROM access_log") == [(0,)], "it shows nobody"


async def test_a_correction_changes_the_count(records: Running):
    """A register that comes again with a higher version, or is deleted."""
    await records.apply(pupil("1"), register(0, "1K"), register(1, "1K"), register(2, "1K"))
    assert (await count(records, "1")).counted_session_count == 3
    await records.apply(register(0, "1M", version=2), register(1, version=2, deleted=True))
    found = await count(records, "1")
    assert (found.counted_session_count, found.late_count, found.session_count) == (1, 1, 2)


async def test_a_morning_register_that_comes_late_becomes_the_main_session(records: Running):
    """The afternoon counted while it was the only one."""
    await records.apply(pupil("1"), register(0, "1K", session=2))
    assert (await count(records, "1")).counted_session_count == 1
    await records.apply(register(0, session=1))
    assert (await count(records, "1")).counted_session_count == 0


async def test_absences_follow_a_pupil_through_classes(records: Running):
    """A day in two classes is one day."""
    await records.apply(pupil("1"), register(0, "1P", class_key="6B"), register(0, "1P"), register(1, "1P"))
    found = await count(records, "1")
    assert (found.counted_session_count, found.absent_day_count, found.session_count) == (2, 2, 2)


async def test_absences_follow_a_pupil_who_was_given_another_key(records: Running):
    """Registers that name the old key count for the new one, through more than one change."""
    await records.apply(pupil("TAM"), register(0, "TAMP"), register(1, "TAMK"))
    await records.apply(renamed(pupil("B", 2), "TAM"))
    await records.apply(renamed(pupil("1", 3), "B"), register(2, "1K"))
    assert (await count(records, "1")).counted_session_count == 3
    assert await listed(records, at_least=1) == [("1", 3, attendance_pb2.ABSENCE_ALARM_NONE)]


async def test_a_pupil_counted_alone_counts_as_among_all(records: Running):
    """Whatever class, session and key the registers name; a class counted alone likewise."""
    chance = random.Random(3)
    keys = [f"P{number}" for number in range(12)]
    rows = {}
    for _ in range(150):
        names = chance.sample([*keys, "OLD"], 3)
        row = register(
            chance.randrange(20),
            " ".join(f"{name}{chance.choice('PKM')}" for name in names),
            session=chance.choice((1, 2)),
            class_key=f"6{chance.choice('ABCDE')}",
        )
        rows[row.key] = row
    await records.apply(*(pupil(key) for key in ("OLD", *keys[1:])), *rows.values())
    await records.apply(renamed(pupil("P0", 2), "OLD"))
    school_id = records.scopes.tree.resolve(SCHOOL_A, records.today())
    assert school_id is not None
    async with records.database.connection() as connection:
        now = await pupil_years.keys_now(connection, school_id)
        among = await attendance.absences_of(connection, school_id, 2026, keys, now=now)
        alone = [await attendance.absences_of(connection, school_id, 2026, [key], now=now) for key in keys]
        classes = await attendance.class_days(connection, school_id, 2026)
        each = [await attendance.class_days(connection, school_id, 2026, class_key=key) for key in [*classes, "9Z"]]

    assert len(keys) > attendance.FEW
    assert sorted(among) == sorted(keys)
    assert alone == [{key: among[key]} for key in keys]
    assert sorted(classes) == ["6A", "6B", "6C", "6D", "6E"]
    assert each == [*({key: days} for key, days in classes.items()), {}]


async def test_pupils_at_or_over_a_threshold_come_most_first(records: Running):
    """Amber from 30, red from 38, over beyond 45; pages join, and a class narrows."""
    absences = {"a": 29, "b": 30, "c": 38, "d": 45, "e": 46, "f": 38}
    await records.apply(*(pupil(key, class_key="6B" if key == "f" else "6A") for key in absences))
    await records.apply(
        *(register(day, " ".join(f"{key}K" for key, days in absences.items() if day < days)) for day in range(50))
    )
    assert await listed(records) == [
        ("e", 46, OVER),
        ("d", 45, RED),
        ("c", 38, RED),
        ("f", 38, RED),
        ("b", 30, AMBER),
    ]
    assert await listed(records, at_least=45) == [("e", 46, OVER), ("d", 45, RED)]
    assert [key for key, _, _ in await listed(records, at_least=29, class_key="6A")] == ["e", "d", "c", "b", "a"]
    log = await records.rows("SELECT method, collection, record_count FROM access_log ORDER BY entry_id LIMIT 3")
    assert log == [("ListAbsentPupils", "attendance", 2)] * 2 + [("ListAbsentPupils", "attendance", 1)]


async def test_primary_school_has_no_45_session_count(records: Running):
    """The circular on primary schools knows none: nothing is counted, nobody listed."""
    await records.apply(pupil("1", grade="05", level="02"), *(register(day, "1K") for day in range(46)))
    found = await count(records, "1")
    assert not found.HasField("counted_session_count")
    assert (found.alarm, found.absent_day_count) == (attendance_pb2.ABSENCE_ALARM_UNSPECIFIED, 46)
    assert await listed(records) == []


async def test_pupils_of_another_year_or_school_are_unknown(records: Running):
    """That is said, and the look is written down."""
    await records.apply(pupil("1", school_year=2025), register(0, "1K"))
    with pytest.raises(Fault) as error:
        await count(records, "1")
    assert (error.value.kind, reason(error)) == (Kind.NOT_FOUND, "UNKNOWN_RECORD")
    assert await records.rows("SELECT method, key, record_count FROM access_log") == [("GetPupilAttendance", "1", 0)]


async def test_a_school_is_asked_and_not_a_unit_above_it(records: Running):
    """A province has no registers of its own; a head teacher sees no other school."""
    stub = await records.attendance()
    request = attendance_pb2.GetSchoolAttendanceRequest(school=PROVINCE, school_year=2026)
    assert not (await stub.GetSchoolAttendance(request)).classes
    await records.grant("head@a", "head_teacher", SCHOOL_A)
    foreign = attendance_pb2.ListAbsentPupilsRequest(school=SCHOOL_B, school_year=2026)
    with pytest.raises(Fault) as error:
        await (await records.attendance("head@a")).ListAbsentPupils(foreign)
    assert reason(error) == "NO_GRANT"
