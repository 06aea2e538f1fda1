"""What the protos say of every method: its path, its REST face, who may call it, whether it streams.

Envoy's routes, the OpenAPI document and reflection are all drawn from here, so that none can say something else.
Refuses a descriptor set that lacks a file another one imports.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor, FileDescriptor, MethodDescriptor
from iocedu.chassis.v1 import access_pb2

DESCRIPTORS = Path(__file__).resolve().parent.parent / "gen" / "descriptors.binpb"
_ROOT = "iocedu."
_VERBS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Rest:
    """The REST face of a method: `verb` in lower case, `path` a template, the bodies as in `google.api.http`."""

    verb: str
    path: str
    body: str
    response_body: str = ""


@dataclass(frozen=True)
class Method:
    """One method that is open to callers from outside."""

    descriptor: MethodDescriptor
    access: access_pb2.Access
    rest: Rest | None

    @property
    def service(self) -> str:
        """Full name of the gRPC service, such as `iocedu.sync.v1.SyncService`."""
        return str(self.descriptor.containing_service.full_name)

    @property
    def owner(self) -> str:
        """Name of the process that answers, such as `sync`."""
        return self.service.removeprefix(_ROOT).partition(".")[0]

    @property
    def name(self) -> str:
        """Name of the method within its service."""
        return str(self.descriptor.name)

    @property
    def grpc_path(self) -> str:
        """Path of the method over gRPC."""
        return f"/{self.service}/{self.name}"

    @property
    def streams(self) -> bool:
        """Whether it stays open: the caller or the service sends a stream."""
        return bool(self.descriptor.client_streaming or self.descriptor.server_streaming)

    @property
    def idempotent(self) -> bool:
        """Whether an edge may send it twice: a plain question."""
        return self.rest is not None and self.rest.verb == "get" and not self.streams


class Interface:
    """All methods of a descriptor set, as bytes of a `FileDescriptorSet` with its imports."""

    def __init__(self, descriptors: bytes) -> None:
        self.files = descriptor_pb2.FileDescriptorSet.FromString(descriptors)
        self.pool = descriptor_pool.DescriptorPool()
        for file in self.files.file:
            self.pool.Add(file)

    @cached_property
    def public(self) -> tuple[Method, ...]:
        """Methods open to persons and partners, in order of path: the access option names a role or any subject."""
        return tuple(method for method in self._methods() if method.access.roles or method.access.any_subject)

    @cached_property
    def services(self) -> tuple[str, ...]:
        """Full names of the services with a public method."""
        return tuple(sorted({method.service for method in self.public}))

    @cached_property
    def owners(self) -> tuple[str, ...]:
        """Names of the processes behind the gateway."""
        return tuple(sorted({method.owner for method in self.public}))

    def message(self, full_name: str) -> Descriptor:
        """A message by its full name."""
        return self.pool.FindMessageTypeByName(full_name)

    def stripped(self) -> bytes:
        """The descriptor set without its comments, as Envoy needs it: a quarter of the size."""
        bare = descriptor_pb2.FileDescriptorSet()
        bare.CopyFrom(self.files)
        for file in bare.file:
            file.ClearField("source_code_info")
        return bare.SerializeToString(deterministic=True)

    def _methods(self) -> Iterator[Method]:
        for name in sorted(file.name for file in self.files.file if file.package.startswith(_ROOT)):
            file: FileDescriptor = self.pool.FindFileByName(name)
            # What the chassis itself serves is for operators, on each service's own port.
            if file.package.startswith(f"{_ROOT}chassis."):
                continue
            for service in file.services_by_name.values():
                for descriptor in service.methods:
                    yield _method(descriptor)


def load(path: Path = DESCRIPTORS) -> Interface:
    """Read a descriptor set from a file; the repository's own unless told otherwise."""
    return Interface(path.read_bytes())


def _method(descriptor: MethodDescriptor) -> Method:
    # A pool of its own gives options without extensions known to it: parse them again with those of the process.
    options = descriptor_pb2.MethodOptions.FromString(descriptor.GetOptions().SerializeToString())
    access = options.Extensions[access_pb2.access] if options.HasExtension(access_pb2.access) else access_pb2.Access()
    rest = _rest(options.Extensions[annotations_pb2.http]) if options.HasExtension(annotations_pb2.http) else None
    return Method(descriptor=descriptor, access=access, rest=rest)


def _rest(rule: http_pb2.HttpRule) -> Rest:
    verb = next(verb for verb in _VERBS if getattr(rule, verb))
    return Rest(verb=verb, path=getattr(rule, verb), body=rule.body, response_body=rule.response_body)
