"""Tells alerts of one rule together: one notice for each reader, which grows and is never sent twice.

Inboxes show a group at once. Messages wait for more of it, and tell again after a while if it has grown. A group whose
alerts are all resolved is over, and what comes after it begins another. An alert is in one group of a rule and unit,
however often it is told, and each of its changes is seen in the group's numbers and in the list of its alerts. Whoever
is no reader any more when a group grows, or holds nothing at its unit when it changes, loses its notice, which would
tell what came after.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.tail import allot_positions
from services.notify import store
from services.notify.domain import Delivery, Matter, Recipient
from services.notify.domain.groups import Group, GroupKey, matter_of
from services.notify.store import groups
from services.notify.store.queue import queue_deliveries

Readers = dict[str, Recipient]
Reads = Callable[[str, int], bool]  # Whether somebody holds anything on a unit or above it.


@dataclass(slots=True)
class Together:
    """Alerts of a rule to tell together at a unit, each to its readers; those told `again` are news in their group.

    `alone` are readers who have one of the alerts by itself: they are not told, and keep the group where they have it.
    """

    wait: timedelta
    interval: timedelta
    alerts: dict[int, Readers] = field(default_factory=dict)
    again: set[int] = field(default_factory=set)
    alone: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Plan:
    """Groups by their matters: those there are, those that grew and how they tell that, those changed, and readers."""

    known: dict[int, Group] = field(default_factory=dict)
    grown: dict[int, Together] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)
    readers: dict[int, Readers] = field(default_factory=dict)


async def tell_together(
    connection: AsyncConnection,
    wanted: Mapping[GroupKey, Together],
    changed: Collection[int],
    *,
    unit_name: Callable[[int], str],
    reads: Reads,
    now: datetime,
) -> int:
    """Let alerts join their groups, and show what became of those in one; returns how many notices that changes.

    The matters of all these alerts are locked.
    """
    plan = await _planned(connection, wanted, changed)
    renewed = {
        matter_id: plan.known[matter_id].grown(now, wait=one.wait, interval=one.interval)
        for matter_id, one in plan.grown.items()
    }
    renewed |= {one: plan.known[one].changed() for one in plan.changed - renewed.keys()}
    plan.known |= renewed
    told = await _keep(connection, renewed, unit_name)
    return await _deliver(connection, plan, told, reads, now=now)


async def _planned(connection: AsyncConnection, wanted: Mapping[GroupKey, Together], changed: Collection[int]) -> _Plan:
    """What becomes of which group; alerts join here."""
    plan = _Plan()
    meant = {*changed, *(alert_id for one in wanted.values() for alert_id in one.alerts)}
    if not meant:
        return plan
    plan.known = {one.matter_id: one for one in await groups.lock_groups(connection, wanted.keys(), meant)}
    homes: dict[tuple[GroupKey, int], int] = {}
    for matter_id, alert_id in await groups.memberships(connection, meant):
        homes[plan.known[matter_id].key, alert_id] = matter_id
        if alert_id in changed:
            plan.changed.add(matter_id)
    joining = {key for key, one in wanted.items() if any((key, alert_id) not in homes for alert_id in one.alerts)}
    current = await groups.current_groups(connection, joining) if joining else {}
    plan.known |= {one.matter_id: one for one in current.values()}
    pairs = []
    for key, one in wanted.items():
        for alert_id, readers in one.alerts.items():
            home = homes.get((key, alert_id))
            target = current[key].matter_id if home is None else home
            if home is None:
                pairs.append((target, alert_id))
            if home is None or alert_id in one.again:
                plan.grown[target] = one
            plan.readers.setdefault(target, {}).update(readers)
    if pairs:
        await groups.add_members(connection, pairs)
    return plan


async def _keep(
    connection: AsyncConnection, renewed: Mapping[int, Group], unit_name: Callable[[int], str]
) -> dict[int, Matter]:
    """Write down what groups say now; returns that, by matter."""
    if not renewed:
        return {}
    await groups.keep_groups(connection, list(renewed.values()))
    contents = await groups.contents_of(connection, renewed.keys())
    matters = {
        matter_id: matter_of(group, contents[matter_id], unit_name(group.unit_id))
        for matter_id, group in sorted(renewed.items())
    }
    await store.keep_matters(connection, list(matters.values()))
    return matters


async def _deliver(
    connection: AsyncConnection, plan: _Plan, told: Mapping[int, Matter], reads: Reads, *, now: datetime
) -> int:
    """Bring groups to their readers, and those that grew once more to all who have them and still are readers."""
    notices = await groups.lock_notices_of(connection, {*plan.readers, *told})
    if gone := {one[0] for one in notices if _left(plan, reads, matter_id=one[1], subject=one[2])}:
        await groups.end_notices(connection, gone)
        notices = [one for one in notices if one[0] not in gone]
    queued: dict[tuple[int, str], Delivery] = {}
    for _, matter_id, subject, because in notices:
        if matter_id in plan.grown:
            queued[matter_id, subject] = _delivery(plan.known[matter_id], Recipient(subject, because))
    held = {(matter_id, subject) for _, matter_id, subject, _ in notices}
    fresh = []
    for matter_id, readers in plan.readers.items():
        for subject, recipient in readers.items():
            if (matter_id, subject) not in held:
                fresh.append(_delivery(plan.known[matter_id], recipient))
                queued[matter_id, subject] = fresh[-1]
    matters = dict(told)
    if missing := {matter_id for matter_id, _ in queued} - matters.keys():
        matters |= await groups.matters_by_id(connection, missing)
    await queue_deliveries(connection, list(queued.values()), matters, now)
    anew = [notice_id for notice_id, matter_id, _, _ in notices if matter_id in plan.grown]
    moved = [notice_id for notice_id, matter_id, _, _ in notices if matter_id in told and matter_id not in plan.grown]
    if count := len(anew) + len(moved) + len(fresh):
        first = await allot_positions(connection, count)
        await store.move_notices(connection, moved, first=first)
        await store.move_notices(connection, anew, first=first + len(moved), anew=True)
        await store.deliver(connection, fresh, first=first + len(moved) + len(anew), now=now)
    return count


def _left(plan: _Plan, reads: Reads, *, matter_id: int, subject: str) -> bool:
    if subject in plan.readers.get(matter_id, {}):
        return False
    grown = plan.grown.get(matter_id)
    if grown is not None and subject not in grown.alone:
        return True
    return not reads(subject, plan.known[matter_id].unit_id)


def _delivery(group: Group, recipient: Recipient) -> Delivery:
    return Delivery(group.matter_id, recipient, group.occasion, group.tell_time)
