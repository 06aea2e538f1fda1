"""Deeds on persons' data: the rows that remain of records, the events that tell of it, what is left for callers."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from iocedu.records.v1 import erasures_pb2, resources_pb2

from services.records.convert.events import Accepted
from services.records.convert.incoming import Batch, Entry
from services.records.convert.persons import rows_again
from services.records.domain.erasing import Remain
from services.records.domain.objects import CONTENT_HASH, KEY, SCHOOL_ID, ObjectSpec
from services.records.domain.versions import DELETED_HASH

Alter = Callable[[resources_pb2.Row], None]


def altered_rows(
    spec: ObjectSpec, stored: Sequence[Sequence[Any]], alter: Alter, *, request_id: str, today: date
) -> Iterator[tuple[Batch, list[Accepted], list[Entry]]]:
    """Stored records as rows that are altered and stored again: still the source's, at its version and hash."""
    hashes = {(one[SCHOOL_ID], one[KEY]): one[CONTENT_HASH] for one in stored}
    for batch, accepted in rows_again(spec, stored, today=today):
        batch.request_id = request_id
        entries: list[Entry] = []
        for index, school_id, _ in accepted:
            row = batch.rows[index]
            alter(row)
            content_hash = DELETED_HASH if row.deleted else hashes[school_id, row.key]
            entries.append((school_id, row.key, row.version, content_hash, index))
        yield batch, accepted, entries


def erase_row(row: resources_pb2.Row) -> None:
    """Leave nothing of a row but which it was, as of one that its source deleted."""
    name = row.WhichOneof("record")
    assert name is not None, "a stored record has its type"
    row.deleted = True
    row.ClearField(name)
    getattr(row, name).SetInParent()


def erasures_requested(
    school_id: int,
    data_request_id: int,
    *,
    erased: Mapping[ObjectSpec, Iterable[str]],
    restricted: Mapping[ObjectSpec, Iterable[str]],
) -> bytes:
    """The event for services that hold copies."""
    event = erasures_pb2.ErasuresRequested(school_id=school_id, data_request_id=data_request_id)
    for target, held in ((event.erased, erased), (event.restricted, restricted)):
        for spec, keys in held.items():
            target.add(keys=keys).type = spec.number  # type: ignore[assignment]  # a number of the enum
    return event.SerializeToString()


def add_remain(response: erasures_pb2.GetRemainsResponse, one: Remain) -> None:
    """Append what is left somewhere."""
    remain = response.remains.add(
        place=one.place,
        key=one.key,
        school_year=one.school_year,
        dropped_fields=one.dropped,
        source=one.source,
        count=one.number,
    )
    remain.state, remain.planned_state = one.now, one.planned  # type: ignore[assignment]  # numbers of the enum
    if one.expires is not None:
        remain.expire_time.FromDatetime(one.expires)


def confirmation(service: str, instant: datetime | None, count: int) -> erasures_pb2.ErasureConfirmation:
    """What a service did with what it held."""
    message = erasures_pb2.ErasureConfirmation(service=service, erased_count=count)
    if instant is not None:
        message.confirm_time.FromDatetime(instant)
    return message


def confirmed_of(payload: bytes) -> tuple[int, int, str, int]:
    """What a service confirms: school, request, service and count."""
    event = erasures_pb2.ErasuresConfirmed.FromString(payload)
    return event.school_id, event.data_request_id, event.service, event.erased_count
