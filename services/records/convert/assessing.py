"""Assessments between store, domain and interface; what is missing is said in the caller's language."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from iocedu.records.v1 import assessment_pb2

from services.records.domain.attendance import Absence
from services.records.domain.findings import (
    Assessment,
    Finding,
    Lack,
    Missing,
    PupilYear,
    StageResult,
    State,
    SubjectEntry,
)
from services.records.domain.masking import FieldClass, mask_of, masked

NAME_MASK: Final = mask_of("full_name", FieldClass.BASIC)
Row = Mapping[str, Any]  # a row of the store by column


def pupil_year(pupil: Row, results: Iterable[Row], *, school_year: int) -> PupilYear:
    """A pupil with the results of a school year; of two for one stage the last counts."""
    stages = {row["stage"]: _stage(row) for row in results}
    return PupilYear(pupil["grade"], pupil["level"], school_year, stages)


def _stage(row: Row) -> StageResult:
    return StageResult(
        learning_result=row["learning_result"],
        conduct_result=row["conduct_result"],
        title=row["title"],
        absent_days=row["absent_days"],
        promoted=row["promoted"],
        retraining=row["retraining"],
        learning_after_retest=row["learning_after_retest"] or "",
        conduct_after_retraining=row["conduct_after_retraining"] or "",
        subjects={item["subject"]: _subject(item) for item in row["subject_marks"] or ()},
        qualities=tuple(item.get("level", "") for item in row["qualities"] or ()),
    )


def _subject(item: Row) -> SubjectEntry:
    return SubjectEntry(
        mark=_mark(item.get("mark")),
        level=item.get("level", ""),
        regular=tuple(Decimal(str(mark)) for mark in item.get("regular_marks", ())),
        midterm=_mark(item.get("midterm_mark")),
        final=_mark(item.get("final_mark")),
        retest_mark=_mark(item.get("retest_mark")),
        retest_level=item.get("retest_level", ""),
    )


def _mark(value: float | None) -> Decimal | None:
    """A mark as it was written: by way of its shortest text, never by its binary digits."""
    return None if value is None else Decimal(str(value))


def differing(findings: Iterable[Finding]) -> list[Finding]:
    """Those in which the school differs."""
    return [one for one in findings if one.state is State.DIFFERS]


def add_assessment(
    assessment: assessment_pb2.PupilAssessment,
    pupil: Row,
    found: Assessment,
    findings: Sequence[Finding],
    *,
    absence: Absence | None,
    absent_most: int,
    language: str,
) -> None:
    """Write an assessment with these of its findings into a message."""
    assessment.pupil_key, assessment.class_key, assessment.grade = pupil["key"], pupil["class_key"], pupil["grade"]
    assessment.full_name = masked(pupil["full_name"], NAME_MASK)
    assessment.regulation, assessment.regulation_source = found.regulation, found.source
    assessment.differing_count = len(differing(findings))
    for one in findings:
        finding = assessment.findings.add(
            stage=one.stage,
            figure=one.figure,
            subject=one.subject,
            computed=one.computed,
            own=one.own,
            state=one.state,
            article=one.article,
            basis=one.basis,
            adjusted=one.adjusted,
        )
        _add_missing(finding.missing, one.missing, language)
    _add_missing(assessment.missing, found.missing, language)
    if absence is not None:
        assessment.absence.source = assessment_pb2.AbsenceSource.ValueType(absence.source)
        assessment.absence.least_count, assessment.absence.most_count = absence.least, absence.most
        assessment.absence.limit_count = absent_most


def _add_missing(messages: Any, missing: Iterable[Missing], language: str) -> None:
    for one in missing:
        messages.add(
            lack=one.lack,
            stage=one.stage,
            subject=one.subject,
            count=one.count,
            wanted_count=one.wanted,
            message=_sentence(one, language),
        )


def _sentence(one: Missing, language: str) -> str:
    vi, en = _SENTENCES[one.lack]
    sentence = (en if language == "en" else vi)(one)
    if not one.stage:
        return sentence
    subject = f", {one.subject}" if one.subject else ""
    return f"{one.stage}{subject}: {sentence}"


def _plain(text: str) -> Callable[[Missing], str]:
    return lambda _: text


_SENTENCES: Final[Mapping[Lack, tuple[Callable[[Missing], str], Callable[[Missing], str]]]] = {
    Lack.REGULATION: (
        _plain("Chưa có quy định đánh giá cho khối và năm học này."),
        _plain("No circular is known here for this grade and school year."),
    ),
    Lack.RESULT: (_plain("Trường chưa gửi kết quả để tính."), _plain("The school has sent no results to assess.")),
    Lack.REGULAR_MARKS: (
        lambda one: f"Có {one.count} điểm thường xuyên, cần ít nhất {one.wanted}.",
        lambda one: f"There are {one.count} regular marks; at least {one.wanted} are needed.",
    ),
    Lack.MIDTERM_MARK: (_plain("Thiếu điểm giữa kì."), _plain("The midterm mark is missing.")),
    Lack.FINAL_MARK: (_plain("Thiếu điểm cuối kì."), _plain("The final mark is missing.")),
    Lack.AVERAGE: (
        _plain("Thiếu điểm trung bình môn, và không đủ điểm thành phần để tính."),
        _plain("The average is missing, and so are marks to compute it from."),
    ),
    Lack.LEVEL: (_plain("Thiếu mức đánh giá môn học."), _plain("The level of a subject is missing.")),
    Lack.SUBJECTS: (
        lambda one: f"Có {one.count} môn đánh giá bằng điểm, chương trình có ít nhất {one.wanted}.",
        lambda one: f"There are {one.count} scored subjects; the programme has at least {one.wanted}.",
    ),
    Lack.CONDUCT: (_plain("Thiếu kết quả rèn luyện của học kì."), _plain("The conduct of the term is missing.")),
    Lack.QUALITIES: (
        _plain("Thiếu mức phẩm chất, năng lực."),
        _plain("The levels of qualities and competences are missing."),
    ),
    Lack.TESTS: (
        lambda one: f"Có {one.count} bài kiểm tra cuối năm, cần ít nhất {one.wanted}.",
        lambda one: f"There are {one.count} tests of the end of the year; at least {one.wanted} are needed.",
    ),
    Lack.ABSENCE: (
        _plain("Không có sổ điểm danh, và trường không gửi số ngày nghỉ lớn hơn 0."),
        _plain("There are no registers, and the school sent no days of absence above 0."),
    ),
    Lack.UNREPORTED_DAYS: (
        lambda one: f"{one.count} ngày lớp không gửi sổ điểm danh: học sinh có thể đã nghỉ.",
        lambda one: f"The class has no register of {one.count} days: the pupil may have been absent.",
    ),
    Lack.RETEST: (_plain("Chưa có kết quả thi lại."), _plain("The outcome of the re-tests is not in.")),
    Lack.RETRAINING: (_plain("Chưa có kết quả rèn luyện lại."), _plain("The outcome of retraining is not in.")),
    Lack.HEAD_TEACHER: (
        _plain("Hiệu trưởng quyết định sau khi học sinh được giúp đỡ (TT 27/2020, Điều 11.1)."),
        _plain("The head teacher decides, after more help (TT 27/2020, Art. 11.1)."),
    ),
    Lack.UNKNOWN_CODE: (
        _plain("Không rõ nghĩa mã trường đã gửi."),
        _plain("Nobody knows what the code means that the school sent."),
    ),
}
