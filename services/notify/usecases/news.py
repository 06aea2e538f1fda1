"""Delivers news of alerts to those they concern, and shows what becomes of them to those who were told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.scope_tree import EVERY_UNIT, ScopeTree
from chassis.tail import allot_positions
from services.notify import store
from services.notify.domain import Delivery, News, Recipient, because, newest
from services.notify.domain.groups import GroupKey, unit_of
from services.notify.store import groups
from services.notify.store.queue import queue_deliveries
from services.notify.usecases.erasing import told
from services.notify.usecases.faults import unknown_unit_id
from services.notify.usecases.grouping import Reads, Together, tell_together

log = structlog.get_logger(__name__)


class Audience(Protocol):
    """Whom news of a unit concerns by their roles: at the unit and above it, or, with `exactly`, at the unit alone."""

    def __call__(self, roles: tuple[str, ...], unit_id: int, *, exactly: bool = False) -> Sequence[Recipient]:
        """Each of them once."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where units stand, how they are called and who reads of them when news is told."""

    name: Callable[[int], str]
    parent: Callable[[int], int | None]
    reads: Reads


async def deliver_news(
    connection: AsyncConnection,
    news: Sequence[News],
    *,
    audience: Audience,
    place: Place,
    now: datetime,
) -> bool:
    """Keep what is newer than known, tell those whom it concerns now, and show the rest to those who were told.

    Whoever was told and holds nothing there any more loses the notice, which would tell what came after.
    Order does not matter: a matter whose end is known before its beginning is delivered as resolved.
    """
    matters = await told(connection, newest(news))
    kept = await store.keep_matters(connection, matters)
    deliveries = _deliveries([one for one in news if one.stands_alone], audience)
    together = await _together(connection, [one for one in news if not one.stands_alone], audience, place)
    # What is kept as of its beginning was not known before: nobody can have a notice of it yet.
    beginnings = {(one.matter.alert_id, one.matter.version) for one in news if one.begins}
    continued = {
        matter.alert_id
        for matter in matters
        if matter.alert_id in kept and (matter.alert_id, matter.version) not in beginnings
    }
    grouped = await tell_together(connection, together, continued, unit_name=place.name, reads=place.reads, now=now)
    units = {matter.alert_id: matter.unit_id for matter in matters if matter.alert_id in continued}
    notices = await groups.lock_notices_of(connection, continued) if continued else []
    gone = {one[0] for one in notices if not place.reads(one[2], units[one[1]])}
    moved = [one[0] for one in notices if one[0] not in gone]
    if gone:
        await groups.end_notices(connection, gone)
    if not deliveries and not moved:
        return bool(grouped or gone)
    await queue_deliveries(connection, deliveries, {matter.alert_id: matter for matter in matters}, now)
    first = await allot_positions(connection, len(moved) + len(deliveries))
    await store.move_notices(connection, moved, first=first)
    await store.deliver(connection, deliveries, first=first + len(moved), now=now)
    log.info("news delivered", action="news.delivered", matters=len(matters), notices=len(deliveries), moved=len(moved))
    return True


def _deliveries(news: Sequence[News], audience: Audience) -> list[Delivery]:
    """Each matter once for each of those to tell, by whichever of its changes names them first."""
    found: dict[tuple[int, str], Delivery] = {}
    for one in news:
        if one.begins or one.widens:
            alert_id = one.matter.alert_id
            for recipient in _recipients(one, audience):
                found.setdefault((alert_id, recipient.subject), Delivery(alert_id, recipient))
    return list(found.values())


async def _together(
    connection: AsyncConnection, news: Sequence[News], audience: Audience, place: Place
) -> dict[GroupKey, Together]:
    """What is told together, without those who have a notice of an alert by itself, as from before it was grouped."""
    telling = [one for one in news if one.begins or one.widens]
    alone = await groups.told_alone(connection, {one.matter.alert_id for one in telling}) if telling else set()
    found: dict[GroupKey, Together] = {}
    for one in telling:
        alert_id, unit_id = one.matter.alert_id, one.matter.unit_id
        for recipient in _recipients(one, audience):
            key = one.rule, unit_of(one.grouping, unit_id, recipient.unit_id, place.parent)
            group = found.setdefault(key, Together(one.group_wait, one.group_interval))
            if (recipient.subject, alert_id) in alone:
                group.alone.add(recipient.subject)
                continue
            group.alerts.setdefault(alert_id, {}).setdefault(recipient.subject, recipient)
            if one.again:
                group.again.add(alert_id)
    return found


def _recipients(one: News, audience: Audience) -> Sequence[Recipient]:
    if not one.audience_roles:
        return ()  # Held back where it comes from, by a silence or a group.
    if not one.audience_units:
        return audience(one.audience_roles, one.matter.unit_id)
    told = (audience(one.audience_roles, unit_id, exactly=True) for unit_id in one.audience_units)
    return [recipient for recipients in told for recipient in recipients]


def place_in(tree: ScopeTree, today: date) -> Place:
    """Units as they are today."""

    def reads(subject: str, unit_id: int) -> bool:
        if tree.unit(unit_id) is not None and not tree.stand_ins(unit_id, today):
            return True  # Nobody stands above what is over and stood for by none: who was told of it keeps that.
        return tree.may(subject, {grant.role for grant in tree.grants_of(subject, today)}, unit_id, today)

    return Place(
        lambda unit_id: unit_name(tree, unit_id), lambda unit_id: next(iter(tree.parents(unit_id, today)), None), reads
    )


def audience_in(tree: ScopeTree, today: date) -> Audience:
    """Who holds one of the roles on a unit or above it today, each once, by the nearest grant; remembered per unit.

    Raises UNKNOWN_UNIT for a unit this tree does not know yet, so that the news is tried again and nobody forgotten.
    """
    known: dict[tuple[tuple[str, ...], int, bool], Sequence[Recipient]] = {}

    def audience(roles: tuple[str, ...], unit_id: int, *, exactly: bool = False) -> Sequence[Recipient]:
        found = known.get((roles, unit_id, exactly))
        if found is None:
            if tree.unit(unit_id) is None:
                raise unknown_unit_id(unit_id)
            by_subject: dict[str, Recipient] = {}
            for subject, role, granted in tree.holders(roles, unit_id, today):
                if granted == unit_id or not exactly:
                    by_subject.setdefault(subject, Recipient(subject, because(role, unit_name(tree, granted)), granted))
            found = known[roles, unit_id, exactly] = tuple(by_subject.values())
            if not found:
                log.warning("nobody to tell", action="news.no_audience", unit_id=unit_id, roles=roles)
        return found

    return audience


def unit_name(tree: ScopeTree, unit_id: int) -> str:
    """What a unit is called, for reasons and lists."""
    unit = tree.unit(unit_id)
    if unit is not None:
        return unit.name
    return "mọi đơn vị" if unit_id == EVERY_UNIT else f"#{unit_id}"
