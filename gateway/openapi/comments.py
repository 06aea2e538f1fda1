"""What the protos say in words: the comment above each service, method, message, field, enum and value."""

from collections.abc import Iterator, Mapping

from google.protobuf import descriptor_pb2

Path = tuple[int, ...]
# Field numbers within descriptor.proto, which comments are addressed by.
_FILE_MESSAGE, _FILE_ENUM, _FILE_SERVICE = 4, 5, 6
_MESSAGE_FIELD, _MESSAGE_MESSAGE, _MESSAGE_ENUM, _MESSAGE_ONEOF = 2, 3, 4, 8
_ENUM_VALUE = 2
_SERVICE_METHOD = 2


def comments(files: descriptor_pb2.FileDescriptorSet) -> Mapping[str, str]:
    """Comments by full name; an enum value stands under its enum's full name."""
    found: dict[str, str] = {}
    for file in files.file:
        names = dict(_file(file))
        for location in file.source_code_info.location:
            name = names.get(tuple(location.path))
            text = " ".join(location.leading_comments.split())
            if name and text:
                found[name] = text
    return found


def _file(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[Path, str]]:
    for index, message in enumerate(file.message_type):
        yield from _message(message, (_FILE_MESSAGE, index), file.package)
    for index, enum in enumerate(file.enum_type):
        yield from _enum(enum, (_FILE_ENUM, index), file.package)
    for index, service in enumerate(file.service):
        path, name = (_FILE_SERVICE, index), f"{file.package}.{service.name}"
        yield path, name
        for number, method in enumerate(service.method):
            yield (*path, _SERVICE_METHOD, number), f"{name}.{method.name}"


def _message(message: descriptor_pb2.DescriptorProto, path: Path, parent: str) -> Iterator[tuple[Path, str]]:
    name = f"{parent}.{message.name}"
    yield path, name
    for index, field in enumerate(message.field):
        yield (*path, _MESSAGE_FIELD, index), f"{name}.{field.name}"
    for index, oneof in enumerate(message.oneof_decl):
        yield (*path, _MESSAGE_ONEOF, index), f"{name}.{oneof.name}"
    for index, nested in enumerate(message.nested_type):
        yield from _message(nested, (*path, _MESSAGE_MESSAGE, index), name)
    for index, enum in enumerate(message.enum_type):
        yield from _enum(enum, (*path, _MESSAGE_ENUM, index), name)


def _enum(enum: descriptor_pb2.EnumDescriptorProto, path: Path, parent: str) -> Iterator[tuple[Path, str]]:
    name = f"{parent}.{enum.name}"
    yield path, name
    for index, value in enumerate(enum.value):
        yield (*path, _ENUM_VALUE, index), f"{name}.{value.name}"
