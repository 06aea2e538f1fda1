"""Lets each reader see what a notice tells, and say how far he or she got.

Refuses a notice that is not in the caller's inbox.
"""

from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.errors import Fault, Kind
from chassis.tail import allot_positions
from services.notify import store
from services.notify.domain import Matter, Notice, State
from services.notify.store import groups


async def read_notice(connection: AsyncConnection, subject: str, notice_id: int, *, now: datetime) -> Notice:
    """Mark a notice as opened; one that is opened or confirmed stays as it is. Raises UNKNOWN_NOTICE."""
    notice = await _own(connection, subject, notice_id)
    if notice.state is not State.UNREAD:
        return notice
    return await _changed(connection, replace(notice, state=State.READ, read_time=notice.read_time or now))


async def acknowledge_notice(connection: AsyncConnection, subject: str, notice_id: int, *, now: datetime) -> Notice:
    """Confirm a notice, which opens it too; one that is confirmed stays as it is. Raises UNKNOWN_NOTICE."""
    notice = await _own(connection, subject, notice_id)
    if notice.state is State.ACKNOWLEDGED:
        return notice
    read_time = notice.read_time or now
    confirmed = replace(notice, state=State.ACKNOWLEDGED, read_time=read_time, acknowledge_time=now)
    return await _changed(connection, confirmed)


async def alerts_of_notice(
    connection: AsyncConnection, subject: str, notice_id: int, *, below: int | None, limit: int
) -> list[Matter]:
    """The alerts that a notice tells, newest first, from the one before `below`. Raises UNKNOWN_NOTICE."""
    notice = await store.find_notice(connection, subject, notice_id)
    if notice is None:
        raise _unknown_notice(notice_id)
    if notice.matter.alert_count:
        return await groups.members_of(connection, notice.matter.alert_id, below=below, limit=limit)
    return [notice.matter] if notice.matter.alert_id > 0 and below is None else []


async def _own(connection: AsyncConnection, subject: str, notice_id: int) -> Notice:
    notice = await store.lock_notice(connection, subject, notice_id)
    if notice is None:
        raise _unknown_notice(notice_id)
    return notice


async def _changed(connection: AsyncConnection, notice: Notice) -> Notice:
    notice = replace(notice, position=await allot_positions(connection, 1))
    await store.update_notice(connection, notice)
    return notice


def _unknown_notice(notice_id: int) -> Fault:
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_NOTICE",
        vi=f"Hộp thư của bạn không có thông báo số {notice_id}.",
        en=f"Your inbox has no notice {notice_id}.",
        metadata={"notice_id": str(notice_id)},
    )
