"""Personal data that an answer can hold is written down before the answer leaves, whatever the method forgets.

Which methods these are says their access option. A method that writes its own, fuller entry says so by `written_down`;
for every other one the chain notes what it can read off request and answer. `Disclosures` tells by an event, durable
with the call; the service that keeps the log writes it there itself. A call without the flag is not touched.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from iocedu.chassis.v1 import disclosures_pb2

from chassis import outbox
from chassis.database import Database
from chassis.grouping import Grouped

EVENT = "personal-data-shown"
_ENVELOPE = ("heartbeat", "end", "error")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a call showed."""

    time: datetime
    subject: str
    method: str  # Without its service.
    unit_id: int
    record_count: int
    purpose: str
    unmasked: bool
    trace_id: str


Note = Callable[[Shown], Awaitable[None]]


class Disclosures:
    """Tells what a service showed. Calls that come together share a transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._grouped: Grouped[Shown, None] = Grouped(self._tell)

    async def note(self, shown: Shown) -> None:
        """Return once it is durable that this was shown."""
        await self._grouped.ask(shown)

    async def _tell(self, some: Sequence[Shown]) -> list[None]:
        message = disclosures_pb2.Disclosures()
        for one in some:
            told = message.disclosures.add(
                subject=one.subject,
                method=one.method,
                unit_id=one.unit_id,
                record_count=one.record_count,
                purpose=one.purpose,
                unmasked=one.unmasked,
                trace_id=one.trace_id,
            )
            told.time.FromDatetime(one.time)
        async with self._database.transaction() as connection:
            await outbox.append(connection, [outbox.Outgoing(EVENT, message.SerializeToString(), len(some))])
        return [None] * len(some)


def count_of(answer: Any) -> int:
    """How many entries an answer holds: those of its lists; where it has none, itself."""
    lists = [field for field in answer.DESCRIPTOR.fields if field.is_repeated and field.message_type]
    return sum(len(getattr(answer, field.name)) for field in lists) if lists else 1


def is_envelope(message: Any) -> bool:
    """Whether a message of a stream is only its envelope: a heartbeat or an end shows nobody."""
    return "event" in message.DESCRIPTOR.oneofs_by_name and message.WhichOneof("event") in _ENVELOPE


def is_unmasked(answer: Any) -> bool:
    """Whether an answer says of itself that it is not masked."""
    return "masked" in answer.DESCRIPTOR.fields_by_name and not answer.masked


class _Writing:
    """Whether the running call has written its own entry."""

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done = False


_writing: ContextVar[_Writing | None] = ContextVar("writing", default=None)


def begin_writing() -> None:
    """Say that the running call is one that has to be written down; for the interceptors."""
    _writing.set(_Writing())


def written_down() -> None:
    """Say that the running call has written its entry, had it written, or shows nobody; outside of one nobody asks."""
    if (writing := _writing.get()) is not None:
        writing.done = True


def to_be_written() -> bool:
    """Whether the running call has to be written down and has not been; for the interceptors."""
    writing = _writing.get()
    return writing is not None and not writing.done
