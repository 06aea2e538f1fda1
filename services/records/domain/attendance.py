"""Attendance of a school year, counted from registers: what is known, what nobody reported, and the 45-session count.

The count follows the plan of one session a day (TT 22/2021, Art. 12.1.c): a day counts once, by the main session of the
class, the earliest that has a register. A day without a register is not reported, never present.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from services.records.domain.assessment_rules import AbsenceRule


class Alarm(IntEnum):
    """How near the count is to its limit; numbers as in the interface."""

    NONE = 1
    AMBER = 2
    RED = 3
    OVER = 4


@dataclass(frozen=True, slots=True)
class ClassDays:
    """What a class reported, against the days on which any class of its school did."""

    sessions: int = 0
    days: int = 0
    unreported_days: int = 0


@dataclass(frozen=True, slots=True)
class ClassCount:
    """What the registers of one class say; of all classes where the key is empty."""

    class_key: str
    days: ClassDays
    scheduled: int
    with_permission: int
    without_permission: int
    late: int


@dataclass(frozen=True, slots=True)
class Absences:
    """What the registers of a school say of one pupil."""

    with_permission: int = 0
    without_permission: int = 0
    late: int = 0
    days: int = 0  # days with an absence in any session
    counted: int = 0  # days absent from the main session: the 45-session count


class Source(IntEnum):
    """Where a count of absence comes from; numbers as in the interface."""

    NONE = 1
    REGISTERS = 2
    SCHOOL = 3


@dataclass(frozen=True, slots=True)
class Absence:
    """How often a pupil was absent, as far as is known: somewhere between two counts."""

    source: Source
    least: int = 0
    most: int = 0


NOT_KNOWN = Absence(Source.NONE)


def total_of(counts: Sequence[ClassCount]) -> ClassCount:
    """The sum over classes; its days are days of classes."""
    days = ClassDays(
        sum(one.days.sessions for one in counts),
        sum(one.days.days for one in counts),
        sum(one.days.unreported_days for one in counts),
    )
    return ClassCount(
        "",
        days,
        sum(one.scheduled for one in counts),
        sum(one.with_permission for one in counts),
        sum(one.without_permission for one in counts),
        sum(one.late for one in counts),
    )


def alarm_of(counted: int, rule: AbsenceRule) -> Alarm:
    """How near a count is to its limit."""
    if counted > rule.most:
        return Alarm.OVER
    if counted >= rule.red:
        return Alarm.RED
    return Alarm.AMBER if counted >= rule.amber else Alarm.NONE


def absence_of(absences: Absences, days: ClassDays, own_days: int, rule: AbsenceRule) -> Absence:
    """What moving up is decided by: the registers, or where these leave it open the school's own count of days.

    A pupil may have been absent on each day that nobody reported. An own count of 0 days says nothing: that is also how
    a count that was not given looks.
    """
    counted = Absence(Source.REGISTERS, absences.counted, absences.counted + days.unreported_days)
    if counted.least > rule.most or (days.days and counted.most <= rule.most):
        return counted
    if own_days:
        return Absence(Source.SCHOOL, own_days, own_days)
    return counted if days.days else NOT_KNOWN
