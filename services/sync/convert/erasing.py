"""Which keys an erasure names, and outcomes without them."""

from collections.abc import Collection, Iterable
from itertools import chain

from iocedu.records.v1 import erasures_pb2
from iocedu.sync.v1 import sync_pb2


def keys_of(request: erasures_pb2.ErasuresRequested) -> tuple[set[str], set[str]]:
    """Keys of what was erased, and of that and what is restricted."""
    erased = set(chain.from_iterable(one.keys for one in request.erased))
    return erased, erased | set(chain.from_iterable(one.keys for one in request.restricted))


def identities_of(named: Iterable[erasures_pb2.RecordKeys]) -> list[tuple[int, str]]:
    """Records by type and key."""
    return [(int(one.type), key) for one in named for key in one.keys]


def without_keys(outcome: bytes, keys: Collection[str]) -> tuple[bytes, int]:
    """An outcome that names none of these keys any more, and how often it did."""
    message = sync_pb2.Outcome.FromString(outcome)
    naming = [one for one in message.problems if one.key in keys]
    for problem in naming:
        for field in ("key", "message", "message_en", "metadata"):
            problem.ClearField(field)
    gone = _without_gone(message.full, keys)
    return message.SerializeToString(), len(naming) + gone


def without_gone(outcome: bytes, keys: Collection[str]) -> tuple[bytes, int]:
    """What became of a declaration, naming none of these keys any more, and how often it did."""
    message = sync_pb2.FullOutcome.FromString(outcome)
    gone = _without_gone(message, keys)
    return message.SerializeToString(), gone


def _without_gone(message: sync_pb2.FullOutcome, keys: Collection[str]) -> int:
    gone = [key for key in message.disappeared_keys if key in keys]
    for key in gone:
        message.disappeared_keys.remove(key)
    return len(gone)


def confirmed(request: erasures_pb2.ErasuresRequested, service: str, count: int) -> bytes:
    """The answer of a service that has erased."""
    return erasures_pb2.ErasuresConfirmed(
        school_id=request.school_id,
        data_request_id=request.data_request_id,
        service=service,
        erased_count=count,
    ).SerializeToString()
