"""Delivers what other services ask to be told: each request once a revision, however often it comes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.tail import allot_positions
from services.notify import store
from services.notify.domain import Delivery, Matter, Recipient, Request
from services.notify.store.queue import queue_deliveries
from services.notify.usecases.erasing import told as may_be_told
from services.notify.usecases.news import Audience

NAMED = "được nêu đích danh"

log = structlog.get_logger(__name__)


async def deliver_requests(
    connection: AsyncConnection, requests: Sequence[Request], *, audience: Audience, now: datetime
) -> bool:
    """Tell what is newer than delivered, and say whether anything was.

    Who was told an older text sees the new one, unread.
    """
    wanted = _newest(requests)
    fresh = await store.keep_requests(connection, wanted)
    if not fresh:
        return False
    told = [one for one in wanted if one.identity in fresh]
    matters = {fresh[one.identity]: _matter(one, fresh[one.identity]) for one in told}
    await store.keep_matters(connection, await may_be_told(connection, [matters[number] for number in sorted(matters)]))
    again = await store.lock_notices_about(connection, matters)
    deliveries = [delivery for one in told for delivery in _deliveries(one, fresh[one.identity], audience)]
    await queue_deliveries(connection, deliveries, matters, now)
    first = await allot_positions(connection, len(again) + len(deliveries)) if again or deliveries else 0
    await store.move_notices(connection, again, first=first, anew=True)
    await store.deliver(connection, deliveries, first=first + len(again), now=now)
    log.info("requests delivered", action="requests.delivered", requests=len(told), notices=len(deliveries))
    return True


def _newest(requests: Sequence[Request]) -> list[Request]:
    """One a key, as of its newest revision, in the order in which requests are locked."""
    kept: dict[tuple[str, str], Request] = {}
    for one in requests:
        known = kept.get(one.identity)
        if known is None or known.revision < one.revision:
            kept[one.identity] = one
    return [kept[identity] for identity in sorted(kept)]


def _matter(request: Request, matter_id: int) -> Matter:
    return replace(request.matter, alert_id=matter_id, version=request.revision)


def _deliveries(request: Request, matter_id: int, audience: Audience) -> list[Delivery]:
    found: dict[str, Recipient] = {}
    for unit_id in request.unit_ids:
        for recipient in audience(request.audience_roles, unit_id, exactly=not request.and_above):
            found.setdefault(recipient.subject, recipient)
    for subject in request.subjects:
        found.setdefault(subject, Recipient(subject, NAMED))
    if not found:
        log.warning("nobody to tell", action="requests.no_audience", source=request.source, key=request.key)
    return [Delivery(matter_id, recipient, request.revision) for recipient in found.values()]
