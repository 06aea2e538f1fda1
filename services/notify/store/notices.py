"""Matters and notices: every query on them. Bulk work is one statement whatever the number of rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import given_rows
from services.notify.domain import Delivery, Matter, Notice, Request, State
from services.notify.domain.channels import Told
from services.notify.store.tables import matter_table, notice_table

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


async def matters_where(connection: AsyncConnection, condition: str, given: Mapping[str, Any]) -> list[Matter]:
    """Matters of which a condition of our own holds, which may also order and lock them."""
    statement = sa.text(f"SELECT {', '.join(_MATTER)} FROM matter WHERE {condition}")  # noqa: S608 (our own text)
    rows = await connection.execute(statement, dict(given))
    return [Matter(**{name: row[name] for name in _MATTER}) for row in rows.mappings()]


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


async def lock_notices_of(connection: AsyncConnection, alert_id: int, subjects: Sequence[str]) -> list[int]:
    """Lock the notices about a matter in some inboxes, in one order; returns their ids."""
    table = notice_table.c
    wanted = sa.bindparam("subjects", list(subjects), type_=ARRAY(sa.Text))
    rows = await connection.scalars(
        sa.select(table.notice_id)
        .where(table.alert_id == alert_id, table.subject == sa.any_(wanted))
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


async def keep_requests(connection: AsyncConnection, requests: Sequence[Request]) -> dict[tuple[str, str], int]:
    """Keep requests that are newer than what was delivered, in the order given; returns the matters of those.

    Every request named stays locked until the transaction ends, kept or not.
    """
    rows = await connection.execute(
        _KEEP_REQUESTS,
        {
            "sources": [request.source for request in requests],
            "keys": [request.key for request in requests],
            "revisions": [request.revision for request in requests],
        },
    )
    return {(row.source, row.key): row.matter_id for row in rows}


async def another_matter(connection: AsyncConnection) -> int:
    """An id for a matter that is no alert's."""
    return int((await connection.execute(_ANOTHER_MATTER)).scalar_one())


async def move_notices(
    connection: AsyncConnection,
    notice_ids: Sequence[int],
    *,
    first: int,
    unread: bool = False,
    anew: bool = False,
) -> None:
    """Give locked notices the positions from `first` on, so that who follows an inbox sees them again.

    A reminder makes them `unread`; what says something else than before counts `anew` as never opened.
    """
    given = given_rows(
        {
            "notice_id": (sa.BigInteger(), list(notice_ids)),
            "position": (sa.BigInteger(), list(range(first, first + len(notice_ids)))),
        }
    )
    moved = sa.update(notice_table).values(position=given.c.position)
    if unread or anew:
        moved = moved.values(state=int(State.UNREAD))
    if anew:
        moved = moved.values(read_time=None, acknowledge_time=None)
    await connection.execute(moved.where(notice_table.c.notice_id == given.c.notice_id))


async def lock_notice(connection: AsyncConnection, subject: str, notice_id: int) -> Notice | None:
    """Lock one notice of an inbox."""
    chosen = _notices().where(notice_table.c.subject == subject, notice_table.c.notice_id == notice_id)
    row = (await connection.execute(chosen.with_for_update(of=notice_table))).mappings().one_or_none()
    return None if row is None else _notice(row)


async def find_notice(connection: AsyncConnection, subject: str, notice_id: int) -> Notice | None:
    """One notice of an inbox, without holding it."""
    chosen = _notices().where(notice_table.c.subject == subject, notice_table.c.notice_id == notice_id)
    row = (await connection.execute(chosen)).mappings().one_or_none()
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


async def told_matters(connection: AsyncConnection, dispatch_ids: Sequence[UUID]) -> dict[UUID, list[Told]]:
    """What messages tell, as it is now, in the order of delivery; each matter once, on whatever occasions."""
    columns = ", ".join(f"matter.{name}" for name in _MATTER)
    rows = await connection.execute(sa.text(_TOLD.format(columns)), {"ids": list(dispatch_ids)})
    found: dict[UUID, list[Told]] = {}
    for row in rows.mappings():
        matter = Matter(**{name: row[name] for name in _MATTER})
        reminder = bool(matter.announcement_id) and row["occasion"] > 0
        told = Told(matter, row["because"] or "", row["notice_id"] or 0, reminder)
        found.setdefault(row["dispatch_id"], []).append(told)
    return found


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


_KEEP_REQUESTS = sa.text(
    "INSERT INTO request (source, key, revision, matter_id)"
    " SELECT source, key, revision, nextval('other_matter') FROM"
    " unnest(CAST(:sources AS text[]), CAST(:keys AS text[]), CAST(:revisions AS bigint[]))"
    " AS given(source, key, revision)"
    " ON CONFLICT (source, key) DO UPDATE SET revision = excluded.revision"
    " WHERE request.revision < excluded.revision RETURNING source, key, matter_id"
)
_TOLD = (
    "SELECT delivery.dispatch_id, occasion, notice.because, notice.notice_id, {} FROM"
    " (SELECT dispatch_id, subject, matter_id, min(occasion) AS occasion FROM delivery"
    " WHERE dispatch_id = ANY(CAST(:ids AS uuid[])) GROUP BY dispatch_id, subject, matter_id) AS delivery"
    " JOIN matter ON matter.alert_id = delivery.matter_id"
    " LEFT JOIN notice ON notice.subject = delivery.subject AND notice.alert_id = delivery.matter_id"
    " ORDER BY notice.notice_id DESC"
)
_ANOTHER_MATTER = sa.text("SELECT nextval('other_matter')")
