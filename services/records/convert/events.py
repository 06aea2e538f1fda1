"""What a transaction changed, as events; and back again when they are given their positions in the feed."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from iocedu.records.v1 import records_pb2, resources_pb2

from services.records.convert.incoming import SLICE, Batch
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
    event, size = records_pb2.RecordsChanged(backfill=batch.backfill), 0
    for done, (index, school_id, spec) in enumerate(accepted, 1):
        row = batch.rows[index]
        weight = row.ByteSize()
        if event.changes and (len(event.changes) >= MOST_CHANGES or size + weight > MOST_BYTES):
            packed.append(Packed(event.SerializeToString(), len(event.changes)))
            event, size = records_pb2.RecordsChanged(backfill=batch.backfill), 0
        size += weight
        change = event.changes.add(school_id=school_id, type=spec.number, source=batch.source)
        change.row.CopyFrom(row if not row.deleted else _tombstone(row, spec))
        if done % SLICE == 0:
            await asyncio.sleep(0)
    if event.changes:
        packed.append(Packed(event.SerializeToString(), len(event.changes)))
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
