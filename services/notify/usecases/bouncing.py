"""Takes mails that come back after they were accepted: what they told leaves by the fall-back channel.

An address that is none is given up at once. One whose mailbox is full, or whose server was away for days, is counted
and given up after as many as the channel's rules say.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify.domain.bounces import Bounce, Fate
from services.notify.domain.channels import Channel, ChannelRules, Message
from services.notify.store import bounces, contacts, dispatches
from services.notify.usecases.addresses import give_up_address

log = structlog.get_logger(__name__)


async def take_bounce(
    connection: AsyncConnection,
    dispatch_id: UUID,
    bounce: Bounce,
    *,
    digest: str,
    rules: Mapping[Channel, ChannelRules],
    now: datetime,
) -> bool:
    """Note what a notification says of a message, once; says whether an inbox changed.

    Of a person who is forgotten meanwhile nothing is written: an erasure holds the same lock.
    """
    subject = await bounces.subject_of(connection, dispatch_id)
    if subject is None:
        return False
    await contacts.lock_subjects(connection, [subject])
    new = await bounces.keep_bounce(connection, dispatch_id, bounce, digest=digest, now=now)
    if not new or bounce.fate is not Fate.FAILED:
        return False
    message = await bounces.take_back(connection, dispatch_id, now)
    if message is None:
        return False
    fallback = rules[message.channel].fallback
    others = await dispatches.fall_back(connection, message, fallback, now) if fallback else 0
    log.warning(
        "message came back",
        action="dispatch.bounced",
        dispatch_id=str(dispatch_id),
        channel=message.channel.value,
        status=bounce.status,
        fallen_back=others,
    )
    if bounce.no_address or await _once_too_often(connection, message, rules[message.channel], now):
        return await give_up_address(connection, message, bounce.detail or bounce.status, rules=rules, now=now)
    return False


async def _once_too_often(connection: AsyncConnection, message: Message, rules: ChannelRules, now: datetime) -> bool:
    """Count that an address did not take a mail, and say whether it has been too often within some days.

    The subject's lock is held.
    """
    contact = (await contacts.contacts_of(connection, [message.subject])).get(message.subject)
    if contact is None or contact.at(message.channel).address != message.address:
        return False
    counted = contact.bounced(now, within=timedelta(days=rules.bounce_days))
    await contacts.keep_contacts(connection, {message.subject: counted}, now)
    return counted.email_bounces >= rules.most_bounces
