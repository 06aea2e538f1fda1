"""Alerts as the contract shows them, in answers and in events."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from iocedu.alerts.v1 import alerts_pb2

from services.alerts.convert.rules import names_of
from services.alerts.domain import SHOWN_STEPS, Alert, Change, Count, Rule, State, Step
from services.alerts.domain.asked import AlertGroup

MOST_UNITS = 10  # A group names.

UnitName = Callable[[int], str]
MOST_CHANGES = 1000
MOST_BYTES = 256_000


def alert_message(alert: Alert, unit_name: UnitName) -> alerts_pb2.Alert:
    """An alert as lists show it: with its unit's name of today and the newest steps of its history."""
    message = alerts_pb2.Alert()
    _fill(message, alert, unit_name)
    return message


def whole_alert_message(alert: Alert, unit_name: UnitName) -> alerts_pb2.Alert:
    """An alert with all that is kept of its history."""
    message = alert_message(alert, unit_name)
    del message.history[:]
    message.history.extend(map(step_message, alert.history))
    return message


def alerts_changed(changes: Iterable[Change], unit_name: UnitName) -> Iterator[tuple[bytes, int]]:
    """Payloads of `alerts-changed`, each with how many changes it holds: at most 1,000, and about 256 kB.

    Each change is written once and alone: messages of one repeated field are joined by joining their bytes.
    """
    pieces: list[bytes] = []
    size = 0
    for change in changes:
        event = alerts_pb2.AlertsChanged()
        added = event.changes.add(
            transition=alerts_pb2.AlertTransition.ValueType(change.transition),
            audience_roles=change.alert.told_roles if change.told else (),
            audience_unit_ids=change.audience_unit_ids if change.told else (),
            group_by=alerts_pb2.AlertGrouping.ValueType(change.alert.group_by),
            group_wait_seconds=change.alert.group_wait_seconds,
            group_interval_minutes=change.alert.group_interval_minutes,
        )
        _fill(added.alert, change.alert, unit_name)
        piece = event.SerializeToString()
        if pieces and (len(pieces) == MOST_CHANGES or size + len(piece) > MOST_BYTES):
            yield b"".join(pieces), len(pieces)
            pieces, size = [], 0
        pieces.append(piece)
        size += len(piece)
    if pieces:
        yield b"".join(pieces), len(pieces)


def _fill(message: alerts_pb2.Alert, alert: Alert, unit_name: UnitName) -> None:
    message.alert_id = alert.alert_id
    message.rule = alert.rule
    message.rule_version = alert.rule_version
    message.unit_id = alert.place
    message.unit_name = unit_name(alert.place)
    message.origin_unit_id = alert.unit_id
    message.subject = alert.subject
    message.severity = alerts_pb2.Severity.ValueType(alert.severity)
    message.state = alerts_pb2.AlertState.ValueType(alert.shown_state)
    message.title_vi, message.title_en = alert.title_vi, alert.title_en
    message.body_vi, message.body_en = alert.body_vi, alert.body_en
    message.facts.update(alert.facts)
    message.raised_title_vi, message.raised_title_en = alert.raised_title_vi, alert.raised_title_en
    message.raised_facts.update(alert.raised_facts)
    message.acknowledged_by, message.note = alert.acknowledged_by, alert.note
    message.etag = alert.etag
    message.position = alert.position
    message.history.extend(map(step_message, alert.history[-SHOWN_STEPS:]))
    message.step_count = alert.step_count
    message.family, message.fact_kind = alert.family, alert.fact_kind
    message.suppressed_by, message.resolved_by = alert.suppressed_by, alert.resolved_by
    message.escalation_level, message.escalated_unit_id = alert.escalation_level, alert.escalated_unit_id
    message.resolution = alerts_pb2.Resolution.ValueType(alert.resolution)
    message.create_time.FromDatetime(alert.create_time)
    if alert.facts_time is None:
        message.facts_time.CopyFrom(message.create_time)
    for name in ("facts_time", "acknowledge_time", "resolve_time", "due_time", "escalate_time"):
        if (instant_ := getattr(alert, name)) is not None:
            getattr(message, name).FromDatetime(instant_)


def count_message(count: Count) -> alerts_pb2.AlertCount:
    """How many alerts there are of a state and severity, of a unit where they are broken down."""
    return alerts_pb2.AlertCount(
        state=alerts_pb2.AlertState.ValueType(count.state),
        severity=alerts_pb2.Severity.ValueType(count.severity),
        count=count.count,
        unit_id=count.unit_id,
        family=count.family,
    )


def group_message(group: AlertGroup, rule: Rule | None, unit_name: UnitName) -> alerts_pb2.AlertGroup:
    """The alerts of a rule, which is None where it is no longer valid, with the units of most of them."""
    first = group.units[0]
    titles = (first.title_vi, first.title_en) if rule is None or group.count == 1 else names_of(rule)
    message = alerts_pb2.AlertGroup(
        rule=group.rule,
        title_vi=titles[0],
        title_en=titles[1],
        severity=alerts_pb2.Severity.ValueType(group.severity),
        alert_count=group.count,
        taken_count=sum(one.taken for one in group.units),
        unit_count=len(group.units),
        units=[
            alerts_pb2.AlertGroupUnit(unit_id=one.unit_id, unit_name=unit_name(one.unit_id), alert_count=one.count)
            for one in group.units[:MOST_UNITS]
        ],
    )
    message.oldest_time.FromDatetime(min(one.oldest for one in group.units))
    return message


def states(numbers: Sequence[int]) -> frozenset[State]:
    """The states a filter names; those this version does not know match nothing."""
    known = {state.value for state in State}
    return frozenset(State(number) for number in numbers if number in known)


def instant(timestamp: Timestamp) -> datetime:
    """An instant of the contract."""
    return timestamp.ToDatetime(tzinfo=UTC)


def step_message(step: Step, number: int = 0) -> alerts_pb2.AlertStep:
    """One thing that happened to an alert; numbered where all of them are told."""
    message = alerts_pb2.AlertStep(
        transition=alerts_pb2.AlertTransition.ValueType(step.transition),
        by=step.by,
        note=step.note,
        reason=alerts_pb2.ChangeReason.ValueType(step.reason),
        rule_version=step.rule_version,
        unit_id=step.unit_id,
        title_vi=step.title_vi,
        title_en=step.title_en,
        number=number,
    )
    message.time.FromDatetime(step.time)
    return message
