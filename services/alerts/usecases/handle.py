"""What people do with alerts besides taking them: close, open again, comment.

Refuses what is not below the unit named, and what contradicts the alert's state.
"""

from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts import store
from services.alerts.domain import Alert, Resolution, State, Transition
from services.alerts.usecases.conclude import Verdict, conclude
from services.alerts.usecases.keep_quiet import what_covers
from services.alerts.usecases.moment import Moment
from services.alerts.usecases.refusals import (
    already_open,
    already_resolved,
    not_resolved,
    stale_etag,
    unknown_alert,
)

LiesBelow = Callable[[int], bool]


async def resolve_alert(
    connection: AsyncConnection,
    alert_id: int,
    *,
    lies_below: LiesBelow,
    by: str,
    resolution: Resolution,
    note: str,
    etag: str,
    moment: Moment,
) -> Alert:
    """Close an alert by hand; doing the same again changes nothing.

    Raises UNKNOWN_ALERT, ALREADY_RESOLVED or STALE_ETAG.
    """
    alert = await _held(connection, alert_id, lies_below)
    if alert.state is State.RESOLVED:
        if (alert.resolved_by, alert.resolution) == (by, resolution):
            return alert
        raise already_resolved(alert_id)
    if etag and etag != alert.etag:
        raise stale_etag(alert.etag)
    return await _done(
        connection,
        alert,
        Transition.RESOLVED,
        lambda position: alert.closed(by, resolution=resolution, note=note, now=moment.now, position=position),
        moment,
    )


async def reopen_alert(
    connection: AsyncConnection, alert_id: int, *, lies_below: LiesBelow, by: str, note: str, moment: Moment
) -> Alert:
    """Open an alert again. Raises UNKNOWN_ALERT, NOT_RESOLVED, or ALREADY_OPEN where another tells the same.

    Where the condition no longer holds, the next look at its fact resolves it. What is silenced now stays quiet.
    """
    alert = await _held(connection, alert_id, lies_below)
    if alert.state is not State.RESOLVED:
        raise not_resolved(alert_id)
    others = await store.lock_unresolved(connection, [alert.key])
    if other := others.get(alert.key):
        raise already_open(other.alert_id)
    rules = await store.rule_versions(connection, frozenset({alert.rule}))
    rule = rules.get((alert.rule, alert.rule_version))
    climbs = rule.time_to_take(moment.now) if rule else None
    covered = await what_covers(connection, [alert], {rule.code: rule} if rule else {}, moment)
    suppressed_by = covered.get(alert_id, "")

    def reopened(position: int) -> Alert:
        return alert.reopened(
            by, note=note, now=moment.now, climbs=climbs, suppressed_by=suppressed_by, position=position
        )

    return await _done(connection, alert, Transition.REOPENED, reopened, moment)


async def comment_alert(
    connection: AsyncConnection, alert_id: int, *, lies_below: LiesBelow, by: str, text: str, moment: Moment
) -> Alert:
    """Write something about an alert. Raises UNKNOWN_ALERT."""
    alert = await _held(connection, alert_id, lies_below)
    return await _done(
        connection,
        alert,
        Transition.COMMENTED,
        lambda position: alert.commented(by, text=text, now=moment.now, position=position),
        moment,
    )


async def _held(connection: AsyncConnection, alert_id: int, lies_below: LiesBelow) -> Alert:
    alert = await store.lock_alert(connection, alert_id)
    if alert is None or not lies_below(alert.place):
        raise unknown_alert(alert_id)
    return alert


async def _done(
    connection: AsyncConnection,
    alert: Alert,
    transition: Transition,
    alert_at: Callable[[int], Alert],
    moment: Moment,
) -> Alert:
    [change] = await conclude(connection, [Verdict(alert.key, transition, alert_at)], moment.unit_name)
    return change.alert
