"""Batches that were acknowledged: found again, added, forgotten."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.sync.domain.batches import BatchKey
from services.sync.store.tables import batch


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A batch that was acknowledged."""

    key: BatchKey
    digest: bytes
    outcome: bytes  # Serialized `iocedu.sync.v1.Outcome`.
    backfill: bool
    row_count: int
    create_time: datetime


async def known(reads: AsyncConnection, keys: Sequence[BatchKey]) -> dict[BatchKey, StoredBatch]:
    """The batches among these that were acknowledged."""
    columns = (batch.c.unit_id, batch.c.batch_id, batch.c.source)
    wanted = [(key.unit_id, key.batch_id, key.source) for key in keys]
    where = sa.tuple_(*columns).in_(wanted) if len(wanted) > 1 else sa.and_(*map(_equal, columns, wanted[0]))
    found = map(_stored, await reads.execute(sa.select(batch).where(where)))
    return {one.key: one for one in found}


async def by_id(reads: AsyncConnection, unit_id: int, batch_id: str, source: str) -> list[StoredBatch]:
    """The unit's batches under an id, of one source or, if `source` is empty, of all."""
    asked = sa.select(batch).where(batch.c.unit_id == unit_id, batch.c.batch_id == batch_id)
    if source:
        asked = asked.where(batch.c.source == source)
    return list(map(_stored, await reads.execute(asked)))


async def begun_with(
    reads: AsyncConnection, unit_id: int, source: str, prefix: str, *, after: str, most: int
) -> list[StoredBatch]:
    """The unit's batches of a source whose ids begin with a prefix, in order of id, after one."""
    asked = sa.select(batch).where(batch.c.unit_id == unit_id, batch.c.source == source)
    asked = asked.where(batch.c.batch_id >= max(after, prefix), batch.c.batch_id < prefix + "\uffff")
    asked = asked.where(batch.c.batch_id > after).order_by(batch.c.batch_id).limit(most)
    return list(map(_stored, await reads.execute(asked)))


async def add(writes: AsyncConnection, stored: Iterable[StoredBatch]) -> set[BatchKey]:
    """Add batches; returns the keys of those that were not there already."""
    rows = sorted(stored, key=lambda one: (one.key.unit_id, one.key.batch_id, one.key.source))
    returned = await writes.execute(
        _ADD,
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
_ADD = sa.text(
    """
    INSERT INTO batch (unit_id, batch_id, source, digest, outcome, backfill, row_count, create_time)
    SELECT * FROM unnest(CAST(:units AS bigint[]), CAST(:ids AS text[]), CAST(:sources AS text[]),
        CAST(:digests AS bytea[]), CAST(:outcomes AS bytea[]), CAST(:backfills AS boolean[]),
        CAST(:counts AS integer[]), CAST(:times AS timestamptz[]))
    ON CONFLICT DO NOTHING
    RETURNING unit_id, source, batch_id
    """
)


async def prune(writes: AsyncConnection, *, before: datetime, most: int) -> int:
    """Forget the oldest batches acknowledged before an instant; returns how many."""
    return (await writes.execute(_PRUNE, {"before": before, "most": most})).rowcount


_PRUNE = sa.text(
    """
    DELETE FROM batch WHERE (unit_id, batch_id, source) IN (
        SELECT unit_id, batch_id, source FROM batch WHERE create_time < :before
        ORDER BY create_time LIMIT :most FOR UPDATE SKIP LOCKED
    )
    """
)


def _equal(column: "sa.Column[Any]", value: object) -> "sa.ColumnElement[bool]":
    return column == value


def _stored(row: Any) -> StoredBatch:
    key = BatchKey(row.unit_id, row.source, row.batch_id)
    return StoredBatch(key, row.digest, row.outcome, row.backfill, row.row_count, row.create_time)
