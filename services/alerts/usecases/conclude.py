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
from services.alerts.domain import Alert, Change, Transition

SLICE = 500  # Alerts made between two turns of the loop.
_WRITERS = (
    ({Transition.RAISED}, store.add_alerts),
    ({Transition.ACKNOWLEDGED, Transition.RESOLVED}, store.update_alerts),
    ({Transition.CARRIED_OVER}, store.carry_alerts),
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of an alert, by (rule, unit, subject); it is made once its position is known."""

    key: tuple[str, int, str]
    transition: Transition
    alert_at: Callable[[int], Alert]


async def conclude(connection: AsyncConnection, verdicts: Sequence[Verdict], unit_name: UnitName) -> list[Change]:
    """Carry out verdicts on facts or alerts that are locked, and publish `alerts-changed` with the transaction."""
    if not verdicts:
        return []
    position = await allot_positions(connection, len(verdicts))
    changes = []
    for place, verdict in enumerate(verdicts):
        changes.append(Change(verdict.transition, verdict.alert_at(position + place)))
        if place % SLICE == SLICE - 1:
            await asyncio.sleep(0)
    for transitions, write in _WRITERS:
        alerts = [change.alert for change in changes if change.transition in transitions]
        if alerts:
            await write(connection, alerts)
    events = []
    for payload, count in alerts_changed(changes, unit_name):
        events.append(outbox.Outgoing("alerts-changed", payload, count))
        await asyncio.sleep(0)
    await outbox.append(connection, events)
    log.info("alerts changed", action="alerts.changed", count=len(changes))
    return changes


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
