"""The life of an alert: each thing that can happen to it, and the alert after it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum
from typing import Any

from services.alerts.domain.facts import Fact
from services.alerts.domain.rules import Grouping, Reach, Rule, Severity
from services.alerts.domain.shapes import Scalar
from services.alerts.domain.texts import as_text, render, shown

FIRST_KEPT, NEWEST_KEPT = (
    5,
    25,
)  # Steps an alert carries with it: notes are long, and it may be taken for ever. All are kept beside it.
ERASED_SUBJECT = "erased"
ERASED_TEXTS = (
    "Nội dung đã xóa theo yêu cầu về dữ liệu cá nhân",
    "Erased at a person's request",
    "Cảnh báo này đã đóng; nội dung của nó không còn được lưu.",
    "This alert is over; what it said is no longer kept.",
)
SHOWN_STEPS = 10  # The newest, in lists, streams and events: with notes of 2,000 characters far below a message.


class State(IntEnum):
    """Where an alert is in its life; numbers as in the contract. SUPPRESSED is seen from outside only."""

    OPEN = 1
    ACKNOWLEDGED = 2
    RESOLVED = 3
    SUPPRESSED = 4


class Transition(IntEnum):
    """What happened to an alert; numbers as in the contract. ERASED is told and not kept: nothing is left to date."""

    RAISED = 1
    ACKNOWLEDGED = 2
    RESOLVED = 3
    CARRIED_OVER = 4
    ESCALATED = 5
    REOPENED = 6
    COMMENTED = 7
    SUPPRESSED = 8
    RELEASED = 9
    MOVED = 10
    ERASED = 11


class Reason(IntEnum):
    """Why an alert changed; numbers as in the contract."""

    NONE = 0
    FACTS_CHANGED = 1
    RULE_WITHDRAWN = 2
    RULE_CHANGED = 3
    BY_HAND = 4
    SILENCE = 5
    INHIBITED = 6
    OVERDUE = 7
    UNIT_MERGED = 8


class Resolution(IntEnum):
    """What became of an alert that was closed by hand; numbers as in the contract."""

    NONE = 0
    DEALT_WITH = 1
    FALSE_ALARM = 2
    ACCEPTED = 3


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to an alert after it was raised, and the version of the rule it stood on from then.

    `unit_id` is where it climbed or moved to; 0 where it did neither. A step that a later version took is a number this
    one has no name for, and may say `further` things: both are handed on as they are.
    """

    transition: int
    time: datetime
    rule_version: int
    by: str = ""
    note: str = ""
    reason: int = Reason.NONE
    unit_id: int = 0
    further: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert. Its id is the position of its raising; `revision` rises with each change.

    `unit_id` is the unit whose facts raised it; where that was merged, `placed_unit_id` is where the alert now stands.
    `dismissed` says that somebody closed it while its condition held: it is not raised again before that has cleared.
    """

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
    family: str = ""
    fact_kind: str = ""
    suppressed_by: str = ""
    due_time: datetime | None = None
    escalate_time: datetime | None = None
    escalation_level: int = 0
    escalated_unit_id: int = 0
    resolution: Resolution = Resolution.NONE
    resolved_by: str = ""
    placed_unit_id: int | None = None
    dismissed: bool = False
    audience_reach: Reach = Reach.ABOVE
    group_by: int = Grouping.UNSAID
    group_wait_seconds: int = 0
    group_interval_minutes: int = 0

    @property
    def key(self) -> tuple[str, int, str]:
        """What there is at most one alert of that is not resolved."""
        return self.rule, self.unit_id, self.subject

    @property
    def place(self) -> int:
        """The unit where it is seen and told."""
        return self.unit_id if self.placed_unit_id is None else self.placed_unit_id

    @property
    def shown_state(self) -> State:
        """Its state as people see it: what is suppressed is neither open nor taken."""
        if self.suppressed_by and self.state is not State.RESOLVED:
            return State.SUPPRESSED
        return self.state

    @property
    def etag(self) -> str:
        """Changes with each change of the alert."""
        return str(self.revision)

    @property
    def step_count(self) -> int:
        """How many steps there were, kept or not."""
        return self.revision - 1

    def acknowledged(
        self,
        by: str,
        *,
        note: str,
        now: datetime,
        position: int,
        due: datetime | None = None,
        climbs: datetime | None = None,
    ) -> "Alert":
        """The alert taken in hand; whoever takes it last has it. It climbs at `climbs` unless it is resolved."""
        step = Step(Transition.ACKNOWLEDGED, now, self.rule_version, by=by, note=note)
        taken = replace(
            self,
            state=State.ACKNOWLEDGED,
            acknowledged_by=by,
            note=note,
            acknowledge_time=now,
            due_time=due,
            escalate_time=climbs,
        )
        return taken.stepped(step, position=position)

    def resolved(self, now: datetime, *, position: int, reason: Reason) -> "Alert":
        """The alert once its condition no longer holds, or nobody asks for it any more."""
        step = Step(Transition.RESOLVED, now, self.rule_version, reason=reason)
        return replace(self, state=State.RESOLVED, resolve_time=now, escalate_time=None).stepped(
            step, position=position
        )

    def closed(self, by: str, *, resolution: Resolution, note: str, now: datetime, position: int) -> "Alert":
        """The alert closed by hand."""
        step = Step(Transition.RESOLVED, now, self.rule_version, by=by, note=note, reason=Reason.BY_HAND)
        closed = replace(
            self,
            state=State.RESOLVED,
            resolve_time=now,
            resolution=resolution,
            resolved_by=by,
            dismissed=True,
            escalate_time=None,
        )
        return closed.stepped(step, position=position)

    def reopened(self, by: str, *, note: str, now: datetime, climbs: datetime | None, position: int) -> "Alert":
        """The alert opened again; whoever had it has it no more."""
        step = Step(Transition.REOPENED, now, self.rule_version, by=by, note=note, reason=Reason.BY_HAND)
        opened = replace(
            self,
            state=State.OPEN,
            resolve_time=None,
            resolution=Resolution.NONE,
            resolved_by="",
            dismissed=False,
            acknowledged_by="",
            acknowledge_time=None,
            note="",
            due_time=None,
            suppressed_by="",
            escalate_time=climbs,
            escalation_level=0,
            escalated_unit_id=0,
        )
        return opened.stepped(step, position=position)

    def commented(self, by: str, *, text: str, now: datetime, position: int) -> "Alert":
        """The alert with one more comment."""
        return self.stepped(Step(Transition.COMMENTED, now, self.rule_version, by=by, note=text), position=position)

    def escalated(self, unit_id: int, *, now: datetime, climbs: datetime | None, position: int) -> "Alert":
        """The alert having climbed to a unit."""
        step = Step(Transition.ESCALATED, now, self.rule_version, reason=Reason.OVERDUE, unit_id=unit_id)
        climbed = replace(
            self, escalation_level=self.escalation_level + 1, escalated_unit_id=unit_id, escalate_time=climbs
        )
        return climbed.stepped(step, position=position)

    def suppressed(self, by: str, *, now: datetime, position: int) -> "Alert":
        """The alert kept from being told by a silence (`silence:<id>`) or a graver alert (`rule:<code>`)."""
        step = Step(Transition.SUPPRESSED, now, self.rule_version, reason=_reason_of(by))
        return replace(self, suppressed_by=by, escalate_time=None).stepped(step, position=position)

    def released(self, *, now: datetime, climbs: datetime | None, position: int) -> "Alert":
        """The alert that nothing keeps from being told any more."""
        step = Step(Transition.RELEASED, now, self.rule_version, reason=_reason_of(self.suppressed_by))
        return replace(self, suppressed_by="", escalate_time=climbs).stepped(step, position=position)

    def moved(self, unit_id: int, *, now: datetime, position: int) -> "Alert":
        """The alert having followed its unit into another."""
        step = Step(Transition.MOVED, now, self.rule_version, reason=Reason.UNIT_MERGED, unit_id=unit_id)
        return replace(self, placed_unit_id=unit_id).stepped(step, position=position)

    def carried_over(self, raised: "Alert") -> "Alert":
        """The alert on the version of its rule in force, as `raised` by that now; whoever took it still has it."""
        step = Step(Transition.CARRIED_OVER, raised.create_time, raised.rule_version, reason=Reason.RULE_CHANGED)
        renewed = replace(raised, **{name: getattr(self, name) for name in _KEPT})
        return renewed.stepped(step, position=raised.position)

    def erased(self, *, now: datetime, position: int) -> "Alert":
        """The alert with nothing left that tells whom it was about; it is over."""
        title_vi, title_en, body_vi, body_en = ERASED_TEXTS
        return replace(
            self,
            state=State.RESOLVED,
            resolve_time=self.resolve_time or now,
            subject=ERASED_SUBJECT,
            title_vi=title_vi,
            title_en=title_en,
            body_vi=body_vi,
            body_en=body_en,
            facts={},
            note="",
            history=(),
            suppressed_by="",
            due_time=None,
            escalate_time=None,
            dismissed=False,
            revision=self.revision + 1,
            position=position,
        )

    def stepped(self, step: Step, *, position: int) -> "Alert":
        """The alert with one more step in its history, of which the first and the newest are kept."""
        history = (*self.history, step)
        if len(history) > FIRST_KEPT + NEWEST_KEPT:
            history = history[:FIRST_KEPT] + history[-NEWEST_KEPT:]
        return replace(self, history=history, revision=self.revision + 1, position=position)


_KEPT = (
    "alert_id",
    "state",
    "create_time",
    "revision",
    "acknowledge_time",
    "acknowledged_by",
    "note",
    "history",
    "suppressed_by",
    "due_time",
    "escalate_time",
    "escalation_level",
    "escalated_unit_id",
    "placed_unit_id",
)


def _reason_of(suppressed_by: str) -> Reason:
    return Reason.SILENCE if suppressed_by.startswith("silence:") else Reason.INHIBITED


@dataclass(frozen=True, slots=True)
class Change:
    """A transition, the alert after it, and whether and where people are to be told of it."""

    transition: Transition
    alert: Alert
    told: bool = True
    audience_unit_ids: tuple[int, ...] = ()


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


def summed(counts: Iterable[Count], place: Callable[[int], int], *, by_family: bool = False) -> list[Count]:
    """Counts added up by where `place` puts their unit, in order."""
    sums: dict[tuple[int, State, Severity, str], int] = {}
    for one in counts:
        key = place(one.unit_id), one.state, one.severity, one.family if by_family else ""
        sums[key] = sums.get(key, 0) + one.count
    return sorted(Count(unit, state, grave, count, kin) for (unit, state, grave, kin), count in sums.items())


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
    vi, en = (shown(values, unit_name, language=language) for language in ("vi", "en"))
    return Alert(
        alert_id=position,
        rule=rule.code,
        rule_version=rule.version,
        unit_id=fact.unit_id,
        subject=fact.subject,
        severity=rule.severity,
        state=State.OPEN,
        title_vi=render(rule.title_vi, vi),
        title_en=render(rule.title_en, en),
        body_vi=render(rule.body_vi, vi),
        body_en=render(rule.body_en, en),
        facts={name: as_text(value) for name, value in values.items()},
        audience_roles=rule.audience_roles,
        create_time=now,
        position=position,
        family=rule.family,
        fact_kind=rule.fact_kind,
        escalate_time=rule.time_to_take(now),
        audience_reach=rule.audience_reach,
        group_by=rule.group_by,
        group_wait_seconds=rule.group_wait_seconds,
        group_interval_minutes=rule.group_interval_minutes,
    )
