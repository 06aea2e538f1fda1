"""A figure as it is answered: a value, what it was computed from, and how complete its data are."""

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from services.reporting.domain.cube import Values

# What is counted of a changed record: school, measure, key, position, school year, level, grade, sex, ethnic group,
# class, name, status; a tuple, since a batch holds thousands.
FactRow = tuple[int, str, str, int, int, str, str, str, str, str, str, str | None]
BESIDE = "beside:"  # Before the status of a pupil who counts elsewhere and sits here by a second enrolment.


# What some of them add to beside their own number: school, measure, key, position, tallies
# (`measure|stage|subject|outcome`) and how much of each, the pupil of a result, day and session of a register, and who
# was absent in it, with permission (P) or without (K).
DetailRow = tuple[int, str, str, int, list[str], list[int], str, date | None, int | None, list[str], list[str]]


class Completeness(NamedTuple):
    """Schools that should have sent data for the school year, and how many of them have."""

    reporting: int
    expected: int


class Figure(NamedTuple):
    """One cell of an answer, one of thousands. `value` is None where data are missing and where it is withheld."""

    indicator: str
    unit_id: int
    dimension_values: Values
    value: float | None
    numerator: int | None
    denominator: int | None
    completeness: Completeness
    suppressed: bool = False


class TargetRow(NamedTuple):
    """What a unit is to reach."""

    unit_id: int
    school_year: int
    indicator: str
    value: float
    source: str


@dataclass(frozen=True, slots=True)
class SchoolFigures:
    """Totals of a school in a school year; `version` rises with each change."""

    school_id: int
    school_year: int
    pupil_count: int
    class_count: int
    staff_count: int
    version: int


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """Size of a class beside its legal limit (0: none known); `version` rises with each change."""

    school_id: int
    school_year: int
    class_key: str
    name: str
    grade: str
    size: int
    size_limit: int
    limit_source: str
    active: bool
    version: int
