"""Tables of notify and every query on them. Bulk work is one statement whatever the number of rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import given_rows
from chassis.tail import newest_table
from services.notify.domain import Delivery, Matter, Notice, State

metadata = sa.MetaData()
newest_table(metadata)
_INSTANT = sa.DateTime(timezone=True)

matter_table = sa.Table(
    "matter",
    metadata,
    sa.Column("alert_id", sa.BigInteger, primary_key=True, autoincrement=False, comment="The alert."),
    sa.Column("version", sa.BigInteger, nullable=False, comment="Rises with each change; an older one is dropped."),
    sa.Column("unit_id", sa.BigInteger, nullable=False, comment="Unit it is about."),
    sa.Column("unit_name", sa.Text, nullable=False, comment="Name of that unit when it was told."),
    sa.Column("title_vi", sa.Text, nullable=False, comment="Title in Vietnamese."),
    sa.Column("title_en", sa.Text, nullable=False, comment="Title in English."),
    sa.Column("body_vi", sa.Text, nullable=False, comment="Text in Vietnamese."),
    sa.Column("body_en", sa.Text, nullable=False, comment="Text in English."),
    sa.Column("severity", sa.Text, nullable=False, comment="info, warning or critical."),
    sa.Column("resolved", sa.Boolean, nullable=False, comment="Whether it has been resolved since."),
    sa.Column("taken_by", sa.Text, nullable=False, comment="Who took it in hand; empty: nobody."),
    comment="What there is to tell, once for all who are told.",
)
notice_table = sa.Table(
    "notice",
    metadata,
    sa.Column("subject", sa.Text, primary_key=True, comment="Whose inbox."),
    sa.Column("notice_id", sa.BigInteger, primary_key=True, autoincrement=False, comment="Position of its delivery."),
    sa.Column("alert_id", sa.BigInteger, nullable=False, comment="The matter."),
    sa.Column("because", sa.Text, nullable=False, comment="Why this person: the role held, and where."),
    sa.Column("state", sa.SmallInteger, nullable=False, comment="1 unread, 2 read, 3 acknowledged."),
    sa.Column("create_time", _INSTANT, nullable=False, comment="When it was delivered."),
    sa.Column("read_time", _INSTANT, comment="When it was opened."),
    sa.Column("acknowledge_time", _INSTANT, comment="When it was confirmed."),
    sa.Column("position", sa.BigInteger, nullable=False, comment="Position of the last change; commit order."),
    sa.UniqueConstraint("subject", "alert_id", name="notice_once"),
    sa.Index("notice_by_alert", "alert_id"),
    sa.Index("notice_by_position", "subject", "position"),
    comment="Who was told what.",
)
_MATTER = tuple(column.name for column in fields(Matter))
_OWN = tuple(column.name for column in notice_table.columns if column.name != "alert_id")


async def keep_matters(connection: AsyncConnection, matters: Sequence[Matter]) -> set[int]:
    """Keep matters that are newer than what is known, in the order given; returns the ids of those that were.

    Every matter named stays locked until the transaction ends, kept or not.
    """
    table = matter_table.c
    given = given_rows({name: (table[name].type, [getattr(matter, name) for matter in matters]) for name in _MATTER})
    insert = upsert(matter_table).from_select(_MATTER, sa.select(*given.c))
    kept = await connection.execute(
        insert.on_conflict_do_update(
            index_elements=[table.alert_id],
            set_={name: insert.excluded[name] for name in _MATTER},
            where=table.version < insert.excluded.version,
        ).returning(table.alert_id)
    )
    return set(kept.scalars())


async def lock_notices_about(connection: AsyncConnection, alert_ids: Iterable[int]) -> list[int]:
    """Lock the notices about these matters, in one order; returns their ids."""
    table = notice_table.c
    rows = await connection.scalars(
        sa.select(table.notice_id)
        .where(table.alert_id == sa.any_(_bigints("alert_ids", alert_ids)))
        .order_by(table.subject, table.notice_id)
        .with_for_update()
    )
    return list(rows)


async def deliver(connection: AsyncConnection, deliveries: Sequence[Delivery], *, first: int, now: datetime) -> None:
    """Put notices into inboxes, at the positions from `first` on; who has one about the matter gets no second."""
    positions = list(range(first, first + len(deliveries)))
    given = given_rows(
        {
            "subject": (sa.Text(), [delivery.recipient.subject for delivery in deliveries]),
            "alert_id": (sa.BigInteger(), [delivery.alert_id for delivery in deliveries]),
            "because": (sa.Text(), [delivery.recipient.because for delivery in deliveries]),
            "position": (sa.BigInteger(), positions),
        }
    )
    row = given.c
    rows = sa.select(
        row.subject,
        row.position,
        row.alert_id,
        row.because,
        sa.literal(int(State.UNREAD)),
        sa.literal(now),
        row.position,
    )
    columns = ("subject", "notice_id", "alert_id", "because", "state", "create_time", "position")
    await connection.execute(upsert(notice_table).from_select(columns, rows).on_conflict_do_nothing())


async def move_notices(connection: AsyncConnection, notice_ids: Sequence[int], *, first: int) -> None:
    """Give locked notices the positions from `first` on, so that who follows an inbox sees them again."""
    given = given_rows(
        {
            "notice_id": (sa.BigInteger(), list(notice_ids)),
            "position": (sa.BigInteger(), list(range(first, first + len(notice_ids)))),
        }
    )
    moved = sa.update(notice_table).values(position=given.c.position)
    await connection.execute(moved.where(notice_table.c.notice_id == given.c.notice_id))


async def lock_notice(connection: AsyncConnection, subject: str, notice_id: int) -> Notice | None:
    """Lock one notice of an inbox."""
    chosen = _notices().where(notice_table.c.subject == subject, notice_table.c.notice_id == notice_id)
    row = (await connection.execute(chosen.with_for_update(of=notice_table))).mappings().one_or_none()
    return None if row is None else _notice(row)


async def update_notice(connection: AsyncConnection, notice: Notice) -> None:
    """Write what changed in a notice that is locked."""
    table = notice_table.c
    changed = sa.update(notice_table).values(
        state=int(notice.state),
        read_time=notice.read_time,
        acknowledge_time=notice.acknowledge_time,
        position=notice.position,
    )
    await connection.execute(changed.where(table.subject == notice.subject, table.notice_id == notice.notice_id))


async def list_notices(
    connection: AsyncConnection, subject: str, states: frozenset[State], *, below: int | None, limit: int
) -> list[Notice]:
    """An inbox, newest first, from the notice delivered before `below`."""
    table = notice_table.c
    chosen = _notices().where(table.subject == subject, table.state.in_(sorted(states)))
    if below is not None:
        chosen = chosen.where(table.notice_id < below)
    rows = await connection.execute(chosen.order_by(table.notice_id.desc()).limit(limit))
    return [_notice(row) for row in rows.mappings()]


async def count_notices(connection: AsyncConnection, subject: str) -> dict[State, int]:
    """How many notices of an inbox there are in each state."""
    table = notice_table.c
    rows = await connection.execute(
        sa.select(table.state, sa.func.count()).where(table.subject == subject).group_by(table.state)
    )
    return {State(state): count for state, count in rows}


async def changed_after(connection: AsyncConnection, subject: str, *, after: int, limit: int) -> list[Notice]:
    """Notices of an inbox whose last change lies after a position, in the order of these changes."""
    table = notice_table.c
    chosen = _notices().where(table.subject == subject, table.position > after).order_by(table.position).limit(limit)
    return [_notice(row) for row in (await connection.execute(chosen)).mappings()]


def _notices() -> sa.Select[Any]:
    own = (notice_table.c[name] for name in _OWN)
    return sa.select(*own, *(matter_table.c[name] for name in _MATTER)).join(
        matter_table, matter_table.c.alert_id == notice_table.c.alert_id
    )


def _notice(row: Mapping[Any, Any]) -> Notice:
    own = {name: row[name] for name in _OWN} | {"state": State(row["state"])}
    return Notice(**own, matter=Matter(**{name: row[name] for name in _MATTER}))


def _bigints(name: str, ids: Iterable[int]) -> sa.BindParameter[Any]:
    return sa.bindparam(name, sorted(ids), type_=ARRAY(sa.BigInteger))
