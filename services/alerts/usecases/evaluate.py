"""Evaluates facts, as they come and as time passes; raises, updates and resolves alerts in the same transaction.

Whoever keeps or claims a fact holds its row until the commit, so that each fact is judged by one replica at a time. The
order of locks is facts, alerts, positions. Refuses to raise anything from history.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import telemetry
from services.alerts import store
from services.alerts.domain import (
    KINDS,
    Alert,
    Change,
    Fact,
    Reason,
    Rule,
    Scalar,
    Transition,
    judge,
    newest,
    raise_alert,
    told_of,
)
from services.alerts.domain.combining import fields_together, next_look, of_nothing, says_nothing
from services.alerts.domain.shapes import SUMS
from services.alerts.store import summing
from services.alerts.usecases.combine import facts_beside, look_at_led
from services.alerts.usecases.conclude import Verdict, conclude_each
from services.alerts.usecases.keep_quiet import Wish, hush, unraisable
from services.alerts.usecases.moment import Moment
from services.alerts.usecases.rulebook import Condition, Rulebook, rulebook

SLICE = 500  # Facts judged between two turns of the loop.
AGAIN = timedelta(hours=1)  # When a fact is looked at again whose alert could not be changed.

Renew = Callable[[AsyncConnection, Sequence[Fact], Moment], Awaitable[list[Fact]]]


@dataclass(frozen=True, slots=True)
class _Look:
    rule: Rule
    fact: Fact
    values: dict[str, Scalar]
    condition: Condition
    beside: Mapping[tuple[int, str, str], Fact]
    holds: bool  # Whether it is to be raised where it is not open.
    in_scope: bool = True  # Whether the rule speaks of the fact at all: of its unit, and of its school year.

    def changes(self, alert: Alert) -> bool:
        """Whether an open alert says something else now; a clock that its texts do not show says nothing."""
        told = told_of(self.values)
        own = KINDS[self.fact.kind].clock
        for clock in (own, *(f"{kind}.{KINDS[kind].clock}" for kind in self.rule.with_kinds)):
            if clock in told and not self.rule.shows(clock):
                told[clock] = alert.facts.get(clock, "")
        return told != alert.facts

    def is_quiet(self, *, timed: bool) -> bool:
        """Whether it raises nothing, though it holds."""
        return is_quiet(self.condition, self.fact, self.beside, timed=timed)

    @property
    def key(self) -> tuple[str, int, str]:
        return self.rule.code, self.fact.unit_id, self.fact.subject


def is_quiet(condition: Condition, fact: Fact, beside: Mapping[tuple[int, str, str], Fact], *, timed: bool) -> bool:
    """Whether a fact raises nothing: one known from history does only as far as time alone has made it hold."""
    if not fact.baseline:
        return False
    if fact.since is None:
        return not (timed and fact.look_time)
    before = fields_together(condition.rule, fact, beside, fact.since)
    return not timed or (before is not None and condition.holds(before) is True)


async def take_facts(connection: AsyncConnection, facts: Sequence[Fact], moment: Moment) -> list[Change]:
    """Keep what is newer than known and evaluate it; returns what changed. What comes from history raises nothing."""
    newer = newest(facts)
    if not newer:
        return []
    kept = await store.keep_facts(connection, newer, [fact.next_look(moment.now) for fact in newer], now=moment.now)
    taken = [fact for fact in newer if fact.key in kept]
    return await evaluate(connection, taken, moment, changed=taken, timed=False)


async def look_at_due_facts(
    connection: AsyncConnection, moment: Moment, *, limit: int, renew: Renew | None = None
) -> tuple[int, list[Change]]:
    """Evaluate facts that time has changed, at most `limit`; returns how many there were, and what changed.

    Time is no history: of a school that was loaded from history it raises what did not hold when its clock began.
    `renew` makes anew those that have to be.
    """
    facts = await store.claim_due_facts(connection, now=moment.now, limit=limit)
    if not facts:
        return 0, []
    due = facts
    if renew is not None:
        facts = await renew(connection, due, moment)
    renewed = [fact for fact, before in zip(facts, due, strict=True) if fact is not before]
    await store.put_off(connection, facts, [fact.next_look(moment.now) for fact in facts])
    return len(due), await evaluate(connection, facts, moment, changed=renewed, timed=True)


async def evaluate(
    connection: AsyncConnection, facts: Sequence[Fact], moment: Moment, *, changed: Sequence[Fact], timed: bool
) -> list[Change]:
    """Judge facts that are held by every rule in force; returns what changed.

    What rules judge together with those that have `changed` is looked at soon, what these are part of is added up.
    """
    if not facts:
        return []
    book = rulebook(await store.rules_in_force(connection, moment.today))
    placed = await store.successors(connection, {fact.unit_id for fact in facts}, moment.today)
    beside = await facts_beside(connection, ((rule, fact) for fact in facts for rule, _ in book.of(fact.kind)))
    looks = await _looks(facts, book, moment, placed, beside)
    unresolved = await store.lock_unresolved(connection, [look.key for look in looks])
    quiet = await unraisable(
        connection,
        [Wish(look.key, look.rule, holds=look.holds, is_open=look.key in unresolved) for look in looks],
        moment,
    )
    verdicts = []
    for look in looks:
        alert = unresolved.get(look.key)
        silent = look.key in quiet.keys or (look.holds and look.is_quiet(timed=timed))
        if verdict := _verdict(look, alert, moment, quiet=silent, place=placed.get(look.fact.unit_id)):
            verdicts.append(verdict)
    verdicts = await hush(connection, verdicts, book.rules(), moment)
    changes, failed = await conclude_each(connection, verdicts, moment.unit_name)
    await _look_again(connection, looks, quiet.looks, {verdict.key for verdict in failed}, moment)
    await look_at_led(connection, changed, book, moment)
    if parts := {(fact.unit_id, fact.kind, fact.baseline) for fact in changed if fact.kind in SUMS}:
        await summing.note_changed(connection, parts)
    return changes


async def _looks(
    facts: Sequence[Fact],
    book: Rulebook,
    moment: Moment,
    placed: Mapping[int, int],
    beside: Mapping[tuple[int, str, str], Fact],
) -> list[_Look]:
    looks: list[_Look] = []
    for number, fact in enumerate(facts):
        own = fact.at(moment.now)
        for rule, condition in book.of(fact.kind):
            together = rule.with_kinds or of_nothing(fact)
            values = fields_together(rule, fact, beside, moment.now) if together else own
            if values is None and says_nothing(rule, fact, beside):
                looks.append(_Look(rule, fact, own, condition, beside, holds=False, in_scope=False))
                continue  # The school year turned, or no school is left: it holds no more.
            holds = None if values is None else condition.holds(values)
            if values is None or holds is None:
                continue  # Undecided: a fact is missing, or the condition fails.
            place = placed.get(fact.unit_id, fact.unit_id)
            in_scope = not rule.unit_id or moment.contains(rule.unit_id, place)
            looks.append(_Look(rule, fact, values, condition, beside, holds and in_scope, in_scope))
        if number % SLICE == SLICE - 1:
            await asyncio.sleep(0)
    for kind, count in Counter(fact.kind for fact in facts).items():
        telemetry.counter("iocedu_alerts_evaluations", "Facts judged by the rules in force.").add(count, {"kind": kind})
    return looks


async def _look_again(
    connection: AsyncConnection,
    looks: Sequence[_Look],
    due: Mapping[tuple[str, int, str], datetime],
    failed: AbstractSet[tuple[str, int, str]],
    moment: Moment,
) -> None:
    """Look again at facts whose alert could not be changed, whose condition has to hold for a while yet, or beside
    which a clock runs.
    """
    again: dict[tuple[int, str, str], tuple[Fact, datetime]] = {}
    for look in looks:
        ripe = moment.now + AGAIN if look.key in failed else due.get(look.key)
        ticks = next_look(look.rule, look.fact, look.beside, moment.now) if look.rule.with_kinds else None
        when = min((one for one in (ripe, ticks) if one is not None), default=None)
        if when is None:
            continue
        own = look.fact.next_look(moment.now)
        known = again.get(look.fact.key)
        again[look.fact.key] = (look.fact, min(when, own or when, known[1] if known else when))
    if again:
        await store.put_off(connection, [fact for fact, _ in again.values()], [when for _, when in again.values()])


def _verdict(
    look: _Look, unresolved: Alert | None, moment: Moment, *, quiet: bool, place: int | None
) -> Verdict | None:
    stays = look.holds
    if unresolved is not None and not stays and look.in_scope and look.condition.clearing is not None:
        stays = look.condition.still_holds(look.values) is not False
    transition = judge(
        holds=stays,
        is_open=unresolved is not None,
        quiet=quiet,
        outdated=unresolved is not None and unresolved.rule_version != look.rule.version,
        changed=unresolved is not None and look.changes(unresolved),
    )
    if transition is None:
        return None
    return Verdict(
        look.key,
        transition,
        lambda position: _after(look, unresolved, moment, transition=transition, place=place, position=position),
        fresh=unresolved is None,
        told=transition is not Transition.UPDATED,
    )


def _after(
    look: _Look,
    unresolved: Alert | None,
    moment: Moment,
    *,
    transition: Transition,
    place: int | None,
    position: int,
) -> Alert:
    if unresolved is not None and transition is Transition.RESOLVED:
        changed = unresolved.rule_version != look.rule.version
        reason = Reason.RULE_CHANGED if changed else Reason.FACTS_CHANGED
        return unresolved.resolved(moment.now, position=position, reason=reason)
    raised = raise_alert(
        look.rule,
        look.fact,
        values=look.values,
        unit_name=moment.unit_name(place or look.fact.unit_id),
        now=moment.now,
        position=position,
    )
    if unresolved is None:
        return raised if place is None else replace(raised, placed_unit_id=place)
    return unresolved.updated(raised) if transition is Transition.UPDATED else unresolved.carried_over(raised)
