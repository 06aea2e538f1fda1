"""The rules of counting that stand in `rules/counting.json`, each with its validity and source, chosen by school year.

Refuses a year that no row covers by giving nothing: what it would decide is then not counted, and not guessed.
"""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "rules"


@dataclass(frozen=True, slots=True)
class AgeRule:
    """Official ages by grade, their range by level, and from when on a pupil is too old."""

    grades: Mapping[str, int]
    levels: Mapping[str, tuple[int, int]]
    over_age_years: int
    over_age_levels: frozenset[str]


@dataclass(frozen=True, slots=True)
class StaffingNorm:
    """Hundredths of a teacher that a class may have."""

    levels: frozenset[str]
    grades: frozenset[str]  # Empty: all.
    two_session: frozenset[bool]
    hundredths: int

    def applies(self, level: str, grade: str, *, two_session: bool) -> bool:
        """Whether it is the norm of such a class."""
        return level in self.levels and two_session in self.two_session and (not self.grades or grade in self.grades)


@dataclass(frozen=True, slots=True)
class AbsenceRule:
    """Thresholds of the 45-session count, and shares of sessions from which absence is chronic."""

    grades: tuple[str, ...]
    amber: int
    red: int
    most: int
    chronic_percent: int
    severe_percent: int


@dataclass(frozen=True, slots=True)
class SpikeRule:
    """With how many weeks' same weekday a day is compared, and from when on its absences are unusually many."""

    weeks: int
    least_weeks: int
    least_absent: int
    tail: float


@dataclass(frozen=True, slots=True)
class FreshnessRule:
    """Hours after which what a school sent last is old."""

    amber: int
    red: int


@dataclass(frozen=True, slots=True)
class FailingRule:
    """A subject is failed below a mark, or at a level of a regulation; from how many on a pupil is counted."""

    mark: float
    regulation: str
    level: str
    subjects: int


@dataclass(frozen=True, slots=True)
class YearRules:
    """What applies to one school year; None where no row does."""

    ages: AgeRule | None
    teacher_groups: frozenset[str]
    staffing: tuple[StaffingNorm, ...]
    absence: AbsenceRule | None
    spike: SpikeRule | None
    freshness: FreshnessRule | None
    failing: FailingRule | None
    outcomes: Mapping[str, Mapping[str, str]]  # By regulation, then by what schools write.

    def outcome(self, regulation: str, said: str) -> str:
        """The one code for what a school wrote; empty where nobody knows it."""
        return self.outcomes.get(regulation, {}).get(_folded(said), "")

    def teachers_for(self, level: str, grade: str, *, two_session: bool) -> int:
        """Hundredths of a teacher for such a class; 0: no norm is known."""
        found = (one for one in self.staffing if one.applies(level, grade, two_session=two_session))
        return next((one.hundredths for one in found), 0)


@cache
def rules_of(school_year: int) -> YearRules:
    """The rules of the school year that begins in this calendar year."""
    everything = json.loads((FOLDER / "counting.json").read_text(encoding="utf-8"))

    def holding(name: str) -> list[Mapping[str, Any]]:
        return [row for row in everything[name] if holds(row, school_year)]

    ages, teachers, absence, spike, freshness, failing = (
        next(iter(holding(name)), None)
        for name in ("ages", "teachers", "absence", "absence_spike", "freshness_hours", "failing")
    )
    return YearRules(
        ages=_ages(ages) if ages else None,
        teacher_groups=frozenset(teachers["staff_groups"]) if teachers else frozenset(),
        staffing=tuple(_norm(row) for row in holding("staffing")),
        absence=_absence(absence) if absence else None,
        spike=SpikeRule(*(spike[name] for name in ("weeks", "least_weeks", "least_absent", "tail"))) if spike else None,
        freshness=FreshnessRule(freshness["amber"], freshness["red"]) if freshness else None,
        failing=_failing(failing) if failing else None,
        outcomes={
            regulation: {_folded(said): code for code, written in codes.items() for said in written}
            for regulation, codes in everything["outcomes"].items()
        },
    )


def holds(row: Mapping[str, Any], school_year: int) -> bool:
    """Whether a row is in force on the first day of the school year."""
    begins = f"{school_year:04}-08-01"
    return bool(row["valid_from"] <= begins and (not row["valid_to"] or begins < row["valid_to"]))


def _ages(row: Mapping[str, Any]) -> AgeRule:
    levels = {level: (first, last) for level, (first, last) in row["levels"].items()}
    return AgeRule(row["grades"], levels, row["over_age_years"], frozenset(row["over_age_levels"]))


def _norm(row: Mapping[str, Any]) -> StaffingNorm:
    sessions: Sequence[bool] = row["two_session"]
    return StaffingNorm(frozenset(row["levels"]), frozenset(row["grades"]), frozenset(sessions), row["hundredths"])


def _absence(row: Mapping[str, Any]) -> AbsenceRule:
    return AbsenceRule(
        tuple(row["grades"]), row["amber"], row["red"], row["most"], row["chronic_percent"], row["severe_percent"]
    )


def _failing(row: Mapping[str, Any]) -> FailingRule:
    return FailingRule(row["mark"], row["regulation"], row["level"], row["subjects"])


def _folded(said: str) -> str:
    return unicodedata.normalize("NFC", said).strip().casefold()
