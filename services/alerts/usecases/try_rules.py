"""Tries rules before they are trusted: against the facts of now, and against what facts were. Touches no alert.

Whatever is told of the past is told as far as facts are kept: the last state of each day. Precision is told beside how
rare the outcome is, since a rare one keeps it low whatever the rule.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.clock import VIETNAM
from chassis.scope_tree import EVERY_UNIT
from services.alerts import store
from services.alerts.domain import PUPIL, Alert, Fact, Rule, Scalar, raise_alert
from services.alerts.domain.backtests import Episode, Known, Moments, clocked, episodes, looks, median_of, together
from services.alerts.domain.combining import fields_together, keys_beside, runs, says_nothing
from services.alerts.domain.early_warning import urgency
from services.alerts.store import counting
from services.alerts.usecases.combine import facts_beside
from services.alerts.usecases.evaluate import is_quiet
from services.alerts.usecases.moment import Moment
from services.alerts.usecases.refusals import no_past, too_much_past
from services.alerts.usecases.rulebook import Condition, compile_rule
from services.alerts.usecases.write_rules import check_rule

PAGE = 1000
REPLAYED_AT_ONCE = 200  # facts
MOST_LOOKS = 300_000  # What a backtest may look at; about half a minute.
MOST_EXAMPLES = 20
STEP = timedelta(hours=6)  # How closely the past is looked at where time alone changes a fact.
Key = tuple[int, str]  # unit, subject
FactKey = tuple[int, str, str]  # unit, kind, subject


@dataclass(slots=True)
class DryRun:
    """What a rule would raise now."""

    fact_count: int = 0
    by_unit: Counter[int] = field(default_factory=Counter)
    examples: list[Alert] = field(default_factory=list)


@dataclass(slots=True)
class Outcome:
    """What followed after alerts on pupils."""

    pupils: int
    left: int
    warned: int
    median_lead_days: float
    top: int
    top_left: int


@dataclass(slots=True)
class Backtest:
    """What a rule would have raised."""

    facts: int = 0
    states: int = 0
    looks: int = 0
    first_time: datetime | None = None
    episodes: dict[Key, list[Episode]] = field(default_factory=dict)
    by_unit: Counter[int] = field(default_factory=Counter)
    by_day: Counter[str] = field(default_factory=Counter)
    median_open_hours: float = 0.0
    still_open: int = 0
    outcome: Outcome | None = None


async def dry_run(connection: AsyncConnection, rule: Rule, below: AbstractSet[int], moment: Moment) -> DryRun:
    """What the rule would raise of the facts of these units now, of none from history. Raises INVALID_RULE.

    How long its condition holds already is not known, so that `for_minutes` counts for nothing.
    """
    await check_rule(connection, rule)
    condition = compile_rule(rule)
    found, after = DryRun(), (-1, "")
    while facts := await store.facts_of(connection, rule.fact_kind, below, after=after, limit=PAGE):
        after = facts[-1].unit_id, facts[-1].subject
        found.fact_count += len(facts)
        beside = await facts_beside(connection, ((rule, fact) for fact in facts))
        for fact in facts:
            if _raisable(rule, fact.unit_id, moment, moment.now) != moment.now:
                continue
            values = fields_together(rule, fact, beside, moment.now)
            if values is not None and condition.holds(values) and not is_quiet(condition, fact, beside, timed=True):
                found.by_unit[fact.unit_id] += 1
                if len(found.examples) < MOST_EXAMPLES:
                    found.examples.append(_example(rule, fact, values, moment))
        await asyncio.sleep(0)
    return found


def _example(rule: Rule, fact: Fact, values: Mapping[str, Scalar], moment: Moment) -> Alert:
    name = moment.unit_name(fact.unit_id)
    return raise_alert(rule, fact, values=values, unit_name=name, now=moment.now, position=0)


async def backtest(
    connection: AsyncConnection, rule: Rule, below: AbstractSet[int], moment: Moment, *, since: datetime, k: int
) -> Backtest:
    """What it would have raised from an instant on. Raises INVALID_RULE; INVALID_FIELD for too much past, or none."""
    if since > moment.now:
        raise no_past()
    await check_rule(connection, rule)
    condition = compile_rule(rule)
    found, after = Backtest(), (-1, "")
    urgencies: dict[Key, tuple[str, tuple[int, ...]]] = {}
    while facts := await store.facts_of(connection, rule.fact_kind, below, after=after, limit=REPLAYED_AT_ONCE):
        after = facts[-1].unit_id, facts[-1].subject
        found.facts += len(facts)
        past = await _past(connection, [fact.key for fact in facts], since)
        found.states += sum(map(len, past.values()))
        beside = await _past(connection, {key for fact in facts for key in keys_beside(rule, fact).values()}, since)
        # Beside the loop, which goes on serving; a page at a time, so that a caller who is gone stops it.
        await asyncio.to_thread(_replay, found, condition, past, beside, moment=moment, urgencies=urgencies)
    every = [one for one_fact in found.episodes.values() for one in one_fact]
    found.median_open_hours = round(median_of([one.hours(moment.now) for one in every]), 2)
    found.still_open = sum(1 for one in every if one.ended is None)
    if rule.fact_kind == PUPIL:
        first_year = moment.years(EVERY_UNIT).of(since.astimezone(VIETNAM).date())
        found.outcome = await _outcome(
            connection, found, below, urgencies, k=k, since=since, years=range(first_year, first_year + 3)
        )
    return found


async def _past(connection: AsyncConnection, keys: Collection[FactKey], since: datetime) -> dict[FactKey, list[Known]]:
    """What facts with these keys were from an instant on, each one's in order."""
    past: dict[FactKey, list[Known]] = {}
    for kind in sorted({kind for _, kind, _ in keys}):
        given = [(unit_id, subject) for unit_id, one, subject in keys if one == kind]
        for unit_id, subject, start, end, values, silent_since in await store.history_of(
            connection, kind, given, since=since
        ):
            fact = Fact(kind, unit_id, subject, 0, values, since=silent_since)
            past.setdefault(fact.key, []).append(Known(fact, max(start, since), end))
    return past


def _replay(
    found: Backtest,
    condition: Condition,
    past: Mapping[FactKey, Sequence[Known]],
    beside: Mapping[FactKey, Sequence[Known]],
    *,
    moment: Moment,
    urgencies: dict[Key, tuple[str, tuple[int, ...]]],
) -> None:
    rule, now = condition.rule, moment.now
    for states in past.values():
        first = states[0]
        key = first.fact.unit_id, first.fact.subject
        found.first_time = min(found.first_time or first.start, first.start)
        others = [beside[one] for one in keys_beside(rule, first.fact).values() if one in beside]
        seen: list[Moments] = []
        for start, end, fact, known in together(states, others, now=now):
            silent_since = start if runs(rule, fact, known) else None
            found.looks += looks(start, end, since=silent_since, step=STEP)
            if found.looks > MOST_LOOKS:
                raise too_much_past(MOST_LOOKS)
            look = partial(_look, condition, fact, known)
            seen.extend(clocked(start, end, since=silent_since, step=STEP, look=look))
        raisable = partial(_raisable, rule, key[0], moment)
        alerts = episodes(seen, holds_for=rule.holds_for, now=now, raisable=raisable)
        if not alerts:
            continue
        found.episodes[key] = alerts
        found.by_unit[key[0]] += len(alerts)
        found.by_day.update(one.began.astimezone(VIETNAM).date().isoformat() for one in alerts)
        values = [known.fact.values for known in states if known.start <= alerts[0].began][-1]
        urgencies[key] = str(values.get("class_key", "")), urgency(values, 0)


def _raisable(rule: Rule, unit_id: int, moment: Moment, at: datetime) -> datetime | None:
    """The first instant from one on at which the rule may raise something of a unit."""
    return moment.first_in_school(unit_id, at) if rule.school_days_only else at


def _look(condition: Condition, fact: Fact, beside: Mapping[FactKey, Fact], at: datetime) -> Moments:
    """What the condition said at an instant; undecided it raises nothing and ends nothing."""
    values = fields_together(condition.rule, fact, beside, at)
    if values is None:
        return Moments(at, holds=False, stays=not says_nothing(condition.rule, fact, beside))
    return Moments(at, bool(condition.holds(values)), condition.still_holds(values) is not False)


async def _outcome(
    connection: AsyncConnection,
    found: Backtest,
    below: AbstractSet[int],
    urgencies: Mapping[Key, tuple[str, tuple[int, ...]]],
    *,
    k: int,
    since: datetime,
    years: range,
) -> Outcome:
    """Who left school after an alert, and how long after; only leaving since the instant is looked at."""
    pupils = await counting.outcomes(connection, below, years)
    left: dict[Key, datetime] = {
        (school_id, f"{year}/{key}"): time
        for school_id, key, year, _, has_left, time, _ in pupils
        if has_left and time is not None and time >= since
    }
    leads = []
    for key, time in left.items():
        alerts = found.episodes.get(key)
        if alerts and alerts[0].began < time:
            leads.append((time - alerts[0].began) / timedelta(days=1))
    classes: dict[tuple[int, str], list[tuple[tuple[int, ...], Key]]] = {}
    for key, (class_key, urgent) in urgencies.items():
        classes.setdefault((key[0], class_key), []).append((urgent, key))
    top = {key for ranked in classes.values() for _, key in sorted(ranked, reverse=True)[:k]}
    followed = {key for key in top if key in left and found.episodes[key][0].began < left[key]}
    return Outcome(len(pupils), len(left), len(leads), round(median_of(leads), 2), len(top), len(followed))
