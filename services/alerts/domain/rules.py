"""A rule in one version, as a plain value. Whether its condition and texts can be used is decided elsewhere."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import IntEnum
from typing import NamedTuple


class Severity(IntEnum):
    """How grave an alert is; numbers as in the contract."""

    INFO = 1
    WARNING = 2
    CRITICAL = 3


class Reach(IntEnum):
    """Whom a rule's alerts are told when they are raised; numbers as in the contract."""

    ABOVE = 1
    UNIT = 2


class Grouping(IntEnum):
    """Which alerts of a rule are told as one notice; numbers as in the contract."""

    UNSAID = 0
    NONE = 1
    UNIT = 2
    PARENT = 3
    READER = 4


LATELY = timedelta(days=1)

# Roles that people hold, as records knows them: a rule that names another would tell nobody.
ROLES = (
    "administrator",
    "director",
    "officer",
    "auditor",
    "head_teacher",
    "clerk",
    "integrator",
    "provincial_ioc",
    "operator",
)
# Who sees alerts on single pupils and is told of them; to others they do not exist, not even as a number.
PERSONAL_ROLES = ("administrator", "director", "officer", "head_teacher")
FAMILIES = ("indicator", "pupil", "data", "statistics")
FAMILY_OF_KIND = {
    "class_size": "indicator",
    "school_figures": "indicator",
    "coverage": "data",
    "pushes": "data",
    "attendance_report": "data",
    "pupil": "pupil",
    "absence_day": "statistics",
    "class_results": "statistics",
    "coverage_sum": "data",
    "school_figures_sum": "indicator",
    "class_size_sum": "indicator",
    "attendance_report_sum": "data",
    "absence_day_sum": "statistics",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule in one version; `condition` is CEL over `fact`. `unit_id` 0 stands for every unit.

    It may speak of facts of further kinds, by their kinds (`with_kinds`), which have to be known unless they are among
    `optional_kinds`.
    """

    code: str
    version: int
    fact_kind: str
    condition: str
    severity: Severity
    title_vi: str
    title_en: str
    body_vi: str
    body_en: str
    audience_roles: tuple[str, ...]
    source_document: str = ""
    enabled: bool = True
    valid_from: date | None = None
    valid_to: date | None = None
    family: str = ""
    for_minutes: int = 0
    clear_condition: str = ""
    group_hours: int = 0
    owner: str = ""
    unit_id: int = 0
    built_in: bool = False
    copied_from: str = ""
    acknowledge_hours: int = 0
    resolve_hours: int = 0
    school_days_only: bool = False
    inhibited_by: tuple[str, ...] = ()
    audience_reach: Reach = Reach.ABOVE
    created_by: str = ""
    create_time: datetime | None = None
    change_note: str = ""
    group_by: int = Grouping.UNSAID
    group_wait_seconds: int = 0
    group_interval_minutes: int = 0
    with_kinds: tuple[str, ...] = ()
    optional_kinds: tuple[str, ...] = ()

    @property
    def holds_for(self) -> timedelta:
        """How long the condition must hold before an alert is raised."""
        return timedelta(minutes=self.for_minutes)

    def is_new(self, now: datetime) -> bool:
        """Whether it may have come into force within the last day."""
        began = [self.create_time] if self.create_time else []
        if self.valid_from:
            began.append(datetime.combine(self.valid_from, time.min, now.tzinfo))
        return any(now - LATELY < one <= now + LATELY for one in began)

    def shows(self, name: str) -> bool:
        """Whether one of its texts tells a field."""
        return any(f"{{{name}}}" in text for text in (self.title_vi, self.title_en, self.body_vi, self.body_en))

    def speaks_of(self, name: str) -> bool:
        """Whether a condition or a text names a field of a further kind, as `coverage.state_hours`."""
        return self.shows(name) or name in self.condition or name in self.clear_condition

    def time_to_take(self, now: datetime) -> datetime | None:
        """When an alert nobody took climbs."""
        return now + timedelta(hours=self.acknowledge_hours) if self.acknowledge_hours else None

    def time_to_resolve(self, now: datetime) -> datetime | None:
        """When an alert that was taken and stands climbs."""
        return now + timedelta(hours=self.resolve_hours) if self.resolve_hours else None


class RuleStatistics(NamedTuple):
    """How a rule did: counts of the alerts it raised, and medians in minutes, None where there is none."""

    rule: str
    family: str
    raised: int
    still_open: int
    acknowledged: int
    by_hand: int
    false_alarms: int
    escalated: int
    minutes_to_acknowledge: float | None
    minutes_to_resolve: float | None
    units: int
