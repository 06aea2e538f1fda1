"""What an erasure names, and events that notify gave up without what they said of the person."""

from iocedu.alerts.v1 import alerts_pb2
from iocedu.notify.v1 import notice_requested_pb2
from iocedu.records.v1 import erasures_pb2, resources_pb2

from services.notify.domain.erasing import BODIES, TITLES, Erasure, mentions

SERVICE = "notify"
STAFF = resources_pb2.OBJECT_TYPE_STAFF_MEMBER


def erasure_of(payload: bytes) -> Erasure:
    """An event `erasures-requested`."""
    event = erasures_pb2.ErasuresRequested.FromString(payload)
    named = (*event.erased, *event.restricted)
    return Erasure(
        event.school_id,
        event.data_request_id,
        erased=frozenset(key for one in event.erased for key in one.keys),
        restricted=frozenset(key for one in event.restricted for key in one.keys),
        staff=frozenset(key for one in named if one.type == STAFF for key in one.keys),
    )


def alerts_without(payload: bytes, erasure: Erasure) -> bytes:
    """An event `alerts-changed` in which no alert says anything of the person."""
    event = alerts_pb2.AlertsChanged.FromString(payload)
    for change in event.changes:
        alert = change.alert
        if erasure.school_id in (alert.unit_id, alert.origin_unit_id) and mentions(str(alert), erasure.keys):
            alert.title_vi, alert.title_en = TITLES
            alert.body_vi, alert.body_en = BODIES
            for name in ("subject", "facts", "note", "history"):
                alert.ClearField(name)
    return event.SerializeToString()


def requests_without(payload: bytes, erasure: Erasure) -> bytes:
    """An event `notice-requested` in which nothing is asked to be told of the person."""
    event = notice_requested_pb2.NoticesRequested.FromString(payload)
    for asked in event.requests:
        texts = f"{asked.title_vi} {asked.title_en} {asked.body_vi} {asked.body_en}"
        if erasure.school_id in asked.unit_ids and mentions(texts, erasure.keys):
            asked.title_vi, asked.title_en = TITLES
            asked.body_vi, asked.body_en = BODIES
    return event.SerializeToString()


def erasures_confirmed(erasure: Erasure, count: int) -> bytes:
    """The answer once nothing is left."""
    return erasures_pb2.ErasuresConfirmed(
        school_id=erasure.school_id,
        data_request_id=erasure.data_request_id,
        service=SERVICE,
        erased_count=count,
    ).SerializeToString()
