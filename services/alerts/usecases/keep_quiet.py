"""Decides what is not raised, though its condition holds, and what is raised and not told.

Not raised: what has not held long enough, what somebody closed by hand and has not cleared since, and on days without
school what is about school days. Raised and not told: what a silence or a graver alert covers, and what comes after the
first of its group.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts import store
from services.alerts.domain import Alert, Rule, Transition
from services.alerts.domain.silences import Silence
from services.alerts.store.keeping_quiet import Group
from services.alerts.usecases.conclude import Verdict
from services.alerts.usecases.moment import Moment

Key = tuple[str, int, str]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a rule says of a fact: whether its condition holds, and whether it has an alert already."""

    key: Key
    rule: Rule
    holds: bool
    is_open: bool


@dataclass(frozen=True, slots=True)
class Quiet:
    """What is not raised, and of what when to look again."""

    keys: set[Key] = field(default_factory=set)
    looks: dict[Key, datetime] = field(default_factory=dict)


async def unraisable(connection: AsyncConnection, wishes: Sequence[Wish], moment: Moment) -> Quiet:
    """What is not raised now; keeps since when each condition holds that has to hold for a while."""
    quiet = Quiet()
    await _wait(connection, [wish for wish in wishes if wish.rule.for_minutes], quiet, moment)
    closed = await store.dismissed_alerts(connection, [wish.key for wish in wishes])
    cleared = [alert_id for wish in wishes if not wish.holds for alert_id in closed.get(wish.key, ())]
    if cleared:
        await store.forget_dismissals(connection, cleared)
    quiet.keys.update(wish.key for wish in wishes if wish.holds and wish.key in closed)
    _wait_for_school([wish for wish in wishes if wish.rule.school_days_only], quiet, moment)
    return quiet


def _wait_for_school(wishes: Sequence[Wish], quiet: Quiet, moment: Moment) -> None:
    """Those of these whose unit has no lessons today are looked at when the next school day begins.

    Where none is known yet, they are once others are told (`follow_calendars`).
    """
    firsts: dict[int, datetime | None] = {}
    for wish in wishes:
        unit_id = wish.key[1]
        if moment.is_school_day(unit_id):
            continue
        quiet.keys.add(wish.key)
        if not wish.holds or wish.is_open:
            continue
        if unit_id not in firsts:
            firsts[unit_id] = moment.first_in_school(unit_id, moment.now)
        if first := firsts[unit_id]:
            quiet.looks[wish.key] = max(first, quiet.looks.get(wish.key, first))


async def _wait(connection: AsyncConnection, wishes: Sequence[Wish], quiet: Quiet, moment: Moment) -> None:
    if not wishes:
        return
    waiting = {wish.key: wish.rule for wish in wishes if wish.holds and not wish.is_open}
    over = [wish.key for wish in wishes if wish.key not in waiting]
    if over:
        await store.forget_pending(connection, over)
    if not waiting:
        return
    since = await store.pending_since(connection, list(waiting), now=moment.now)
    for key, rule in waiting.items():
        ripe = since[key] + rule.holds_for
        if ripe > moment.now:
            quiet.keys.add(key)
            quiet.looks[key] = ripe


async def hush(
    connection: AsyncConnection, verdicts: Sequence[Verdict], rules: Mapping[str, Rule], moment: Moment
) -> list[Verdict]:
    """The verdicts with those not told that a silence, a graver alert or their group keeps quiet."""
    raised = [verdict for verdict in verdicts if verdict.transition is Transition.RAISED]
    if not raised:
        return list(verdicts)
    silences = await store.silences_at(connection, moment.now)
    covered = await _covered(connection, raised, rules, silences, moment)
    groups = [
        Group(rule.code, verdict.key[1], rule.group_hours)
        for verdict in raised
        if verdict.key not in covered and (rule := rules[verdict.key[0]]).group_hours
    ]
    told = await store.tell_groups(connection, groups, now=moment.now) if groups else set()
    return [_hushed(verdict, rules, covered, told, moment) for verdict in verdicts]


def _hushed(
    verdict: Verdict, rules: Mapping[str, Rule], covered: Mapping[Key, str], told: set[tuple[str, int]], moment: Moment
) -> Verdict:
    if verdict.transition is not Transition.RAISED:
        return verdict
    by = covered.get(verdict.key)
    if by is not None:
        return replace(
            verdict,
            transition=Transition.SUPPRESSED,
            alert_at=lambda position: verdict.alert_at(position).suppressed(by, now=moment.now, position=position),
        )
    group = verdict.key[:2]
    if not rules[verdict.key[0]].group_hours:
        return verdict
    first = group in told
    told.discard(group)
    if first:
        return verdict
    return replace(verdict, alert_at=lambda position: replace(verdict.alert_at(position), after_first=True))


async def _covered(
    connection: AsyncConnection,
    raised: Sequence[Verdict],
    rules: Mapping[str, Rule],
    silences: Sequence[Silence],
    moment: Moment,
) -> dict[Key, str]:
    """What keeps each of these from being told, by key."""
    placed = await store.successors(connection, {verdict.key[1] for verdict in raised}, moment.today)
    inhibiting = {code for verdict in raised for code in rules[verdict.key[0]].inhibited_by}
    graver: set[tuple[int, str]] = set()
    if inhibiting:
        graver = await store.open_rules(connection, {verdict.key[1] for verdict in raised}, inhibiting)
        graver |= {(verdict.key[1], verdict.key[0]) for verdict in raised if verdict.key[0] in inhibiting}
    found: dict[Key, str] = {}
    for verdict in raised:
        code, unit_id, subject = verdict.key
        rule, place = rules[code], placed.get(unit_id, unit_id)
        silence = covering(silences, rule=code, family=rule.family, subject=subject, place=place, moment=moment)
        by = silence.name if silence else _graver(rule, unit_id, graver)
        if by:
            found[verdict.key] = by
    return found


def covering(
    silences: Sequence[Silence], *, rule: str, family: str, subject: str, place: int, moment: Moment
) -> Silence | None:
    """The first of these silences that covers an alert."""
    return next(
        (
            one
            for one in silences
            if one.covers(
                rule=rule, family=family, subject=subject, lies_below=lambda above: moment.contains(above, place)
            )
        ),
        None,
    )


def _graver(rule: Rule, unit_id: int, open_rules: set[tuple[int, str]]) -> str:
    return next((f"rule:{code}" for code in rule.inhibited_by if (unit_id, code) in open_rules), "")


async def what_covers(
    connection: AsyncConnection, alerts: Sequence[Alert], rules: Mapping[str, Rule], moment: Moment
) -> dict[int, str]:
    """What keeps each of these alerts from being told now, by id; those that nothing does are missing."""
    silences = await store.silences_at(connection, moment.now)
    inhibiting = {code for alert in alerts if alert.rule in rules for code in rules[alert.rule].inhibited_by}
    graver = (
        await store.open_rules(connection, {alert.unit_id for alert in alerts}, inhibiting) if inhibiting else set()
    )
    found: dict[int, str] = {}
    for alert in alerts:
        silence = covering(
            silences, rule=alert.rule, family=alert.family, subject=alert.subject, place=alert.place, moment=moment
        )
        by = (
            silence.name
            if silence
            else _graver(rules[alert.rule], alert.unit_id, graver)
            if alert.rule in rules
            else ""
        )
        if by:
            found[alert.alert_id] = by
    return found
