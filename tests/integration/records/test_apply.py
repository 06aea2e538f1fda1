"""Rows in bulk: each has its own outcome, a repeat does nothing, and what changed leaves as events."""

import asyncio
import random
from typing import Any

import pytest
from iocedu.records.v1 import records_pb2, resources_pb2, results_pb2, school_life_pb2

from chassis.bus import Bus
from chassis.errors import Fault, Kind
from services.records.domain.objects import SPECS
from services.records.store.tables import RECORDS
from tests.integration.records.scenes import COMMUNE, GROUP, SCHOOL_A, SCHOOL_B, Running, gone, pupil

ACCEPTED, UNCHANGED = resources_pb2.ROW_STATE_ACCEPTED, resources_pb2.ROW_STATE_UNCHANGED
STALE, REJECTED = resources_pb2.ROW_STATE_STALE, resources_pb2.ROW_STATE_REJECTED

EVERY_TYPE = [
    resources_pb2.Row(
        school=SCHOOL_A,
        key="profile",
        version=1,
        school_profile=resources_pb2.School(
            school_year=2026, name="THCS Nguyễn Du", levels=["02", "03"], ownership="1", national_standard=True
        ),
    ),
    resources_pb2.Row(
        school=SCHOOL_A,
        key="GV1",
        version=1,
        staff_member=resources_pb2.StaffMember(
            school_year=2026, full_name="Lê Thị Hạnh", birth_date="1980-02-29", status="01", further={"BAC": "3/9"}
        ),
    ),
    resources_pb2.Row(
        school=SCHOOL_A,
        key="6A",
        version=1,
        school_class=resources_pb2.SchoolClass(
            school_year=2026, name="6A", grade="06", level="03", multi_grade=True, site_key="D1"
        ),
    ),
    pupil("HS1", further={"DIA_CHI": '12 "Lê Lợi" \\ Tam Kỳ'}),
    resources_pb2.Row(
        school=SCHOOL_A,
        key="6A-2026-11-02-1",
        version=1,
        attendance_register=resources_pb2.AttendanceRegister(
            school_year=2026,
            class_key="6A",
            day="2026-11-02",
            session=1,
            scheduled_count=40,
            exceptions=[resources_pb2.AttendanceException(pupil_key="HS1", kind="P", reason="ốm")],
        ),
    ),
    resources_pb2.Row(
        school=SCHOOL_A,
        key="HS1-CN",
        version=1,
        result=results_pb2.Result(
            school_year=2026,
            pupil_key="HS1",
            stage="CN",
            promoted=False,
            subject_marks=[
                results_pb2.SubjectMark(subject="TOAN", mark=0),
                results_pb2.SubjectMark(subject="NT", level="Đ"),
                results_pb2.SubjectMark(
                    subject="VAN",
                    regular_marks=[8, 7.5],
                    midterm_mark=0,
                    final_mark=6.5,
                    retest_mark=7,
                    retest_level="Đ",
                ),
            ],
            retraining=False,
            conduct_after_retraining="Đ",
            learning_after_retest="K",
            qualities=[results_pb2.QualityLevel(quality="YEU_NUOC", level="T")],
        ),
    ),
    resources_pb2.Row(
        school=SCHOOL_A,
        key="P1",
        version=1,
        facility=school_life_pb2.Facility(school_year=2026, kind="01", name="Phòng 1", quantity=2, area=48.5),
    ),
    resources_pb2.Row(
        school=SCHOOL_A,
        key="GV1-6A",
        version=1,
        staff_assignment=school_life_pb2.StaffAssignment(
            school_year=2026, staff_key="GV1", class_key="6A", subject="TOAN", weekly_periods=4, first_day="2026-09-05"
        ),
    ),
    resources_pb2.Row(
        school=SCHOOL_A,
        key="KT1",
        version=1,
        conduct_entry=school_life_pb2.ConductEntry(school_year=2026, kind="KT", pupil_key="HS1", day="2026-11-20"),
    ),
    resources_pb2.Row(
        school=SCHOOL_A,
        key="SK1",
        version=1,
        health_check=school_life_pb2.HealthCheck(school_year=2026, pupil_key="HS1", height=141.5, weight=35),
    ),
    resources_pb2.Row(
        school=SCHOOL_A,
        key="TL1",
        version=1,
        retest=school_life_pb2.Retest(
            school_year=2026,
            pupil_key="HS1",
            promoted=True,
            subject_marks=[results_pb2.SubjectMark(subject="TOAN", mark=6.5)],
        ),
    ),
    resources_pb2.Row(
        school=SCHOOL_A,
        key="TN1",
        version=1,
        graduation=school_life_pb2.Graduation(school_year=2026, pupil_key="HS1", exempt=True, graduated=False),
    ),
    resources_pb2.Row(
        school=SCHOOL_A,
        key="TS1",
        version=1,
        exam_candidate=school_life_pb2.ExamCandidate(
            school_year=2026, full_name="Trần Văn Tám", birth_date="2009-01-31"
        ),
    ),
    resources_pb2.Row(
        school=SCHOOL_A,
        key="CL1",
        version=1,
        quality_report=school_life_pb2.QualityReport(school_year=2026, stage="GK1", further={"SO_LOP": "12"}),
    ),
]


async def test_a_changed_record_finds_room_in_its_page(records: Running):
    """A change of what no index holds writes no index: of every twentieth pupil the new state lies beside the old."""
    where = "SELECT key, (ctid::text::point)[0] FROM pupil WHERE version = {} ORDER BY key"
    await records.apply(*[pupil(f"HS{number:03}") for number in range(200)])
    places = {*await records.rows(where.format(1))}
    assert len({page for _, page in places}) > 1

    await records.apply(*[pupil(f"HS{number:03}", 2, status="03") for number in range(0, 200, 20)])

    changed = {*await records.rows(where.format(2))}
    assert len(changed) == 10
    assert changed <= places


async def test_every_type_comes_out_as_it_went_in(records: Running):
    """What a source sent is given back unchanged to the services that project it."""
    answer = await records.apply(*EVERY_TYPE)
    assert list(answer.states) == [ACCEPTED] * len(SPECS)
    await records.settled()
    changes = await records.changes()
    assert [change.position for change in changes] == list(range(1, len(SPECS) + 1))
    assert [change.row for change in changes] == EVERY_TYPE
    assert {change.source for change in changes} == {"vnedu"}


async def test_the_migration_makes_the_tables_that_the_specs_describe(records: Running):
    """Columns, their order apart, are the same in code and database."""
    held = await records.rows(
        "SELECT table_name, column_name, is_nullable = 'YES' FROM information_schema.columns"
        " WHERE table_schema = 'public'"
    )
    for table in RECORDS.values():
        described = {(table.name, column.name, bool(column.nullable)) for column in table.columns}
        assert described == {row for row in held if row[0] == table.name}


async def test_each_row_has_its_own_outcome(records: Running):
    """A row that cannot be stored names its field and remedy, and never blocks its neighbours."""
    await records.apply(pupil("1", 5), pupil("2", 5))
    await records.apply(pupil("3", 1), source="misa")
    answer = await records.apply(
        pupil("1", 6, full_name="Lê Văn An"),
        pupil("1", 7),
        pupil("2", 4),
        pupil("2b", 5),
        pupil("3", 2),
        pupil("4", 1, school="moet:nowhere"),
        pupil("5", 1, school=COMMUNE),
        pupil("6", 1, birth_date="2014-02-30"),
        resources_pb2.Row(school=SCHOOL_A, key="7", version=1),
        pupil("8", 1, school=GROUP),
    )
    assert list(answer.states) == [
        ACCEPTED, REJECTED, STALE, ACCEPTED, REJECTED, REJECTED, REJECTED, REJECTED, REJECTED, ACCEPTED,
    ]  # fmt: skip
    found = {problem.index: (problem.key, problem.reason, problem.field) for problem in answer.problems}
    assert found == {
        1: ("1", "DUPLICATE_KEY", "key"),
        4: ("3", "OTHER_SOURCE", "key"),
        5: ("4", "UNKNOWN_UNIT", "school"),
        6: ("5", "NOT_A_SCHOOL", "school"),
        7: ("6", "INVALID_DATE", "pupil.birth_date"),
        8: ("7", "NO_RECORD", "record"),
    }
    said = {problem.index: problem for problem in answer.problems}
    assert "misa" in said[4].message
    assert {index: dict(said[index].metadata) for index in (1, 4, 6)} == {
        1: {"first_index": "0"},
        4: {"source": "misa"},
        6: {"kind": "commune"},
    }
    assert said[4].stored_version == 1
    assert "2014-02-30" in said[7].message
    reused = await records.apply(pupil("1", 6, full_name="Khác"))
    assert (reused.problems[0].reason, reused.problems[0].stored_version) == ("VERSION_REUSED", 6)


async def test_pushing_the_same_again_changes_nothing(records: Running):
    """The same version is unchanged, a higher one with the same content is noted; neither is an event."""
    await records.apply(pupil("1"), pupil("2"))
    await records.settled()
    assert list((await records.apply(pupil("1"), pupil("2", 4))).states) == [UNCHANGED, UNCHANGED]
    assert list((await records.apply(pupil("2", 3, full_name="Lê An"))).states) == [STALE]
    await records.settled()
    assert [change.row.version for change in await records.changes()] == [1, 4]
    assert [change.position for change in await records.changes()] == [1, 2]


async def test_one_request_id_answers_the_same_and_stores_once(records: Running):
    """A retry, even beside the first try, gets the first answer."""
    first, second = await asyncio.gather(
        records.apply(pupil("1"), pupil("2"), request_id="same"),
        records.apply(pupil("1"), pupil("2"), request_id="same"),
    )
    third = await records.apply(pupil("1"), pupil("2"), request_id="same")
    assert first == second == third
    assert list(third.states) == [ACCEPTED, ACCEPTED]
    await records.settled()
    assert len(await records.changes()) == 2


async def test_a_request_id_cannot_be_used_for_other_rows(records: Running):
    """It is refused instead of answered with what became of other rows."""
    await records.apply(pupil("1"), request_id="once")
    with pytest.raises(Fault) as error:
        await records.apply(pupil("2"), request_id="once")
    assert (error.value.kind, error.value.reason) == (Kind.INVALID, "REQUEST_ID_REUSED")
    assert error.value.metadata["request_id"] == "once"


async def test_a_deleted_record_leaves_a_tombstone_that_older_rows_do_not_wake(records: Running):
    """The feed says that it is gone; a late older version is stale; a newer one brings it back."""
    await records.apply(pupil("1", 2))
    await records.apply(gone("1", 3), gone("never", 7))
    await records.settled()
    tombstones = await records.changes()
    assert [(one.row.key, one.row.deleted, one.row.version) for one in tombstones] == [
        ("1", True, 3),
        ("never", True, 7),
    ]
    assert all(one.row.pupil == resources_pb2.Pupil() for one in tombstones)
    held = await records.rows("SELECT full_name, personal_id, search_name, further FROM pupil WHERE key = '1'")
    assert held == [("", "", "", None)]
    assert list((await records.apply(pupil("1", 2), gone("never", 7))).states) == [STALE, UNCHANGED]
    assert list((await records.apply(pupil("1", 4))).states) == [ACCEPTED]


async def test_any_order_of_versions_ends_in_the_same_record(records: Running):
    """Batches that come late, twice or in pieces leave the newest version."""
    rng = random.Random(5)
    versions = [pupil("1", number, full_name=f"Tên {number % 3}") for number in range(1, 9)]
    for school in (SCHOOL_A, SCHOOL_B):
        for row in rng.sample(versions + versions[2:6], 12):
            moved = resources_pb2.Row()
            moved.CopyFrom(row)
            moved.school = school
            await records.apply(moved)
    held = await records.rows("SELECT version, full_name FROM pupil")
    assert held == [(8, "Tên 2")] * 2


async def test_two_writers_on_the_same_schools_do_not_deadlock(records: Running):
    """Batches that touch the same schools in opposite order wait for each other and all come through."""
    rng = random.Random(6)

    async def writer(number: int) -> None:
        for step in range(8):
            rows = [
                pupil(f"{key}", number * 100 + step + 1, school=school, full_name=f"{number} {step} {key}")
                for school in (SCHOOL_A, SCHOOL_B, GROUP)
                for key in range(30)
            ]
            rng.shuffle(rows)
            await records.apply(*rows, request_id=f"{number}-{step}")

    await asyncio.gather(*(writer(number) for number in range(6)))
    held = await records.rows("SELECT count(*), min(version), max(version) FROM pupil")
    assert held == [(90, 508, 508)]


async def test_events_carry_the_after_image_the_backfill_flag_and_their_first_position(records: Running, bus: Bus):
    """A history's rows travel as such; position i of an event is the first one's plus i."""
    async with bus.pull(source="records", event="records-changed", durable="t", batch=10) as pull:
        await records.apply(pupil("1"), pupil("2"), backfill=True)
        await records.apply(gone("2", 2), pupil("3"))
        await records.settled()
        messages: list[Any] = []
        while len(messages) < 2:
            messages += await pull.take()
    events = [records_pb2.RecordsChanged.FromString(message.data) for message in messages]
    assert [event.backfill for event in events] == [True, False]
    assert [[change.row.key for change in event.changes] for event in events] == [["1", "2"], ["2", "3"]]
    assert events[1].changes[0].row.deleted
    assert [(message.headers or {})["iocedu-position"] for message in messages] == ["1", "3"]
    assert events[0].changes[0].row == pupil("1")
    assert events[0].changes[0].school_id > 0


async def test_only_sync_may_store_rows(records: Running):
    """Not even an administrator writes past the border."""
    with pytest.raises(Fault) as error:
        await (await records.records()).ApplyRows(records_pb2.ApplyRowsRequest(request_id="x", source="x"))
    assert error.value.kind is Kind.DENIED
