"""The figures of the circulars on assessment as data: which applies to a grade in a school year, and its limits.

The rows stand in `rules/assessment.json`, each with its validity and source; they are chosen by the day on which a
school year begins. What no row covers is not known, and is not assessed.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol, TypeVar


@dataclass(frozen=True, slots=True)
class Validity:
    """The school years a row applies to."""

    valid_from: str  # the first day a school year it applies to may begin, ISO 8601
    valid_to: str  # the first day it no longer may; empty: open

    def holds(self, school_year: int) -> bool:
        """Whether the row applies to the school year that begins in this calendar year."""
        begins = f"{school_year}-09-01"
        return self.valid_from <= begins and (not self.valid_to or begins < self.valid_to)


class Dated(Protocol):
    """A row with validity."""

    @property
    def validity(self) -> Validity:
        """When it applies."""


@dataclass(frozen=True, slots=True)
class Regulation:
    """Which circular assesses a grade."""

    name: str
    grades: frozenset[str]
    source: str
    validity: Validity


@dataclass(frozen=True, slots=True)
class LevelRule:
    """What a learning level takes (TT 22, Art. 9.2)."""

    level: str
    every_mark: Decimal  # every scored subject has at least this
    subjects_least: int  # and so many of them
    their_mark: Decimal  # at least this
    failed_comments_most: int  # subjects assessed by comment that may be Chưa đạt


@dataclass(frozen=True, slots=True)
class SecondaryRule:
    """The figures of TT 22/2021."""

    regular_marks_least: int
    midterm_weight: int
    final_weight: int
    second_term_weight: int
    step: Decimal  # marks are rounded to this
    levels: tuple[LevelRule, ...]  # best first
    lowered_levels: int  # by one subject alone, before the result is raised by one (Art. 9.3)
    excellent_subjects_least: int
    excellent_mark: Decimal
    validity: Validity


@dataclass(frozen=True, slots=True)
class YearRule:
    """What a year's result takes at least (TT 27, Art. 9)."""

    result: str
    subjects: str
    qualities: str
    every_test: Decimal


@dataclass(frozen=True, slots=True)
class PrimaryRule:
    """The figures of TT 27/2020."""

    tests_least: int
    results: tuple[YearRule, ...]  # best first
    validity: Validity


@dataclass(frozen=True, slots=True)
class SubjectCount:
    """How many scored subjects the programme has at least: fewer in the data are gaps, not failures."""

    grades: frozenset[str]
    scored_least: int
    validity: Validity


@dataclass(frozen=True, slots=True)
class AbsenceRule:
    """The count of absent sessions at which to warn, and the most with which a pupil moves up (TT 22, Art. 12.1.c)."""

    grades: frozenset[str]
    amber: int
    red: int
    most: int
    validity: Validity


@dataclass(frozen=True, slots=True)
class AssessmentRules:
    """Every rule of the table."""

    regulations: tuple[Regulation, ...]
    secondary: tuple[SecondaryRule, ...]
    primary: tuple[PrimaryRule, ...]
    subjects: tuple[SubjectCount, ...]
    absence: tuple[AbsenceRule, ...]
    codes: Mapping[str, Mapping[str, str]]  # of each kind, a spelling as `_folded` has it and our code

    def regulation(self, grade: str, school_year: int) -> Regulation | None:
        """The circular that assesses a grade in a school year; None: none that is known here."""
        return _of_grade(self.regulations, grade, school_year)

    def secondary_in(self, school_year: int) -> SecondaryRule | None:
        """The figures of TT 22 in a school year."""
        return _holding(self.secondary, school_year)

    def primary_in(self, school_year: int) -> PrimaryRule | None:
        """The figures of TT 27 in a school year."""
        return _holding(self.primary, school_year)

    def scored_least(self, grade: str, school_year: int) -> int:
        """How many scored subjects a pupil of a grade has at least; 0: not known."""
        found = _of_grade(self.subjects, grade, school_year)
        return found.scored_least if found else 0

    def absence_of(self, grade: str, school_year: int) -> AbsenceRule | None:
        """The limits of absence of a grade; None: there are none."""
        return _of_grade(self.absence, grade, school_year)

    def limited_grades(self, school_year: int) -> dict[str, AbsenceRule]:
        """The grades that have limits of absence in a school year, and the limits."""
        holding = [rule for rule in self.absence if rule.validity.holds(school_year)]
        return {grade: rule for rule in reversed(holding) for grade in sorted(rule.grades)}

    def code(self, kind: str, text: str) -> str:
        """Our code behind a school's spelling of it; empty: nobody knows what that means."""
        return self.codes[kind].get(_folded(text), "")


def read_assessment_rules(table: Mapping[str, Any]) -> AssessmentRules:
    """The rules of a table such as `rules/assessment.json`."""
    sources = table["sources"]
    return AssessmentRules(
        regulations=tuple(
            Regulation(one["regulation"], frozenset(one["grades"]), sources[one["source"]], _validity(one))
            for one in table["regulations"]
        ),
        secondary=tuple(map(_secondary, table["secondary"])),
        primary=tuple(
            PrimaryRule(
                one["tests_least"],
                tuple(
                    YearRule(row["result"], row["subjects"], row["qualities"], Decimal(row["every_test"]))
                    for row in one["results"]
                ),
                _validity(one),
            )
            for one in table["primary"]
        ),
        subjects=tuple(
            SubjectCount(frozenset(one["grades"]), one["scored_least"], _validity(one)) for one in table["subjects"]
        ),
        absence=tuple(
            AbsenceRule(frozenset(one["grades"]), one["amber"], one["red"], one["most"], _validity(one))
            for one in table["absence"]
        ),
        codes={kind: _spellings(codes) for kind, codes in table["codes"].items()},
    )


def _secondary(one: Mapping[str, Any]) -> SecondaryRule:
    return SecondaryRule(
        regular_marks_least=one["regular_marks_least"],
        midterm_weight=one["midterm_weight"],
        final_weight=one["final_weight"],
        second_term_weight=one["second_term_weight"],
        step=Decimal(one["step"]),
        levels=tuple(
            LevelRule(
                row["level"],
                Decimal(row["every_mark"]),
                row["subjects_least"],
                Decimal(row["their_mark"]),
                row["failed_comments_most"],
            )
            for row in one["levels"]
        ),
        lowered_levels=one["lowered_levels"],
        excellent_subjects_least=one["excellent_subjects_least"],
        excellent_mark=Decimal(one["excellent_mark"]),
        validity=_validity(one),
    )


def _validity(one: Mapping[str, Any]) -> Validity:
    return Validity(one["valid_from"], one["valid_to"])


def _spellings(codes: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {_folded(text): code for code, texts in codes.items() for text in (code, *texts)}


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


Row = TypeVar("Row", bound=Dated)
OfGrade = TypeVar("OfGrade", Regulation, SubjectCount, AbsenceRule)


def _holding(rows: Iterable[Row], school_year: int) -> Row | None:
    return next((row for row in rows if row.validity.holds(school_year)), None)


def _of_grade(rows: Iterable[OfGrade], grade: str, school_year: int) -> OfGrade | None:
    return _holding((row for row in rows if grade in row.grades), school_year)
