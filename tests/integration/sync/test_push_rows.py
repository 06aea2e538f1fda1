"""Batches by gRPC: an answer for every row, once."""

import asyncio
from typing import Any

import pytest
from iocedu.records.v1 import resources_pb2, results_pb2
from iocedu.sync.v1 import sync_pb2

from chassis.errors import Fault, Kind
from services.sync.usecases.settling import Ledger
from tests.integration.sync.world import (
    ACCEPTED,
    CLERK,
    PROVINCE,
    REJECTED,
    SCHOOL_A,
    SCHOOL_B,
    STALE,
    UNCHANGED,
    World,
    away,
    pupil,
    push,
    register,
    staff_member,
)


def result(**mark: Any) -> resources_pb2.Row:
    """A row with the marks of one subject at the end of a term."""
    marks = [results_pb2.SubjectMark(subject="TOAN", **mark)]
    record = results_pb2.Result(school_year=2026, pupil_key="HS1", stage="CK1", subject_marks=marks)
    return resources_pb2.Row(school=SCHOOL_A, key="k", version=1, result=record)


async def test_a_bad_row_does_not_block_its_neighbours(here: World) -> None:
    """Good rows before and after a bad one are stored; the bad one has its exact field and a remedy."""
    stub = await here.sync()
    answer = await stub.PushRows(push("1", pupil("HS1"), pupil("HS2", birth_date="09/03/2014"), pupil("HS3")))
    assert list(answer.outcome.states) == [ACCEPTED, REJECTED, ACCEPTED]
    (problem,) = answer.outcome.problems
    assert (problem.index, problem.key, problem.reason) == (1, "HS2", "INVALID_DATE")
    assert problem.field == "pupil.birth_date"
    assert "YYYY-MM-DD" in problem.message
    assert "09/03/2014" not in problem.message, "a problem repeats no personal data"
    assert (await here.record("HS3")).row.pupil.full_name == "Nguyễn Văn Hòa"
    assert await here.count("quarantined_row") == 1


@pytest.mark.parametrize(
    ("row", "reason", "field"),
    [
        (pupil("k", birth_date="2015-02-31"), "INVALID_DATE", "pupil.birth_date"),
        (pupil("k", birth_date="09/03/2014"), "INVALID_DATE", "pupil.birth_date"),
        (pupil("k", birth_date="1890-03-09"), "INVALID_DATE", "pupil.birth_date"),
        (pupil("k", birth_date="2026-11-03"), "INVALID_DATE", "pupil.birth_date"),
        (pupil("k", birth_date="2024-03-09", grade="09"), "INVALID_DATE", "pupil.birth_date"),
        (staff_member("k", birth_date="2020-03-09"), "INVALID_DATE", "staff_member.birth_date"),
        (register("k", day="2026-11-31"), "INVALID_DATE", "attendance_register.day"),
        (register("k", day=""), "INVALID_DATE", "attendance_register.day"),
        (register("k", day="2026-11-04"), "INVALID_DATE", "attendance_register.day"),
        (register("k", day="2099-11-02"), "INVALID_DATE", "attendance_register.day"),
        (register("k", day="1999-11-02"), "INVALID_DATE", "attendance_register.day"),
        (register("k", day="2026-07-31"), "INVALID_DATE", "attendance_register.day"),
        (register("k", day="2026-09-01", school_year=2025), "INVALID_DATE", "attendance_register.day"),
        (register("k", school_year=2050), "INVALID_FIELD", "attendance_register.school_year"),
        (pupil("k", school_year=2050), "INVALID_FIELD", "pupil.school_year"),
        (result(regular_marks=[8, 11]), "INVALID_FIELD", "result.subject_marks[0].regular_marks[1]"),
        (result(final_mark=-1), "INVALID_FIELD", "result.subject_marks[0].final_mark"),
        (result(retest_mark=10.5), "INVALID_FIELD", "result.subject_marks[0].retest_mark"),
        (staff_member("k", school_year=2028), "INVALID_FIELD", "staff_member.school_year"),
        (away("k", "HS1", "HS2", "HS1"), "INVALID_FIELD", "attendance_register.exceptions[2].pupil_key"),
        (away("k", "HS1", "HS2", expected=1), "INVALID_FIELD", "attendance_register.scheduled_count"),
        (pupil("k", status="77"), "INVALID_FIELD", "pupil.status"),
        (pupil("k", status="1"), "INVALID_FIELD", "pupil.status"),
        (pupil("k", ethnic_group="999"), "INVALID_FIELD", "pupil.ethnic_group"),
        (staff_member("k", ethnic_group="abc"), "INVALID_FIELD", "staff_member.ethnic_group"),
        (pupil("good"), "DUPLICATE_KEY", "key"),
        (pupil("k", grade="19"), "INVALID_FIELD", "pupil.grade"),
        (pupil("k", school="moet:000"), "UNKNOWN_SCHOOL", "school"),
        (pupil("k", school=SCHOOL_B), "SCHOOL_OUTSIDE_UNIT", "school"),
        (pupil("k", full_name="A\0B"), "INVALID_FIELD", "pupil.full_name"),
        (pupil("k", further={"TEN_ME": "B\0"}), "INVALID_FIELD", 'pupil.further["TEN_ME"]'),
        (pupil("", grade="19"), "INVALID_FIELD", "key"),
        (resources_pb2.Row(school=SCHOOL_A, key="k", version=1), "INVALID_FIELD", "record"),
        (pupil("k", version=0), "INVALID_FIELD", "version"),
        (pupil("k", version=2**62 + 1), "INVALID_FIELD", "version"),
        (pupil("k", full_name="Nguyễn Văn\u200b An"), "INVALID_FIELD", "pupil.full_name"),
        (pupil("k", further={"TEN_ME": "Lê \u202eHoa"}), "INVALID_FIELD", 'pupil.further["TEN_ME"]'),
    ],
)
async def test_each_kind_of_bad_row_is_named(here: World, row: resources_pb2.Row, reason: str, field: str) -> None:
    """The reason is stable, the field exact, the message says what to do."""
    answer = await (await here.sync()).PushRows(push("1", pupil("good"), row))
    assert list(answer.outcome.states) == [ACCEPTED, REJECTED]
    (problem,) = answer.outcome.problems
    assert (problem.index, problem.reason, problem.field) == (1, reason, field)
    assert "Hãy" in problem.message
    repeated = await (await here.sync(language="en")).PushRows(push("1", pupil("good"), row))
    (problem,) = repeated.outcome.problems
    assert problem.message
    assert "Hãy" not in problem.message


async def test_units_are_called_by_name_and_code_in_what_is_wrong(here: World) -> None:
    """Nobody knows a unit by its id here."""
    answer = await (await here.sync()).PushRows(push("1", pupil("k", school=SCHOOL_B)))
    (problem,) = answer.outcome.problems
    for called in ("“Trường TH Ánh Dương (moet:49506002)”", "“Trường THCS Nguyễn Du (moet:49506001)”"):
        assert called in problem.message, problem.message


async def test_registers_and_school_years_that_can_be_are_taken(here: World) -> None:
    """Tomorrow's register, one on each end of its school year, next year's pupils; whatever is deleted."""
    rows = [
        register("1", day="2026-11-03"),
        register("2", day="2026-08-01"),
        register("3", day="2026-08-31", school_year=2025),
        away("4", "HS1", "HS2", expected=2),
        pupil("5", school_year=2027),
        pupil("6", school_year=2050),
    ]
    rows[5].deleted = True
    answer = await (await here.sync()).PushRows(push("1", *rows))
    assert list(answer.outcome.states) == [ACCEPTED] * 6


async def test_unusual_births_are_taken(here: World) -> None:
    """Late, early, adult in continuing education, not known; of a deleted record nothing is asked."""
    rows = [
        pupil("1", birth_date="2006-03-09"),
        pupil("2", birth_date="2017-03-09"),
        pupil("3", birth_date="1950-03-09", level="05"),
        pupil("4", birth_date=""),
        pupil("1", 2, birth_date="1890-03-09"),
    ]
    rows[4].deleted = True
    stub = await here.sync()
    assert list((await stub.PushRows(push("1", *rows[:4]))).outcome.states) == [ACCEPTED] * 4
    assert list((await stub.PushRows(push("2", *rows[4:]))).outcome.states) == [ACCEPTED]


async def test_a_record_twice_is_told_by_its_place_in_the_batch(here: World) -> None:
    """Whatever was refused before it, and in whichever call to records it went."""
    rows = [pupil("bad", grade="19"), *(pupil(f"HS{number}") for number in range(5_100)), pupil("HS5050")]
    answer = await (await here.sync()).PushRows(push("1", *rows), timeout=60)
    _, problem = answer.outcome.problems
    assert (problem.index, problem.reason, problem.metadata["first_index"]) == (5_101, "DUPLICATE_KEY", "5051")
    assert "hàng có index 5051" in problem.message


async def test_a_deleted_row_needs_no_content(here: World) -> None:
    """Only the type of a deleted record is read."""
    stub = await here.sync()
    await stub.PushRows(push("1", pupil("HS1")))
    gone = resources_pb2.Row(school=SCHOOL_A, key="HS1", version=2, deleted=True, pupil=resources_pb2.Pupil())
    answer = await stub.PushRows(push("2", gone))
    assert list(answer.outcome.states) == [ACCEPTED]


async def test_the_same_batch_answers_the_same_and_does_nothing(here: World) -> None:
    """A repeat under the same id, even by another name of the unit, changes nothing anywhere."""
    stub = await here.sync()
    first = await stub.PushRows(push("1", pupil("HS1"), pupil("HS2", sex="9")))
    before = [await here.count(table) for table in ("batch", "quarantined_row", "connection")]
    number = str(here.scopes.tree.resolve(SCHOOL_A, here.clock.today()))
    again = await stub.PushRows(push("1", pupil("HS1"), pupil("HS2", sex="9"), unit=number))
    assert again == first
    assert [await here.count(table) for table in ("batch", "quarantined_row", "connection")] == before
    found = await stub.GetBatch(sync_pb2.GetBatchRequest(unit=SCHOOL_A, batch_id="1"))
    assert found.outcome == first.outcome
    assert found.batch.source == "vnedu"


async def test_a_key_that_cannot_be_taken_is_told_in_the_senders_names(here: World) -> None:
    """Another record is there under the new key; or one batch names a key twice."""
    stub = await here.sync()
    await stub.PushRows(push("1", pupil("TAM-1"), pupil("HS1", full_name="Lê An"), pupil("TAM-2")))
    taken, chain = pupil("HS1", 2), pupil("HS3", 3)
    taken.previous_key, chain.previous_key = "TAM-1", "TAM-2"
    outcome = (await stub.PushRows(push("2", taken, pupil("TAM-2", 2), chain))).outcome
    assert list(outcome.states) == [REJECTED, UNCHANGED, REJECTED]
    told = [(one.index, one.reason, one.field) for one in outcome.problems]
    assert told == [(0, "KEY_TAKEN", "previous_key"), (2, "DUPLICATE_KEY", "previous_key")]
    assert "bên cạnh bản ghi ghi trong previous_key (khóa cũ của bản ghi)" in outcome.problems[0].message
    assert outcome.problems[1].message.startswith(
        "previous_key (khóa cũ của bản ghi) trùng với khóa của chính dòng này"
    )


async def test_a_subject_that_stands_twice_in_a_result_is_refused(here: World) -> None:
    """One of its marks would be lost."""
    marks = [results_pb2.SubjectMark(subject=subject, mark=8) for subject in ("TOAN", "NGU_VAN", "TOAN")]
    row = resources_pb2.Row(school=SCHOOL_A, key="r", version=1)
    row.result.CopyFrom(results_pb2.Result(school_year=2026, pupil_key="HS1", stage="CK1", subject_marks=marks))
    (problem,) = (await (await here.sync()).PushRows(push("1", row))).outcome.problems
    assert (problem.reason, problem.field) == ("INVALID_FIELD", "result.subject_marks[2].subject")
    assert "result.subject_marks[0]" in problem.message


async def test_the_same_batch_twice_at_once_is_taken_once(here: World) -> None:
    """Whichever is settled first gives the answer to all; nothing is kept double."""
    stub = await here.sync()
    answers = await asyncio.gather(*(stub.PushRows(push("1", pupil("HS1"), pupil("HS2", sex="9"))) for _ in range(6)))
    assert {one.outcome.SerializeToString() for one in answers} == {answers[0].outcome.SerializeToString()}
    assert [await here.count(table) for table in ("batch", "quarantined_row")] == [1, 1]
    (connection,) = (await stub.ListConnections(sync_pb2.ListConnectionsRequest(unit=SCHOOL_A))).connections
    assert (connection.accepted_count, connection.rejected_count) == (1, 1)


async def test_another_content_under_a_used_id_is_refused(here: World) -> None:
    """An id names one content."""
    stub = await here.sync(language="en")
    await stub.PushRows(push("1", pupil("HS1")))
    with pytest.raises(Fault) as refused:
        await stub.PushRows(push("1", pupil("HS2")))
    assert (refused.value.reason, refused.value.kind) == ("BATCH_ID_REUSED", Kind.EXISTS)
    assert refused.value.metadata["batch_id"] == "1"


async def test_new_batches_with_old_rows_are_unchanged_or_stale(here: World) -> None:
    """The version decides: the same is unchanged, a lower one stale, and neither is an error."""
    stub = await here.sync()
    await stub.PushRows(push("1", pupil("HS1", 2)))
    assert list((await stub.PushRows(push("2", pupil("HS1", 2)))).outcome.states) == [UNCHANGED]
    answer = await stub.PushRows(push("3", pupil("HS1", 1, grade="07")))
    assert list(answer.outcome.states) == [STALE]
    assert (await here.record("HS1")).row.pupil.grade == "06"
    assert await here.count("quarantined_row") == 0


async def test_a_crash_between_records_and_the_own_commit_is_repeated_without_harm(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender repeats; records answers the same, and the outcome says accepted, as it was."""
    stub = await here.sync(language="en")
    batch = push("1", pupil("HS1"), pupil("HS2", sex="9"), pupil("HS3"))

    async def die(*_args: object, **_kwargs: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "settle", die)
        with pytest.raises(Fault) as lost:
            await stub.PushRows(batch)
    assert lost.value.kind is Kind.INTERNAL
    assert await here.count("pupil", of="records") == 2
    assert await here.count("batch") == 0
    answer = await stub.PushRows(push("1", pupil("HS1"), pupil("HS2", sex="9"), pupil("HS3")))
    assert list(answer.outcome.states) == [ACCEPTED, REJECTED, ACCEPTED]
    assert await here.count("pupil", of="records") == 2
    assert await here.count("quarantined_row") == 1


async def test_more_rows_than_one_call_carries_are_sliced(here: World) -> None:
    """6,000 rows of two schools come in one batch; each has its state in its place."""
    rows = [pupil(f"HS{number}", school=(SCHOOL_A, SCHOOL_B)[number % 2]) for number in range(6000)]
    rows[5500].pupil.grade = "77"
    answer = await (await here.sync()).PushRows(push("1", *rows, unit=PROVINCE), timeout=60)
    assert answer.outcome.accepted_count == 5999
    assert answer.outcome.states[5500] == REJECTED
    assert await here.count("pupil", of="records") == 5999


async def test_a_clerk_pushes_for_the_own_school_only(here: World) -> None:
    """The access option of the method holds: another school's unit is refused as a whole."""
    stub = await here.sync(CLERK)
    assert (await stub.PushRows(push("1", pupil("HS1"), source="tay"))).outcome.accepted_count == 1
    with pytest.raises(Fault) as refused:
        await stub.PushRows(push("2", pupil("HS1", school=SCHOOL_B), unit=SCHOOL_B))
    assert refused.value.reason == "NO_GRANT"
