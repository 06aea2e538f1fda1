"""Lets a person take an alert in hand. Refuses one that is not below the unit named, is resolved, or has moved on."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.errors import Fault, Kind
from services.alerts import store
from services.alerts.convert import UnitName
from services.alerts.domain import Alert, State, Transition
from services.alerts.usecases.conclude import Verdict, conclude


async def acknowledge_alert(
    connection: AsyncConnection,
    alert_id: int,
    *,
    lies_below: Callable[[int], bool],
    by: str,
    note: str,
    etag: str,
    now: datetime,
    unit_name: UnitName,
) -> Alert:
    """Take an alert; doing the same again changes nothing, another person may take it over.

    Raises UNKNOWN_ALERT, ALREADY_RESOLVED or STALE_ETAG.
    """
    alert = await store.lock_alert(connection, alert_id)
    if alert is None or not lies_below(alert.unit_id):
        raise _unknown(alert_id)
    if alert.state is State.RESOLVED:
        raise _resolved(alert_id)
    if alert.state is State.ACKNOWLEDGED and (alert.acknowledged_by, alert.note) == (by, note):
        return alert
    if etag and etag != alert.etag:
        raise _stale(alert.etag)
    taken = Verdict(
        alert.key,
        Transition.ACKNOWLEDGED,
        lambda position: alert.acknowledged(by, note=note, now=now, position=position),
    )
    [change] = await conclude(connection, [taken], unit_name)
    return change.alert


def _unknown(alert_id: int) -> Fault:
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_ALERT",
        vi=f"Không có cảnh báo số {alert_id} tại đơn vị này hoặc các đơn vị trực thuộc.",
        en=f"There is no alert {alert_id} on this unit or below it.",
        metadata={"alert_id": str(alert_id)},
    )


def _resolved(alert_id: int) -> Fault:
    return Fault(
        Kind.PRECONDITION,
        "ALREADY_RESOLVED",
        vi="Cảnh báo này đã được giải quyết, không cần nhận xử lý nữa.",
        en="This alert is already resolved; there is nothing left to take in hand.",
        metadata={"alert_id": str(alert_id)},
    )


def _stale(etag: str) -> Fault:
    return Fault(
        Kind.CONFLICT,
        "STALE_ETAG",
        vi="Cảnh báo đã thay đổi từ lúc bạn xem. Hãy tải lại rồi nhận xử lý.",
        en="The alert changed since you read it. Read it again, then take it.",
        metadata={"etag": etag},
    )
