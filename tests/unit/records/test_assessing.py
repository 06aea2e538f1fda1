"""A pupil's year: what is computed beside what the school gave, and what is missing where nothing can be told."""

import json
from decimal import Decimal
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.records.convert.rules import load_assessment_rules
from services.records.domain.assessing import assess
from services.records.domain.attendance import Absence, Absences, Alarm, ClassDays, Source, absence_of, alarm_of
from services.records.domain.findings import (
    Basis,
    Figure,
    Finding,
    Lack,
    PupilYear,
    StageResult,
    State,
    SubjectEntry,
)

RULES = load_assessment_rules()
PRESENT = Absence(Source.REGISTERS, 3, 3)
SCORED = ("TOAN", "VAN", "ANH", "GDCD", "LSDL", "KHTN", "CN", "TIN")
COMMENTED = ("GDTC", "NT", "HDTN", "GDDP")


def entry(mark: str = "", level: str = "", regular: str = "", midterm: str = "", final: str = "", retest: str = ""):
    """A subject of a stage, marks as people write them."""
    one, middle, last, again = (Decimal(text) if text else None for text in (mark, midterm, final, retest))
    return SubjectEntry(one, level, tuple(map(Decimal, regular.split())), middle, last, retest_mark=again)


def term(mark: str = "8.5", conduct: str = "T", comment: str = "Đ", **changed: SubjectEntry) -> StageResult:
    """A term in which every subject has this average."""
    subjects = dict.fromkeys(SCORED, entry(mark)) | dict.fromkeys(COMMENTED, entry(level=comment))
    return StageResult(conduct_result=conduct, subjects=subjects | changed)


def year(results: dict[str, StageResult], grade: str = "06", absence: Absence = PRESENT, **fields: Any) -> PupilYear:
    """A pupil's year."""
    return PupilYear(grade, fields.get("level", "03"), fields.get("school_year", 2026), results, absence)


def found(pupil: PupilYear, figure: Figure, stage: str = "CN", subject: str = "") -> Finding:
    """One finding."""
    every = assess(pupil, RULES).findings
    (one,) = [one for one in every if (one.figure, one.stage, one.subject) == (figure, stage, subject)]
    return one


def lacks(finding: Finding) -> list[tuple[Lack, str, str]]:
    """What a finding misses."""
    return [(one.lack, one.stage, one.subject) for one in finding.missing]


@pytest.mark.parametrize(
    ("grade", "school_year", "regulation"),
    [
        ("06", 2020, ""),
        ("06", 2021, "TT22"),
        ("07", 2021, ""),
        ("07", 2022, "TT22"),
        ("10", 2022, "TT22"),
        ("11", 2022, ""),
        ("08", 2023, "TT22"),
        ("12", 2023, ""),
        ("09", 2024, "TT22"),
        ("12", 2024, "TT22"),
        ("01", 2019, ""),
        ("01", 2020, "TT27"),
        ("05", 2023, ""),
        ("05", 2024, "TT27"),
        ("17", 2026, ""),
    ],
)
def test_the_circulars_came_grade_by_grade(grade: str, school_year: int, regulation: str):
    """Before its first year, and of a kindergarten, nothing is computed, and that is said."""
    assessment = assess(year({"CK2": term()}, grade, school_year=school_year), RULES)
    assert assessment.regulation == regulation
    assert bool(assessment.findings) is bool(regulation)
    assert [one.lack for one in assessment.missing] == ([] if regulation else [Lack.REGULATION])


def test_continuing_education_has_a_circular_of_its_own():
    """Grade 10 of level 05 is not assessed by TT 22."""
    assert assess(year({"CK2": term()}, "10", level="05"), RULES).missing[0].lack is Lack.REGULATION


def test_averages_are_computed_from_the_marks_and_compared_with_the_schools_own():
    """(8 + 9 + 14 + 24) / 7 = 7.857 is 7.9; the school's 7.8 differs."""
    components = entry("7.8", regular="8 9", midterm="7", final="8")
    pupil = year({"CK1": term(TOAN=components)})
    finding = found(pupil, Figure.SUBJECT_MARK, "CK1", "TOAN")
    assert (finding.computed, finding.own, finding.state) == ("7.9", "7.8", State.DIFFERS)
    assert finding.article.endswith("Điều 9.1.b")
    same = year({"CK1": term(TOAN=entry("7.9", regular="8 9", midterm="7", final="8"))})
    assert found(same, Figure.SUBJECT_MARK, "CK1", "TOAN").state is State.AGREES


def test_an_average_without_its_marks_is_not_guessed():
    """Each mark that is missing is named; what follows goes on with the school's own average and says so."""
    pupil = year({"CK1": term(TOAN=entry("7.8", regular="8"))})
    finding = found(pupil, Figure.SUBJECT_MARK, "CK1", "TOAN")
    assert (finding.computed, finding.state) == ("", State.UNDECIDED)
    assert [lack for lack, _, _ in lacks(finding)] == [Lack.REGULAR_MARKS, Lack.MIDTERM_MARK, Lack.FINAL_MARK]
    assert (finding.missing[0].count, finding.missing[0].wanted) == (1, 2)
    learning = found(pupil, Figure.LEARNING_RESULT, "CK1")
    assert (learning.computed, learning.basis, learning.state) == ("T", Basis.SUMMARIES, State.NOT_SENT)


def test_a_year_with_everything():
    """Both terms 8.5 and Tốt: Tốt, Giỏi, moves up."""
    own = StageResult(learning_result="Tốt", conduct_result="T", title="HSG", promoted=True, subjects=term().subjects)
    pupil = year({"CK1": term(conduct="K"), "CK2": term(), "CN": own})
    figures = {one.figure: (one.computed, one.state) for one in assess(pupil, RULES).findings if one.stage == "CN"}
    assert figures == {
        Figure.SUBJECT_MARK: ("8.5", State.AGREES),
        Figure.SUBJECT_LEVEL: ("Đ", State.AGREES),
        Figure.LEARNING_RESULT: ("T", State.AGREES),
        Figure.CONDUCT_RESULT: ("T", State.AGREES),
        Figure.TITLE: ("G", State.AGREES),
        Figure.PROMOTED: ("true", State.AGREES),
    }


def test_the_exception_shows_and_a_school_that_forgot_it_differs():
    """Seven of 8.5 and one of 4.0 are Khá, not Đạt (Article 9.3)."""
    terms = term(TIN=entry("4.0"))
    own = StageResult(learning_result="Đ", subjects=terms.subjects)
    finding = found(year({"CK1": terms, "CK2": terms, "CN": own}), Figure.LEARNING_RESULT)
    assert (finding.computed, finding.own, finding.state, finding.adjusted) == ("K", "Đ", State.DIFFERS, True)


def test_what_is_missing_does_not_hinder_what_is_certain():
    """One unknown average cannot help a pupil who fails two subjects; it can decide between two levels."""
    failing = term("3.0", TIN=entry())
    assert found(year({"CK1": failing}), Figure.LEARNING_RESULT, "CK1").computed == "CĐ"
    good = found(year({"CK1": term(TIN=entry())}), Figure.LEARNING_RESULT, "CK1")
    assert good.state is State.UNDECIDED
    assert lacks(good) == [(Lack.AVERAGE, "CK1", "TIN")]


TENTHS = st.integers(0, 100).map(lambda tenths: str(Decimal(tenths) / 10))


@given(st.lists(TENTHS, min_size=8, max_size=8), st.integers(0, 7), st.lists(TENTHS, min_size=5, max_size=5))
def test_what_is_decided_without_a_mark_holds_for_every_mark(marks: list[str], hidden: int, others: list[str]):
    """Worst and best bound all that lies between."""
    named = dict(zip(SCORED, map(entry, marks), strict=True))
    part = found(year({"CK1": term(**named | {SCORED[hidden]: entry()})}), Figure.LEARNING_RESULT, "CK1")
    for mark in ("0", *others, "10"):
        whole = found(year({"CK1": term(**named | {SCORED[hidden]: entry(mark)})}), Figure.LEARNING_RESULT, "CK1")
        assert part.computed in ("", whole.computed)


def test_fewer_subjects_than_the_programme_has_are_a_gap():
    """Six subjects of 8.5 are not a result: the programme of grade 6 has eight."""
    part = term()
    left = {name: one for name, one in part.subjects.items() if name not in SCORED[6:]}
    finding = found(year({"CK1": StageResult(subjects=left)}), Figure.LEARNING_RESULT, "CK1")
    assert (finding.computed, lacks(finding)) == ("", [(Lack.SUBJECTS, "CK1", "")])
    assert (finding.missing[0].count, finding.missing[0].wanted) == (6, 8)


def test_conduct_of_the_year_needs_both_terms_where_they_matter():
    """Tốt in the second term is Tốt or Khá, as the first was; Chưa đạt in the second is Chưa đạt."""
    pupil = year({"CK2": term(conduct="T")})
    finding = found(pupil, Figure.CONDUCT_RESULT)
    assert (finding.computed, lacks(finding)) == ("", [(Lack.CONDUCT, "CK1", "")])
    assert found(year({"CK2": term(conduct="CĐ")}), Figure.CONDUCT_RESULT).computed == "CĐ"


def test_after_the_retest_a_pupil_moves_up():
    """Two subjects of 3.0 are Chưa đạt; 5.0 in the re-test makes them Đạt (Article 14)."""
    weak = term("6.0", TOAN=entry("3.0"), VAN=entry("3.0"))
    before = year({"CK1": weak, "CK2": weak, "CN": StageResult(promoted=False)})
    assert found(before, Figure.LEARNING_RESULT).computed == "CĐ"
    waiting = found(before, Figure.PROMOTED)
    assert (waiting.state, lacks(waiting)) == (State.UNDECIDED, [(Lack.RETEST, "CN", "")])
    again = {"TOAN": entry("3.0", retest="5.0"), "VAN": entry("3.0", retest="5.5")}
    after = year({"CK1": weak, "CK2": weak, "CN": StageResult(promoted=True, subjects=again)})
    assert found(after, Figure.LEARNING_AFTER_RETEST).computed == "Đ"
    assert (found(after, Figure.PROMOTED).computed, found(after, Figure.PROMOTED).state) == ("true", State.AGREES)


@pytest.mark.parametrize(
    ("second", "again", "computed", "missing"),
    [
        ("", "CĐ", "", [(Lack.CONDUCT, "CK2", "")]),
        ("", "Đ", "true", []),
        ("CĐ", "CĐ", "false", []),
        ("CĐ", "", "", [(Lack.RETRAINING, "CN", "")]),
    ],
)
def test_retraining_counts_for_what_it_says_and_takes_nothing_away(
    second: str, again: str, computed: str, missing: list[tuple[Lack, str, str]]
):
    """Conduct that is not known may be Tốt, whatever came of the summer; Chưa đạt twice is Chưa đạt."""
    own = StageResult(conduct_after_retraining=again)
    finding = found(year({"CK1": term(), "CK2": term(conduct=second), "CN": own}), Figure.PROMOTED)
    assert (finding.computed, lacks(finding)) == (computed, missing)


def test_conduct_may_be_made_good_in_the_summer():
    """Chưa đạt needs retraining; until its outcome is in, moving up is open (Article 13)."""
    terms = {"CK1": term(), "CK2": term(conduct="CĐ")}
    before = year(terms | {"CN": StageResult(promoted=False, retraining=False)})
    assert (found(before, Figure.RETRAINING).computed, found(before, Figure.RETRAINING).state) == (
        "true",
        State.DIFFERS,
    )
    assert lacks(found(before, Figure.PROMOTED)) == [(Lack.RETRAINING, "CN", "")]
    after = year(terms | {"CN": StageResult(promoted=True, conduct_after_retraining="Đ")})
    assert found(after, Figure.PROMOTED).computed == "true"


@pytest.mark.parametrize(
    ("absence", "computed", "missing"),
    [
        (Absence(Source.REGISTERS, 45, 45), "true", []),
        (Absence(Source.REGISTERS, 46, 60), "false", []),
        (Absence(Source.REGISTERS, 40, 50), "", [Lack.UNREPORTED_DAYS]),
        (Absence(Source.REGISTERS, 45, 46), "", [Lack.UNREPORTED_DAYS]),
        (Absence(Source.REGISTERS, 44, 45), "true", []),
        (Absence(Source.SCHOOL, 12, 12), "true", []),
        (Absence(Source.NONE), "", [Lack.ABSENCE]),
    ],
)
def test_absence_decides_over_moving_up(absence: Absence, computed: str, missing: list[Lack]):
    """Article 12.1.c: 45 sessions, and days that nobody reported may be either."""
    finding = found(year({"CK1": term(), "CK2": term()}, absence=absence), Figure.PROMOTED)
    assert (finding.computed, [one.lack for one in finding.missing]) == (computed, missing)
    assert finding.basis is Basis.SUMMARIES


def test_45_sessions_and_one_day_nobody_reported_leave_moving_up_open():
    """The day may be the 46th; it is named, and how many there are."""
    finding = found(year({"CK1": term(), "CK2": term()}, absence=Absence(Source.REGISTERS, 45, 46)), Figure.PROMOTED)
    assert finding.state is State.UNDECIDED
    assert [(one.lack, one.count) for one in finding.missing] == [(Lack.UNREPORTED_DAYS, 1)]


def test_a_code_nobody_knows_is_not_compared():
    """It neither agrees nor differs."""
    own = StageResult(learning_result="XUẤT", subjects=term().subjects)
    finding = found(year({"CK1": term(), "CK2": term(), "CN": own}), Figure.LEARNING_RESULT)
    assert (finding.computed, finding.own, finding.state) == ("T", "XUẤT", State.UNDECIDED)
    assert lacks(finding) == [(Lack.UNKNOWN_CODE, "CN", "")]


def primary(tests: str, levels: str, qualities: str, own: str = "", moved: bool | None = None) -> PupilYear:  # noqa: FBT001
    """A year in primary school."""
    pairs = zip(tests.split(), levels.split(), strict=True)
    subjects = {f"M{place}": entry(final=mark, level=level) for place, (mark, level) in enumerate(pairs)}
    result = StageResult(learning_result=own, promoted=moved, subjects=subjects, qualities=tuple(qualities.split()))
    return year({"CN": result}, "03", level="02")


def test_a_year_in_primary_school():
    """Article 9: all T, all tests 9 or more."""
    finding = found(primary("9 10", "T T", "T T", own="HTT"), Figure.LEARNING_RESULT)
    assert (finding.computed, finding.state) == ("HTXS", State.DIFFERS)
    assert found(primary("9 10", "T T", "T T", moved=True), Figure.PROMOTED).state is State.AGREES


def test_a_class_that_is_not_completed_is_the_head_teachers_matter():
    """Article 11.1: after more help the head teacher decides; the platform does not."""
    pupil = primary("9 4", "T C", "T T", moved=True)
    assert found(pupil, Figure.LEARNING_RESULT).computed == "CHT"
    finding = found(pupil, Figure.PROMOTED)
    assert (finding.state, lacks(finding)) == (State.UNDECIDED, [(Lack.HEAD_TEACHER, "CN", "")])


def test_qualities_that_were_not_sent_leave_the_result_open():
    """They may be anything, so a result of HT or better is open."""
    finding = found(primary("9 10", "T T", ""), Figure.LEARNING_RESULT)
    assert (finding.state, lacks(finding)) == (State.UNDECIDED, [(Lack.QUALITIES, "CN", "")])
    assert found(primary("9 4", "T H", ""), Figure.LEARNING_RESULT).computed == "CHT"


@pytest.mark.parametrize(
    ("counted", "unreported", "own", "expected"),
    [
        (2, 0, 0, Absence(Source.REGISTERS, 2, 2)),
        (2, 43, 9, Absence(Source.REGISTERS, 2, 45)),
        (2, 44, 9, Absence(Source.SCHOOL, 9, 9)),
        (2, 44, 0, Absence(Source.REGISTERS, 2, 46)),
        (46, 90, 9, Absence(Source.REGISTERS, 46, 136)),
    ],
)
def test_registers_decide_where_they_can(counted: int, unreported: int, own: int, expected: Absence):
    """Else the school's own days do, where it gave any."""
    rule = RULES.absence[0]
    assert absence_of(Absences(counted=counted), ClassDays(90, 90, unreported), own, rule) == expected


def test_without_registers_the_schools_own_days_count_and_none_are_no_count():
    """0 days looks the same as days that were not given."""
    rule = RULES.absence[0]
    assert absence_of(Absences(), ClassDays(), 9, rule) == Absence(Source.SCHOOL, 9, 9)
    assert absence_of(Absences(), ClassDays(), 0, rule).source is Source.NONE


@pytest.mark.parametrize(
    ("counted", "alarm"),
    [(29, Alarm.NONE), (30, Alarm.AMBER), (37, Alarm.AMBER), (38, Alarm.RED), (45, Alarm.RED), (46, Alarm.OVER)],
)
def test_alarms_begin_at_their_thresholds(counted: int, alarm: Alarm):
    """Amber from 30, red from 38, over beyond 45."""
    assert alarm_of(counted, RULES.absence[0]) is alarm


def test_every_rule_names_its_source():
    """A figure without one could not be checked."""
    table = json.loads((files("services.records") / "rules" / "assessment.json").read_text("utf-8"))
    rows = [row for kind in ("regulations", "secondary", "primary", "subjects", "absence") for row in table[kind]]
    assert {row["source"] for row in rows} <= set(table["sources"])


def test_no_other_grade_has_a_limit_of_absence():
    """The circular on primary schools knows none."""
    assert RULES.absence_of("05", 2026) is None
    assert RULES.absence_of("06", 2026) is not None
