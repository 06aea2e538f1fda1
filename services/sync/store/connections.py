"""The connections of schools: brought up to date by what was sent and by the tree, listed worst first."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.sync.domain.connections import Connection
from services.sync.store.arrays import any_of
from services.sync.store.tables import INSTANT, connection

SYNC_LOCK: Final = 0x73796E63  # "sync": one replica at a time compares connections with the tree.


@dataclass(frozen=True, slots=True)
class Sent:
    """What one school sent in a batch."""

    school_id: int
    must_connect: bool  # Counts only where the school was not known yet.
    source: str
    accepted: int
    rejected: int
    live: bool  # Whether something was taken that is not history.

    def after(self, earlier: "Sent") -> "Sent":
        """Both together, this one being the later."""
        return replace(
            self,
            accepted=earlier.accepted + self.accepted,
            rejected=earlier.rejected + self.rejected,
            live=earlier.live or self.live,
        )


async def note_sent(writes: AsyncConnection, sent: Iterable[Sent], *, now: datetime) -> list[Connection]:
    """Bring the schools' connections up to date, in key order so that two batches never wait for each other."""
    rows = sorted(sent, key=lambda one: one.school_id)
    result = await writes.execute(
        _NOTE_SENT,
        {
            "schools": [one.school_id for one in rows],
            "must": [one.must_connect for one in rows],
            "sources": [one.source for one in rows],
            "accepted": [one.accepted for one in rows],
            "rejected": [one.rejected for one in rows],
            "live": [one.live for one in rows],
            "now": now,
        },
    )
    return list(map(_connection, result))


_NOTE_SENT = sa.text(
    """
    INSERT INTO connection AS held (
        school_id, must_connect, first_accept_time, last_accept_time,
        source, accepted_count, rejected_count, create_time)
    SELECT school_id, must, CASE WHEN live THEN CAST(:now AS timestamptz) END,
        CASE WHEN live THEN CAST(:now AS timestamptz) END, source, accepted, rejected, :now
    FROM unnest(CAST(:schools AS bigint[]), CAST(:must AS boolean[]), CAST(:sources AS text[]),
        CAST(:accepted AS bigint[]), CAST(:rejected AS bigint[]), CAST(:live AS boolean[]))
        AS sent(school_id, must, source, accepted, rejected, live)
    ON CONFLICT (school_id) DO UPDATE SET
        first_accept_time = COALESCE(held.first_accept_time, EXCLUDED.first_accept_time),
        last_accept_time = GREATEST(held.last_accept_time, EXCLUDED.last_accept_time),
        source = EXCLUDED.source,
        accepted_count = held.accepted_count + EXCLUDED.accepted_count,
        rejected_count = held.rejected_count + EXCLUDED.rejected_count
    RETURNING held.*
    """
)


async def expected(writes: AsyncConnection) -> dict[int, bool] | None:
    """Which schools are known, and whether each has to connect; None when another replica is at it."""
    if not await writes.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(SYNC_LOCK))):
        return None
    rows = await writes.execute(sa.select(connection.c.school_id, connection.c.must_connect))
    return {row.school_id: row.must_connect for row in rows}


async def expect(writes: AsyncConnection, wanted: dict[int, bool], *, now: datetime) -> list[Connection]:
    """Say of schools whether they have to connect; returns the connections that are new or changed."""
    rows = [
        {
            "school_id": school_id,
            "must_connect": must,
            "source": "",
            "accepted_count": 0,
            "rejected_count": 0,
            "create_time": now,
        }
        for school_id, must in sorted(wanted.items())
    ]
    added = insert(connection).values(rows)
    changed = added.on_conflict_do_update(
        index_elements=["school_id"],
        set_={"must_connect": added.excluded.must_connect},
        where=connection.c.must_connect != added.excluded.must_connect,
    )
    return list(map(_connection, await writes.execute(changed.returning(connection))))


async def listed(
    reads: AsyncConnection,
    schools: Collection[int],
    *,
    windows: Sequence[tuple[datetime | None, datetime | None]],
    after: tuple[datetime | None, int] | None,
    most: int,
) -> list[Connection]:
    """Connections of these schools whose last accept time lies in one of the windows (none given: all), worst first."""
    last, school = connection.c.last_accept_time, connection.c.school_id
    asked = sa.select(connection).where(school == any_of(schools)).order_by(last.nulls_first(), school).limit(most)
    if windows:
        asked = asked.where(sa.or_(*[_within(last, window) for window in windows]))
    if after is not None:
        instant, school_id = after
        asked = asked.where(
            sa.or_(sa.and_(last.is_(None), school > school_id), last.is_not(None))
            if instant is None
            else sa.tuple_(last, school) > sa.tuple_(sa.literal(instant, INSTANT), sa.literal(school_id, sa.BigInteger))
        )
    return list(map(_connection, await reads.execute(asked)))


def _within(column: "sa.Column[Any]", window: tuple[datetime | None, datetime | None]) -> "sa.ColumnElement[bool]":
    after, until = window
    if after is None and until is None:
        return column.is_(None)
    bounds = [column > after] if after is not None else []
    return sa.and_(*bounds, column <= until) if until is not None else sa.and_(*bounds)


def _connection(row: Any) -> Connection:
    return Connection(
        school_id=row.school_id,
        must_connect=row.must_connect,
        first_accept_time=row.first_accept_time,
        last_accept_time=row.last_accept_time,
        source=row.source,
        accepted_count=row.accepted_count,
        rejected_count=row.rejected_count,
        create_time=row.create_time,
    )
