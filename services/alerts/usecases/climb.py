"""Lets alerts climb whose time to be taken or resolved ran out, and follow units that were merged into others.

Who is above is asked of the tree of today, so that an alert climbs the way the units stand now.
"""

from collections.abc import Sequence
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts import store
from services.alerts.domain import Alert, Change, Rule, State, Transition
from services.alerts.store.successions import Succession
from services.alerts.usecases.conclude import Verdict, conclude_each
from services.alerts.usecases.moment import Moment


async def escalate_overdue(connection: AsyncConnection, moment: Moment, *, limit: int) -> tuple[int, list[Change]]:
    """Let overdue alerts climb one unit, at most `limit`; returns how many there were, and what changed.

    Above the topmost unit there is nowhere to climb: it is told once more there, and then no more.
    """
    alerts = await store.claim_overdue(connection, now=moment.now, limit=limit)
    if not alerts:
        return 0, []
    rules = await store.rule_versions(connection, frozenset(alert.rule for alert in alerts))
    verdicts = []
    for alert in alerts:
        path = _path(alert, moment)
        rule = rules.get((alert.rule, alert.rule_version))
        verdicts.append(
            Verdict(
                alert.key,
                Transition.ESCALATED,
                partial(_escalated, alert, path, rule, moment),
                audience_unit_ids=(path[0],),
            )
        )
    changes, _ = await conclude_each(connection, verdicts, moment.unit_name)
    return len(alerts), changes


async def follow_units(connection: AsyncConnection, moment: Moment, *, limit: int) -> tuple[int, list[Change]]:
    """Move alerts from units that have gone on in others; returns how many there were, and what changed."""
    merged = await store.merged_by(connection, moment.today)
    if not merged:
        return 0, []
    alerts = await store.lock_standing(connection, merged, limit=limit)
    verdicts = [
        Verdict(alert.key, Transition.MOVED, partial(_moved, alert, merged[alert.place], moment)) for alert in alerts
    ]
    changes, _ = await conclude_each(connection, verdicts, moment.unit_name)
    return len(alerts), changes


async def take_successions(connection: AsyncConnection, successions: Sequence[Succession]) -> None:
    """Keep which units go on in which; alerts follow on the day."""
    if successions:
        await store.keep_successions(connection, successions)


def _path(alert: Alert, moment: Moment) -> Sequence[int]:
    """The unit to climb to and those above it; at the top that itself."""
    above = moment.above(alert.place)
    if alert.escalated_unit_id:
        above = moment.above(alert.escalated_unit_id)
    return above or (alert.escalated_unit_id or alert.place,)


def _escalated(alert: Alert, path: Sequence[int], rule: Rule | None, moment: Moment, position: int) -> Alert:
    climbs = None
    if rule is not None and len(path) > 1:
        taken = alert.state is State.ACKNOWLEDGED
        climbs = rule.time_to_resolve(moment.now) if taken else rule.time_to_take(moment.now)
    return alert.escalated(path[0], now=moment.now, climbs=climbs, position=position)


def _moved(alert: Alert, unit_id: int, moment: Moment, position: int) -> Alert:
    return alert.moved(unit_id, now=moment.now, position=position)
