"""What a transaction changed, as events; and back again when they are given their positions in the feed."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from google.protobuf.descriptor import FieldDescriptor
from iocedu.records.v1 import records_pb2, resources_pb2

from services.records.convert.incoming import Batch
from services.records.domain.erasing import Identity
from services.records.domain.objects import ObjectSpec
from services.records.domain.persons import PUPIL

RECORDS_CHANGED: Final = "records-changed"
MOST_CHANGES: Final = 1000
MOST_BYTES: Final = 256_000

Accepted = tuple[int, int, ObjectSpec]  # index in the batch, school, type


@dataclass(frozen=True, slots=True)
class Packed:
    """An event ready to leave, and how many changes it holds."""

    payload: bytes
    count: int


async def pack_changes(
    batch: Batch,
    accepted: Sequence[Accepted],
    *,
    elsewhere: Collection[tuple[int, str]] = (),
    restricted: Collection[Identity] = (),
    untold: Collection[int] = (),
) -> list[Packed]:
    """Pack the stored rows into events of at most 1,000 changes and 256 kB, in the order they were sent.

    `elsewhere` are the pupils, by school and key, who count at another enrolment; `untold` are schools of which nothing
    is told.
    """
    packed: list[Packed] = []
    begun = records_pb2.RecordsChanged(backfill=batch.backfill).SerializeToString()
    heads: dict[tuple[int, ObjectSpec, bool, bool], bytes] = {}
    rows = batch.rows
    parts, count, size = [begun], 0, 0
    for index, school_id, spec in accepted:
        if school_id in untold:
            continue
        row = rows[index]
        body = (_tombstone(row, spec) if row.deleted else row).SerializeToString()
        uncounted = bool(elsewhere) and spec is PUPIL and (school_id, row.key) in elsewhere
        hidden = bool(restricted) and (school_id, spec.number, row.key) in restricted
        head = heads.get((school_id, spec, uncounted, hidden))
        if head is None:
            head = heads[school_id, spec, uncounted, hidden] = _head(
                batch, school_id, spec, counted_elsewhere=uncounted, restricted=hidden
            )
        if count and (count >= MOST_CHANGES or size + len(body) > MOST_BYTES):
            packed.append(Packed(b"".join(parts), count))
            parts, count, size = [begun], 0, 0
            await asyncio.sleep(0)
        # A message is the concatenation of its fields: writing the two lengths here is three times as fast as copying
        # every row into a change and the changes into an event.
        length = _varint(len(body))
        change = _varint(len(head) + len(_ROW) + len(length) + len(body))
        parts += (_CHANGES, change, head, _ROW, length, body)
        count, size = count + 1, size + len(head) + len(body)
    if count:
        packed.append(Packed(b"".join(parts), count))
    return packed


def _head(batch: Batch, school_id: int, spec: ObjectSpec, *, counted_elsewhere: bool, restricted: bool) -> bytes:
    """What all changes of one school and type begin with."""
    change = records_pb2.Change(
        school_id=school_id, source=batch.source, counted_elsewhere=counted_elsewhere, restricted=restricted
    )
    change.type = spec.number  # type: ignore[assignment]  # a number of the enum
    return change.SerializeToString()


def _varint(number: int) -> bytes:
    """A length as messages carry it: seven bits a byte, the highest bit says that more follow."""
    if number < 0x80:
        return _ONE_BYTE[number]
    if number < 0x4000:
        return bytes((number & 0x7F | 0x80, number >> 7))
    return bytes((number & 0x7F | 0x80, number >> 7 & 0x7F | 0x80, number >> 14))  # rows are shorter than two million


def _tag(field: FieldDescriptor) -> bytes:
    """What stands before a nested message of this field."""
    length_follows = 2
    return _varint(field.number << 3 | length_follows)


_ONE_BYTE: Final = [bytes((number,)) for number in range(0x80)]
_CHANGES: Final = _tag(records_pb2.RecordsChanged.DESCRIPTOR.fields_by_name["changes"])
_ROW: Final = _tag(records_pb2.Change.DESCRIPTOR.fields_by_name["row"])


def _tombstone(row: resources_pb2.Row, spec: ObjectSpec) -> resources_pb2.Row:
    """What is left of a deleted row: which it was, and its type as an empty record."""
    bare = resources_pb2.Row(school=row.school, key=row.key, version=row.version, deleted=True)
    getattr(bare, spec.field).SetInParent()
    return bare


def changed_keys(payload: bytes) -> Iterable[tuple[int, int, str, int]]:
    """School, type, key and version of each change of an event, in order."""
    changes = records_pb2.RecordsChanged.FromString(payload).changes
    return [(change.school_id, change.type, change.row.key, change.row.version) for change in changes]
