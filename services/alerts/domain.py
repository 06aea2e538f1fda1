"""Facts, rules and the life of an alert as plain values. It decides what happens; writing it down is others' work."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import IntEnum
from functools import lru_cache

Scalar = str | int | bool

CLASS_SIZE = "class_size"
CONNECTION = "connection"
SILENT_HOURS = "silent_hours"
SCHOOL_YEAR = "school_year"

SHAPES: Mapping[str, Mapping[str, type[Scalar]]] = {
    CLASS_SIZE: {
        "name": str,
        "grade": str,
        SCHOOL_YEAR: int,
        "size": int,
        "size_limit": int,
        "limit_source": str,
        "active": bool,
    },
    CONNECTION: {"must_connect": bool, "ever_sent": bool, "source": str, SILENT_HOURS: int},
}
"""What a fact of each kind holds; conditions and texts are checked against it."""

FIRST_KEPT, NEWEST_KEPT = (
    5,
    25,
)  # Steps of a history: notes are long, and an alert may be taken for ever.
SHOWN_STEPS = 10  # The newest, in lists, streams and events: with notes of 2,000 characters far below a message.
UNIT_NAME = "unit"  # The placeholder that every text may use besides its fact's fields.
_HOUR = timedelta(hours=1)
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class Severity(IntEnum):
    """How grave an alert is; numbers as in the contract."""

    INFO = 1
    WARNING = 2
    CRITICAL = 3


class State(IntEnum):
    """Where an alert is in its life; numbers as in the contract."""

    OPEN = 1
    ACKNOWLEDGED = 2
    RESOLVED = 3


class Transition(IntEnum):
    """What happened to an alert; numbers as in the contract."""

    RAISED = 1
    ACKNOWLEDGED = 2
    RESOLVED = 3
    CARRIED_OVER = 4


class Reason(IntEnum):
    """Why an alert changed; numbers as in the contract."""

    NONE = 0
    FACTS_CHANGED = 1
    RULE_WITHDRAWN = 2
    RULE_CHANGED = 3


@dataclass(frozen=True, slots=True)
class Fact:
    """The newest known state of one thing: `subject` within a unit.

    `since` is the instant from which silence is counted; None where no clock runs. `baseline` says that the fact came
    from history.
    """

    kind: str
    unit_id: int
    subject: str
    version: int
    values: Mapping[str, Scalar]
    baseline: bool = False
    since: datetime | None = None

    @property
    def key(self) -> tuple[int, str, str]:
        """What identifies the fact, in the order in which facts are locked."""
        return self.unit_id, self.kind, self.subject

    def at(self, now: datetime) -> dict[str, Scalar]:
        """Every field of the kind's shape at an instant; a field stored facts do not know yet is empty."""
        values: dict[str, Scalar] = {name: kind() for name, kind in SHAPES[self.kind].items()}
        values.update(self.values)
        if self.since is not None:
            values[SILENT_HOURS] = max(0, (now - self.since) // _HOUR)
        return values

    def next_look(self, now: datetime) -> datetime | None:
        """When the fact changes by time alone: at its next whole hour of silence, whatever the rules ask about."""
        if self.since is None:
            return None
        return self.since + (max(0, (now - self.since) // _HOUR) + 1) * _HOUR


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule in one version; `condition` is CEL over `fact`."""

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


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to an alert after it was raised, and the version of the rule it stood on from then."""

    transition: Transition
    time: datetime
    rule_version: int
    by: str = ""
    note: str = ""
    reason: Reason = Reason.NONE


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert. Its id is the position of its raising; `revision` rises with each change."""

    alert_id: int
    rule: str
    rule_version: int
    unit_id: int
    subject: str
    severity: Severity
    state: State
    title_vi: str
    title_en: str
    body_vi: str
    body_en: str
    facts: Mapping[str, str]
    audience_roles: tuple[str, ...]
    create_time: datetime
    position: int
    revision: int = 1
    acknowledge_time: datetime | None = None
    acknowledged_by: str = ""
    note: str = ""
    resolve_time: datetime | None = None
    history: tuple[Step, ...] = ()

    @property
    def key(self) -> tuple[str, int, str]:
        """What there is at most one alert of that is not resolved."""
        return self.rule, self.unit_id, self.subject

    @property
    def etag(self) -> str:
        """Changes with each change of the alert."""
        return str(self.revision)

    def acknowledged(self, by: str, *, note: str, now: datetime, position: int) -> "Alert":
        """The alert taken in hand; whoever takes it last has it."""
        step = Step(Transition.ACKNOWLEDGED, now, self.rule_version, by=by, note=note)
        taken = replace(self, state=State.ACKNOWLEDGED, acknowledged_by=by, note=note, acknowledge_time=now)
        return taken.stepped(step, position=position)

    def resolved(self, now: datetime, *, position: int, reason: Reason) -> "Alert":
        """The alert once its condition no longer holds, or nobody asks for it any more."""
        step = Step(Transition.RESOLVED, now, self.rule_version, reason=reason)
        return replace(self, state=State.RESOLVED, resolve_time=now).stepped(step, position=position)

    def carried_over(self, raised: "Alert") -> "Alert":
        """The alert on the version of its rule in force, as `raised` by that now; whoever took it still has it."""
        step = Step(Transition.CARRIED_OVER, raised.create_time, raised.rule_version, reason=Reason.RULE_CHANGED)
        kept = (
            "alert_id",
            "state",
            "create_time",
            "revision",
            "acknowledge_time",
            "acknowledged_by",
            "note",
            "history",
        )
        renewed = replace(raised, **{name: getattr(self, name) for name in kept})
        return renewed.stepped(step, position=raised.position)

    def stepped(self, step: Step, *, position: int) -> "Alert":
        """The alert with one more step in its history, of which the first and the newest are kept."""
        history = (*self.history, step)
        if len(history) > FIRST_KEPT + NEWEST_KEPT:
            history = history[:FIRST_KEPT] + history[-NEWEST_KEPT:]
        return replace(self, history=history, revision=self.revision + 1, position=position)

    @property
    def step_count(self) -> int:
        """How many steps there were, kept or not."""
        return self.revision - 1


@dataclass(frozen=True, slots=True)
class Change:
    """A transition and the alert after it."""

    transition: Transition
    alert: Alert


@dataclass(frozen=True, slots=True, order=True)
class Count:
    """How many alerts of a state and severity a unit has; unit 0 stands for all that were asked about."""

    unit_id: int
    state: State
    severity: Severity
    count: int


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts a list wants; no states means those that are not resolved."""

    unit_ids: frozenset[int] = field(default_factory=frozenset)
    states: frozenset[State] = frozenset({State.OPEN, State.ACKNOWLEDGED})
    min_severity: int = Severity.INFO
    rule: str = ""


def summed(counts: Iterable[Count], place: Callable[[int], int]) -> list[Count]:
    """Counts added up by where `place` puts their unit, in order."""
    sums: dict[tuple[int, State, Severity], int] = {}
    for one in counts:
        key = place(one.unit_id), one.state, one.severity
        sums[key] = sums.get(key, 0) + one.count
    return sorted(Count(*key, count) for key, count in sums.items())


def newest(facts: Iterable[Fact]) -> list[Fact]:
    """One fact per key, the one with the highest version, in the order in which facts are locked."""
    kept: dict[tuple[int, str, str], Fact] = {}
    for fact in facts:
        known = kept.get(fact.key)
        if known is None or known.version < fact.version:
            kept[fact.key] = fact
    return [kept[key] for key in sorted(kept)]


def judge(*, holds: bool, is_open: bool, quiet: bool, outdated: bool) -> Transition | None:
    """What a look at a fact does: raise what is not open yet, resolve what no longer holds.

    A quiet look (history) raises nothing; it still resolves, since an alert that no longer holds would be a lie. What
    still holds is carried over from an outdated version of its rule.
    """
    if holds and not is_open and not quiet:
        return Transition.RAISED
    if is_open and not holds:
        return Transition.RESOLVED
    if is_open and outdated:
        return Transition.CARRIED_OVER
    return None


def raise_alert(
    rule: Rule, fact: Fact, *, values: Mapping[str, Scalar], unit_name: str, now: datetime, position: int
) -> Alert:
    """The alert that a rule raises for a fact, with its texts as they read now."""
    facts = {name: _plain(value) for name, value in values.items()}
    shown = facts | {UNIT_NAME: unit_name}
    if year := int(values.get(SCHOOL_YEAR, 0)):  # Facts keep the number; people read both calendar years.
        shown[SCHOOL_YEAR] = f"{year}-{year + 1}"
    return Alert(
        alert_id=position,
        rule=rule.code,
        rule_version=rule.version,
        unit_id=fact.unit_id,
        subject=fact.subject,
        severity=rule.severity,
        state=State.OPEN,
        title_vi=render(rule.title_vi, shown),
        title_en=render(rule.title_en, shown),
        body_vi=render(rule.body_vi, shown),
        body_en=render(rule.body_en, shown),
        facts=facts,
        audience_roles=rule.audience_roles,
        create_time=now,
        position=position,
    )


def render(text: str, values: Mapping[str, str]) -> str:
    """Fill the `{placeholders}` of a text; one without a value stays as it is, so that the defect is seen."""
    literal, *pieces = _pieces(text)
    return literal + "".join(
        [values.get(name, f"{{{name}}}") + after for name, after in zip(pieces[::2], pieces[1::2], strict=True)]
    )


def unknown_placeholders(text: str, fact_kind: str) -> list[str]:
    """Placeholders that no fact of the kind can fill."""
    return sorted(set(_PLACEHOLDER.findall(text)) - set(SHAPES[fact_kind]) - {UNIT_NAME})


def _plain(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


@lru_cache(maxsize=1024)  # Texts are those of rules, and one rule's are filled for thousands of facts.
def _pieces(text: str) -> tuple[str, ...]:
    """Literal, name, literal, name, …, literal."""
    return tuple(_PLACEHOLDER.split(text))
