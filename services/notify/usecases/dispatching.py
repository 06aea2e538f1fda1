"""Lets messages leave: gathers what waits, takes what is due, and decides after each try what follows.

What is taken is committed before anything is sent, and what came of it afterwards. Whoever dies in between leaves a
message that is tried again under the same id once its lease is over.
"""

import random
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.clock import VIETNAM
from chassis.database import Database
from services.notify.domain.channels import Channel, ChannelRules, Lane, Message, Outcome, Result
from services.notify.domain.delivering import Way, after_quiet_hours, paced, pause_before
from services.notify.store import dispatches
from services.notify.store.dispatches import Due, Gathered, Waiting
from services.notify.usecases.addresses import give_up_address

GATHERED_AT_ONCE = 2000
TAKEN_AT_ONCE = 20

log = structlog.get_logger(__name__)


async def gather(connection: AsyncConnection, rules: Mapping[Channel, ChannelRules], *, now: datetime) -> int:
    """Make messages of deliveries that wait, as many in one as the channel allows; returns of how many.

    Who has quiet hours is told when they are over, unless it is urgent.
    """
    waits = {channel: one.gather_seconds for channel, one in rules.items()}
    waiting = await dispatches.claim_waiting(connection, now, waits, limit=GATHERED_AT_ONCE)
    later: list[tuple[Waiting, datetime]] = []
    ready: list[Waiting] = []
    for one in waiting:
        due = _may_leave(one, now)
        if due > now:
            later.append((one, due))
        else:
            ready.append(one)
    await dispatches.put_off(connection, later)
    gathered = [
        Gathered(uuid.uuid4(), part)
        for group in _by_address(ready)
        for part in _parts(group, rules[group[0].channel].most_together)
    ]
    if gathered:
        await dispatches.add_dispatches(connection, gathered, now)
    return len(waiting)


async def take(
    database: Database, channel: Channel, lane: Lane, rules: ChannelRules, *, now: datetime
) -> list[Message]:
    """Take messages that are due, as many as the channel's pace allows; what is urgent waits for no pace.

    What has waited into its person's quiet hours, for the pace or another try, waits until they are over.
    """
    async with database.connection() as reads:
        if not await dispatches.any_due(reads, channel, lane, now=now):
            return []  # Who keeps the pace writes: several times a second, for nothing.
    while True:
        async with database.transaction() as connection:
            free = await dispatches.free_time(connection, channel)
            allowed, _ = paced(free, now, per_second=rules.per_second, burst=rules.burst, wanted=TAKEN_AT_ONCE)
            limit = TAKEN_AT_ONCE if lane is Lane.URGENT else allowed
            if not limit:
                return []
            due = await dispatches.lock_due(connection, channel, lane, now=now, limit=limit)
            times = {one.dispatch_id: _may_leave(one, now) for one in due}
            later = {dispatch_id: time for dispatch_id, time in times.items() if time > now}
            await dispatches.put_off_messages(connection, later)
            lease = timedelta(seconds=rules.lease_seconds)
            taken = await dispatches.take_messages(connection, channel, times.keys() - later, now=now, lease=lease)
            step = timedelta(seconds=len(taken) / rules.per_second)
            await dispatches.keep_free_time(connection, channel, max(free or now, now) + step)
        if taken or not later:
            return taken


async def conclude(
    connection: AsyncConnection,
    message: Message,
    result: Result,
    every: Mapping[Channel, ChannelRules],
    *,
    now: datetime,
) -> bool:
    """Write down what came of a try: it is done, is tried again later, or is given up and falls back.

    An address that was refused for good is given up too. Says whether an inbox changed.
    """
    rules = every[message.channel]
    if result.outcome is Outcome.ACCEPTED:
        await dispatches.settle(connection, message, result, way=Way.SENT, next_time=now, now=now)
        return False
    if result.outcome is Outcome.RETRY and message.attempt < rules.most_attempts:
        first, longest = rules.pause_seconds
        pause = pause_before(message.attempt, first=first, longest=longest, share=random.random())  # noqa: S311 (no secret)
        await dispatches.settle(connection, message, result, way=Way.QUEUED, next_time=now + pause, now=now)
        return False
    if not await dispatches.settle(connection, message, result, way=Way.DEAD, next_time=now, now=now):
        return False
    others = await dispatches.fall_back(connection, message, rules.fallback, now) if rules.fallback else 0
    log.warning(
        "message given up",
        action="dispatch.dead",
        dispatch_id=str(message.dispatch_id),
        channel=message.channel.value,
        attempts=message.attempt,
        fallen_back=others,
    )
    return result.address_refused and await give_up_address(connection, message, result.detail, rules=every, now=now)


def _may_leave(one: Waiting | Due, now: datetime) -> datetime:
    """Now, or when the quiet hours of its person are over, unless it is urgent."""
    return now if one.priority == 0 else after_quiet_hours(now, one.quiet_from, one.quiet_to, VIETNAM)


def _by_address(waiting: Sequence[Waiting]) -> list[list[Waiting]]:
    """Those with one channel, address and priority together, in the order in which they came."""
    groups: dict[tuple[Channel, str, str, int], list[Waiting]] = {}
    for one in waiting:
        groups.setdefault((one.channel, one.subject, one.address, one.priority), []).append(one)
    return list(groups.values())


def _parts(group: Sequence[Waiting], size: int) -> list[Sequence[Waiting]]:
    return [group[first : first + size] for first in range(0, len(group), size)]
