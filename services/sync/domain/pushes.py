"""How far schools are on their way out, and what comparisons found."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SchoolPush:
    """How far a school is at a destination."""

    destination: str
    school_id: int
    waiting_count: int
    accepted_count: int
    failed_count: int
    withheld_count: int
    oldest_waiting_time: datetime | None
    last_success_time: datetime | None
    problem_reason: str
    problem: str
    problem_en: str
    gap_count: int
    reconcile_time: datetime | None


def rank(one: SchoolPush) -> tuple[int, int, int]:
    """Where a school stands in the list."""
    order = 0 if one.failed_count or one.problem_reason else 1 if one.waiting_count else 2 if one.gap_count else 3
    return order, -(one.failed_count + one.waiting_count), one.school_id


@dataclass(frozen=True, slots=True)
class Sums:
    """All schools together."""

    waiting_count: int
    accepted_count: int
    failed_count: int
    withheld_count: int
    school_count: int
    settled_count: int
    failing_count: int
    oldest_waiting_time: datetime | None


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """A comparison."""

    reconciliation_id: int
    destination: str
    unit_id: int
    school_count: int
    group_count: int
    differing_group_count: int
    record_count: int
    missing_there_count: int
    missing_here_count: int
    differing_count: int
    on_the_way_count: int
    create_time: datetime
    end_time: datetime


@dataclass(frozen=True, slots=True)
class Difference:
    """What was found of one record."""

    school_id: int
    type: int
    kind: int
    record_id: str
    key: str
    fields: tuple[str, ...] = ()
    matched_key: str = ""
    on_the_way: bool = False
    version_there: int = 0
