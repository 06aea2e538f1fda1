"""All methods of the platform as the descriptors know them, and a request to each that breaks no rule of its own."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from buf.validate import validate_pb2
from google.protobuf import descriptor, descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from iocedu.chassis.v1 import access_pb2

ROOT = Path(__file__).resolve().parents[2]
_MODULES = sorted((ROOT / "gen/iocedu").rglob("*_pb2.py"))


@dataclass(frozen=True)
class Method:
    """A method with who may call it."""

    full_name: str
    descriptor: descriptor.MethodDescriptor
    access: access_pb2.Access

    @property
    def path(self) -> str:
        """What a gRPC client calls."""
        service, _, method = self.full_name.rpartition(".")
        return f"/{service}/{method}"

    @property
    def public(self) -> bool:
        """Whether people or partners may call it through the gateway."""
        return bool(self.access.roles or self.access.any_subject) and ".chassis." not in self.full_name

    def request(self, unit: str) -> Message:
        """A request that names `unit` where the access option looks for it and breaks no rule."""
        request = message_factory.GetMessageClass(self.descriptor.input_type)()
        _fill(request)
        if self.access.unit_field:
            *parents, last = self.access.unit_field.split(".")
            target = request
            for name in parents:
                target = getattr(target, name)
            setattr(target, last, unit)
        return request


def methods() -> Iterator[Method]:
    """Every method of every service, in order of name."""
    for path in _MODULES:
        import_module(".".join(path.relative_to(ROOT / "gen").with_suffix("").parts))
    pool = descriptor_pool.Default()
    image = descriptor_pb2.FileDescriptorSet.FromString((ROOT / "gen/descriptors.binpb").read_bytes())
    for file in sorted(image.file, key=lambda file: file.name):
        if not file.package.startswith("iocedu."):
            continue
        for service in file.service:
            described = pool.FindServiceByName(f"{file.package}.{service.name}")
            for method in described.methods:
                access = method.GetOptions().Extensions[access_pb2.access]
                yield Method(method.full_name, method, access)


def _fill(message: Message) -> None:
    """Give every field that has a rule a value that keeps it."""
    for field in message.DESCRIPTOR.fields:
        rules = field.GetOptions().Extensions[validate_pb2.field]
        if field.is_repeated:
            _fill_repeated(getattr(message, field.name), field, rules)
            continue
        if field.message_type is not None:
            first_of_its_oneof = field.containing_oneof is not None and field.containing_oneof.fields[0] is field
            if rules.required or first_of_its_oneof:
                getattr(message, field.name).SetInParent()
                _fill(getattr(message, field.name))
        elif field.type == field.TYPE_STRING and rules.HasField("string"):
            setattr(message, field.name, _string(rules.string))
        elif field.enum_type is not None:
            allowed = (value.number for value in field.enum_type.values if value.number not in rules.enum.not_in)
            setattr(message, field.name, next(allowed))
        elif (value := _number(rules, flag=field.type == field.TYPE_BOOL)) is not None:
            setattr(message, field.name, value)


def _fill_repeated(target: Any, field: Any, rules: validate_pb2.FieldRules) -> None:
    """Give a list or a map one element where a rule asks for some."""
    if rules.map.min_pairs:
        key, value = field.message_type.fields
        target[_plain(key, rules.map.keys)] = _plain(value, rules.map.values)
    elif rules.repeated.min_items and field.type == field.TYPE_STRING:
        target.append(_string(rules.repeated.items.string))
    elif rules.repeated.min_items and field.message_type is not None:
        _fill(target.add())


def _plain(field: Any, rules: validate_pb2.FieldRules) -> str | int:
    """A text or a number that keeps a rule."""
    return _string(rules.string) if field.type == field.TYPE_STRING else _number(rules, flag=False) or 0


def _number(rules: validate_pb2.FieldRules, *, flag: bool) -> int | None:
    """A number or truth value that a rule asks for; None: none does."""
    if rules.HasField("int32"):
        return int(rules.int32.gte)
    return 1 if rules.HasField("int64") or (flag and rules.required) else None


def _string(rules: validate_pb2.StringRules) -> str:
    if getattr(rules, "in"):
        return str(getattr(rules, "in")[0])
    if not rules.min_len and re.search(rules.pattern, "") is not None:
        return ""
    kept = ("vnedu", "2026-11-02", "GetRecord", "000000")
    return next(text for text in kept if len(text) >= rules.min_len and re.search(rules.pattern, text))
