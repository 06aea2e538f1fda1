"""Sync's tables and every query on them."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import chassis_tables, copy_rows
from services.sync.domain.batches import BatchKey
from services.sync.domain.connections import Connection

metadata = sa.MetaData()
chassis = chassis_tables(metadata)
_INSTANT = sa.DateTime(timezone=True)
SYNC_LOCK: Final = 0x73796E63  # "sync": one replica at a time compares connections with the tree.

batch = sa.Table(
    "batch",
    metadata,
    sa.Column("unit_id", sa.BigInteger, primary_key=True),
    sa.Column("batch_id", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("outcome", sa.LargeBinary, nullable=False),
    sa.Column("backfill", sa.Boolean, nullable=False),
    sa.Column("row_count", sa.Integer, nullable=False),
    sa.Column("create_time", _INSTANT, nullable=False),
)
quarantined_row = sa.Table(
    "quarantined_row",
    metadata,
    sa.Column("place_id", sa.BigInteger, primary_key=True),
    sa.Column("quarantined_row_id", sa.BigInteger, primary_key=True),
    sa.Column("unit_id", sa.BigInteger, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("batch_id", sa.Text, nullable=False),
    sa.Column("row_index", sa.Integer, nullable=False),
    sa.Column("state", sa.SmallInteger, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("field", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("message_en", sa.Text, nullable=False),
    sa.Column("metadata", JSONB, nullable=False),
    sa.Column("stored_version", sa.BigInteger, nullable=False),
    sa.Column("profile", sa.Text, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("create_time", _INSTANT, nullable=False),
)
connection = sa.Table(
    "connection",
    metadata,
    sa.Column("school_id", sa.BigInteger, primary_key=True),
    sa.Column("must_connect", sa.Boolean, nullable=False),
    sa.Column("first_accept_time", _INSTANT),
    sa.Column("last_accept_time", _INSTANT),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("accepted_count", sa.BigInteger, nullable=False),
    sa.Column("rejected_count", sa.BigInteger, nullable=False),
    sa.Column("create_time", _INSTANT, nullable=False),
)
erased_key = sa.Table(
    "erased_key",
    metadata,
    sa.Column("place_id", sa.BigInteger, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
)
QUARANTINE_COLUMNS: Final = tuple(
    column.name for column in quarantined_row.columns if column.name != "quarantined_row_id"
)


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A batch that was acknowledged."""

    key: BatchKey
    digest: bytes
    outcome: bytes  # Serialized `iocedu.sync.v1.Outcome`.
    backfill: bool
    row_count: int
    create_time: datetime


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


async def batches(reads: AsyncConnection, keys: Sequence[BatchKey]) -> dict[BatchKey, StoredBatch]:
    """The batches among these that were acknowledged."""
    columns = (batch.c.unit_id, batch.c.batch_id, batch.c.source)
    wanted = [(key.unit_id, key.batch_id, key.source) for key in keys]
    where = sa.tuple_(*columns).in_(wanted) if len(wanted) > 1 else sa.and_(*map(_equal, columns, wanted[0]))
    found = map(_stored, await reads.execute(sa.select(batch).where(where)))
    return {one.key: one for one in found}


async def batches_by_id(reads: AsyncConnection, unit_id: int, batch_id: str, source: str) -> list[StoredBatch]:
    """The unit's batches under an id, of one source or, if `source` is empty, of all."""
    asked = sa.select(batch).where(batch.c.unit_id == unit_id, batch.c.batch_id == batch_id)
    if source:
        asked = asked.where(batch.c.source == source)
    return list(map(_stored, await reads.execute(asked)))


async def add_batches(writes: AsyncConnection, stored: Iterable[StoredBatch]) -> set[BatchKey]:
    """Add batches; returns the keys of those that were not there already."""
    rows = sorted(stored, key=lambda one: (one.key.unit_id, one.key.batch_id, one.key.source))
    returned = await writes.execute(
        _ADD_BATCHES,
        {
            "units": [one.key.unit_id for one in rows],
            "ids": [one.key.batch_id for one in rows],
            "sources": [one.key.source for one in rows],
            "digests": [one.digest for one in rows],
            "outcomes": [one.outcome for one in rows],
            "backfills": [one.backfill for one in rows],
            "counts": [one.row_count for one in rows],
            "times": [one.create_time for one in rows],
        },
    )
    return {BatchKey(*row) for row in returned}


# Text with arrays: an insert of many values would be compiled anew each time.
_ADD_BATCHES = sa.text(
    """
    INSERT INTO batch (unit_id, batch_id, source, digest, outcome, backfill, row_count, create_time)
    SELECT * FROM unnest(CAST(:units AS bigint[]), CAST(:ids AS text[]), CAST(:sources AS text[]),
        CAST(:digests AS bytea[]), CAST(:outcomes AS bytea[]), CAST(:backfills AS boolean[]),
        CAST(:counts AS integer[]), CAST(:times AS timestamptz[]))
    ON CONFLICT DO NOTHING
    RETURNING unit_id, source, batch_id
    """
)


async def add_quarantined(writes: AsyncConnection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Add rows to the quarantine, as tuples of `QUARANTINE_COLUMNS`; metadata as JSON text."""
    await copy_rows(writes, "quarantined_row", QUARANTINE_COLUMNS, rows)


async def erased_keys(reads: AsyncConnection, places: Collection[int]) -> set[tuple[int, str]]:
    """Places and keys of what was erased, of these places."""
    found = await reads.execute(sa.select(erased_key).where(erased_key.c.place_id == _any(places)))
    return {(row.place_id, row.key) for row in found}


async def note_erased(writes: AsyncConnection, place_id: int, keys: Collection[str]) -> None:
    """Note keys of which nothing is to be kept any more."""
    if keys:
        rows = [{"place_id": place_id, "key": key} for key in sorted(keys)]
        await writes.execute(insert(erased_key).on_conflict_do_nothing(), rows)


async def erase_quarantined(
    writes: AsyncConnection, place_id: int, keys: Collection[str], mentions: Collection[str]
) -> list[BatchKey]:
    """Erase rows of a place under these keys, or that mention one of these texts; the batch of each."""
    given = {"place": place_id, "keys": list(keys), "mentions": list(mentions)}
    return [BatchKey(*row) for row in await writes.execute(_ERASE_QUARANTINED, given)]


async def batches_mentioning(
    writes: AsyncConnection, unit_id: int, also: Collection[BatchKey], keys: Collection[str]
) -> list[tuple[BatchKey, bytes]]:
    """A unit's batches, and the given ones, whose outcome mentions one of these keys; held until the transaction ends.

    An outcome holds keys as they are, so that looking for their bytes misses none.
    """
    given = {
        "unit": unit_id,
        "keys": [key.encode() for key in keys],
        "units": [one.unit_id for one in also],
        "sources": [one.source for one in also],
        "ids": [one.batch_id for one in also],
    }
    found = await writes.execute(_BATCHES_MENTIONING, given)
    return [(BatchKey(row.unit_id, row.source, row.batch_id), row.outcome) for row in found]


async def keep_outcome(writes: AsyncConnection, key: BatchKey, outcome: bytes) -> None:
    """Keep an outcome of which something was taken out."""
    columns = (batch.c.unit_id, batch.c.source, batch.c.batch_id)
    await writes.execute(
        batch.update().where(*map(_equal, columns, (key.unit_id, key.source, key.batch_id))).values(outcome=outcome)
    )


_ERASE_QUARANTINED = sa.text(
    """
    DELETE FROM quarantined_row WHERE place_id = :place AND (key = ANY(CAST(:keys AS text[])) OR EXISTS (
        SELECT FROM unnest(CAST(:mentions AS text[])) AS mention WHERE strpos(content, mention) > 0))
    RETURNING unit_id, source, batch_id
    """
)
_BATCHES_MENTIONING = sa.text(
    """
    SELECT unit_id, source, batch_id, outcome FROM batch
    WHERE (unit_id = :unit OR (unit_id, source, batch_id) IN (
        SELECT * FROM unnest(CAST(:units AS bigint[]), CAST(:sources AS text[]), CAST(:ids AS text[]))))
        AND EXISTS (SELECT FROM unnest(CAST(:keys AS bytea[])) AS wanted WHERE position(wanted IN outcome) > 0)
    ORDER BY unit_id, source, batch_id FOR UPDATE
    """
)


async def quarantined(
    reads: AsyncConnection,
    places: Collection[int] | None,
    *,
    reason: str,
    before: int | None,
    most: int,
    most_bytes: int,
) -> tuple[list[dict[str, Any]], bool]:
    """Quarantined rows at these places (None: everywhere), newest first, older than the id `before`.

    At most `most`, the last of them the one with which their contents reach `most_bytes`; and whether there are more.
    """
    newest = quarantined_row.c.quarantined_row_id.desc()
    asked = sa.select(quarantined_row).order_by(newest).limit(most + 1)
    if places is not None:
        asked = asked.where(quarantined_row.c.place_id == _any(places))
    if reason:
        asked = asked.where(quarantined_row.c.reason == reason)
    if before is not None:
        asked = asked.where(quarantined_row.c.quarantined_row_id < before)
    page = asked.subquery()
    newest, size = page.c.quarantined_row_id.desc(), sa.func.octet_length(page.c.content)
    weighed = sa.select(
        page,
        (sa.func.sum(size).over(order_by=newest, rows=(None, 0)) - size).label("bytes_before"),
        sa.func.count().over().label("found"),
    ).subquery()
    fitting = sa.select(weighed).where(weighed.c.bytes_before < most_bytes)
    fitting = fitting.order_by(weighed.c.quarantined_row_id.desc()).limit(most)
    rows = [dict(row) for row in (await reads.execute(fitting)).mappings()]
    return rows, bool(rows) and rows[0]["found"] > len(rows)


async def prune_batches(writes: AsyncConnection, *, before: datetime, most: int) -> int:
    """Forget the oldest batches acknowledged before an instant; returns how many."""
    return (await writes.execute(_PRUNE_BATCHES, {"before": before, "most": most})).rowcount


async def prune_quarantined(writes: AsyncConnection, *, before: datetime, most: int) -> int:
    """Forget the oldest rows quarantined before an instant; returns how many."""
    return (await writes.execute(_PRUNE_QUARANTINED, {"before": before, "most": most})).rowcount


_PRUNE_BATCHES = sa.text(
    """
    DELETE FROM batch WHERE (unit_id, batch_id, source) IN (
        SELECT unit_id, batch_id, source FROM batch WHERE create_time < :before
        ORDER BY create_time LIMIT :most FOR UPDATE SKIP LOCKED
    )
    """
)
# Ids follow time: looking at the oldest alone needs no index on time.
_PRUNE_QUARANTINED = sa.text(
    """
    DELETE FROM quarantined_row WHERE quarantined_row_id IN (
        SELECT quarantined_row_id FROM (
            SELECT quarantined_row_id, create_time FROM quarantined_row
            ORDER BY quarantined_row_id LIMIT :most FOR UPDATE SKIP LOCKED
        ) AS oldest
        WHERE create_time < :before
    )
    """
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


async def connections(
    reads: AsyncConnection,
    schools: Collection[int],
    *,
    windows: Sequence[tuple[datetime | None, datetime | None]],
    after: tuple[datetime | None, int] | None,
    most: int,
) -> list[Connection]:
    """Connections of these schools whose last accept time lies in one of the windows (none given: all), worst first."""
    last, school = connection.c.last_accept_time, connection.c.school_id
    asked = sa.select(connection).where(school == _any(schools)).order_by(last.nulls_first(), school).limit(most)
    if windows:
        asked = asked.where(sa.or_(*[_within(last, window) for window in windows]))
    if after is not None:
        instant, school_id = after
        asked = asked.where(
            sa.or_(sa.and_(last.is_(None), school > school_id), last.is_not(None))
            if instant is None
            else sa.tuple_(last, school)
            > sa.tuple_(sa.literal(instant, _INSTANT), sa.literal(school_id, sa.BigInteger))
        )
    return list(map(_connection, await reads.execute(asked)))


def _within(column: "sa.Column[Any]", window: tuple[datetime | None, datetime | None]) -> "sa.ColumnElement[bool]":
    after, until = window
    if after is None and until is None:
        return column.is_(None)
    bounds = [column > after] if after is not None else []
    return sa.and_(*bounds, column <= until) if until is not None else sa.and_(*bounds)


def _any(ids: Collection[int]) -> "sa.ColumnElement[Any]":
    return sa.any_(sa.literal(list(ids), ARRAY(sa.BigInteger)))


def _equal(column: "sa.Column[Any]", value: object) -> "sa.ColumnElement[bool]":
    return column == value


def _stored(row: Any) -> StoredBatch:
    key = BatchKey(row.unit_id, row.source, row.batch_id)
    return StoredBatch(key, row.digest, row.outcome, row.backfill, row.row_count, row.create_time)


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
