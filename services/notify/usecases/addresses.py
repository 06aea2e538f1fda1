"""Confirms the addresses people give, by a code that is sent there, and gives up addresses that are refused for good.

Nothing but the code leaves for an address that was not confirmed. One that the other side does not know is used no
more: what was on its way goes by the fall-back channel, and the person is told in the inbox.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.errors import Fault, FieldViolation, Kind
from chassis.tail import allot_positions
from services.notify import store
from services.notify.domain import Delivery, Matter, Recipient
from services.notify.domain.channels import ADDRESSED, Channel, ChannelRules, Contact, Message
from services.notify.domain.codes import new_code, sent
from services.notify.domain.statuses import meaning_of
from services.notify.store import codes, contacts, dispatches
from services.notify.usecases.routing import reroute

TOPIC = "address"
LINK = "/notices.html#preferences"
BECAUSE = "chủ địa chỉ"

log = structlog.get_logger(__name__)


async def send_codes(
    connection: AsyncConnection, subject: str, contact: Contact, *, set_up: Collection[Channel], now: datetime
) -> None:
    """Send a code to each address that is not confirmed and was sent none; the subject's lock is held.

    None is made for a channel that has no server: it would be over before anybody could send it.
    """
    for channel in set_up:
        address = contact.at(channel)
        if address.address and not address.confirmed:
            before = await codes.code_of(connection, subject, channel)
            if before is None or (before.address != address.address and before.may_follow(now) is None):
                await _send(connection, subject, channel, address.address, now=now)


async def send_code(
    connection: AsyncConnection, subject: str, channel: Channel, *, set_up: Collection[Channel], now: datetime
) -> datetime:
    """Send a code on demand; returns until when it can be used.

    Raises NOTHING_TO_CONFIRM, CHANNEL_NOT_SET_UP or CODE_TOO_SOON.
    """
    await contacts.lock_subjects(connection, [subject])
    address = (await _contact(connection, subject)).at(channel)
    if not address.address or channel not in ADDRESSED or address.used:
        raise _nothing_to_confirm()
    if channel not in set_up:
        raise _not_set_up(channel)
    before = await codes.code_of(connection, subject, channel)
    later = before.may_follow(now) if before is not None else None
    if later is not None:
        raise _too_soon(later, now)
    return await _send(connection, subject, channel, address.address, now=now)


async def confirm(
    connection: AsyncConnection,
    subject: str,
    channel: Channel,
    code: str,
    *,
    rules: Mapping[Channel, ChannelRules],
    now: datetime,
) -> Fault | None:
    """Confirm an address by its code; a code that does not fit costs a try, which is kept: the fault is returned."""
    await contacts.lock_subjects(connection, [subject])
    contact = await _contact(connection, subject)
    kept = await codes.code_of(connection, subject, channel)
    if kept is None or kept.address != contact.at(channel).address or contact.at(channel).used:
        return _nothing_to_confirm()
    if not kept.fits(code, now=now):
        left = replace(kept, tries_left=max(kept.tries_left - 1, 0))
        await codes.keep_code(connection, left)
        return _wrong_code(left.tries_left if now < left.expire_time else 0)
    await codes.use_up(connection, kept)
    await contacts.keep_contacts(connection, {subject: contact.known_as(channel, confirmed=True)}, now)
    await reroute(connection, [subject], rules)
    return None


async def give_up_address(
    connection: AsyncConnection,
    message: Message,
    reason: str,
    *,
    rules: Mapping[Channel, ChannelRules],
    now: datetime,
) -> bool:
    """Use an address no more that was refused for good, and tell its owner; says whether it was in use."""
    subject, channel = message.subject, message.channel
    await contacts.lock_subjects(connection, [subject])
    contact = await _contact(connection, subject)
    known = contact.at(channel)
    if known.address != message.address or known.failure:
        return False
    failed = contact.known_as(channel, confirmed=known.confirmed, failure=reason[:300] or "refused")
    await contacts.keep_contacts(connection, {subject: failed}, now)
    await reroute(connection, [subject], rules)
    await dispatches.divert_waiting(connection, message, rules[channel].fallback, now)
    number = await store.another_matter(connection)
    matter = _failure(number, channel, known.address, failed.at(channel).failure)
    await store.keep_matters(connection, [matter])
    delivery = Delivery(number, Recipient(subject, BECAUSE))
    first = await allot_positions(connection, 1)
    await store.deliver(connection, [delivery], first=first, now=now)
    log.warning("address given up", action="address.failed", channel=channel.value)
    return True


async def _contact(connection: AsyncConnection, subject: str) -> Contact:
    return (await contacts.contacts_of(connection, [subject])).get(subject, Contact())


async def _send(
    connection: AsyncConnection, subject: str, channel: Channel, address: str, *, now: datetime
) -> datetime:
    before = await codes.code_of(connection, subject, channel)
    if before is not None:
        await codes.forget_message(connection, before.matter_id)
    number, code = await store.another_matter(connection), new_code()
    made = sent(before, code, subject=subject, channel=channel.value, address=address, matter_id=number, now=now)
    await codes.keep_code(connection, made)
    await store.keep_matters(connection, [_told(number, code)])
    await codes.queue_code(connection, made, now)
    return made.expire_time


def _told(number: int, code: str) -> Matter:
    return Matter(
        alert_id=number,
        version=1,
        unit_id=0,
        unit_name="IOC Edu",
        title_vi=f"Mã xác nhận {code}",
        title_en=f"Code {code}",
        body_vi="Nhập mã này ở trang Cách nhận thông báo trong 24 giờ. Nếu không phải bạn, hãy bỏ qua thư này.",
        body_en="Enter it on the page of how you are told within 24 hours. If it was not you, leave this alone.",
        severity="info",
        resolved=False,
        taken_by="",
        topic=TOPIC,
        link=LINK,
    )


def _failure(number: int, channel: Channel, address: str, reason: str) -> Matter:
    meaning_vi, meaning_en = meaning_of(reason)
    what_vi, what_en = ("thư", "Mails") if channel is Channel.EMAIL else ("tin nhắn", "Text messages")
    return Matter(
        alert_id=number,
        version=1,
        unit_id=0,
        unit_name="IOC Edu",
        title_vi=f"Không gửi được {what_vi} tới {address}",
        title_en=f"{what_en} to {address} do not arrive",
        body_vi=f"{meaning_vi}. Từ nay không gửi tới đó nữa; hãy sửa, hoặc xác nhận lại nếu đúng.\n"
        f"Nguyên văn câu trả lời của bên nhận: {reason}",
        body_en=f"{meaning_en}. Nothing is sent there any more; correct it, or confirm it again.\n"
        f"The other side's own words: {reason}",
        severity="warning",
        resolved=False,
        taken_by="",
        topic=TOPIC,
        link=LINK,
    )


def _nothing_to_confirm() -> Fault:
    vi = "Không có địa chỉ nào đang chờ xác nhận ở kênh này. Hãy lưu địa chỉ trước."
    en = "No address waits to be confirmed on this channel. Save the address first."
    return Fault(
        Kind.PRECONDITION,
        "NOTHING_TO_CONFIRM",
        vi=vi,
        en=en,
        violations=[FieldViolation("channel", "NOTHING_TO_CONFIRM", vi, en)],
    )


def _not_set_up(channel: Channel) -> Fault:
    what_vi, what_en = {
        Channel.EMAIL: ("máy chủ thư điện tử", "a mail server"),
        Channel.SMS: ("nhà cung cấp tin nhắn SMS", "an SMS provider"),
    }[channel]
    vi = f"Không gửi được mã: nơi này chưa thiết lập {what_vi}. Hãy báo người vận hành hệ thống, hoặc dùng kênh khác."
    en = (
        f"No code can be sent: {what_en} is not set up here. Tell those who operate the system, or use another channel."
    )
    return Fault(
        Kind.PRECONDITION,
        "CHANNEL_NOT_SET_UP",
        vi=vi,
        en=en,
        metadata={"channel": channel.value},
        violations=[FieldViolation("channel", "CHANNEL_NOT_SET_UP", vi, en)],
    )


def _wrong_code(left: int) -> Fault:
    vi, en = f"Mã không đúng hoặc đã hết hạn; còn {left} lần thử.", f"The code is wrong or over; {left} tries are left."
    if not left:
        vi, en = "Mã không còn dùng được. Hãy yêu cầu mã mới.", "The code cannot be used any more. Ask for another."
    return Fault(
        Kind.INVALID,
        "WRONG_CODE",
        vi=vi,
        en=en,
        metadata={"tries_left": str(left)},
        violations=[FieldViolation("code", "WRONG_CODE", vi, en)],
    )


def _too_soon(later: datetime, now: datetime) -> Fault:
    return Fault(
        Kind.EXHAUSTED,
        "CODE_TOO_SOON",
        vi="Vừa gửi mã rồi. Hãy chờ rồi yêu cầu lại.",
        en="A code was sent a moment ago. Wait before you ask for another.",
        metadata={"retry_time": later.isoformat()},
        retry_after=later - now,
    )
