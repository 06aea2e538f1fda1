"""What a server tells of its methods by gRPC reflection: of its own, or of a whole descriptor set.

The gateway has one port and so one reflection for all services: it asks a service that was given the descriptor set.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc
from iocedu.chassis.v1 import access_pb2

SERVICE_NAME: str = reflection.SERVICE_NAME
OWN_PACKAGE: str = access_pb2.DESCRIPTOR.package


def add_reflection(server: Any, names: Sequence[str], *, descriptors: Path | None = None) -> None:
    """Describe the services `names`; with a descriptor set also those in it that people and partners may call."""
    names = [*names, SERVICE_NAME]
    pool = own = descriptor_pool.Default()
    if descriptors is not None:
        pool = descriptor_pool.DescriptorPool()
        files = {file.name: file for file in descriptor_pb2.FileDescriptorSet.FromString(descriptors.read_bytes()).file}
        for name in names:
            _collect(own.FindFileContainingSymbol(name), files)
        for file in files.values():
            pool.Add(file)
        # What operators call on a service's own port is not to be had where all of them are described.
        names = [name for name in names if not name.startswith(f"{OWN_PACKAGE}.")] + _open_services(files.values())
    # Its stubs leave out the asyncio half of the package.
    servicer = reflection.aio.ReflectionServicer(service_names=sorted(set(names)), pool=pool)  # type: ignore[attr-defined]
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)


def _collect(found: FileDescriptor, files: dict[str, descriptor_pb2.FileDescriptorProto]) -> None:
    """Add a file this process serves, and all it imports, unless the set has them."""
    if found.name in files:
        return
    for imported in found.dependencies:
        _collect(imported, files)
    copied = descriptor_pb2.FileDescriptorProto()
    found.CopyToProto(copied)
    files[found.name] = copied


def _open_services(files: Iterable[descriptor_pb2.FileDescriptorProto]) -> list[str]:
    return [
        f"{file.package}.{service.name}"
        for file in files
        for service in file.service
        if file.package != OWN_PACKAGE and any(_is_open(method) for method in service.method)
    ]


def _is_open(method: descriptor_pb2.MethodDescriptorProto) -> bool:
    access = method.options.Extensions[access_pb2.access]
    return bool(access.roles) or access.any_subject
