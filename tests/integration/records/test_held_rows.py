"""Rows that would change what is locked are held, and named by whom and why; all others go on."""

from iocedu.records.v1 import resources_pb2

from tests.integration.records.closing import WHY, lifting, register, result, setting
from tests.integration.records.scenes import SCHOOL_A, SCHOOL_B, Running, gone, pupil

ACCEPTED, UNCHANGED = resources_pb2.ROW_STATE_ACCEPTED, resources_pb2.ROW_STATE_UNCHANGED
STALE, REJECTED = resources_pb2.ROW_STATE_STALE, resources_pb2.ROW_STATE_REJECTED
HELD = resources_pb2.ROW_STATE_HELD


async def test_a_row_into_a_locked_place_is_held_and_its_neighbours_go_on(records: Running):
    """With whom to ask; the same row is taken once the lock is lifted."""
    await records.apply(pupil("HS1"), pupil("HS2"))
    await (await records.locks("can-bo", service="reporting")).SetLocks(setting(SCHOOL_A))
    rows = [pupil("HS1", 2, status="03"), pupil("new"), pupil("HS2"), pupil("b", school=SCHOOL_B), gone("HS2", 2)]

    answer = await records.apply(*rows[:4])
    assert list(answer.states) == [HELD, HELD, UNCHANGED, ACCEPTED]
    assert [(one.index, one.key, one.reason, one.field) for one in answer.problems] == [
        (0, "HS1", "LOCKED", ""),
        (1, "new", "LOCKED", ""),
    ]
    assert dict(answer.problems[0].metadata) == {
        "collection": "pupils",
        "school_year": "2026",
        "period": "",
        "locked_by": "can-bo",
        "lock_service": "reporting",
        "lock_time": "2026-11-02T01:00:00Z",
        "reason": WHY,
    }
    assert list((await records.apply(rows[4])).states) == [HELD], "a deletion counts where the record stands"
    assert list((await records.apply(pupil("HS1", status="09"))).states) == [REJECTED], (
        "a version used twice stays that"
    )
    await records.settled()
    assert {(one.row.key, one.row.version) for one in await records.changes()} == {("HS1", 1), ("HS2", 1), ("b", 1)}

    await (await records.locks()).LiftLocks(lifting(SCHOOL_A))
    assert list((await records.apply(*rows[:2], rows[4])).states) == [ACCEPTED] * 3


async def test_a_record_is_not_moved_out_of_a_locked_place(records: Running):
    """Another year, stage or month would empty the place as a deletion does."""
    await records.apply(pupil("HS1", school_year=2025), result("KQ1"), register("D1", day="2026-11-02"))
    stub = await records.locks()
    await stub.SetLocks(setting(SCHOOL_A, "pupils", school_year=2025))
    await stub.SetLocks(setting(SCHOOL_A, "results", period="CK1"))
    await stub.SetLocks(setting(SCHOOL_A, "attendance", period="2026-11"))

    moved = await records.apply(
        pupil("HS1", 2, school_year=2026), result("KQ1", 2, stage="CN"), register("D1", 2, day="2026-12-01")
    )
    assert list(moved.states) == [HELD] * 3
    assert [one.metadata["period"] for one in moved.problems] == ["", "CK1", "2026-11"]
    beside = await records.apply(
        pupil("HS1b", school_year=2026), result("KQ2", stage="CN"), register("D2", day="2026-12-01")
    )
    assert list(beside.states) == [ACCEPTED] * 3
    into = await records.apply(
        pupil("HS1b", 2, school_year=2025), result("KQ2", 2, stage="CK1"), register("D2", 2, day="2026-11-30")
    )
    assert list(into.states) == [HELD] * 3


async def test_what_changes_nothing_is_not_held(records: Running):
    """A repeat, a late row, a higher version of the same; a row that could never be stored is refused."""
    await records.apply(pupil("HS1", 5), pupil("HS2", 5))
    await (await records.locks()).SetLocks(setting(SCHOOL_A))

    answer = await records.apply(pupil("HS1", 9), pupil("HS2", 4, status="03"), pupil("x", birth_date="2014-02-31"))
    assert list(answer.states) == [UNCHANGED, STALE, REJECTED]
    assert [one.reason for one in answer.problems] == ["INVALID_DATE"]
    assert [row[0] for row in await records.rows("SELECT version FROM pupil WHERE key = 'HS1'")] == [9]
    late = await records.apply(pupil("HS1", 7, status="03"))
    assert list(late.states) == [STALE], "what was noted counts under the lock too"


async def test_a_deletion_of_what_is_not_there_is_noted(records: Running):
    """It changes nothing that is locked, and the row it tells of stays gone when it comes later."""
    await (await records.locks()).SetLocks(setting(SCHOOL_A))
    assert list((await records.apply(pupil("HS1", 1), gone("HS2", 2))).states) == [HELD, ACCEPTED]
    await (await records.locks()).LiftLocks(lifting(SCHOOL_A))
    assert list((await records.apply(pupil("HS2", 1))).states) == [STALE]
