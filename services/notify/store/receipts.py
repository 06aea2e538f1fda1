"""Who an announcement is for and how far each is. Opening and confirming stand with the notice, and are joined here."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import copy_rows, given_rows
from services.notify.domain.announcements import Announcement, Counts, Progress, Receipt
from services.notify.store.tables import announcement_unit_table, notice_table, receipt_table

_TABLE = receipt_table.c
_RECEIPT = tuple(column.name for column in receipt_table.columns)
_JOINED = (notice_table.c.notice_id, notice_table.c.read_time, notice_table.c.acknowledge_time)


async def add_receipts(
    connection: AsyncConnection, announcement_id: int, given: Iterable[tuple[str, int, str]]
) -> None:
    """Await everybody whom an announcement is for: subject, unit and why."""
    rows = ((announcement_id, *one, int(Progress.AWAITED), 0) for one in given)
    columns = ("announcement_id", "subject", "unit_id", "because", "progress", "reminder_count")
    await copy_rows(connection, "receipt", columns, rows)


async def add_units(connection: AsyncConnection, announcement_id: int, counts: Mapping[int, int]) -> None:
    """Keep which units it is for, and how many people of each."""
    rows = [(announcement_id, unit_id, count) for unit_id, count in counts.items()]
    await copy_rows(connection, "announcement_unit", ("announcement_id", "unit_id", "recipient_count"), rows)


async def claim_to_deliver(connection: AsyncConnection, *, limit: int) -> list[tuple[int, str, str]]:
    """Lock some who still await a notice, by announcement: (announcement, subject, why). Other replicas skip them."""
    chosen = (
        sa.select(_TABLE.announcement_id, _TABLE.subject, _TABLE.because)
        .where(_TABLE.progress == sa.literal_column(str(int(Progress.AWAITED))))
        .order_by(_TABLE.announcement_id, _TABLE.subject)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [(row.announcement_id, row.subject, row.because) for row in await connection.execute(chosen)]


async def mark_delivered(connection: AsyncConnection, given: Sequence[tuple[int, str]]) -> None:
    """Say that notices lie in the inboxes of those who were claimed."""
    rows = given_rows(
        {
            "announcement_id": (sa.BigInteger(), [announcement_id for announcement_id, _ in given]),
            "subject": (sa.Text(), [subject for _, subject in given]),
        }
    )
    changed = sa.update(receipt_table).values(progress=int(Progress.DELIVERED))
    await connection.execute(
        changed.where(_TABLE.announcement_id == rows.c.announcement_id, _TABLE.subject == rows.c.subject)
    )


async def withdraw(connection: AsyncConnection, announcement_id: int) -> None:
    """Let those who still await a notice await none."""
    changed = sa.update(receipt_table).values(progress=int(Progress.WITHDRAWN))
    await connection.execute(
        changed.where(_TABLE.announcement_id == announcement_id, _TABLE.progress == int(Progress.AWAITED))
    )


async def receipt_of(connection: AsyncConnection, announcement: Announcement, subject: str) -> Receipt | None:
    """One recipient's."""
    chosen = _receipts(announcement).where(_TABLE.subject == subject)
    row = (await connection.execute(chosen)).mappings().one_or_none()
    return None if row is None else _receipt(row)


async def lock_receipt(connection: AsyncConnection, announcement_id: int, subject: str) -> bool:
    """Lock one recipient's; says whether there is one."""
    chosen = sa.select(_TABLE.subject).where(_TABLE.announcement_id == announcement_id, _TABLE.subject == subject)
    return (await connection.execute(chosen.with_for_update())).one_or_none() is not None


async def keep_answers(
    connection: AsyncConnection, receipt: Receipt, answers: Mapping[str, str], now: datetime
) -> None:
    """Write down what somebody whose receipt is locked answered."""
    changed = sa.update(receipt_table).values(answers=dict(answers), answer_time=now)
    await connection.execute(
        changed.where(_TABLE.announcement_id == receipt.announcement_id, _TABLE.subject == receipt.subject)
    )


async def list_receipts(
    connection: AsyncConnection,
    announcement: Announcement,
    *,
    unit_ids: Collection[int] | None = None,
    outstanding_only: bool = False,
    after: tuple[int, str] | None = None,
    limit: int | None = None,
) -> list[Receipt]:
    """Receipts by unit and subject: of some units, those who still owe something, from behind a place."""
    chosen = _receipts(announcement)
    if unit_ids is not None:
        chosen = chosen.where(_TABLE.unit_id.in_(sorted(unit_ids)))
    if outstanding_only:
        chosen = chosen.where(sa.not_(_done(announcement)))
    if after is not None:
        chosen = chosen.where(sa.tuple_(_TABLE.unit_id, _TABLE.subject) > sa.tuple_(*map(sa.literal, after)))
    chosen = chosen.order_by(_TABLE.unit_id, _TABLE.subject).limit(limit)
    return [_receipt(row) for row in (await connection.execute(chosen)).mappings()]


async def lock_outstanding(connection: AsyncConnection, announcement: Announcement) -> list[Receipt]:
    """Lock the receipts of those who have the notice and still owe something."""
    owing = (
        _receipts(announcement)
        .where(_TABLE.progress == int(Progress.DELIVERED), sa.not_(_done(announcement)))
        .order_by(_TABLE.subject)
        .with_for_update(of=receipt_table)
    )
    return [_receipt(row) for row in (await connection.execute(owing)).mappings()]


async def count_reminder(
    connection: AsyncConnection, announcement_id: int, subjects: Sequence[str], now: datetime
) -> None:
    """Say that these are reminded once more."""
    changed = sa.update(receipt_table).values(reminder_count=_TABLE.reminder_count + 1, reminder_time=now)
    await connection.execute(
        changed.where(
            _TABLE.announcement_id == announcement_id,
            _TABLE.subject == sa.any_(sa.literal(list(subjects), sa.ARRAY(sa.Text()))),
        )
    )


async def counts_by_unit(connection: AsyncConnection, announcement: Announcement) -> dict[int, Counts]:
    """How far the people told for each unit are."""
    opened, confirmed = notice_table.c.read_time.is_not(None), notice_table.c.acknowledge_time.is_not(None)
    answered, done = _TABLE.answer_time.is_not(None), _done(announcement)

    def counted(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        return sa.func.count().filter(condition)

    chosen = (
        sa.select(
            _TABLE.unit_id,
            sa.func.count(),
            counted(_TABLE.progress == int(Progress.DELIVERED)),
            counted(opened),
            counted(confirmed),
            counted(answered),
            counted(done),
        )
        .select_from(_joined(announcement))
        .where(_TABLE.announcement_id == announcement.announcement_id)
        .group_by(_TABLE.unit_id)
    )
    found = {
        row[0]: Counts(row[1], row[2], row[3], row[4], row[5], row[6], units=1, done_units=int(row[6] > 0))
        for row in await connection.execute(chosen)
    }
    table = announcement_unit_table.c
    empty = sa.select(table.unit_id).where(
        table.announcement_id == announcement.announcement_id, table.recipient_count == 0
    )
    for unit_id in await connection.scalars(empty):
        found[unit_id] = found.get(unit_id, Counts()) + Counts(units=int(unit_id not in found), unreached_units=1)
    return found


def _joined(announcement: Announcement) -> sa.Join:
    return receipt_table.outerjoin(
        notice_table,
        sa.and_(
            notice_table.c.subject == _TABLE.subject,
            notice_table.c.alert_id == (0 if announcement.matter_id is None else announcement.matter_id),
        ),
    )


def _receipts(announcement: Announcement) -> sa.Select[Any]:
    own = (_TABLE[name] for name in _RECEIPT)
    chosen = sa.select(*own, *_JOINED).select_from(_joined(announcement))
    return chosen.where(_TABLE.announcement_id == announcement.announcement_id)


def _done(announcement: Announcement) -> sa.ColumnElement[bool]:
    """What is asked was done: answered and confirmed as far as asked, else opened."""
    wanted: list[sa.ColumnElement[bool]] = []
    if announcement.draft.form:
        wanted.append(_TABLE.answer_time.is_not(None))
    if announcement.draft.receipt_required:
        wanted.append(notice_table.c.acknowledge_time.is_not(None))
    return sa.and_(*wanted) if wanted else notice_table.c.read_time.is_not(None)


def _receipt(row: Mapping[Any, Any]) -> Receipt:
    own = {name: row[name] for name in _RECEIPT} | {"progress": Progress(row["progress"])}
    if isinstance(own["answers"], str):
        own["answers"] = json.loads(own["answers"])
    return Receipt(
        **own,
        notice_id=row["notice_id"] or 0,
        read_time=row["read_time"],
        acknowledge_time=row["acknowledge_time"],
    )
