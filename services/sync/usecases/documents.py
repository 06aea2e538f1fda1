"""Documents: parts as they come, rows in slices of 5,000, the next slice read while records works on the last.

Memory stays flat however long an NDJSON document is: what is kept of a row that went well is one byte.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Final
from uuid import uuid4

from iocedu.sync.v1 import sync_pb2

from chassis.errors import Fault
from services.sync.convert.checks import Check
from services.sync.convert.documents import RawRow, json_rows, ndjson_rows
from services.sync.convert.full import note_presence
from services.sync.convert.rows import Checked
from services.sync.domain import problems
from services.sync.domain.batches import MOST_BYTES, MOST_ROWS, BatchKey, Origin, RowState, digest_of
from services.sync.domain.documents import LONGEST_SIGN, BrokenDocumentError, packed_as
from services.sync.domain.full import Presence
from services.sync.domain.words import Text
from services.sync.store import batches
from services.sync.store.declarations import Arrived
from services.sync.usecases import refusals
from services.sync.usecases.full import check_declared, concluded
from services.sync.usecases.intake import Intake, apply, checking
from services.sync.usecases.settling import Parcel

MOST_REFUSED: Final = 20_000  # Rows of a document to keep aside; more are no accident, and all wait until its end.
STOPPING: Final = frozenset({refusals.TOO_LARGE, refusals.TOO_MANY_REFUSED})
MOST_REFUSED_LETTERS: Final = 50_000_000  # And their content: it waits in memory, too.
_NUL: Final = b"\\u0000"


@dataclass(frozen=True)
class Limits:
    """How large documents may be, in bytes."""

    ndjson: int
    json: int


async def push_document(
    intake: Intake, origin: Origin, batch_id: str, *, kind: str, parts: AsyncIterator[bytes], limits: Limits
) -> tuple[str, sync_pb2.Outcome]:
    """Take a document of kind `json` or `ndjson` and return its batch id and what became of it, its declaration too.

    One that is stopped or cut declares nothing.
    """
    batch_id, outcome, fresh = await _take(intake, origin, batch_id, kind=kind, parts=parts, limits=limits)
    origin = _named(origin, batch_id)
    key = BatchKey(origin.unit_id, origin.source, batch_id)
    if origin.validate_only and fresh is None:
        return batch_id, outcome
    return batch_id, await concluded(intake, origin, key, outcome, fresh=fresh if origin.validate_only else None)


async def _take(
    intake: Intake, origin: Origin, batch_id: str, *, kind: str, parts: AsyncIterator[bytes], limits: Limits
) -> tuple[str, sync_pb2.Outcome, Presence | None]:
    """The same, and which records stood in it; None: it is known, or declares nothing.

    Without a batch id the content's digest is one. Raises TOO_LARGE, TOO_MANY_REFUSED, INVALID_JSON, BATCH_ID_REUSED,
    UNSUPPORTED_CONTENT_TYPE of a compressed one.
    One that is to be stored whole or not at all is one slice, or TOO_LARGE.
    A document that is stopped half way, as TOO_LARGE or TOO_MANY_REFUSED, is no batch, but what records stored of it
    is counted, and its refused rows are kept.
    """
    told = f"{origin.profile}/{kind}/{origin.backfill:d}/{'atomic/' if origin.atomic else ''}"
    told += f"{origin.full_of}/" if origin.full_of else ""
    content = _Content(parts, limit=limits.ndjson if kind == "ndjson" else limits.json, told=told.encode())
    if batch_id:
        key = BatchKey(origin.unit_id, origin.source, batch_id)
        if await _is_known(intake, key):
            await content.drain()
            known = await intake.ledger.recall({key: content.digest()}, trial=origin.trial)
            return batch_id, known[key], None
    await check_declared(intake, _named(origin, batch_id))
    place = problems.line_at if kind == "ndjson" else problems.element_at
    reading = _Reading(intake, origin, nonce=batch_id or uuid4().hex, batch_id=batch_id, place=place)
    try:
        read = ndjson_rows if kind == "ndjson" else json_rows
        async for raw in read(aiter(content), intake.profiles[origin.profile]):
            await reading.add(raw)
        digest = content.digest()
        batch_id = batch_id or f"sha-{digest.hex()}"
        key = BatchKey(origin.unit_id, origin.source, batch_id)
        if not reading.begun:
            known = await intake.ledger.recall({key: digest}, trial=origin.trial)
            if key in known:
                return batch_id, known[key], None
            reading.nonce = reading.batch_id = batch_id
        await reading.flush()
        slices = await reading.finish()
    except BrokenDocumentError as broken:
        raise refusals.broken(broken) from None
    except Fault as fault:
        await reading.ended()
        if fault.reason in STOPPING:
            await reading.keep_stopped(batch_id)
        raise
    except BaseException:
        await reading.abandon()
        raise
    full_of, presence = _named(origin, batch_id).full_of, reading.presence
    arrived = Arrived(key, full_of, origin.backfill, presence) if full_of else None
    settled = await intake.ledger.settle(origin, [Parcel(key, digest, slices, arrived=arrived)])
    return batch_id, settled[key], presence if full_of else None


def _named(origin: Origin, batch_id: str) -> Origin:
    """The same with the id under which it declares: one that is alone has that of the batch, known at its end."""
    if origin.full_of is None or origin.full_of.declaration_id:
        return origin
    return replace(origin, full_of=replace(origin.full_of, declaration_id=batch_id))


class _Content:
    """The parts of a document, counted and digested as they pass."""

    def __init__(self, parts: AsyncIterator[bytes], *, limit: int, told: bytes) -> None:
        self._parts = parts
        self._limit = limit
        self._size = 0
        self._digest = blake2b(told, digest_size=16)
        self._head = b""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._parts:
            if len(self._head) < LONGEST_SIGN:
                self._head += part[:LONGEST_SIGN]
                if packing := packed_as(self._head):
                    raise refusals.compressed(packing)
            self._size += len(part)
            if self._size > self._limit:
                raise refusals.too_large(self._limit)
            self._digest.update(part)
            yield part

    async def drain(self) -> None:
        """Read to the end for the digest alone."""
        async for _ in self:
            pass

    def digest(self) -> bytes:
        """The digest of what has passed."""
        return self._digest.digest()


@dataclass
class _Reading:
    """The slices of a document: one being filled, one at records."""

    intake: Intake
    origin: Origin
    nonce: str  # Tells the document in request ids: a repeat under the same batch id is the same request.
    batch_id: str  # Empty as long as only the whole document will tell it.
    place: Callable[[int], Text]  # Names the place of a row by its number.
    done: list[Checked] = field(default_factory=list)
    told: list[bytes] = field(default_factory=list)  # A digest of each slice's content.
    raws: list[RawRow] = field(default_factory=list)
    count: int = 0
    refused: int = 0
    letters: int = 0  # Of the refused rows' content.
    size: int = 0
    presence: Presence = field(default_factory=Presence)  # Of what is declared.
    under_way: "asyncio.Task[None] | None" = None

    @property
    def begun(self) -> bool:
        """Whether something has gone to records already."""
        return bool(self.done)

    async def add(self, raw: RawRow) -> None:
        """Take a row; a full slice goes to records while the next one fills."""
        if self.raws and (len(self.raws) >= MOST_ROWS or self.size + len(raw.content) > MOST_BYTES):
            if self.origin.atomic:
                raise refusals.too_large_to_be_atomic()
            await self.flush()
        self.raws.append(raw)
        self.size += len(raw.content)

    async def flush(self) -> None:
        """Send off the slice, once the one before has arrived: an order of rows is an order of versions."""
        if self.under_way is not None:
            await self.under_way
            self.under_way = None
        if not self.raws:
            return
        raws, self.raws, self.size = self.raws, [], 0
        checked = Checked(self._how(raws, first=self.count), first=self.count)
        self.count += len(raws)
        self.done.append(checked)
        self.under_way = asyncio.create_task(self._send(checked, raws))

    async def finish(self) -> list[Checked]:
        """Wait for the last slice and return all of them."""
        if self.under_way is not None:
            await self.under_way
        return self.done

    async def ended(self) -> None:
        """Wait for the slice at records, whatever becomes of it."""
        if self.under_way is not None:
            with suppress(Exception):
                await self.under_way

    async def abandon(self) -> None:
        """Leave nothing running behind."""
        if self.under_way is not None:
            self.under_way.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self.under_way

    async def keep_stopped(self, batch_id: str) -> None:
        """Settle the slices of a document that is refused half way, unless nothing of it was stored.

        Under an id of their own: the document's batch id stays free for what is sent once it is corrected, and the
        same document sent again is counted once.
        """
        if all(one.states.count(RowState.REJECTED) == len(one.states) for one in self.done):
            return
        digest = digest_of(self.nonce.encode() if batch_id else b"", *self.told)
        key = BatchKey(self.origin.unit_id, self.origin.source, f"stopped-{digest.hex()}")
        await self.intake.ledger.settle(self.origin, [Parcel(key, digest, self.done, shown_as=batch_id)])

    async def _send(self, checked: Checked, raws: Sequence[RawRow]) -> None:
        await checked.add_all([raw.row for raw in raws])
        if self.origin.full_of is not None:
            await note_presence(self.presence, (raw.row for raw in raws), self.origin.full_of, checked.how.school)
        content = digest_of(*(raw.content for raw in raws))
        self.told.append(content)
        told = digest_of(self.nonce.encode(), str(checked.first).encode(), content)
        await asyncio.sleep(0)
        await apply(self.intake, self.origin, [checked], batch=told, batch_ids=[self.batch_id] if self.batch_id else [])
        taken = (raw for raw, state in zip(raws, checked.states, strict=True) if state != RowState.REJECTED)
        checked.unverified.update(name for raw in taken for name in raw.unverified)
        checked.how = _forget(checked.how)
        # Rows held by a lock weigh as much: a document that is full of them is for a year or a term that is closed.
        self.refused += checked.states.count(RowState.REJECTED) + checked.states.count(RowState.HELD)
        self.letters += sum(len(noted.content) for noted in checked.noted)
        if self.refused > MOST_REFUSED or self.letters > MOST_REFUSED_LETTERS:
            raise refusals.too_many_refused(checked.noted[-1].problem, most=self.refused - 1)

    def _how(self, raws: Sequence[RawRow], *, first: int) -> Check:
        profile = self.intake.profiles[self.origin.profile]
        return checking(
            self.intake,
            self.origin,
            content=lambda index: raws[index - first].content.decode(errors="replace"),
            called=lambda index, path: profile.called(path, raws[index - first].raw()),
            place=lambda index, _: self.place(raws[index - first].number),
            document=True,
            careful=any(_NUL in raw.content for raw in raws),
        )


def _forget(how: Check) -> Check:
    """The same way of checking without the rows, which would stay in memory otherwise."""
    return replace(
        how, content=lambda _index: "", called=lambda _index, path: problems.own(path), place=problems.row_at
    )


async def _is_known(intake: Intake, key: BatchKey) -> bool:
    async with intake.database.connection() as reads:
        return key in await batches.known(reads, [key])
