"""Corrections by hand: what a person sends of a record, put into the record that is stored."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from google.protobuf.message import Message
from iocedu.records.v1.resources_pb2 import Row

from services.sync.domain.corrections import MASKED, PathRefusedError, Wrong

_FURTHER: Final = re.compile(r'further\["(?P<name>[^"]+)"\]')


def corrected(stored: Row, given: Row, paths: Iterable[str]) -> Row:
    """The stored row with what the paths name taken from the given one; raises PathRefusedError.

    A path is a field of the record, or one name in `further`; what the given record lacks is emptied.
    """
    name = stored.WhichOneof("record")
    assert name is not None, "what is stored holds a record"
    if given.WhichOneof("record") != name:
        raise PathRefusedError(Wrong.OTHER_RECORD, f"row.{name}")
    edited = Row()
    edited.CopyFrom(stored)
    for path in paths:
        taken = _take(path, getattr(edited, name), getattr(given, name))
        if any(text.startswith(MASKED) for text in taken):
            raise PathRefusedError(Wrong.MASKED, f"row.{name}.{path}")
    return edited


def _take(path: str, record: Any, given: Any) -> Iterator[str]:
    """Put what stands at a path of one record into another; returns the texts in it."""
    if inner := _FURTHER.fullmatch(path):
        name = inner["name"]
        record.further.pop(name, None)
        if name in given.further:
            record.further[name] = given.further[name]
        return iter((given.further.get(name, ""),))
    field = record.DESCRIPTOR.fields_by_name.get(path)
    if field is None:
        raise PathRefusedError(Wrong.NO_FIELD, path)
    record.ClearField(path)
    value = getattr(given, path)
    if field.is_repeated:
        getattr(record, path).MergeFrom(value)
    elif not field.has_presence or given.HasField(path):
        setattr(record, path, value)
    return _texts(value)


def _texts(value: Any) -> Iterator[str]:
    """The texts in a value of a field."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Message):
        for _, inner in value.ListFields():
            yield from _texts(inner)
    elif hasattr(value, "values"):
        yield from value.values()
    elif hasattr(value, "__iter__"):
        for item in value:
            yield from _texts(item)
