"""Evaluates facts, as they come and as time passes, and raises and resolves alerts in the same transaction.

Whoever keeps or claims a fact holds its row until the commit, so that each fact is judged by one replica at a time. The
order of locks is facts, alerts, positions. Refuses to raise anything from history.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import outbox
from chassis.tail import allot_positions
from services.alerts import store
from services.alerts.convert import UnitName, alerts_changed
from services.alerts.domain import Alert, Change, Fact, Rule, Scalar, Transition, judge, newest, raise_alert
from services.alerts.usecases.rulebook import rulebook

log = structlog.get_logger(__name__)

SLICE = 500  # Facts judged between two turns of the loop.


@dataclass(frozen=True)
class Moment:
    """When an evaluation takes place, and how units are called then."""

    now: datetime
    today: date
    unit_name: UnitName


@dataclass(frozen=True, slots=True)
class _Look:
    rule: Rule
    fact: Fact
    values: dict[str, Scalar]
    holds: bool

    @property
    def key(self) -> tuple[str, int, str]:
        return self.rule.code, self.fact.unit_id, self.fact.subject


async def take_facts(connection: AsyncConnection, facts: Sequence[Fact], moment: Moment) -> list[Change]:
    """Keep what is newer than known and evaluate it; returns what changed. What comes from history raises nothing."""
    newer = newest(facts)
    kept = await store.keep_facts(connection, newer, [fact.next_look(moment.now) for fact in newer])
    taken = [fact for fact in newer if fact.key in kept]
    return await _evaluate(connection, taken, moment, timed=False)


async def look_at_due_facts(connection: AsyncConnection, moment: Moment, *, limit: int) -> tuple[int, list[Change]]:
    """Evaluate facts that time has changed, at most `limit`; returns how many there were, and what changed.

    Time is no history: a school that was loaded from history and stays silent is as silent as any other.
    """
    facts = await store.claim_due_facts(connection, now=moment.now, limit=limit)
    if not facts:
        return 0, []
    await store.put_off(connection, facts, [fact.next_look(moment.now) for fact in facts])
    return len(facts), await _evaluate(connection, facts, moment, timed=True)


async def _evaluate(connection: AsyncConnection, facts: Sequence[Fact], moment: Moment, *, timed: bool) -> list[Change]:
    if not facts:
        return []
    book = rulebook(await store.rules_in_force(connection, moment.today))
    looks: list[_Look] = []
    for place, fact in enumerate(facts):
        values = fact.at(moment.now)
        looks.extend(_Look(rule, fact, values, condition.holds(values)) for rule, condition in book.of(fact.kind))
        if place % SLICE == SLICE - 1:
            await asyncio.sleep(0)
    unresolved = await store.lock_unresolved(connection, [look.key for look in looks])
    verdicts = []
    for look in looks:
        quiet = look.fact.baseline and not timed
        transition = judge(holds=look.holds, is_open=look.key in unresolved, quiet=quiet)
        if transition is not None:
            verdicts.append((look, transition))
    if not verdicts:
        return []
    position = await allot_positions(connection, len(verdicts))
    changes = []
    for place, (look, transition) in enumerate(verdicts):
        alert = _after(look, unresolved.get(look.key), moment, position=position + place)
        changes.append(Change(transition, alert))
        if place % SLICE == SLICE - 1:
            await asyncio.sleep(0)
    await store.add_alerts(connection, [c.alert for c in changes if c.transition is Transition.RAISED])
    await store.update_alerts(connection, [c.alert for c in changes if c.transition is Transition.RESOLVED])
    await publish(connection, changes, moment.unit_name)
    log.info("alerts changed", action="alerts.changed", count=len(changes), timed=timed)
    return changes


async def publish(connection: AsyncConnection, changes: Sequence[Change], unit_name: UnitName) -> None:
    """Let changes leave with the transaction, as `alerts-changed`."""
    events = []
    for payload, count in alerts_changed(changes, unit_name):
        events.append(outbox.Outgoing("alerts-changed", payload, count))
        await asyncio.sleep(0)
    await outbox.append(connection, events)


def _after(look: _Look, unresolved: Alert | None, moment: Moment, *, position: int) -> Alert:
    if unresolved is not None:
        return unresolved.resolved(moment.now, position=position)
    return raise_alert(
        look.rule,
        look.fact,
        values=look.values,
        unit_name=moment.unit_name(look.fact.unit_id),
        now=moment.now,
        position=position,
    )
