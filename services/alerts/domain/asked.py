"""What is asked of alerts: which a list wants, and how many there are."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from services.alerts.domain.rules import Severity
from services.alerts.domain.steps import State


@dataclass(frozen=True, slots=True, order=True)
class Count:
    """How many alerts of a state and severity a unit has; unit 0 stands for all that were asked about."""

    unit_id: int
    state: State
    severity: Severity
    count: int
    family: str = ""


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts a list wants; no states means those that are not resolved."""

    unit_ids: frozenset[int] = field(default_factory=frozenset)
    states: frozenset[State] = frozenset({State.OPEN, State.ACKNOWLEDGED})
    min_severity: int = Severity.INFO
    rule: str = ""
    families: frozenset[str] = frozenset()
    raised_before: datetime | None = None
    taken_by: str = ""
    subject: str = ""
    hidden_kinds: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AlertsOn:
    """The alerts of a rule on a unit: how many, of these taken, the gravest, the oldest, and the newest one's title."""

    rule: str
    unit_id: int
    count: int
    taken: int
    severity: int
    oldest: datetime
    title_vi: str
    title_en: str


@dataclass(frozen=True, slots=True)
class AlertGroup:
    """The alerts of a rule, by unit, those with most first."""

    rule: str
    units: tuple[AlertsOn, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(one.count for one in self.units)

    @property
    def severity(self) -> int:
        """The gravest."""
        return max(one.severity for one in self.units)


def grouped(alerts: Iterable[AlertsOn]) -> list[AlertGroup]:
    """Alerts by rule: the gravest first, then those of most alerts."""
    by_rule: dict[str, list[AlertsOn]] = {}
    for one in alerts:
        by_rule.setdefault(one.rule, []).append(one)
    groups = [
        AlertGroup(rule, tuple(sorted(on, key=lambda one: (-one.count, one.oldest, one.unit_id))))
        for rule, on in by_rule.items()
    ]
    return sorted(groups, key=lambda one: (-one.severity, -one.count, one.rule))


def summed(counts: Iterable[Count], place: Callable[[int], int], *, by_family: bool = False) -> list[Count]:
    """Counts added up by where `place` puts their unit, in order."""
    sums: dict[tuple[int, State, Severity, str], int] = {}
    for one in counts:
        key = place(one.unit_id), one.state, one.severity, one.family if by_family else ""
        sums[key] = sums.get(key, 0) + one.count
    return sorted(Count(unit, state, grave, count, kin) for (unit, state, grave, kin), count in sums.items())
