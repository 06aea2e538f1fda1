"""The life of an alert: each thing that can happen to it, and the alert after it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from services.alerts.domain.facts import Fact
from services.alerts.domain.rules import PERSONAL_ROLES, Grouping, Reach, Rule, Severity
from services.alerts.domain.shapes import PERSONAL, Scalar
from services.alerts.domain.steps import Reason, Resolution, State, Step, Transition
from services.alerts.domain.texts import as_texts, fields_of, render, shown

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
TEXTS = ("title_vi", "title_en", "body_vi", "body_en")
SHOWN_STEPS = 10  # The newest, in lists, streams and events: with notes of 2,000 characters far below a message.


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert. Its id is the position of its raising; `revision` rises with each change.

    `unit_id` is the unit whose facts raised it; where that was merged, `placed_unit_id` is where the alert now stands.
    `dismissed` says that somebody closed it while its condition held: it is not raised again before that has cleared.
    `after_first` says that another of its unit was told within the rule's group hours, so that this one was not.
    Texts and `facts` are the newest, known since `facts_time`; what they were when it was raised is kept from their
    first change on (`raised_…`, empty until then).
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
    after_first: bool = False
    audience_reach: Reach = Reach.ABOVE
    group_by: int = Grouping.UNSAID
    group_wait_seconds: int = 0
    group_interval_minutes: int = 0
    raised_title_vi: str = ""
    raised_title_en: str = ""
    raised_facts: Mapping[str, str] = field(default_factory=dict)
    facts_time: datetime | None = None

    @property
    def key(self) -> tuple[str, int, str]:
        """What there is at most one alert of that is not resolved."""
        return self.rule, self.unit_id, self.subject

    @property
    def place(self) -> int:
        """The unit where it is seen and told."""
        return self.unit_id if self.placed_unit_id is None else self.placed_unit_id

    @property
    def told_roles(self) -> tuple[str, ...]:
        """The roles of its rule that may be told of it."""
        if self.fact_kind not in PERSONAL:
            return self.audience_roles
        return tuple(role for role in self.audience_roles if role in PERSONAL_ROLES)

    @property
    def shown_state(self) -> State:
        """Its state as people see it: what is suppressed is neither open nor taken."""
        if self.suppressed_by and self.state is not State.RESOLVED:
            return State.SUPPRESSED
        return self.state

    @property
    def etag(self) -> str:
        """Changes with each step; newest facts that leave its title as it was make nothing stale that a person does."""
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
        """The alert taken in hand; whoever takes it last has it.

        It climbs at `climbs` unless it is resolved; one that is kept from being told does not before it is released.
        """
        step = Step(Transition.ACKNOWLEDGED, now, self.rule_version, by=by, note=note)
        taken = replace(
            self,
            state=State.ACKNOWLEDGED,
            acknowledged_by=by,
            note=note,
            acknowledge_time=now,
            due_time=due,
            escalate_time=None if self.suppressed_by else climbs,
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

    def reopened(
        self, by: str, *, note: str, now: datetime, climbs: datetime | None, suppressed_by: str = "", position: int
    ) -> "Alert":
        """The alert opened again, kept from being told by `suppressed_by`; whoever had it has it no more."""
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
            suppressed_by=suppressed_by,
            escalate_time=None if suppressed_by else climbs,
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
        kept = {name: getattr(self, name) for name in _KEPT}
        renewed = replace(raised, **kept, **self._as_raised(raised))
        return renewed.stepped(step, position=raised.position)

    def updated(self, raised: "Alert") -> "Alert":
        """The alert saying what its rule says of the newest facts, as `raised` by that now.

        Only another title is a step, and all of a day are one, the last: a count that rises by the hour would push out
        what people did.
        """
        newest = {name: getattr(raised, name) for name in (*TEXTS, "facts", "position")}
        renewed = replace(self, **newest, **self._as_raised(raised))
        if (raised.title_vi, raised.title_en) == (self.title_vi, self.title_en):
            return renewed
        step = Step(
            Transition.UPDATED,
            raised.create_time,
            self.rule_version,
            reason=Reason.FACTS_CHANGED,
            title_vi=raised.title_vi,
            title_en=raised.title_en,
        )
        if self.history and self.history[-1].is_followed_by(step):
            return replace(renewed, history=(*self.history[:-1], step))
        return renewed.stepped(step, position=raised.position)

    def _as_raised(self, now: "Alert") -> dict[str, Any]:
        """What it said when it was raised, kept beside what it says now from the first difference on."""
        same = (now.title_vi, now.title_en, now.facts) == (self.title_vi, self.title_en, self.facts)
        if same:
            return {name: getattr(self, name) for name in _AS_RAISED}
        return {
            "raised_title_vi": self.raised_title_vi or self.title_vi,
            "raised_title_en": self.raised_title_en or self.title_en,
            "raised_facts": self.raised_facts or self.facts,
            "facts_time": now.create_time,
        }

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
            raised_title_vi="",
            raised_title_en="",
            raised_facts={},
            facts_time=None,
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
    "after_first",
)


_AS_RAISED = ("raised_title_vi", "raised_title_en", "raised_facts", "facts_time")


def _reason_of(suppressed_by: str) -> Reason:
    return Reason.SILENCE if suppressed_by.startswith("silence:") else Reason.INHIBITED


@dataclass(frozen=True, slots=True)
class Change:
    """A transition, the alert after it, and whether and where people are to be told of it."""

    transition: Transition
    alert: Alert
    told: bool = True
    audience_unit_ids: tuple[int, ...] = ()


def judge(*, holds: bool, is_open: bool, quiet: bool, outdated: bool, changed: bool) -> Transition | None:
    """What a look at a fact does: raise what is not open yet, resolve what no longer holds, update what has `changed`.

    A quiet look (history) raises nothing; it still resolves, since an alert that no longer holds would be a lie. What
    still holds is carried over from an outdated version of its rule.
    """
    if holds and not is_open and not quiet:
        return Transition.RAISED
    if is_open and not holds:
        return Transition.RESOLVED
    if is_open and outdated:
        return Transition.CARRIED_OVER
    if is_open and changed:
        return Transition.UPDATED
    return None


def told_of(values: Mapping[str, Scalar]) -> dict[str, str]:
    """A fact's fields as alerts keep them."""
    return as_texts(values)


def raise_alert(
    rule: Rule, fact: Fact, *, values: Mapping[str, Scalar], unit_name: str, now: datetime, position: int
) -> Alert:
    """The alert that a rule raises for a fact, with its texts as they read now."""
    named = fields_of(rule.title_vi, rule.title_en, rule.body_vi, rule.body_en)
    told = {name: value for name, value in values.items() if name in named}
    vi, en = (shown(told, unit_name, language=language) for language in ("vi", "en"))
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
        facts=told_of(values),
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
