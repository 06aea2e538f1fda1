"""Where the contract and the domain of notify meet: alerts' events in, notices out."""

from collections.abc import Iterable, Iterator

from iocedu.alerts.v1 import alerts_pb2
from iocedu.notify.v1 import notify_pb2

from chassis.bus import Event
from services.notify.domain import Matter, News, Notice, State

_SEVERITIES = {
    alerts_pb2.SEVERITY_INFO: "info",
    alerts_pb2.SEVERITY_WARNING: "warning",
    alerts_pb2.SEVERITY_CRITICAL: "critical",
}

# Who was not told yet is told: another version names others, it climbed, was opened again, or no longer is silenced.
_WIDENING = (
    alerts_pb2.ALERT_TRANSITION_CARRIED_OVER,
    alerts_pb2.ALERT_TRANSITION_ESCALATED,
    alerts_pb2.ALERT_TRANSITION_REOPENED,
    alerts_pb2.ALERT_TRANSITION_RELEASED,
)


def news(event: Event) -> Iterator[News]:
    """The news of an `alerts-changed` event. Transitions this version does not know change a matter and tell nobody."""
    for change in alerts_pb2.AlertsChanged.FromString(event.data).changes:
        alert = change.alert
        matter = Matter(
            alert_id=alert.alert_id,
            version=alert.position,
            unit_id=alert.unit_id,
            unit_name=alert.unit_name,
            title_vi=alert.title_vi,
            title_en=alert.title_en,
            body_vi=alert.body_vi,
            body_en=alert.body_en,
            severity=_SEVERITIES.get(alert.severity, "info"),
            resolved=alert.state == alerts_pb2.ALERT_STATE_RESOLVED,
            taken_by=alert.acknowledged_by,
        )
        yield News(
            matter,
            begins=change.transition == alerts_pb2.ALERT_TRANSITION_RAISED,
            widens=change.transition in _WIDENING,
            audience_roles=tuple(change.audience_roles),
            audience_unit_ids=tuple(change.audience_unit_ids),
        )


def notice_message(notice: Notice) -> notify_pb2.Notice:
    """A notice as its reader sees it."""
    matter = notice.matter
    message = notify_pb2.Notice(
        notice_id=notice.notice_id,
        unit_id=matter.unit_id,
        unit_name=matter.unit_name,
        title_vi=matter.title_vi,
        title_en=matter.title_en,
        body_vi=matter.body_vi,
        body_en=matter.body_en,
        severity=matter.severity,
        because=notice.because,
        state=notify_pb2.NoticeState.ValueType(notice.state),
        alert_id=matter.alert_id,
        resolved=matter.resolved,
        taken_by=matter.taken_by,
        position=notice.position,
    )
    message.create_time.FromDatetime(notice.create_time)
    if notice.read_time is not None:
        message.read_time.FromDatetime(notice.read_time)
    if notice.acknowledge_time is not None:
        message.acknowledge_time.FromDatetime(notice.acknowledge_time)
    return message


def states(numbers: Iterable[int]) -> frozenset[State]:
    """The states a filter names, all where it names none; those this version does not know match nothing."""
    named = frozenset(numbers)
    return frozenset(state for state in State if not named or state.value in named)
