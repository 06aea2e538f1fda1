"""Evaluates facts, as they come and as time passes, and raises and resolves alerts in the same transaction.

Whoever keeps or claims a fact holds its row until the commit, so that each fact is judged by one replica at a time. The
order of locks is facts, alerts, positions. Refuses to raise anything from history.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts import store
from services.alerts.convert import UnitName
from services.alerts.domain import Alert, Change, Fact, Reason, Rule, Scalar, judge, newest, raise_alert
from services.alerts.usecases.conclude import Verdict, conclude_each
from services.alerts.usecases.rulebook import rulebook

SLICE = 500  # Facts judged between two turns of the loop.
AGAIN = timedelta(hours=1)  # When a fact is looked at again whose alert could not be changed.


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
        for rule, condition in book.of(fact.kind):
            holds = condition.holds(values)
            if holds is not None:
                looks.append(_Look(rule, fact, values, holds))
        if place % SLICE == SLICE - 1:
            await asyncio.sleep(0)
    unresolved = await store.lock_unresolved(connection, [look.key for look in looks])
    verdicts = [verdict for look in looks if (verdict := _verdict(look, unresolved.get(look.key), moment, timed=timed))]
    changes, failed = await conclude_each(connection, verdicts, moment.unit_name)
    if failed:
        keys = {verdict.key for verdict in failed}
        again = {look.fact.key: look.fact for look in looks if look.key in keys}
        await store.put_off(connection, list(again.values()), [moment.now + AGAIN] * len(again))
    return changes


def _verdict(look: _Look, unresolved: Alert | None, moment: Moment, *, timed: bool) -> Verdict | None:
    transition = judge(
        holds=look.holds,
        is_open=unresolved is not None,
        quiet=look.fact.baseline and not (timed and look.fact.since),
        outdated=unresolved is not None and unresolved.rule_version != look.rule.version,
    )
    if transition is None:
        return None
    return Verdict(look.key, transition, lambda position: _after(look, unresolved, moment, position=position))


def _after(look: _Look, unresolved: Alert | None, moment: Moment, *, position: int) -> Alert:
    if unresolved is not None and not look.holds:
        changed = unresolved.rule_version != look.rule.version
        reason = Reason.RULE_CHANGED if changed else Reason.FACTS_CHANGED
        return unresolved.resolved(moment.now, position=position, reason=reason)
    raised = raise_alert(
        look.rule,
        look.fact,
        values=look.values,
        unit_name=moment.unit_name(look.fact.unit_id),
        now=moment.now,
        position=position,
    )
    return raised if unresolved is None else unresolved.carried_over(raised)
