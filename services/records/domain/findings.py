"""What is found of a pupil's year: each figure as computed, as the school gave it, and what is missing to tell.

A figure that cannot be told is not guessed: it names what is missing.
"""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import IntEnum

from services.records.domain.attendance import NOT_KNOWN, Absence


class Figure(IntEnum):
    """What a finding is about; numbers as in the interface."""

    SUBJECT_MARK = 1
    SUBJECT_LEVEL = 2
    LEARNING_RESULT = 3
    CONDUCT_RESULT = 4
    TITLE = 5
    LEARNING_AFTER_RETEST = 6
    RETRAINING = 7
    PROMOTED = 8


class State(IntEnum):
    """How the computed figure and the school's own compare; numbers as in the interface."""

    AGREES = 1
    DIFFERS = 2
    NOT_SENT = 3
    UNDECIDED = 4


class Basis(IntEnum):
    """What a figure was computed from; numbers as in the interface."""

    COMPONENTS = 1  # from the marks and levels that were given, none of them a school's own average or summary
    SUMMARIES = 2  # at least one average or summary is the school's own


class Lack(IntEnum):
    """What is missing; numbers as in the interface."""

    REGULATION = 1
    RESULT = 2
    REGULAR_MARKS = 3
    MIDTERM_MARK = 4
    FINAL_MARK = 5
    AVERAGE = 6
    LEVEL = 7
    SUBJECTS = 8
    CONDUCT = 9
    QUALITIES = 10
    TESTS = 11
    ABSENCE = 12
    UNREPORTED_DAYS = 13
    RETEST = 14
    RETRAINING = 15
    HEAD_TEACHER = 16
    UNKNOWN_CODE = 17


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing that is missing."""

    lack: Lack
    stage: str = ""
    subject: str = ""
    count: int = 0  # how many there are, or days, where that is the matter
    wanted: int = 0  # how many there must be


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure."""

    stage: str
    figure: Figure
    article: str  # what says how it is computed
    subject: str = ""
    state: State = State.UNDECIDED
    computed: str = ""  # empty: undecided, or no title
    own: str = ""  # as the school sent it
    basis: Basis = Basis.COMPONENTS
    adjusted: bool = False  # raised by the exception for one subject
    missing: tuple[Missing, ...] = ()


@dataclass(frozen=True, slots=True)
class SubjectEntry:
    """A subject in the results of a stage."""

    mark: Decimal | None = None
    level: str = ""
    regular: tuple[Decimal, ...] = ()
    midterm: Decimal | None = None
    final: Decimal | None = None
    retest_mark: Decimal | None = None
    retest_level: str = ""

    @property
    def scored(self) -> bool:
        """Whether it has any mark."""
        marks = (self.mark, self.midterm, self.final, self.retest_mark)
        return bool(self.regular) or any(mark is not None for mark in marks)


@dataclass(frozen=True, slots=True)
class StageResult:
    """A pupil's results at one stage, as the school sent them."""

    learning_result: str = ""
    conduct_result: str = ""
    title: str = ""
    absent_days: int = 0
    promoted: bool | None = None
    retraining: bool | None = None
    learning_after_retest: str = ""
    conduct_after_retraining: str = ""
    subjects: dict[str, SubjectEntry] = field(default_factory=dict)
    qualities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PupilYear:
    """What is known of a pupil's year."""

    grade: str
    level: str
    school_year: int
    results: dict[str, StageResult]  # by stage
    absence: Absence = NOT_KNOWN


@dataclass(frozen=True, slots=True)
class Assessment:
    """What is found."""

    regulation: str = ""
    source: str = ""
    findings: tuple[Finding, ...] = ()
    missing: tuple[Missing, ...] = ()  # why there are no findings at all


def yes_or_no(said: bool | None) -> str:  # noqa: FBT001 (a value among others)
    """A truth value as findings write it; empty: not said."""
    return "" if said is None else "true" if said else "false"


def compared(finding: Finding, *, own: str, computed: str | None, readable: str | None) -> Finding:
    """A finding with the school's own figure beside the computed one.

    `own` is what the school sent, `readable` the same in our codes: None where nobody knows what it means. A `computed`
    of None is undecided, of "" says that there is none.
    """
    if computed is None:
        return replace(finding, own=own, state=State.UNDECIDED)
    if not own:
        return replace(finding, computed=computed, state=State.NOT_SENT if computed else State.AGREES)
    if readable is None:
        missing = (*finding.missing, Missing(Lack.UNKNOWN_CODE, finding.stage, finding.subject))
        return replace(finding, computed=computed, own=own, state=State.UNDECIDED, missing=missing)
    state = State.AGREES if readable == computed else State.DIFFERS
    return replace(finding, computed=computed, own=own, state=state)
