"""Lets a person take an alert in hand. Refuses one that is not below the unit named, is resolved, or has moved on."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts import store
from services.alerts.convert import UnitName
from services.alerts.domain import Alert, State, Transition
from services.alerts.usecases.conclude import Verdict, conclude
from services.alerts.usecases.refusals import already_resolved, due_in_past, stale_etag, unknown_alert


async def acknowledge_alert(  # noqa: PLR0913 (each is one thing that is said of it)
    connection: AsyncConnection,
    alert_id: int,
    *,
    lies_below: Callable[[int], bool],
    by: str,
    note: str,
    etag: str,
    now: datetime,
    unit_name: UnitName,
    due: datetime | None = None,
) -> Alert:
    """Take an alert; doing the same again changes nothing, another person may take it over.

    It climbs when `due`, else the time its rule gives, runs out. Raises UNKNOWN_ALERT, ALREADY_RESOLVED, STALE_ETAG
    or DUE_IN_PAST.
    """
    alert = await store.lock_alert(connection, alert_id)
    if alert is None or not lies_below(alert.place):
        raise unknown_alert(alert_id)
    if alert.state is State.RESOLVED:
        raise already_resolved(alert_id)
    same = (alert.acknowledged_by, alert.note) == (by, note) and due in (None, alert.due_time)
    if alert.state is State.ACKNOWLEDGED and same:
        return alert
    if etag and etag != alert.etag:
        raise stale_etag(alert.etag)
    if due is not None and due <= now:
        raise due_in_past(due)
    rules = await store.rule_versions(connection, frozenset({alert.rule}))
    rule = rules.get((alert.rule, alert.rule_version))
    climbs = due or (rule.time_to_resolve(now) if rule else None)
    taken = Verdict(
        alert.key,
        Transition.ACKNOWLEDGED,
        lambda position: alert.acknowledged(by, note=note, now=now, position=position, due=due, climbs=climbs),
    )
    [change] = await conclude(connection, [taken], unit_name)
    return change.alert
