"""Writes down what was decided about alerts and lets it leave, all at once: positions, rows, events.

What was decided about many is carried out one by one where it fails as a whole: one alert never holds up the others.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import outbox
from chassis.database import fault_of
from chassis.errors import Fault
from chassis.logs import said
from chassis.tail import allot_positions
from services.alerts import store
from services.alerts.convert import UnitName, alerts_changed
from services.alerts.domain import Alert, Change, Reach, Transition

SLICE = 500  # Alerts made between two turns of the loop.
BEGINNING = (Transition.RAISED, Transition.RELEASED, Transition.REOPENED, Transition.CARRIED_OVER)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of an alert, by (rule, unit, subject); it is made once its position is known.

    `fresh` says that there was none. People are told unless `told` says no or something keeps the alert quiet: those of
    `audience_unit_ids`, else as the alert's rule says.
    """

    key: tuple[str, int, str]
    transition: Transition
    alert_at: Callable[[int], Alert]
    fresh: bool = False
    told: bool = True
    audience_unit_ids: tuple[int, ...] = ()


async def conclude(connection: AsyncConnection, verdicts: Sequence[Verdict], unit_name: UnitName) -> list[Change]:
    """Carry out verdicts on facts or alerts that are locked, and publish `alerts-changed` with the transaction."""
    if not verdicts:
        return []
    position = await allot_positions(connection, len(verdicts))
    changes = []
    for place, verdict in enumerate(verdicts):
        alert = verdict.alert_at(position + place)
        units = verdict.audience_unit_ids or _reached(verdict.transition, alert)
        told = verdict.told and not _is_kept_quiet(verdict.transition, alert)
        changes.append(Change(verdict.transition, alert, told=told, audience_unit_ids=units))
        if place % SLICE == SLICE - 1:
            await asyncio.sleep(0)
    await _write(connection, verdicts, [change.alert for change in changes])
    events = []
    for payload, count in alerts_changed(changes, unit_name):
        events.append(outbox.Outgoing("alerts-changed", payload, count))
        await asyncio.sleep(0)
    await outbox.append(connection, events)
    log.info("alerts changed", action="alerts.changed", count=len(changes))
    return changes


def _reached(transition: Transition, alert: Alert) -> tuple[int, ...]:
    """Where people are told first of an alert whose rule reaches its unit alone; everywhere above else."""
    return (alert.place,) if transition in BEGINNING and alert.audience_reach is Reach.UNIT else ()


def _is_kept_quiet(transition: Transition, alert: Alert) -> bool:
    """Whether a silence, a graver alert or the first of its group keeps it; what came after a first still climbs."""
    return bool(alert.suppressed_by) or (alert.after_first and transition in BEGINNING)


async def _write(connection: AsyncConnection, verdicts: Sequence[Verdict], alerts: Sequence[Alert]) -> None:
    fresh = [alert for verdict, alert in zip(verdicts, alerts, strict=True) if verdict.fresh]
    carried: list[Alert] = []
    erased: list[Alert] = []
    others: list[Alert] = []
    updated: list[Alert] = []
    apart = {Transition.CARRIED_OVER: carried, Transition.ERASED: erased, Transition.UPDATED: updated}
    for verdict, alert in zip(verdicts, alerts, strict=True):
        if not verdict.fresh:
            apart.get(verdict.transition, others).append(alert)
    if fresh:
        await store.add_alerts(connection, fresh)
    if erased:
        await store.erase_alerts(connection, erased)
    if others:
        await store.update_alerts(connection, others)
    if carried:
        await store.carry_alerts(connection, carried)
    if updated:
        await store.update_facts(connection, updated)
    stepped = [
        alert
        for verdict, alert in zip(verdicts, alerts, strict=True)
        if alert.history and verdict.transition is not Transition.UPDATED
    ]
    if stepped:
        await store.add_steps(connection, stepped)


async def conclude_each(
    connection: AsyncConnection, verdicts: Sequence[Verdict], unit_name: UnitName
) -> tuple[list[Change], list[Verdict]]:
    """Carry out verdicts together, or else one by one; returns what changed, and the verdicts that cannot be.

    Raises what a database that is away or busy does: the whole is tried again then.
    """
    if not verdicts:
        return [], []
    try:
        async with connection.begin_nested():
            return await conclude(connection, verdicts, unit_name), []
    except Exception as error:
        if isinstance(error, Fault) or fault_of(error) is not None:
            raise
        if len(verdicts) == 1:
            rule, unit_id, subject = verdicts[0].key
            where = {"rule": rule, "unit_id": unit_id, "subject": subject}
            log.exception("alert not changed", action="alerts.not_changed", error=said(error), **where)
            return [], list(verdicts)
    changes: list[Change] = []
    failed: list[Verdict] = []
    for verdict in verdicts:
        changed, not_changed = await conclude_each(connection, [verdict], unit_name)
        changes += changed
        failed += not_changed
    return changes, failed
