"""From year to year: who moved up, stayed, went elsewhere, left, and of whom nobody has heard."""

from typing import Any

import pytest
import sqlalchemy as sa
from iocedu.records.v1 import persons_pb2, resources_pb2, results_pb2, school_life_pb2, year_steps_pb2

from chassis.errors import Fault, Kind
from tests.integration.records.asking import ERASURE, ask, done
from tests.integration.records.scenes import SCHOOL_A, SCHOOL_B, Running, pupil
from tests.integration.records.test_persons import linked, service

STEP = year_steps_pb2.YearStep


def _last_year(key: str, name: str, **fields: Any) -> resources_pb2.Row:
    return pupil(key, school_year=2025, full_name=name, **fields)


def _moves_up(key: str) -> resources_pb2.Row:
    result = results_pb2.Result(school_year=2025, pupil_key=key, stage="CN", promoted=True)
    return resources_pb2.Row(school=SCHOOL_A, key=f"kq.{key}", version=1, result=result)


async def _world(records: Running) -> None:
    graduation = school_life_pb2.Graduation(school_year=2025, pupil_key="ra.25", graduated=True)
    await records.apply(
        _last_year("len.25", "Lê Lên"),
        _last_year("luu.25", "Lê Lưu"),
        _last_year("di.25", "Lê Đi", personal_id="049214000123"),
        _last_year("nghi.25", "Lê Nghỉ", status="09"),
        _last_year("ra.25", "Lê Ra", grade="09", class_key="9A"),
        _last_year("mat.25", "Lê Mất", class_key="6B"),
        pupil("len.26", full_name="Lê Lên", grade="07", class_key="7A"),
        pupil("luu.26", full_name="Lê Lưu"),
        pupil("di.26", full_name="Lê Đi", grade="07", class_key="7B", school=SCHOOL_B, personal_id="049214000123"),
        resources_pb2.Row(school=SCHOOL_A, key="tn", version=1, graduation=graduation),
        _moves_up("mat.25"),
        _moves_up("luu.25"),
    )
    await linked(records)


async def test_a_school_sees_how_last_years_pupils_went_on_and_who_is_missing(records: Running):
    """Each way with its number; who has no record of the next year anywhere is asked for by one flag, by class too."""
    await _world(records)
    stub = await service(records)
    asked = year_steps_pb2.ListYearStepsRequest(school=SCHOOL_A, school_year=2025)
    answer = await stub.ListYearSteps(asked)
    found = {one.pupil_key: one for one in answer.pupils}

    assert {key: one.step for key, one in found.items()} == {
        "len.25": STEP.YEAR_STEP_PROMOTED,
        "luu.25": STEP.YEAR_STEP_RETAINED,
        "di.25": STEP.YEAR_STEP_TRANSFERRED,
        "nghi.25": STEP.YEAR_STEP_LEFT,
        "ra.25": STEP.YEAR_STEP_GRADUATED,
        "mat.25": STEP.YEAR_STEP_UNKNOWN,
    }
    assert [(one.step, one.pupil_count) for one in answer.counts] == [(step, 1) for step in range(1, 7)]
    assert (found["len.25"].next_pupil_key, found["len.25"].next_class_key) == ("len.26", "7A")
    assert found["luu.25"].promoted, "what was decided stands beside what happened"
    assert not found["len.25"].HasField("promoted")
    missing = year_steps_pb2.ListYearStepsRequest(
        school=SCHOOL_A, school_year=2025, class_key="6B", without_successor=True
    )
    lost = await stub.ListYearSteps(missing)
    assert [(one.pupil_key, one.goes_on, one.promoted) for one in lost.pupils] == [("mat.25", False, True)]


async def test_pages_hold_every_pupil_once_and_only_the_steps_asked_for(records: Running):
    """In order of keys; the counts stay those of the whole school."""
    await _world(records)
    stub = await service(records)
    steps = [STEP.YEAR_STEP_PROMOTED, STEP.YEAR_STEP_RETAINED, STEP.YEAR_STEP_LEFT]
    asked = year_steps_pb2.ListYearStepsRequest(school=SCHOOL_A, school_year=2025, steps=steps, page_size=2)
    first = await stub.ListYearSteps(asked)
    asked.page_token = first.next_page_token
    second = await stub.ListYearSteps(asked)

    assert [[one.pupil_key for one in page.pupils] for page in (first, second)] == [["len.25", "luu.25"], ["nghi.25"]]
    assert second.next_page_token == ""
    assert sum(one.pupil_count for one in second.counts) == 6


async def test_of_another_school_a_clerk_learns_no_more_than_that_the_pupil_goes_on(records: Running):
    """The look is in the access log, and another school's list is refused."""
    await _world(records)
    await records.grant("thu", "clerk", SCHOOL_A)
    stub = await service(records, "thu")
    answer = await stub.ListYearSteps(year_steps_pb2.ListYearStepsRequest(school=SCHOOL_A, school_year=2025))
    (gone,) = [one for one in answer.pupils if one.pupil_key == "di.25"]

    assert (gone.goes_on, gone.next_school_id, gone.next_class_key, gone.next_grade) == (True, 0, "", "")
    ((count,),) = await records.rows(
        "SELECT record_count FROM access_log WHERE method = 'ListYearSteps' AND subject = 'thu'"
    )
    assert count == 6
    with pytest.raises(Fault) as error:
        await stub.ListYearSteps(year_steps_pb2.ListYearStepsRequest(school=SCHOOL_B, school_year=2025))
    assert error.value.kind is Kind.DENIED


async def test_a_course_says_how_each_year_ended(records: Running):
    """The newest year is unknown until the next one comes; the one before led to it."""
    await _world(records)
    course = await (await service(records)).GetCourse(persons_pb2.GetCourseRequest(school=SCHOOL_A, pupil_key="luu.26"))
    assert [(one.school_year, one.step, one.HasField("promoted")) for one in course.years] == [
        (2026, STEP.YEAR_STEP_UNKNOWN, False),
        (2025, STEP.YEAR_STEP_RETAINED, True),
    ]


async def test_of_a_next_record_that_is_restricted_it_is_said_that_there_is_one_and_nothing_else(records: Running):
    """The pupil is not among the missing; school, key and class stay unsaid."""
    await _world(records)
    await done(records, await ask(records, ERASURE, "len.26"))
    async with records.database.transaction() as connection:  # The year before is told once more.
        await connection.execute(sa.text("DELETE FROM restricted_record WHERE key = 'len.25'"))
    stub = await service(records)
    answer = await stub.ListYearSteps(year_steps_pb2.ListYearStepsRequest(school=SCHOOL_A, school_year=2025))
    one = next(one for one in answer.pupils if one.pupil_key == "len.25")

    assert (one.goes_on, one.next_school_id, one.next_pupil_key, one.next_class_key) == (True, 0, "", "")
    assert "luu.26" in {one.next_pupil_key for one in answer.pupils}
