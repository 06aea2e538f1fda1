"""The profiles that ship with the service, compiled: tables from `profiles/*.json`, our own from the descriptors."""

import csv
import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from iocedu.chassis.v1 import access_pb2
from iocedu.records.v1 import resources_pb2

from services.sync.domain import shapes
from services.sync.domain.codes import read_lists
from services.sync.domain.profiles import Profile
from services.sync.domain.shapes import Member, OwnProfile, Shape
from services.sync.domain.specification import Catalogue, Specification, read_fields
from services.sync.domain.tables import TableProfile

DEFAULT = "iocedu"

_TYPES = {
    FieldDescriptor.TYPE_STRING: shapes.STRING,
    FieldDescriptor.TYPE_INT32: shapes.INT_32,
    FieldDescriptor.TYPE_INT64: shapes.INT_64,
    FieldDescriptor.TYPE_BOOL: shapes.BOOL,
    FieldDescriptor.TYPE_DOUBLE: shapes.DOUBLE,
    FieldDescriptor.TYPE_MESSAGE: shapes.MESSAGE,
}


def load_profiles() -> dict[str, Profile]:
    """Read every profile of the package, by name."""
    row = resources_pb2.Row.DESCRIPTOR
    classed = frozenset(_classed(row, ""))
    loaded: dict[str, Profile] = {}
    for entry in (files("services.sync") / "profiles").iterdir():
        if entry.name.endswith(".json"):
            table: Mapping[str, Any] = json.loads(entry.read_text(encoding="utf-8"))
            own = table.get("message") == row.full_name
            profile: Profile = (
                OwnProfile(table["profile"], _shape(row))
                if own
                else TableProfile(table, classed=classed, specification=load_specification(table))
            )
            loaded[profile.name] = profile
    return loaded


def load_specification(profile: Mapping[str, Any]) -> Specification | None:
    """The specification that a profile's names are of; None: it follows none."""
    name = profile.get("specification")
    if name is None:
        return None
    folder = files("services.sync") / "catalogues"
    table = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    lines = (folder / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    derived = [one["derived"]["level"]["values"] for one in profile["objects"].values() if "derived" in one]
    return Specification(
        read_fields(rows, table),
        code_length=table["code_length"],
        catalogues=_catalogues(),
        levels={grade: level for values in derived for grade, level in values.items()},
    )


def _catalogues() -> dict[str, Catalogue]:
    """The catalogues that have values, by field; those that rows are checked by stand in `rules/codes.json`."""
    package = files("services.sync")
    checked = read_lists(json.loads((package / "rules/codes.json").read_text(encoding="utf-8")))
    table = json.loads((package / "catalogues/codes.json").read_text(encoding="utf-8"))
    found: dict[str, Catalogue] = {}
    for entry in table["catalogues"]:
        codes = entry.get("codes") or {
            code: name for one in checked if entry["as"] in one.fields for code, name in one.codes.items()
        }
        found |= dict.fromkeys(entry["fields"], Catalogue(codes, closed=entry["closed"]))
    return found


def is_classed(field: FieldDescriptor) -> bool:
    """Whether the field is personal data."""
    return bool(field.GetOptions().Extensions[access_pb2.field_class])


def _classed(message: Descriptor, inside: str) -> Iterator[str]:
    for field in message.fields:
        if is_classed(field):
            yield f"{inside}{field.name}"
        elif field.message_type is not None and not _is_map(field):
            yield from _classed(field.message_type, f"{inside}{field.name}.")


def _shape(message: Descriptor) -> Shape:
    members: dict[str, Member] = {}
    for field in message.fields:
        member = _member(field)
        members[field.name] = members[field.json_name] = member
    one_of = frozenset(field.name for field in message.fields if field.containing_oneof and not _is_optional(field))
    return Shape(members, one_of)


def _member(field: FieldDescriptor) -> Member:
    if _is_map(field):
        return Member(field.name, shapes.STRINGS_BY_STRING)
    return Member(
        field.name,
        _TYPES[field.type],
        repeated=field.is_repeated,
        classed=is_classed(field),
        shape=_shape(field.message_type) if field.message_type is not None else None,
    )


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _is_optional(field: FieldDescriptor) -> bool:
    """Whether its oneof is the one an `optional` field has for itself."""
    return field.containing_oneof is not None and field.containing_oneof.name == f"_{field.name}"
