"""Records of the change feed, into what is noted for a destination and what is sent to it."""

import asyncio
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from google.protobuf.descriptor import Descriptor
from iocedu.records.v1 import records_pb2, resources_pb2

from services.sync.domain.composing import Composer, Content, compile_composer
from services.sync.domain.destinations import Kind

OWN_OF_YEAR: Final = "*"  # Parent key: the school's own record of the year.
ATTENDANCE: Final = resources_pb2.OBJECT_TYPE_ATTENDANCE_REGISTER
SLICE: Final = 500
_NUMBERS: Final = {
    "school_profile": resources_pb2.OBJECT_TYPE_SCHOOL,
    "staff_member": resources_pb2.OBJECT_TYPE_STAFF_MEMBER,
    "school_class": resources_pb2.OBJECT_TYPE_SCHOOL_CLASS,
    "pupil": resources_pb2.OBJECT_TYPE_PUPIL,
    "attendance_register": ATTENDANCE,
    "result": resources_pb2.OBJECT_TYPE_RESULT,
}
RECORDS: Final = {int(number): record for record, number in _NUMBERS.items()}


@dataclass(frozen=True, slots=True)
class Form:
    """In which form a kind of destination is sent records."""

    composers: Mapping[int, Composer]  # By type; none: told which records changed, without content.
    studying: frozenset[str]
    delete_offset: int

    @property
    def types(self) -> Sequence[int]:
        """Types that are passed on."""
        return sorted(self.composers) or sorted(RECORDS)

    def object_of(self, number: int) -> str:
        """What the destination calls a type."""
        return self.composers[number].object if self.composers else RECORDS[number]


@cache
def form_of(kind: Kind) -> Form:
    """The form for a kind of destination."""
    if kind is Kind.WEBHOOK:
        return Form({}, frozenset(), 0)
    package = files("services.sync")
    table = json.loads((package / "destinations" / "moet.json").read_text(encoding="utf-8"))
    profile = json.loads((package / "profiles" / f"{table['profile']}.json").read_text(encoding="utf-8"))
    presence = frozenset(_presence(resources_pb2.Row.DESCRIPTOR, ""))
    composers = {
        int(_NUMBERS[record]): compile_composer(
            record,
            profile["objects"][entry["object"]],
            entry,
            omit=frozenset(table["omit"]),
            presence=presence,
        )
        for record, entry in table["objects"].items()
    }
    return Form(composers, frozenset(table["studying"]["statuses"]), table["delete_offset"])


def _presence(message: Descriptor, inside: str) -> Iterable[str]:
    """Paths of the fields that know "not said" beside their zero."""
    for field in message.fields:
        path = f"{inside}{field.name}"
        if field.message_type is not None and not field.message_type.GetOptions().map_entry:
            yield from _presence(field.message_type, f"{path}.")
        elif field.has_presence and field.message_type is None:
            yield path


Noted = tuple[int, int, str, str, int, int, int, int, str, bool, bool, bool, bytes]
NOTED: Final = (
    "school_id",
    "type",
    "key",
    "previous_key",
    "position",
    "record_type",
    "school_year",
    "parent_type",
    "parent_key",
    "counts",
    "deleted",
    "restricted",
    "row",
)


async def noted_rows(form: Form, changes: Sequence[records_pb2.Change]) -> list[Noted]:
    """What is noted of changes, as tuples of `NOTED`."""
    rows: list[Noted] = []
    for start in range(0, len(changes), SLICE):
        rows += [_noted(form, change) for change in changes[start : start + SLICE]]
        await asyncio.sleep(0)
    return rows


def _noted(form: Form, change: records_pb2.Change) -> Noted:
    row, number = change.row, int(change.type)
    head = (change.school_id, number, row.key, row.previous_key, change.position)
    if row.deleted or change.restricted:
        # The ministry keeps what it has of a restricted record; a subscriber hears that it is gone.
        restricted = bool(form.composers) and not row.deleted
        return (*head, 0, 0, 0, "", True, not restricted, restricted, b"")
    name = RECORDS[number]
    record = getattr(row, name)
    # Where a record came from is no part of it: a rename or another version alone changes nothing out there.
    bare = resources_pb2.Row(key=row.key)
    getattr(bare, name).CopyFrom(record)
    content = bare.SerializeToString(deterministic=True)
    if not form.composers:
        # Told by its name alone: what it holds is not kept, only whether that changed.
        return (*head, number, record.school_year, 0, "", True, False, False, hashlib.sha256(content).digest())
    composer = form.composers[number]
    parent = getattr(record, composer.parent_field) if composer.parent_field else ""
    parent_type = int(_NUMBERS[composer.parent_record]) if composer.parent_record else 0
    if composer.parent_record and not parent:
        # A class without a homeroom teacher still stands on its school; a pupil without a class too.
        parent_type, parent = int(_NUMBERS["school_profile"]), OWN_OF_YEAR
    counts = record.status in form.studying if name == "pupil" else True
    return (
        *head,
        composer.record_type(record),
        record.school_year,
        parent_type,
        parent,
        counts,
        False,
        False,
        content,
    )


def compose(form: Form, number: int, row: bytes, *, key: str) -> Content:
    """What is sent of a noted record; raises `CompositionError`."""
    composer = form.composers[number]
    record: Any = getattr(resources_pb2.Row.FromString(row), composer.record)
    return composer.compose(record, key=key)
