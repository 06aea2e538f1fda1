"""How a request with an id is known again: by what it is called and what it asks."""

from hashlib import blake2b
from typing import Protocol

from google.protobuf.descriptor import Descriptor

from services.records.usecases.locks import Asked


class _Identified(Protocol):
    """A request that carries an id of its caller's."""

    request_id: str

    @property
    def DESCRIPTOR(self) -> Descriptor: ...

    def SerializeToString(self, *, deterministic: bool = ...) -> bytes: ...


def asked_of(request: _Identified) -> Asked:
    """The id of a request, and a digest of all of it."""
    content = request.DESCRIPTOR.full_name.encode() + request.SerializeToString(deterministic=True)
    return Asked(request.request_id, blake2b(content, digest_size=16).digest())
