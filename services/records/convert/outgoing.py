"""Records as they are kept, into what callers see: the row as its source sent it, masked where it must be.

Values that are empty are not set, so that a record costs what it holds. What is hidden is decided once per field, from
the class the interface gives it.
"""

from collections.abc import Callable, Sequence
from datetime import date
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor
from iocedu.chassis.v1 import access_pb2
from iocedu.records.v1 import records_pb2, resources_pb2

from services.records.domain.edits import etag_of, is_edit
from services.records.domain.masking import HIDDEN_TEXT, FieldClass, Mask, mask_of, masked
from services.records.domain.objects import (
    DELETED,
    HEAD,
    KEY,
    REQUEST_ID,
    SCHOOL_ID,
    SOURCE,
    UPDATE_TIME,
    VERSION,
    Column,
    Kind,
    ObjectSpec,
)

Stored = Sequence[Any]  # a row of the store, columns as in `spec.row`
Alias = Callable[[int], str]  # names a school
# position, type, record, its previous key, whether it counts elsewhere, whether it is restricted
Place = tuple[int, ObjectSpec, Stored, str, bool, bool]


def fill_row(row: resources_pb2.Row, spec: ObjectSpec, stored: Stored, *, alias: Alias, mask: bool) -> None:
    """Write a stored record into a row; a tombstone keeps its type and nothing else."""
    row.school, row.key, row.version = alias(stored[SCHOOL_ID]), stored[KEY], stored[VERSION]
    record = getattr(row, spec.field)
    if stored[DELETED]:
        row.deleted = True
        record.SetInParent()
        return
    _writer(spec, mask)(record, stored)


def record_of(spec: ObjectSpec, stored: Stored, *, position: int, alias: Alias, mask: bool) -> records_pb2.Record:
    """A stored record as GetRecord and ListRecords give it."""
    record = records_pb2.Record()
    _fill_record(record, spec, stored, position=position, alias=alias, mask=mask)
    return record


def present_record(spec: ObjectSpec, stored: Stored, *, alias: Alias, mask: bool) -> records_pb2.Record:
    """A record as it stands now, with its position in the feed as the last column: it can be corrected."""
    record = record_of(spec, stored, position=stored[-1], alias=alias, mask=mask)
    record.etag = etag_of(stored)
    return record


def add_record(records: Any, spec: ObjectSpec, stored: Stored, *, alias: Alias) -> Any:
    """Append a stored record, with its position in the feed as the last column, to a response, masked; returns it."""
    record = records.add()
    _fill_record(record, spec, stored, position=stored[-1], alias=alias, mask=True)
    return record


def add_change(changes: Any, *, place: Place, alias: Alias, mask: bool) -> None:
    """Append a record's newest change, given by its place, to a response.

    One that is restricted comes as gone to who reads masked: only services count on.
    """
    position, spec, stored, previous_key, counted_elsewhere, restricted = place
    change = changes.add()
    change.position, change.school_id, change.type = position, stored[SCHOOL_ID], spec.number
    change.source = stored[SOURCE]
    if restricted and mask:
        change.row.school, change.row.key = alias(stored[SCHOOL_ID]), stored[KEY]
        change.row.version, change.row.deleted = stored[VERSION], True
        getattr(change.row, spec.field).SetInParent()
        return
    fill_row(change.row, spec, stored, alias=alias, mask=mask)
    change.row.previous_key = previous_key
    change.counted_elsewhere, change.restricted = counted_elsewhere, restricted


def _fill_record(
    record: records_pb2.Record, spec: ObjectSpec, stored: Stored, *, position: int, alias: Alias, mask: bool
) -> None:
    record.school_id, record.source, record.position = stored[SCHOOL_ID], stored[SOURCE], position
    record.masked, record.edited = mask, is_edit(stored[REQUEST_ID])
    updated, written = stored[UPDATE_TIME], record.update_time
    # By hand: `FromDatetime` costs a quarter of the whole record.
    written.seconds, written.nanos = int(updated.timestamp()), updated.microsecond * 1000
    fill_row(record.row, spec, stored, alias=alias, mask=mask)


@cache
def _writer(spec: ObjectSpec, mask: bool) -> Callable[[Any, Stored], None]:  # noqa: FBT001 (half of the cache's key)
    """A function that writes a stored record's own columns into a message."""
    descriptor = resources_pb2.Row.DESCRIPTOR.fields_by_name[spec.field].message_type
    assert descriptor is not None, "a record is a message"
    plain: list[tuple[int, str]] = []
    special: list[tuple[int, Callable[[Any, Any], None]]] = []
    for place, column in enumerate(spec.columns, len(HEAD)):
        hidden = _mask(descriptor, column.name) if mask else Mask.SHOWN
        if hidden is Mask.SHOWN and column.kind in (Kind.TEXT, Kind.INTEGER, Kind.FLAG, Kind.DECIMAL):
            plain.append((place, column.name))
        else:
            special.append((place, _setter(column, hidden, descriptor, mask=mask)))
    withheld = _withheld(spec, descriptor) if mask else ()
    further = len(HEAD) + len(spec.columns)

    def write(record: Any, stored: Stored) -> None:
        for place, name in plain:
            if value := stored[place]:
                setattr(record, name, value)
        for place, put in special:
            value = stored[place]
            if value is not None and value != "":
                put(record, value)
        for name in withheld:
            setattr(record, name, HIDDEN_TEXT)
        if not mask and (more := stored[further]):
            record.further.update(more)

    return write


def _withheld(spec: ObjectSpec, descriptor: Descriptor) -> Sequence[str]:
    """The texts of which a masked record does not even tell whether there is one."""
    texts = [column.name for column in spec.columns if column.kind is Kind.TEXT]
    return [name for name in texts if _mask(descriptor, name) is Mask.WITHHELD]


def _setter(column: Column, hidden: Mask, descriptor: Descriptor, *, mask: bool) -> Callable[[Any, Any], None]:
    name = column.name

    def put_text(record: Any, value: str) -> None:
        setattr(record, name, masked(value, hidden))

    def put_date(record: Any, value: date) -> None:
        setattr(record, name, masked(value.isoformat(), hidden))

    def put_choice(record: Any, value: bool) -> None:  # noqa: FBT001 (a value among others)
        setattr(record, name, value)

    def put_texts(record: Any, value: list[str]) -> None:
        getattr(record, name).extend(value)

    item = descriptor.fields_by_name[name].message_type
    masks = {field.name: _mask(item, field.name) for field in item.fields} if item is not None and mask else {}
    hiding = {field: how for field, how in masks.items() if how is not Mask.SHOWN}

    def put_items(record: Any, value: list[dict[str, Any]]) -> None:
        add = getattr(record, name).add
        for fields in value:
            add(**fields)

    def put_masked_items(record: Any, value: list[dict[str, Any]]) -> None:
        put_items(record, [{**fields, **shown(fields)} for fields in value])

    def shown(fields: dict[str, Any]) -> dict[str, str]:
        return {key: masked(fields.get(key, ""), how) for key, how in hiding.items()}

    def leave_out(_record: Any, _value: float) -> None:
        """A number that must not be shown has no sign for that there is one."""

    setters: dict[Kind, Callable[[Any, Any], None]] = {
        Kind.DATE: put_date,
        Kind.CHOICE: put_choice,
        Kind.TEXTS: put_texts,
        Kind.ITEMS: put_masked_items if hiding else put_items,
        Kind.DECIMAL: leave_out,
    }
    return setters.get(column.kind, put_text)


@cache
def _mask(descriptor: Descriptor, name: str) -> Mask:
    options = descriptor.fields_by_name[name].GetOptions()
    return mask_of(name, FieldClass(options.Extensions[access_pb2.field_class]))
