"""Pupils assessed from what schools sent: computed beside the school's own, and what is missing."""

from typing import Any

import pytest
from iocedu.records.v1 import assessment_pb2, resources_pb2, results_pb2

from chassis.errors import Fault, Kind
from services.records.usecases import assessing
from tests.integration.records.scenes import SCHOOL_A, SCHOOL_B, Running, pupil, reason
from tests.integration.records.test_attendance import register, renamed

SCORED = ("TOAN", "VAN", "ANH", "GDCD", "LSDL", "KHTN", "CN", "TIN")
COMMENTED = ("GDTC", "NT", "HDTN", "GDDP")
MADE: dict[str, Any] = {"regular_marks": [8, 9], "midterm_mark": 8, "final_mark": 8.5}  # (17 + 16 + 25.5) / 7 = 8.357…


def result(key: str, stage: str, *, mark: float = 8.4, version: int = 1, **fields: Any) -> resources_pb2.Row:
    """A pupil's results, all subjects alike: in a term with the marks they are made of."""
    parts = {} if stage == "CN" else MADE
    marks = [results_pb2.SubjectMark(subject=name, mark=mark, **parts) for name in SCORED]
    marks += [results_pb2.SubjectMark(subject=name, level="Đ") for name in COMMENTED]
    values: dict[str, Any] = {"school_year": 2026, "conduct_result": "T", "subject_marks": marks}
    record = results_pb2.Result(pupil_key=key, stage=stage, **(values | fields))
    return resources_pb2.Row(school=SCHOOL_A, key=f"{key}.{stage}", version=version, result=record)


def whole_year(key: str, **fields: Any) -> list[resources_pb2.Row]:
    """Both terms and the year."""
    own: dict[str, Any] = {"learning_result": "T", "title": "G", "promoted": True} | fields
    return [result(key, "CK1"), result(key, "CK2"), result(key, "CN", **own)]


async def assess(records: Running, key: str, **shown: Any) -> assessment_pb2.PupilAssessment:
    """A pupil's assessment."""
    request = assessment_pb2.AssessPupilRequest(school=SCHOOL_A, pupil_key=key, school_year=2026)
    stub = await records.assessment(**shown)
    answer: assessment_pb2.PupilAssessment = (await stub.AssessPupil(request)).assessment
    return answer


def figures(assessment: assessment_pb2.PupilAssessment, stage: str = "CN") -> dict[str, tuple[str, str, str]]:
    """What was found at a stage, without subjects: computed, own, how they compare."""
    figure, state = assessment_pb2.Figure.Name, assessment_pb2.FindingState.Name
    return {
        figure(one.figure).removeprefix("FIGURE_"): (
            one.computed,
            one.own,
            state(one.state).removeprefix("FINDING_STATE_"),
        )
        for one in assessment.findings
        if one.stage == stage and not one.subject
    }


async def test_a_pupils_year_is_assessed_from_the_marks(records: Running):
    """Averages, levels, title, moving up, each with its article and the school's own figure."""
    await records.apply(pupil("1"), *whole_year("1", learning_result="K"), register(0, "1P"))
    found = await assess(records, "1")
    assert (found.regulation, found.full_name, found.grade) == ("TT22", "Nguyễn Văn Hòa", "06")
    assert "22/2021" in found.regulation_source
    assert figures(found) == {
        "LEARNING_RESULT": ("T", "K", "DIFFERS"),
        "CONDUCT_RESULT": ("T", "T", "AGREES"),
        "TITLE": ("G", "G", "AGREES"),
        "PROMOTED": ("true", "true", "AGREES"),
    }
    marks = [one for one in found.findings if one.stage == "CK1" and one.figure == assessment_pb2.FIGURE_SUBJECT_MARK]
    assert {(one.computed, one.own, one.state) for one in marks} == {
        ("8.4", "8.4", assessment_pb2.FINDING_STATE_AGREES)
    }
    assert {one.article for one in marks} == {"TT 22/2021/TT-BGDĐT, Điều 9.1.b"}
    assert {one.basis for one in found.findings} == {assessment_pb2.FINDING_BASIS_COMPONENTS}
    assert found.differing_count == 1
    assert (found.absence.source, found.absence.most_count, found.absence.limit_count) == (
        assessment_pb2.ABSENCE_SOURCE_REGISTERS,
        1,
        45,
    )
    assert await records.rows("SELECT method, collection, key, record_count FROM access_log") == [
        ("AssessPupil", "results", "1", 1)
    ]


async def test_more_than_45_absent_sessions_keep_a_pupil_back(records: Running):
    """Whatever the marks; a correction of one register changes that."""
    await records.apply(pupil("1"), *whole_year("1"), *(register(day, "1K") for day in range(46)))
    assert figures(await assess(records, "1"))["PROMOTED"] == ("false", "true", "DIFFERS")
    await records.apply(register(0, "1M", version=2))
    assert figures(await assess(records, "1"))["PROMOTED"] == ("true", "true", "AGREES")


async def test_without_registers_the_schools_own_days_decide_or_nothing_does(records: Running):
    """Which of the two it was is said, and what is missing in the caller's language."""
    await records.apply(pupil("1"), pupil("2"), *whole_year("1", absent_days=7), *whole_year("2"))
    assert figures(await assess(records, "1"))["PROMOTED"] == ("true", "true", "AGREES")
    assert (await assess(records, "1")).absence.source == assessment_pb2.ABSENCE_SOURCE_SCHOOL
    found = await assess(records, "2", language="vi")
    assert figures(found)["PROMOTED"] == ("", "true", "UNDECIDED")
    (missing,) = found.findings[-1].missing
    assert (missing.lack, missing.stage) == (assessment_pb2.LACK_ABSENCE, "CN")
    assert missing.message.startswith("CN: Không có sổ điểm danh")
    english = await assess(records, "2", language="en")
    assert english.findings[-1].missing[0].message.startswith("CN: There are no registers")


async def test_a_corrected_result_changes_the_assessment(records: Running):
    """And a deleted one is none."""
    await records.apply(pupil("1"), *whole_year("1"), register(0))
    await records.apply(result("1", "CN", version=2, learning_result="Đ", title="", promoted=True))
    assert figures(await assess(records, "1"))["LEARNING_RESULT"] == ("T", "Đ", "DIFFERS")
    gone = [result("1", stage, version=3) for stage in ("CK1", "CK2", "CN")]
    for row in gone:
        row.deleted = True
    await records.apply(*gone)
    found = await assess(records, "1")
    assert not found.findings
    assert [one.lack for one in found.missing] == [assessment_pb2.LACK_RESULT]


async def test_results_follow_a_pupil_who_was_given_another_key(records: Running):
    """Results that name the old key are the pupil's; one that names the new key stands over an older one."""
    await records.apply(pupil("TAM"), *whole_year("TAM"), register(0))
    await records.apply(renamed(pupil("1", 2), "TAM"))
    assert figures(await assess(records, "1"))["LEARNING_RESULT"] == ("T", "T", "AGREES")
    await records.apply(result("1", "CN", learning_result="K"))
    assert figures(await assess(records, "1"))["LEARNING_RESULT"] == ("T", "K", "DIFFERS")


def _list(**fields: Any) -> assessment_pb2.ListAssessmentsRequest:
    return assessment_pb2.ListAssessmentsRequest(school=SCHOOL_A, school_year=2026, **fields)


async def test_a_list_shows_whom_a_school_differs_with(records: Running, monkeypatch: pytest.MonkeyPatch):
    """Only their differing findings; by stage and class; pages join though a call looks at a few pupils only."""
    monkeypatch.setattr(assessing, "AT_ONCE", 2)
    monkeypatch.setattr(assessing, "LOOKED_AT", 4)
    keys = [f"{number:02}" for number in range(11)]
    wrong = {"02", "07", "10"}
    await records.apply(*(pupil(key, class_key="6B" if key == "07" else "6A") for key in keys))
    for key in keys:
        await records.apply(*whole_year(key, learning_result="K" if key in wrong else "T", absent_days=3))
    stub = await records.assessment()

    async def found(**fields: Any) -> list[str]:
        token, keys = "", list[str]()
        while True:
            page = await stub.ListAssessments(_list(page_token=token, **fields))
            keys += [one.pupil_key for one in page.assessments]
            assert all(one.findings for one in page.assessments)
            token = page.next_page_token
            if not token:
                return keys

    assert await found() == keys
    assert await found(page_size=3) == keys
    assert await found(only_differing=True) == ["02", "07", "10"]
    assert await found(only_differing=True, page_size=1) == ["02", "07", "10"]
    assert await found(only_differing=True, class_key="6B") == ["07"]
    assert await found(only_differing=True, stage="CK1") == []
    (one, *_) = (await stub.ListAssessments(_list(only_differing=True))).assessments
    assert [(finding.stage, finding.figure) for finding in one.findings] == [
        ("CN", assessment_pb2.FIGURE_LEARNING_RESULT)
    ]
    assert one.differing_count == 1
    log = await records.rows("SELECT method, record_count FROM access_log ORDER BY entry_id LIMIT 1")
    assert log == [("ListAssessments", 11)]


@pytest.mark.parametrize(("size", "pages"), [(2, [2, 2]), (4, [4]), (3, [3, 1]), (5, [4])])
async def test_the_last_page_has_no_token_also_where_it_is_full(records: Running, size: int, pages: list[int]):
    """Who follows tokens is not sent to a page without a pupil."""
    for number in range(4):
        await records.apply(pupil(f"{number}"), *whole_year(f"{number}", learning_result="K", absent_days=3))
    stub = await records.assessment()

    for only_differing in (False, True):
        token, found = "", list[int]()
        while token or not found:
            page = await stub.ListAssessments(_list(page_size=size, page_token=token, only_differing=only_differing))
            found.append(len(page.assessments))
            token = page.next_page_token
        assert found == pages


async def test_a_primary_school_is_assessed_by_its_own_circular(records: Running):
    """TT 27/2020: all T, qualities T, tests 9 and more."""
    marks = [results_pb2.SubjectMark(subject=name, level="T", final_mark=9) for name in ("TOAN", "TV")]
    qualities = [results_pb2.QualityLevel(quality="YEU_NUOC", level="T")]
    fields: dict[str, Any] = {
        "subject_marks": marks,
        "qualities": qualities,
        "learning_result": "HTT",
        "promoted": True,
    }
    await records.apply(pupil("1", grade="03", level="02"), result("1", "CN", **fields))
    found = await assess(records, "1")
    assert (found.regulation, found.HasField("absence")) == ("TT27", False)
    assert figures(found) == {
        "LEARNING_RESULT": ("HTXS", "HTT", "DIFFERS"),
        "PROMOTED": ("true", "true", "AGREES"),
    }


async def test_who_is_not_there_or_elsewhere_is_not_assessed(records: Running):
    """An unknown pupil is said to be unknown, a foreign school refused."""
    await records.apply(pupil("1", school_year=2025))
    with pytest.raises(Fault) as error:
        await assess(records, "1")
    assert (error.value.kind, reason(error)) == (Kind.NOT_FOUND, "UNKNOWN_RECORD")
    await records.grant("head@a", "head_teacher", SCHOOL_A)
    request = assessment_pb2.AssessPupilRequest(school=SCHOOL_B, pupil_key="1", school_year=2026)
    with pytest.raises(Fault) as error:
        await (await records.assessment("head@a")).AssessPupil(request)
    assert reason(error) == "NO_GRANT"
