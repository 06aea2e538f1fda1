"""Where the contract and the domain of notify meet: alerts' events in, notices out."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

from iocedu.alerts.v1 import alerts_pb2
from iocedu.notify.v1 import notice_requested_pb2, notify_pb2
from iocedu.sync.v1 import sync_pb2

from chassis.bus import Event
from services.notify.domain import Grouping, Matter, News, Notice, Request, State
from services.notify.domain.notices import SEVERITIES
from services.notify.domain.silence import Silence

# Who was not told yet is told: another version names others, it climbed, was opened again, or no longer is silenced.
_WIDENING = (
    alerts_pb2.ALERT_TRANSITION_CARRIED_OVER,
    alerts_pb2.ALERT_TRANSITION_ESCALATED,
    alerts_pb2.ALERT_TRANSITION_REOPENED,
    alerts_pb2.ALERT_TRANSITION_RELEASED,
)
USUAL_WAIT, USUAL_INTERVAL = timedelta(minutes=1), timedelta(hours=1)
_GROUPINGS = {grouping.value: grouping for grouping in Grouping}  # What is not said, or not known yet: READER.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_SEVERITIES = {
    alerts_pb2.SEVERITY_INFO: "info",
    alerts_pb2.SEVERITY_WARNING: "warning",
    alerts_pb2.SEVERITY_CRITICAL: "critical",
}


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
            audience_units=tuple(change.audience_unit_ids),
            rule=alert.rule,
            grouping=_GROUPINGS.get(change.group_by, Grouping.READER),
            group_wait=timedelta(seconds=change.group_wait_seconds) or USUAL_WAIT,
            group_interval=timedelta(minutes=change.group_interval_minutes) or USUAL_INTERVAL,
            climbs=change.transition == alerts_pb2.ALERT_TRANSITION_ESCALATED,
            again=change.transition == alerts_pb2.ALERT_TRANSITION_REOPENED,
        )


def requests(event: Event, unit_name: Callable[[int], str]) -> Iterator[Request]:
    """What a service asks to be told by a `notice-requested` event."""
    for asked in notice_requested_pb2.NoticesRequested.FromString(event.data).requests:
        unit_id = asked.unit_ids[0] if asked.unit_ids else 0
        matter = Matter(
            alert_id=0,
            version=0,
            unit_id=unit_id,
            unit_name=unit_name(unit_id) if unit_id else "",
            title_vi=asked.title_vi,
            title_en=asked.title_en or asked.title_vi,
            body_vi=asked.body_vi,
            body_en=asked.body_en or asked.body_vi,
            severity=severity(asked.severity),
            resolved=False,
            taken_by="",
            topic=asked.topic or event.source,
            link=asked.link,
            due_time=asked.due_time.ToDatetime(tzinfo=UTC) if asked.HasField("due_time") else None,
        )
        yield Request(
            source=event.source,
            key=asked.key,
            revision=asked.revision,
            unit_ids=tuple(asked.unit_ids),
            audience_roles=tuple(asked.audience_roles),
            subjects=tuple(asked.subjects),
            matter=matter,
            and_above=asked.and_above,
        )


def silences(event: Event) -> Iterator[Silence]:
    """Since when schools are silent, by a `connections-changed` event; its time, given under a lock, is its version."""
    version = (event.time - _EPOCH) // _MICROSECOND
    for connection in sync_pb2.ConnectionsChanged.FromString(event.data).connections:
        sent = connection.HasField("last_accept_time")
        began = connection.last_accept_time if sent else connection.create_time
        known = sent or connection.HasField("create_time")
        since = began.ToDatetime(tzinfo=UTC) if known else None
        yield Silence(connection.school_id, version, connection.must_connect, since)


def severity(number: int) -> str:
    """The name of a gravity; what is not said, or not known yet, is information."""
    return SEVERITIES[number - 1] if 1 <= number <= len(SEVERITIES) else SEVERITIES[0]


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
        alert_id=matter.only_alert_id or max(matter.alert_id, 0),
        resolved=matter.resolved,
        taken_by=matter.taken_by,
        position=notice.position,
        topic=matter.topic,
        link=matter.link,
        announcement_id=matter.announcement_id,
        recalled=matter.recalled,
        alert_count=matter.alert_count or int(matter.alert_id > 0),
        open_count=matter.open_count or int(matter.alert_id > 0 and not matter.resolved),
    )
    if matter.due_time is not None:
        message.due_time.FromDatetime(matter.due_time)
    message.create_time.FromDatetime(notice.create_time)
    if notice.read_time is not None:
        message.read_time.FromDatetime(notice.read_time)
    if notice.acknowledge_time is not None:
        message.acknowledge_time.FromDatetime(notice.acknowledge_time)
    return message


def alert_message(matter: Matter) -> notify_pb2.NoticeAlert:
    """An alert that a notice tells."""
    return notify_pb2.NoticeAlert(
        alert_id=matter.alert_id,
        unit_id=matter.unit_id,
        unit_name=matter.unit_name,
        title_vi=matter.title_vi,
        title_en=matter.title_en,
        severity=matter.severity,
        resolved=matter.resolved,
        taken_by=matter.taken_by,
    )


def states(numbers: Iterable[int]) -> frozenset[State]:
    """The states a filter names, all where it names none; those this version does not know match nothing."""
    named = frozenset(numbers)
    return frozenset(state for state in State if not named or state.value in named)
