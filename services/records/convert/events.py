"""What a transaction changed, as events; and back again when they are given their positions in the feed."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from iocedu.records.v1 import records_pb2, resources_pb2

from services.records.convert.incoming import Batch
from services.records.domain.objects import ObjectSpec

RECORDS_CHANGED: Final = "records-changed"
MOST_CHANGES: Final = 1000
MOST_BYTES: Final = 256_000

Accepted = tuple[int, int, ObjectSpec]  # index in the batch, school, type


@dataclass(frozen=True, slots=True)
class Packed:
    """An event ready to leave, and how many changes it holds."""

    payload: bytes
    count: int


async def pack_changes(batch: Batch, accepted: Sequence[Accepted]) -> list[Packed]:
    """Pack the stored rows into events of at most 1,000 changes and 256 kB, in the order they were sent."""
    packed: list[Packed] = []
    source, rows = batch.source, batch.rows
    event = records_pb2.RecordsChanged(backfill=batch.backfill)
    add, count, size = event.changes.add, 0, 0
    for index, school_id, spec in accepted:
        row = rows[index]
        weight = row.ByteSize() + len(source)
        if count and (count >= MOST_CHANGES or size + weight > MOST_BYTES):
            packed.append(Packed(event.SerializeToString(), count))
            event = records_pb2.RecordsChanged(backfill=batch.backfill)
            add, count, size = event.changes.add, 0, 0
            await asyncio.sleep(0)
        count, size = count + 1, size + weight
        change = add()
        change.school_id, change.source = school_id, source
        change.type = spec.number  # type: ignore[assignment]  # a number of the enum
        change.row.CopyFrom(_tombstone(row, spec) if row.deleted else row)
    if count:
        packed.append(Packed(event.SerializeToString(), count))
    return packed


def _tombstone(row: resources_pb2.Row, spec: ObjectSpec) -> resources_pb2.Row:
    """What is left of a deleted row: which it was, and its type as an empty record."""
    bare = resources_pb2.Row(school=row.school, key=row.key, version=row.version, deleted=True)
    getattr(bare, spec.field).SetInParent()
    return bare


def changed_keys(payload: bytes) -> Iterable[tuple[int, int, str, int]]:
    """School, type, key and version of each change of an event, in order."""
    changes = records_pb2.RecordsChanged.FromString(payload).changes
    return [(change.school_id, change.type, change.row.key, change.row.version) for change in changes]
