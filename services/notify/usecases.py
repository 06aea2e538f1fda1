"""What notify does: delivers news to those they concern, and lets each reader say how far he or she got.

The order of locks is matters, notices, positions. Refuses a notice that is not in the caller's inbox.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.errors import Fault, Kind
from chassis.scope_tree import EVERY_UNIT, ScopeTree
from chassis.tail import allot_positions
from services.notify import store
from services.notify.domain import Delivery, News, Notice, Recipient, State, because, newest

log = structlog.get_logger(__name__)

Audience = Callable[[tuple[str, ...], int], Sequence[Recipient]]


async def deliver_news(connection: AsyncConnection, news: Sequence[News], *, audience: Audience, now: datetime) -> bool:
    """Keep what is newer than known, tell those whom it concerns now, and show the rest to those who were told.

    Order does not matter: a matter whose end is known before its beginning is delivered as resolved.
    """
    matters = newest(news)
    kept = await store.keep_matters(connection, matters)
    deliveries = _deliveries(news, audience)
    # What is kept as of its beginning was not known before: nobody can have a notice of it yet.
    beginnings = {one.matter for one in news if one.begins}
    continued = {matter.alert_id for matter in matters if matter.alert_id in kept and matter not in beginnings}
    moved = await store.lock_notices_about(connection, continued) if continued else []
    if not deliveries and not moved:
        return False
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
            named = one.audience_unit_ids
            for unit_id in named or (one.matter.unit_id,):
                for recipient in audience(one.audience_roles, unit_id):
                    if not named or recipient.unit_id == unit_id:
                        found.setdefault((alert_id, recipient.subject), Delivery(alert_id, recipient))
    return list(found.values())


async def read_notice(connection: AsyncConnection, subject: str, notice_id: int, *, now: datetime) -> Notice:
    """Mark a notice as opened; one that is opened or confirmed stays as it is. Raises UNKNOWN_NOTICE."""
    notice = await _own(connection, subject, notice_id)
    if notice.state is not State.UNREAD:
        return notice
    return await _changed(connection, replace(notice, state=State.READ, read_time=now))


async def acknowledge_notice(connection: AsyncConnection, subject: str, notice_id: int, *, now: datetime) -> Notice:
    """Confirm a notice, which opens it too; one that is confirmed stays as it is. Raises UNKNOWN_NOTICE."""
    notice = await _own(connection, subject, notice_id)
    if notice.state is State.ACKNOWLEDGED:
        return notice
    read_time = notice.read_time or now
    confirmed = replace(notice, state=State.ACKNOWLEDGED, read_time=read_time, acknowledge_time=now)
    return await _changed(connection, confirmed)


def audience_in(tree: ScopeTree, today: date) -> Audience:
    """Who holds one of the roles on a unit or above it today, each once, by the nearest grant; remembered per unit.

    Raises UNKNOWN_UNIT for a unit this tree does not know yet, so that the news is tried again and nobody forgotten.
    """
    known: dict[tuple[tuple[str, ...], int], Sequence[Recipient]] = {}

    def audience(roles: tuple[str, ...], unit_id: int) -> Sequence[Recipient]:
        found = known.get((roles, unit_id))
        if found is None:
            if tree.unit(unit_id) is None:
                raise _unknown_unit(unit_id)
            by_subject: dict[str, Recipient] = {}
            for subject, role, granted in tree.holders(roles, unit_id, today):
                by_subject.setdefault(subject, Recipient(subject, because(role, _unit_name(tree, granted)), granted))
            found = known[roles, unit_id] = tuple(by_subject.values())
            if not found:
                log.warning("nobody to tell", action="news.no_audience", unit_id=unit_id, roles=roles)
        return found

    return audience


async def _own(connection: AsyncConnection, subject: str, notice_id: int) -> Notice:
    notice = await store.lock_notice(connection, subject, notice_id)
    if notice is None:
        raise _unknown_notice(notice_id)
    return notice


async def _changed(connection: AsyncConnection, notice: Notice) -> Notice:
    notice = replace(notice, position=await allot_positions(connection, 1))
    await store.update_notice(connection, notice)
    return notice


def _unit_name(tree: ScopeTree, unit_id: int) -> str:
    unit = tree.unit(unit_id)
    if unit is not None:
        return unit.name
    return "mọi đơn vị" if unit_id == EVERY_UNIT else f"#{unit_id}"


def _unknown_notice(notice_id: int) -> Fault:
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_NOTICE",
        vi=f"Hộp thư của bạn không có thông báo số {notice_id}.",
        en=f"Your inbox has no notice {notice_id}.",
        metadata={"notice_id": str(notice_id)},
    )


def _unknown_unit(unit_id: int) -> Fault:
    return Fault(
        Kind.PRECONDITION,
        "UNKNOWN_UNIT",
        vi=f"Cây đơn vị chưa có đơn vị số {unit_id}.",
        en=f"The tree of units does not know unit {unit_id} yet.",
        metadata={"unit": str(unit_id)},
    )
