"""Streams of batches: a few messages together in one call to records and one transaction, acknowledged one by one.

At most 8 messages are under way; a sender that sends more waits. What was not acknowledged is sent again under the same
batch id.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from iocedu.sync.v1 import sync_pb2

from chassis.request import ask_again
from services.sync.convert.checks import FindSchool
from services.sync.convert.rows import Checked
from services.sync.domain.batches import MOST_ROWS, BatchKey, Origin, digest_of
from services.sync.store.declarations import Arrived
from services.sync.usecases.batches import arrival
from services.sync.usecases.full import check_declared, concluded
from services.sync.usecases.intake import Intake, apply, checking_rows, find_school
from services.sync.usecases.settling import Parcel

MOST_UNDER_WAY = 8
GATHER_SECONDS = 0.05

Batches = AsyncIterator[sync_pb2.StreamBatch]
Declare = Callable[[sync_pb2.StreamBatch, Origin], Origin]
Acks = AsyncGenerator[tuple[str, sync_pb2.StreamAck]]


@dataclass(frozen=True, slots=True)
class _Ended:
    """The sender is done, or its stream broke."""

    error: Exception | None = None


async def acknowledge(intake: Intake, origin: Origin, batches: Batches, *, declare: Declare) -> Acks:
    """Take batches and give (batch id, acknowledgement) once each is durable; nothing of a caller who no longer may.

    `declare` adds to an origin what a batch declares.
    """
    under_way = asyncio.Semaphore(MOST_UNDER_WAY)
    arrived: asyncio.Queue[sync_pb2.StreamBatch | _Ended] = asyncio.Queue()
    reader = asyncio.create_task(_read(batches, arrived, under_way))
    gather = _Gather(arrived, school=lambda: find_school(intake.scopes.tree, origin, intake.clock.today()))
    try:
        while group := await gather.next():
            ask_again()
            for ack in await take(intake, origin, group, declare=declare):
                under_way.release()
                yield ack.batch_id, ack
        if gather.error is not None:
            raise gather.error
    finally:
        reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reader


async def take(
    intake: Intake, origin: Origin, group: Sequence[sync_pb2.StreamBatch], *, declare: Declare
) -> list[sync_pb2.StreamAck]:
    """Take messages together; each is a batch of its own and has its own answer."""
    contents = {_key(origin, batch): batch.SerializeToString(deterministic=True) for batch in group}
    digests = {key: digest_of(content) for key, content in contents.items()}
    answers = await intake.ledger.recall(digests, trial=origin.trial)
    new: dict[BatchKey, Checked] = {}
    arrived: dict[BatchKey, Arrived | None] = {}
    declared = {_key(origin, batch): declare(batch, origin) for batch in group}
    for batch in group:
        key = _key(origin, batch)
        if key not in answers:
            await check_declared(intake, declared[key])
            new[key] = Checked(checking_rows(intake, origin, batch.rows, careful=b"\0" in contents[key]))
            await new[key].add_all(batch.rows)
            arrived[key] = await arrival(declared[key], key, batch.rows, new[key])
    if new:
        told = digest_of(*(part for key in new for part in (key.batch_id.encode(), digests[key])))
        await apply(intake, origin, list(new.values()), batch=told, batch_ids=[key.batch_id for key in new])
        parcels = [Parcel(key, digests[key], [one], arrived=arrived[key]) for key, one in new.items()]
        answers |= await intake.ledger.settle(origin, parcels)
    acks = []
    for batch in group:
        key = _key(origin, batch)
        outcome = await concluded(intake, declared[key], key, answers[key])
        acks.append(sync_pb2.StreamAck(batch_id=batch.batch_id, outcome=outcome))
    return acks


class _Gather:
    """Puts messages together that arrive within 50 ms, up to 5,000 rows, as long as no record is in two of them."""

    def __init__(
        self, arrived: "asyncio.Queue[sync_pb2.StreamBatch | _Ended]", *, school: Callable[[], FindSchool]
    ) -> None:
        self._arrived = arrived
        self._school = school
        self._held: sync_pb2.StreamBatch | None = None
        self._ended = False
        self.error: Exception | None = None

    async def next(self) -> list[sync_pb2.StreamBatch]:
        """The next messages to take together; none at the end."""
        first = self._held or await self._get()
        self._held = None
        if first is None:
            return []
        school = self._school()
        group, count, records = [first], len(first.rows), _records(first, school)
        until = asyncio.get_running_loop().time() + GATHER_SECONDS
        while count < MOST_ROWS and len(group) < MOST_UNDER_WAY:
            try:
                async with asyncio.timeout_at(until):
                    batch = await self._get()
            except TimeoutError:
                break
            if batch is None:
                break
            more = _records(batch, school)
            if not records.isdisjoint(more) or any(batch.batch_id == one.batch_id for one in group):
                self._held = batch
                break
            group.append(batch)
            records |= more
            count += len(batch.rows)
        return group

    async def _get(self) -> sync_pb2.StreamBatch | None:
        if self._ended:
            return None
        item = await self._arrived.get()
        if isinstance(item, _Ended):
            self._ended, self.error = True, item.error
            return None
        return item


async def _read(
    batches: Batches, arrived: "asyncio.Queue[sync_pb2.StreamBatch | _Ended]", under_way: asyncio.Semaphore
) -> None:
    error: Exception | None = None
    try:
        await under_way.acquire()
        async for batch in batches:
            arrived.put_nowait(batch)
            await under_way.acquire()
    except Exception as broken:  # noqa: BLE001 (raised again by the task that acknowledges)
        error = broken
    arrived.put_nowait(_Ended(error))


def _records(batch: sync_pb2.StreamBatch, school: FindSchool) -> set[tuple[int | str, str, str | None]]:
    """Which records a message holds: one must not stand twice in what goes to records together.

    A school may be named by any of its codes, or by its id.
    """
    return {(school(row.school), row.key, row.WhichOneof("record")) for row in batch.rows}


def _key(origin: Origin, batch: sync_pb2.StreamBatch) -> BatchKey:
    return BatchKey(origin.unit_id, origin.source, batch.batch_id)
