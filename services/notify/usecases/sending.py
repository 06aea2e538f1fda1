"""Lets announcements leave: resolves the audience at its time, fills inboxes a slice at a time, and reminds.

Each slice is a transaction of its own, so that thousands of recipients never hold up the notices of an alert.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.clock import Clock
from chassis.errors import Fault, Kind
from chassis.scopes import Scopes
from chassis.tail import allot_positions
from services.notify import store
from services.notify.domain import Delivery, Recipient, because
from services.notify.domain.announcements import Announcement, Receipt
from services.notify.store import announcements, receipts
from services.notify.store.queue import queue_deliveries
from services.notify.usecases.announcements import Scene, audience_now, matter_of
from services.notify.usecases.faults import wrong_state
from services.notify.usecases.news import unit_name
from services.notify.usecases.requests import NAMED

SLICE = 500  # Recipients a transaction.

log = structlog.get_logger(__name__)


async def send_due(connection: AsyncConnection, scopes: Scopes, clock: Clock) -> bool:
    """Let the next announcement leave whose time has come; says whether there was one.

    One whose audience reaches nobody by now goes back to whoever wrote it, with the reason.
    """
    now = clock.now()
    held = await announcements.claim_to_send(connection, now)
    if held is None:
        return False
    tree = scopes.tree  # As it is once the announcement is held, not as it was before.
    try:
        scene = Scene("", now, tree, clock.today())
        reach = await audience_now(connection, held.draft.audience, held.unit_id, scene, path="draft.audience")
    except Fault as fault:
        if fault.kind is Kind.UNAVAILABLE:
            raise
        log.warning(
            "announcement not sent", action="announcement.not_sent", id=held.announcement_id, reason=fault.reason
        )
        await announcements.keep_announcement(connection, held.failed(fault.reason))
        return True
    matter_id = await store.another_matter(connection)
    sent = held.sent(now, recipients=len(reach.members), matter_id=matter_id)
    await announcements.keep_announcement(connection, sent)
    counts = Counter(member.unit_id for member in reach.members)
    # A unit whose people are all told for another of theirs is neither reached nor unreached.
    await receipts.add_units(connection, sent.announcement_id, {**counts, **dict.fromkeys(reach.unreached, 0)})
    await receipts.add_receipts(
        connection,
        sent.announcement_id,
        (
            (one.subject, one.unit_id, because(one.role, unit_name(tree, one.unit_id)) if one.role else NAMED)
            for one in reach.members
        ),
    )
    await store.keep_matters(connection, [matter_of(sent, matter_id, unit_name=unit_name(tree, sent.unit_id))])
    log.info("announcement sent", action="announcement.sent", id=sent.announcement_id, recipients=sent.recipient_count)
    return True


async def deliver_awaited(connection: AsyncConnection, *, now: datetime) -> int:
    """Put announcements into the inboxes of some who await them; returns of how many."""
    claimed = await receipts.claim_to_deliver(connection, limit=SLICE)
    if not claimed:
        return 0
    matters = {}
    for announcement_id in sorted({announcement_id for announcement_id, _, _ in claimed}):
        held = await announcements.announcement_of(connection, announcement_id)
        assert held is not None
        assert held.matter_id is not None, "who awaits an announcement awaits one that was sent"
        matters[announcement_id] = matter_of(held, held.matter_id, unit_name="")
    deliveries = [
        Delivery(matters[announcement_id].alert_id, Recipient(subject, why))
        for announcement_id, subject, why in claimed
    ]
    await queue_deliveries(connection, deliveries, {one.alert_id: one for one in matters.values()}, now)
    await receipts.mark_delivered(connection, [(announcement_id, subject) for announcement_id, subject, _ in claimed])
    first = await allot_positions(connection, len(deliveries))
    await store.deliver(connection, deliveries, first=first, now=now)
    return len(claimed)


async def remind(connection: AsyncConnection, held: Announcement, *, now: datetime) -> tuple[int, int]:
    """Remind by hand those who have a locked announcement and still owe something.

    Returns how many, and how many are left in peace since they were reminded just before.
    """
    if not held.may("remind"):
        raise wrong_state(held, "Chỉ nhắc được văn bản đã gửi.", "Only what was sent can be reminded of.")
    owing = await receipts.lock_outstanding(connection, held) if held.asks else []
    chosen = [one for one in owing if not one.reminded_lately(now)]
    await _remind(connection, held, chosen, now=now)
    return len(chosen), len(owing) - len(chosen)


async def _remind(connection: AsyncConnection, held: Announcement, owing: Sequence[Receipt], *, now: datetime) -> None:
    """Bring a locked announcement once more to those whose receipts are locked."""
    if not owing:
        return
    assert held.matter_id is not None, "who has an announcement has one that was sent"
    subjects = [one.subject for one in owing]
    deliveries = [Delivery(held.matter_id, Recipient(one.subject, ""), one.reminder_count + 1) for one in owing]
    await queue_deliveries(connection, deliveries, {held.matter_id: matter_of(held, held.matter_id, unit_name="")}, now)
    await receipts.count_reminder(connection, held.announcement_id, subjects, now)
    notices = await store.lock_notices_of(connection, held.matter_id, subjects)
    first = await allot_positions(connection, len(notices))
    await store.move_notices(connection, notices, first=first, unread=True)


async def remind_due(connection: AsyncConnection, *, now: datetime) -> bool:
    """Remind of the next announcement whose time for that has come; says whether there was one."""
    held = await announcements.claim_to_remind(connection, now)
    if held is None:
        return False
    owing = await receipts.lock_outstanding(connection, held)
    await _remind(connection, held, owing, now=now)
    await announcements.keep_announcement(connection, held.reminded(now))
    log.info("reminded", action="announcement.reminded", id=held.announcement_id, recipients=len(owing))
    return True
