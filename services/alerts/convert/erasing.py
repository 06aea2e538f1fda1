"""What an erasure names of what alerts keeps, and events without what was erased."""

from iocedu.records.v1 import erasures_pb2, records_pb2, resources_pb2

from services.alerts.convert.records import PUPIL
from services.alerts.domain.erasing import Erasure

SERVICE = "alerts"


def erasure_of(payload: bytes) -> Erasure:
    """An event `erasures-requested`."""
    event = erasures_pb2.ErasuresRequested.FromString(payload)
    return Erasure(
        event.school_id,
        event.data_request_id,
        erased={int(one.type): frozenset(one.keys) for one in event.erased},
        restricted={int(one.type): frozenset(one.keys) for one in event.restricted},
        pupil_type=PUPIL,
    )


def without_erased(payload: bytes, erasure: Erasure) -> bytes:
    """An event `records-changed` without what was erased: a change becomes a tombstone, an exception goes."""
    event = records_pb2.RecordsChanged.FromString(payload)
    for change in event.changes:
        if change.school_id != erasure.school_id:
            continue
        row = change.row
        if row.key in erasure.erased.get(change.type, ()):
            name = row.WhichOneof("record")
            row.CopyFrom(resources_pb2.Row(school=row.school, key=row.key, version=row.version, deleted=True))
            if name is not None:
                getattr(row, name).SetInParent()
        elif row.HasField("attendance_register"):
            exceptions = row.attendance_register.exceptions
            for place in reversed([at for at, one in enumerate(exceptions) if one.pupil_key in erasure.erased_pupils]):
                del exceptions[place]
    return event.SerializeToString()


def erasures_confirmed(erasure: Erasure, count: int) -> bytes:
    """The answer once nothing is left."""
    return erasures_pb2.ErasuresConfirmed(
        school_id=erasure.school_id,
        data_request_id=erasure.data_request_id,
        service=SERVICE,
        erased_count=count,
    ).SerializeToString()
