"""Turns messages into JSON schemas as the edge reads and writes them: snake_case names, enums by name, 64-bit
integers as strings in answers. Rules of protovalidate become the schema's own.
"""

from collections.abc import Mapping
from typing import Any

from buf.validate import validate_pb2
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

Schema = dict[str, Any]
_WELL_KNOWN: Mapping[str, Schema] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "examples": ["1.5s"]},
    "google.protobuf.FieldMask": {"type": "string"},
    "google.protobuf.Any": {
        "type": "object",
        "properties": {"@type": {"type": "string"}},
        "required": ["@type"],
        "additionalProperties": True,
    },
}
_INTEGERS_32 = (
    FieldDescriptor.TYPE_INT32,
    FieldDescriptor.TYPE_SINT32,
    FieldDescriptor.TYPE_UINT32,
    FieldDescriptor.TYPE_FIXED32,
    FieldDescriptor.TYPE_SFIXED32,
)
_NUMBERS = (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT)


class Schemas:
    """The schemas of an OpenAPI document: each message asked for, and all it holds, by its full name."""

    def __init__(self, comments: Mapping[str, str]) -> None:
        self._comments = comments
        self.found: dict[str, Schema] = {}

    def message(self, descriptor: Descriptor) -> Schema:
        """A reference to a message's schema."""
        name = str(descriptor.full_name)
        if name in _WELL_KNOWN:
            return dict(_WELL_KNOWN[name])
        if name not in self.found:
            self.found[name] = {}  # Set first: a message may hold itself.
            self.found[name] = self.object(descriptor, without=())
        return {"$ref": f"#/components/schemas/{name}"}

    def object(self, descriptor: Descriptor, *, without: tuple[str, ...]) -> Schema:
        """The schema of a message itself, leaving out fields that travel elsewhere."""
        fields = [field for field in descriptor.fields if field.name not in without]
        schema: Schema = {
            "type": "object",
            "description": self._comments.get(descriptor.full_name, ""),
            "properties": {field.name: self.field(field) for field in fields},
        }
        required = [field.name for field in fields if rules(field).required]
        return schema | {"required": required} if required else schema

    def field(self, field: FieldDescriptor) -> Schema:
        """The schema of one field, with its comment and its rules."""
        described = {"description": self._comments.get(field.full_name, "")}
        limits = rules(field)
        entry = field.message_type
        if entry is not None and entry.GetOptions().map_entry:
            values = self._single(entry.fields_by_name["value"], limits.map.values)
            return described | {"type": "object", "additionalProperties": values}
        if field.is_repeated:
            items = self._single(field, limits.repeated.items)
            return described | {"type": "array", "items": items} | _counted(limits.repeated)
        single = self._single(field, limits)
        if field.containing_oneof is not None and len(field.containing_oneof.fields) > 1:
            described["description"] += f" Only one of `{field.containing_oneof.name}` is set."
        return described | single

    def _single(self, field: FieldDescriptor, limits: validate_pb2.FieldRules) -> Schema:
        if field.message_type is not None:
            return self.message(field.message_type)
        if field.enum_type is not None:
            return self._enum(field.enum_type)
        if field.type == FieldDescriptor.TYPE_STRING:
            return {"type": "string"} | _text(limits.string)
        if field.type == FieldDescriptor.TYPE_BYTES:
            return {"type": "string", "format": "byte"}
        if field.type == FieldDescriptor.TYPE_BOOL:
            return {"type": "boolean"}
        if field.type in _NUMBERS:
            return {"type": "number"}
        if field.type in _INTEGERS_32:
            return {"type": "integer", "format": "int32"} | _bounds(limits)
        return {"type": "string", "format": "int64", "pattern": "^-?[0-9]+$"}

    def _enum(self, enum: EnumDescriptor) -> Schema:
        name = str(enum.full_name)
        if name not in self.found:
            lines = [f"- `{value.name}`: {self._comments.get(f'{name}.{value.name}', '')}" for value in enum.values]
            self.found[name] = {
                "type": "string",
                "description": "\n".join([self._comments.get(name, ""), "", *lines]),
                "enum": [value.name for value in enum.values],
            }
        return {"$ref": f"#/components/schemas/{name}"}


def rules(field: FieldDescriptor) -> validate_pb2.FieldRules:
    """The protovalidate rules of a field; empty ones where it has none."""
    options = descriptor_pb2.FieldOptions.FromString(field.GetOptions().SerializeToString())
    found: validate_pb2.FieldRules = options.Extensions[validate_pb2.field]
    return found


def _text(limits: validate_pb2.StringRules) -> Schema:
    schema: Schema = {}
    if limits.min_len:
        schema["minLength"] = limits.min_len
    if limits.max_len:
        schema["maxLength"] = limits.max_len
    if limits.pattern:
        schema["pattern"] = limits.pattern
    values = list(getattr(limits, "in"))
    return schema | {"enum": values} if values else schema


def _bounds(field: validate_pb2.FieldRules) -> Schema:
    limits = field.int32
    schema: Schema = {}
    if limits.HasField("gte"):
        # Where 0 stands for a default it is sent, too.
        schema["minimum"] = 0 if field.ignore == validate_pb2.IGNORE_IF_ZERO_VALUE else limits.gte
    if limits.HasField("gt"):
        schema["exclusiveMinimum"] = limits.gt
    if limits.HasField("lte"):
        schema["maximum"] = limits.lte
    return schema


def _counted(limits: validate_pb2.RepeatedRules) -> Schema:
    schema: Schema = {}
    if limits.min_items:
        schema["minItems"] = limits.min_items
    if limits.max_items:
        schema["maxItems"] = limits.max_items
    return schema
