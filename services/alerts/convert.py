"""Where the contract and the domain of alerts meet: events and requests in, alerts and events out."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from iocedu.alerts.v1 import alerts_pb2
from iocedu.reporting.v1 import reporting_pb2
from iocedu.sync.v1 import sync_pb2

from chassis.bus import Event
from services.alerts.domain import CLASS_SIZE, CONNECTION, SHOWN_STEPS, Alert, Change, Count, Fact, Rule, State, Step

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
    """An alert as lists show it: with its unit's name of today and the newest steps of its history."""
    message = alerts_pb2.Alert()
    _fill(message, alert, unit_name)
    return message


def whole_alert_message(alert: Alert, unit_name: UnitName) -> alerts_pb2.Alert:
    """An alert with all that is kept of its history."""
    message = alert_message(alert, unit_name)
    del message.history[:]
    message.history.extend(map(_step_message, alert.history))
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
            audience_roles=change.alert.audience_roles,
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
    message.unit_id = alert.unit_id
    message.unit_name = unit_name(alert.unit_id)
    message.subject = alert.subject
    message.severity = alerts_pb2.Severity.ValueType(alert.severity)
    message.state = alerts_pb2.AlertState.ValueType(alert.state)
    message.title_vi, message.title_en = alert.title_vi, alert.title_en
    message.body_vi, message.body_en = alert.body_vi, alert.body_en
    message.facts.update(alert.facts)
    message.acknowledged_by, message.note = alert.acknowledged_by, alert.note
    message.etag = alert.etag
    message.position = alert.position
    message.history.extend(map(_step_message, alert.history[-SHOWN_STEPS:]))
    message.step_count = alert.step_count
    message.create_time.FromDatetime(alert.create_time)
    if alert.acknowledge_time is not None:
        message.acknowledge_time.FromDatetime(alert.acknowledge_time)
    if alert.resolve_time is not None:
        message.resolve_time.FromDatetime(alert.resolve_time)


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
