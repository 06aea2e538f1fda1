"""Signs of early warning in a pupil's year: attendance, behaviour, course (ABC), by limits that are data.

Context (a poor household, being over age, a year of transition) orders a caseload and raises nothing. Ethnic groups are
no input: nothing here can see them. What comes out are signs with reasons, never a probability.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from services.alerts.domain.shapes import CLASS_KEY, CLASS_NAME, Scalar

AGE_OF_GRADE_1 = 6  # age = year in which the school year begins − year of birth (grade 1 ↔ 6)


@dataclass(frozen=True, slots=True)
class Limits:
    """From what on something is a sign."""

    valid_from: str
    valid_to: str
    least_reported_days: int
    absent_share_amber: float
    absent_share_red: float
    unexcused_recent: int
    recent_days: int
    unexplained_run: int
    subjects_below_5: int
    subjects_below_3_5: int
    core_not_completed: int


@dataclass(frozen=True, slots=True)
class Context:
    """What orders a caseload."""

    poor_household_fields: tuple[str, ...]
    poor_household: int
    over_age_years: int
    over_age: int
    transition_grades: frozenset[str]
    transition: int

    def weight(self, *, poor: bool, birth_year: int, school_year: int, grade: str) -> int:
        """How much a pupil's circumstances weigh; a birth year of 0 is not known."""
        weight = self.poor_household if poor else 0
        number = grade_number(grade)
        if birth_year and number:
            expected = number + AGE_OF_GRADE_1 - 1
            weight += self.over_age if school_year - birth_year - expected >= self.over_age_years else 0
        return weight + (self.transition if grade in self.transition_grades else 0)


@dataclass(frozen=True, slots=True)
class Reading:
    """How statuses and results are read."""

    limits: tuple[Limits, ...]
    in_stock: frozenset[str]
    left: frozenset[str]
    stages: tuple[str, ...]
    core_subjects: frozenset[str]
    not_completed: frozenset[str]
    comment_failed: frozenset[str]
    conduct_failed: frozenset[str]
    context: Context

    def limits_in(self, school_year: int) -> Limits | None:
        """The limits of a school year; None: there are none."""
        begins = f"{school_year}-09-01"
        return next(
            (one for one in self.limits if one.valid_from <= begins and (not one.valid_to or begins < one.valid_to)),
            None,
        )


@dataclass(frozen=True, slots=True)
class Attendance:
    """A pupil's year in registers, counted one session a day."""

    absent_sessions: int = 0
    reported_days: int = 0
    unexcused_recent: int = 0
    unexplained_run: int = 0
    last_day: date | None = None

    @property
    def absent_share(self) -> float:
        """Share of the days the class reported."""
        days = max(self.reported_days, self.absent_sessions)
        return round(self.absent_sessions / days, 4) if days else 0.0


@dataclass(frozen=True, slots=True)
class Marks:
    """A pupil's newest results of the year."""

    stage: str = ""
    below_5: int = 0
    below_3_5: int = 0
    core_not_completed: int = 0
    conduct_failed: bool = False


@dataclass(frozen=True, slots=True)
class PupilYear:
    """All that a pupil's fact is made of."""

    key: str
    class_key: str
    grade: str
    school_year: int
    in_stock: bool
    attendance: Attendance
    marks: Marks
    class_name: str = ""


def attendance_of(class_days: Sequence[date], away: Mapping[date, bool], *, recent_days: int) -> Attendance:
    """What the registers say of a pupil who was ever absent; `away` says of each day absent whether without permission.

    A run and what is recent are counted up to the last day the class reported, not up to today: they change with
    registers alone. Of who never was absent nothing is counted.
    """
    if not away:
        return Attendance()
    days = sorted({*class_days, *away})
    run = 0
    for day in reversed(days):
        if not away.get(day, False):
            break
        run += 1
    since = days[-1] - timedelta(days=recent_days)
    return Attendance(
        absent_sessions=len(away),
        reported_days=len(days),
        unexcused_recent=sum(1 for day, unexcused in away.items() if unexcused and day > since),
        unexplained_run=run,
        last_day=days[-1],
    )


def pupil_fields(year: PupilYear, limits: Limits | None) -> dict[str, Scalar]:
    """The fields of a pupil's fact. Without limits there are no signs, and the counts stand all the same."""
    seen, marks = year.attendance, year.marks
    signs = _signs(seen, marks, limits) if limits else ()
    flags = {"attendance_flag": 0, "behaviour_flag": 0, "course_flag": 0}
    for name, grave, _, _ in signs:
        flags[name] = max(flags[name], grave)
    return {
        "pupil_key": year.key,
        CLASS_KEY: year.class_key,
        CLASS_NAME: year.class_name,
        "grade": year.grade,
        "grade_number": grade_number(year.grade),
        "school_year": year.school_year,
        "in_stock": year.in_stock,
        "absent_sessions": seen.absent_sessions,
        "reported_days": seen.reported_days,
        "absent_share": seen.absent_share,
        "unexcused_recent": seen.unexcused_recent,
        "unexplained_run": seen.unexplained_run,
        "last_day": seen.last_day.isoformat() if seen.last_day else "",
        "stage": marks.stage,
        "subjects_below_5": marks.below_5,
        "subjects_below_3_5": marks.below_3_5,
        "core_not_completed": marks.core_not_completed,
        "conduct_failed": marks.conduct_failed,
        **flags,
        "flag_count": sum(1 for grave in flags.values() if grave),
        "reasons_vi": "; ".join(vi for _, _, vi, _ in signs),
        "reasons_en": "; ".join(en for _, _, _, en in signs),
    }


def grade_number(grade: str) -> int:
    """Which grade it is, 1 to 12; 0 for preschool and what is no grade."""
    number = int(grade) if grade.isdigit() else 0
    return number if 1 <= number <= 12 else 0


def _signs(seen: Attendance, marks: Marks, limits: Limits) -> tuple[tuple[str, int, str, str], ...]:
    """Each sign: of what, how grave (1, 2), and in words."""
    found: list[tuple[str, int, str, str]] = []

    def sign(name: str, grave: int, vi: str, en: str) -> None:
        found.append((name, grave, vi, en))

    share, percent = seen.absent_share, f"{100 * seen.absent_share:.1f}%"
    if seen.reported_days >= limits.least_reported_days and share >= limits.absent_share_amber:
        grave = 2 if share >= limits.absent_share_red else 1
        sign("attendance_flag", grave, f"nghỉ {percent} số ngày học", f"absent on {percent} of school days")
    if seen.unexcused_recent >= limits.unexcused_recent:
        days = seen.unexcused_recent
        sign(
            "attendance_flag",
            2,
            f"nghỉ không phép {days} ngày trong {limits.recent_days} ngày",
            f"{days} days without permission in {limits.recent_days}",
        )
    if seen.unexplained_run >= limits.unexplained_run:
        days = seen.unexplained_run
        sign("attendance_flag", 2, f"nghỉ không phép {days} ngày liên tiếp", f"{days} days in a row without permission")
    if marks.conduct_failed:
        sign("behaviour_flag", 2, f"rèn luyện Chưa đạt ({marks.stage})", f"conduct not passed ({marks.stage})")
    if marks.below_3_5 >= limits.subjects_below_3_5:
        sign(
            "course_flag",
            2,
            f"{marks.below_3_5} môn dưới 3,5 ({marks.stage})",
            f"{marks.below_3_5} subjects below 3.5 ({marks.stage})",
        )
    if marks.below_5 >= limits.subjects_below_5:
        sign(
            "course_flag",
            1,
            f"{marks.below_5} môn dưới 5,0 ({marks.stage})",
            f"{marks.below_5} subjects below 5.0 ({marks.stage})",
        )
    if marks.core_not_completed >= limits.core_not_completed:
        sign(
            "course_flag",
            2,
            f"{marks.core_not_completed} môn Toán, Tiếng Việt chưa hoàn thành ({marks.stage})",
            f"{marks.core_not_completed} of maths and Vietnamese not completed ({marks.stage})",
        )
    return tuple(found)


def urgency(values: Mapping[str, Scalar], context: int) -> tuple[int, ...]:
    """The order of a caseload, most urgent last: gravity of the signs first, circumstances only among equals."""
    flags = sum(int(values.get(name, 0)) for name in ("attendance_flag", "behaviour_flag", "course_flag"))
    return int(values.get("flag_count", 0)), flags, context, int(values.get("absent_sessions", 0))


def read_early_warning(table: Mapping[str, Any]) -> Reading:
    """The limits and readings of a table such as `rules/early_warning.json`."""
    results, statuses, context = table["results"], table["statuses"], table["context"]
    names = Limits.__dataclass_fields__
    return Reading(
        limits=tuple(Limits(**{name: one[name] for name in names}) for one in table["early_warning"]),
        in_stock=frozenset(statuses["in_stock"]),
        left=frozenset(statuses["left"]),
        stages=tuple(results["stages"]),
        core_subjects=_folded(results["core_subjects"]),
        not_completed=_folded(results["not_completed"]),
        comment_failed=_folded(results["comment_failed"]),
        conduct_failed=_folded(results["conduct_failed"]),
        context=Context(
            poor_household_fields=tuple(context["poor_household_fields"]),
            poor_household=context["poor_household"],
            over_age_years=context["over_age_years"],
            over_age=context["over_age"],
            transition_grades=frozenset(context["transition_grades"]),
            transition=context["transition"],
        ),
    )


def _folded(texts: Collection[str]) -> frozenset[str]:
    return frozenset(text.casefold() for text in texts)
