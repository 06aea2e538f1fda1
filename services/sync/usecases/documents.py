"""Documents: parts as they come, rows in slices of 5,000, the next slice read while records works on the last.

Memory stays flat however long an NDJSON document is: what is kept of a row that went well is one byte.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final
from uuid import uuid4

from iocedu.records.v1.resources_pb2 import Row
from iocedu.sync.v1 import sync_pb2
from pydantic_core import from_json

from chassis.errors import Fault, Kind
from services.sync import store
from services.sync.convert.rows import Check, Checked, FindSchool, Unread, make
from services.sync.domain import documents, problems
from services.sync.domain.batches import MOST_BYTES, MOST_ROWS, BatchKey, Origin, RowState, digest_of
from services.sync.domain.documents import BrokenDocumentError, Line, Lines
from services.sync.domain.profiles import Profile
from services.sync.usecases.intake import Intake, Parcel, apply, find_school, recall, settle

MOST_REFUSED: Final = 20_000  # Refused rows of a document; more are no accident, and all are held until its end.
TOO_MANY_REFUSED: Final = "TOO_MANY_REFUSED"
READ_AHEAD: Final = 100  # Rows read between two looks at the loop.
_NUL: Final = b"\\u0000"


@dataclass(frozen=True)
class Limits:
    """How large documents may be, in bytes."""

    ndjson: int
    json: int


@dataclass(frozen=True, slots=True)
class _Raw:
    """A row as it came, and what it was read into."""

    content: bytes
    row: Row | Unread


async def push_document(
    intake: Intake, origin: Origin, batch_id: str, *, kind: str, parts: AsyncIterator[bytes], limits: Limits
) -> tuple[str, sync_pb2.Outcome]:
    """Take a document of kind `json` or `ndjson` and return its batch id and what became of it.

    Without a batch id the content's digest is one. Raises TOO_LARGE, TOO_MANY_REFUSED, INVALID_JSON, BATCH_ID_REUSED.
    A document that is stopped as TOO_MANY_REFUSED is no batch, but what records stored of it is counted, and its
    refused rows are kept.
    """
    told = f"{origin.profile}/{kind}/{origin.backfill:d}/".encode()
    content = _Content(parts, limit=limits.ndjson if kind == "ndjson" else limits.json, told=told)
    if batch_id:
        key = BatchKey(origin.unit_id, origin.source, batch_id)
        if await _is_known(intake, key):
            await content.drain()
            return batch_id, (await recall(intake, {key: content.digest()}))[key]
    reading = _Reading(intake, origin, nonce=batch_id or uuid4().hex)
    try:
        rows = _ndjson(content, intake.profiles[origin.profile]) if kind == "ndjson" else _json(content, intake, origin)
        async for raw in rows:
            await reading.add(raw)
        digest = content.digest()
        batch_id = batch_id or f"sha-{digest.hex()}"
        key = BatchKey(origin.unit_id, origin.source, batch_id)
        if not reading.begun:
            known = await recall(intake, {key: digest})
            if key in known:
                return batch_id, known[key]
            reading.nonce = batch_id
        await reading.flush()
        slices = await reading.finish()
    except BaseException as error:
        await reading.abandon()
        if isinstance(error, Fault) and error.reason == TOO_MANY_REFUSED:
            await reading.keep_stopped(batch_id)
        raise
    return batch_id, (await settle(intake, origin, [Parcel(key, digest, slices)]))[key]


class _Content:
    """The parts of a document, counted and digested as they pass."""

    def __init__(self, parts: AsyncIterator[bytes], *, limit: int, told: bytes) -> None:
        self._parts = parts
        self._limit = limit
        self._size = 0
        self._digest = blake2b(told, digest_size=16)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._parts:
            self._size += len(part)
            if self._size > self._limit:
                raise _too_large(self._limit)
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
    done: list[Checked] = field(default_factory=list)
    told: list[bytes] = field(default_factory=list)  # A digest of each slice's content.
    raws: list[_Raw] = field(default_factory=list)
    count: int = 0
    refused: int = 0
    size: int = 0
    under_way: "asyncio.Task[None] | None" = None
    school: FindSchool | None = None

    @property
    def begun(self) -> bool:
        """Whether something has gone to records already."""
        return bool(self.done)

    async def add(self, raw: _Raw) -> None:
        """Take a row; a full slice goes to records while the next one fills."""
        if self.raws and (len(self.raws) >= MOST_ROWS or self.size + len(raw.content) > MOST_BYTES):
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
        await settle(self.intake, self.origin, [Parcel(key, digest, self.done, shown_as=batch_id)])

    async def _send(self, checked: Checked, raws: Sequence[_Raw]) -> None:
        await checked.add_all([raw.row for raw in raws])
        content = digest_of(*(raw.content for raw in raws))
        self.told.append(content)
        told = digest_of(self.nonce.encode(), str(checked.first).encode(), content)
        await asyncio.sleep(0)
        await apply(self.intake, self.origin, [checked], batch=told)
        checked.how = _forget(checked.how)
        self.refused += checked.states.count(RowState.REJECTED)
        if self.refused > MOST_REFUSED:
            raise _too_many_refused(checked.noted[-1].problem.reason)

    def _how(self, raws: Sequence[_Raw], *, first: int) -> Check:
        if self.school is None:
            self.school = find_school(self.intake.scopes.tree, self.origin, self.intake.clock.today())
        return Check(
            school=self.school,
            content=lambda index: raws[index - first].content.decode(errors="replace"),
            label=self.intake.profiles[self.origin.profile].label,
            careful=any(_NUL in raw.content for raw in raws),
        )


def _forget(how: Check) -> Check:
    """The same way of checking without the rows, which would stay in memory otherwise."""
    return Check(school=how.school, content=lambda _index: "", label=how.label)


async def _ndjson(content: _Content, profile: Profile) -> AsyncIterator[_Raw]:
    lines, read = Lines(), 0
    async for part in content:
        for line in lines.feed(part):
            yield _Raw(line.content or b"", read_line(line, profile))
            read += 1
            if read % READ_AHEAD == 0:
                await asyncio.sleep(0)
    for line in lines.end():
        yield _Raw(line.content or b"", read_line(line, profile))


def read_line(line: Line, profile: Profile) -> Row | Unread:
    """Read one line of NDJSON; whatever is wrong with it stays with it."""
    if line.content is None:
        return Unread(problems.line_too_long(line.number, documents.MOST_LINE_BYTES))
    try:
        raw = from_json(line.content, allow_inf_nan=False)
    except ValueError as error:
        return Unread(problems.not_json(line.number, why=_place(str(error))))
    if not isinstance(raw, dict):
        return Unread(problems.not_an_object(line.number))
    return make(raw, profile)


async def _json(content: _Content, intake: Intake, origin: Origin) -> AsyncIterator[_Raw]:
    """A JSON document, whole: nothing of it is applied unless all of it can be read."""
    whole = b"".join([part async for part in content])
    profile = intake.profiles[origin.profile]
    raws: list[_Raw] = []
    try:
        for raw in documents.rows_of(whole):
            raws.append(_of_json(raw, len(raws), profile))
            if len(raws) % READ_AHEAD == 0:
                await asyncio.sleep(0)
    except BrokenDocumentError as broken:
        raise _broken(broken) from None
    for one in raws:
        yield one


def _of_json(raw: Any, index: int, profile: Profile) -> _Raw:
    content = json.dumps(raw, ensure_ascii=False).encode(errors="replace")
    if not isinstance(raw, dict):
        return _Raw(content, Unread(problems.not_an_object(index + 1)))
    return _Raw(content, make(raw, profile))


async def _is_known(intake: Intake, key: BatchKey) -> bool:
    async with intake.database.connection() as reads:
        return key in await store.batches(reads, [key])


def _place(error: str) -> str:
    """Where a parser stopped, without what it read."""
    _, _, place = error.rpartition(" at ")
    column = place.rpartition("column ")[2]
    return f"cột {column}" if column.isdigit() else "không đọc được"


def _too_large(limit: int) -> Fault:
    size = f"{limit / 1_000_000:g} MB"
    return Fault(
        Kind.INVALID,
        "TOO_LARGE",
        vi=f"Tài liệu lớn hơn mức cho phép {size}. Hãy chia thành nhiều lô, hoặc gửi NDJSON (mỗi dòng một bản ghi).",
        en=f"The document is larger than the {size} that are allowed. Split it into batches, or send it as NDJSON.",
        metadata={"limit": str(limit)},
    )


def _too_many_refused(reason: str) -> Fault:
    return Fault(
        Kind.INVALID,
        TOO_MANY_REFUSED,
        vi=f"Hơn {MOST_REFUSED} dòng của tài liệu bị từ chối, ví dụ {reason}. Hãy kiểm tra profile rồi gửi lại.",
        en=f"More than {MOST_REFUSED} rows are refused, e.g. {reason}. Check the profile, then send it again.",
        metadata={"limit": str(MOST_REFUSED), "reason": reason},
    )


def _broken(broken: BrokenDocumentError) -> Fault:
    return Fault(
        Kind.INVALID,
        "INVALID_JSON",
        vi=f"Tài liệu không đọc được tại vị trí {broken.place}: {broken.why}. Chưa có dòng nào được ghi nhận.",
        en=f'The document cannot be read at position {broken.place}: it must be JSON of the form {{"rows": [...]}}.',
        metadata={"position": str(broken.place)},
    )
