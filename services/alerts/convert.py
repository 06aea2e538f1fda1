"""Where the contract and the domain of alerts meet: events and requests in, alerts and events out."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from iocedu.alerts.v1 import alerts_pb2
from iocedu.reporting.v1 import reporting_pb2
from iocedu.sync.v1 import sync_pb2

from chassis.bus import Event
from services.alerts.domain import CLASS_SIZE, CONNECTION, Alert, Change, Count, Fact, Rule, State, Step

UnitName = Callable[[int], str]
MOST_CHANGES = 1000
MOST_BYTES = 256_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def class_facts(event: Event) -> Iterator[Fact]:
    """The facts of a `figures-changed` event; a class is known by its year and key, as a source may use a key again."""
    changed = reporting_pb2.FiguresChanged.FromString(event.data)
    for figures in changed.classes:
        yield Fact(
            kind=CLASS_SIZE,
            unit_id=figures.school_id,
            subject=f"{figures.school_year}/{figures.class_key}",
            version=figures.version,
            values={
                "name": figures.name,
                "grade": figures.grade,
                "school_year": figures.school_year,
                "size": figures.size,
                "size_limit": figures.size_limit,
                "limit_source": figures.limit_source,
                "active": figures.active,
            },
            baseline=changed.backfill,
        )


def connection_facts(event: Event) -> Iterator[Fact]:
    """The facts of a `connections-changed` event.

    A connection carries no version of its own; the time of the event, given while its row was locked, is one.
    """
    changed = sync_pb2.ConnectionsChanged.FromString(event.data)
    version = (event.time - _EPOCH) // _MICROSECOND
    for connection in changed.connections:
        sent = connection.HasField("last_accept_time")
        waited_since = connection.last_accept_time if sent else connection.create_time
        runs = connection.must_connect and (sent or connection.HasField("create_time"))
        yield Fact(
            kind=CONNECTION,
            unit_id=connection.school_id,
            subject="",
            version=version,
            values={"must_connect": connection.must_connect, "ever_sent": sent, "source": connection.source},
            baseline=changed.backfill,
            since=_instant(waited_since) if runs else None,
        )


def rule_message(rule: Rule) -> alerts_pb2.Rule:
    """A rule as the contract shows it."""
    return alerts_pb2.Rule(
        code=rule.code,
        version=rule.version,
        condition=rule.condition,
        fact_kind=rule.fact_kind,
        severity=alerts_pb2.Severity.ValueType(rule.severity),
        title_vi=rule.title_vi,
        title_en=rule.title_en,
        source_document=rule.source_document,
        enabled=rule.enabled,
        audience_roles=rule.audience_roles,
    )


def alert_message(alert: Alert, unit_name: UnitName) -> alerts_pb2.Alert:
    """An alert as the contract shows it, with its unit's name of today."""
    message = alerts_pb2.Alert(
        alert_id=alert.alert_id,
        rule=alert.rule,
        unit_id=alert.unit_id,
        unit_name=unit_name(alert.unit_id),
        subject=alert.subject,
        severity=alerts_pb2.Severity.ValueType(alert.severity),
        state=alerts_pb2.AlertState.ValueType(alert.state),
        title_vi=alert.title_vi,
        title_en=alert.title_en,
        body_vi=alert.body_vi,
        body_en=alert.body_en,
        facts=alert.facts,
        acknowledged_by=alert.acknowledged_by,
        note=alert.note,
        etag=alert.etag,
        position=alert.position,
        rule_version=alert.rule_version,
        history=map(_step_message, alert.history),
    )
    message.create_time.FromDatetime(alert.create_time)
    if alert.acknowledge_time is not None:
        message.acknowledge_time.FromDatetime(alert.acknowledge_time)
    if alert.resolve_time is not None:
        message.resolve_time.FromDatetime(alert.resolve_time)
    return message


def alerts_changed(changes: Iterable[Change], unit_name: UnitName) -> Iterator[tuple[bytes, int]]:
    """Payloads of `alerts-changed`, each with how many changes it holds: at most 1,000, and about 256 kB."""
    event, size = alerts_pb2.AlertsChanged(), 0
    for change in changes:
        message = alerts_pb2.AlertChange(
            transition=alerts_pb2.AlertTransition.ValueType(change.transition),
            alert=alert_message(change.alert, unit_name),
            audience_roles=change.alert.audience_roles,
        )
        length = message.ByteSize() + 4
        if event.changes and (len(event.changes) == MOST_CHANGES or size + length > MOST_BYTES):
            yield event.SerializeToString(), len(event.changes)
            event, size = alerts_pb2.AlertsChanged(), 0
        event.changes.append(message)
        size += length
    if event.changes:
        yield event.SerializeToString(), len(event.changes)


def count_message(count: Count) -> alerts_pb2.AlertCount:
    """How many alerts there are of a state and severity, of a unit where they are broken down."""
    return alerts_pb2.AlertCount(
        state=alerts_pb2.AlertState.ValueType(count.state),
        severity=alerts_pb2.Severity.ValueType(count.severity),
        count=count.count,
        unit_id=count.unit_id,
    )


def states(numbers: Sequence[int]) -> frozenset[State]:
    """The states a filter names; those this version does not know match nothing."""
    known = {state.value for state in State}
    return frozenset(State(number) for number in numbers if number in known)


def _instant(timestamp: Timestamp) -> datetime:
    return timestamp.ToDatetime(tzinfo=UTC)


def _step_message(step: Step) -> alerts_pb2.AlertStep:
    message = alerts_pb2.AlertStep(
        transition=alerts_pb2.AlertTransition.ValueType(step.transition),
        by=step.by,
        note=step.note,
        reason=alerts_pb2.ChangeReason.ValueType(step.reason),
        rule_version=step.rule_version,
    )
    message.time.FromDatetime(step.time)
    return message
