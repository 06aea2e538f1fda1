"""Lets open alerts follow their rules, and has what stands looked at by those that came into force.

No alert stays open on a version that is no longer in force: what still holds under the version in force
is carried over; the rest is resolved, with the reason in its history. An alert whose rule is in force but cannot be
used, at all or on its fact, is left alone: a faulty rule must not close what a sound one found.
"""

from collections.abc import Mapping
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts import store
from services.alerts.domain import Alert, Change, Fact, Reason, Rule, Scalar, Transition, raise_alert
from services.alerts.domain.combining import fields_together, says_nothing
from services.alerts.usecases.combine import facts_beside
from services.alerts.usecases.conclude import Verdict, conclude_each
from services.alerts.usecases.moment import Moment
from services.alerts.usecases.rulebook import Condition, rulebook


async def follow_rules(
    connection: AsyncConnection, moment: Moment, *, limit: int, after: int = 0
) -> tuple[int, list[Change]]:
    """Settle open alerts that stand on a version not in force, at most `limit`, with ids behind `after`.

    Returns the id to go on after (0: there are no more, whatever could not be settled) and what changed.
    """
    rules = await store.rules_in_force(connection, moment.today)
    usable = rulebook(rules).by_code()
    outdated = await store.outdated_alerts(
        connection,
        {code: rule.version for code, (rule, _) in usable.items()},
        sparing=[rule.code for rule in rules if rule.code not in usable],
        after=after,
        limit=limit,
    )
    keys = list(outdated.values())
    if not keys:
        return 0, []
    wanted = [(unit_id, usable[code][0].fact_kind, subject) for code, unit_id, subject in keys if code in usable]
    facts = await store.lock_facts(connection, wanted)
    alerts = await store.lock_unresolved(connection, keys)
    looked_at = [
        facts.get((unit_id, usable[code][0].fact_kind, subject)) for code, unit_id, subject in keys if code in usable
    ]
    rules_of = [usable[code][0] for code, _, _ in keys if code in usable]
    pairs = [(rule, fact) for rule, fact in zip(rules_of, looked_at, strict=True) if fact is not None]
    beside = await facts_beside(connection, pairs)
    verdicts = [_verdict(alert, usable, {**beside, **facts}, moment) for alert in alerts.values()]
    changes, _ = await conclude_each(connection, [verdict for verdict in verdicts if verdict], moment.unit_name)
    return max(outdated) if len(keys) == limit else 0, changes


async def look_at_standing(
    connection: AsyncConnection,
    rule: Rule,
    unit_ids: frozenset[int] | None,
    moment: Moment,
    *,
    after: tuple[int, str],
    limit: int,
) -> tuple[int, str] | None:
    """Have the facts that a rule speaks of looked at, at most `limit`, of these units (None: of all), behind a place.

    Returns the place to go on after; None: there are no more.
    """
    seen = await store.look_at_slice(connection, rule.fact_kind, unit_ids, after=after, limit=limit, now=moment.now)
    return seen[-1] if len(seen) == limit else None


def _verdict(
    alert: Alert,
    usable: Mapping[str, tuple[Rule, Condition]],
    facts: Mapping[tuple[int, str, str], Fact],
    moment: Moment,
) -> Verdict | None:
    rule, condition = usable.get(alert.rule, (None, None))
    if rule is None or condition is None:
        return Verdict(alert.key, Transition.RESOLVED, partial(_resolved, alert, moment, Reason.RULE_WITHDRAWN))
    if rule.version == alert.rule_version:
        return None  # Another replica was here while the locks were waited for.
    if rule.unit_id and not moment.contains(rule.unit_id, alert.place):
        return Verdict(alert.key, Transition.RESOLVED, partial(_resolved, alert, moment, Reason.RULE_CHANGED))
    fact = facts.get((alert.unit_id, rule.fact_kind, alert.subject))
    ended = Verdict(alert.key, Transition.RESOLVED, partial(_resolved, alert, moment, Reason.RULE_CHANGED))
    if fact is None:
        return ended
    values = fields_together(rule, fact, facts, moment.now)
    if values is None and says_nothing(rule, fact, facts):
        return ended
    holds = None if values is None else condition.still_holds(values)
    if values is None or holds is None:
        return None  # A fact beside this one is missing, or the condition fails.
    if not holds:
        return ended
    return Verdict(alert.key, Transition.CARRIED_OVER, partial(_carried, alert, rule, fact, values, moment))


def _resolved(alert: Alert, moment: Moment, reason: Reason, position: int) -> Alert:
    return alert.resolved(moment.now, position=position, reason=reason)


def _carried(
    alert: Alert, rule: Rule, fact: Fact, values: Mapping[str, Scalar], moment: Moment, position: int
) -> Alert:
    unit_name = moment.unit_name(alert.place)
    return alert.carried_over(
        raise_alert(rule, fact, values=values, unit_name=unit_name, now=moment.now, position=position)
    )
