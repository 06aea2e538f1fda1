"""The dated forest of units and grants that every service holds in memory, and how it is kept current and published.

Ids, kinds, roles and labels are opaque here. A reader swaps whole trees at a head whose digest fits, so that a change
of many units is never seen half done; it refuses chunks that do not add up.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from iocedu.chassis.v1 import scopes_pb2
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError, NoKeysError

from chassis.bus import Bus
from chassis.errors import Fault, Kind
from chassis.logs import said
from chassis.scope_tree import ScopeAlias, ScopeEdge, ScopeGrant, ScopeTree, ScopeUnit, ScopeYear
from chassis.workers import Check, Worker

__all__ = [
    "ScopeAlias",
    "ScopeEdge",
    "ScopeGrant",
    "ScopeTree",
    "ScopeUnit",
    "ScopeYear",
    "Scopes",
    "chunked",
    "publish_tree",
    "published_version",
]

BUCKET = "scopes"
HEAD = "head"
MOST_ITEMS = 500
MOST_BYTES = 900_000  # NATS carries 1 MB a message by default.
POLL_SECONDS = 2.0  # A watcher can stay silent after the broker was restarted.
VERSIONS_KEPT = 3  # A reader may still be fetching an older one.

log = structlog.get_logger(__name__)


class Scopes:
    """The current tree. Hand `worker` and `check` to the server by `App.scopes`; it does so by itself."""

    def __init__(self, bus: Bus | None, *, tree: ScopeTree | None = None) -> None:
        self._bus = bus
        self._tree = tree
        self._digest = ""
        self._changed = asyncio.Event()
        self.worker = Worker("scopes", self._run)
        self.check = Check("scopes", self._ping)

    @classmethod
    def of(cls, tree: ScopeTree) -> "Scopes":
        """Scopes that hold one given tree and follow nothing."""
        return cls(None, tree=tree)

    @property
    def tree(self) -> ScopeTree:
        """The newest whole tree, immutable; raises UNAVAILABLE as long as there is none."""
        if self._tree is None:
            raise Fault(
                Kind.UNAVAILABLE,
                "UNAVAILABLE",
                vi="Dịch vụ đang khởi động: chưa nhận được cây đơn vị. Vui lòng thử lại sau giây lát.",
                en="The service is starting: it has not received the tree of units yet. Please try again in a moment.",
            )
        return self._tree

    @property
    def known(self) -> bool:
        """Whether there is a tree yet."""
        return self._tree is not None

    @property
    def follows(self) -> bool:
        """Whether there is a bucket to follow, and so a worker to run."""
        return self._bus is not None

    async def changed(self) -> None:
        """Wait until another tree has taken the place of the present one."""
        await self._changed.wait()

    async def refresh(self) -> bool:
        """Look at the head once and take its tree when it is another; says whether it was."""
        bucket = await self._following().key_value(BUCKET)
        try:
            entry = await bucket.get(HEAD)
        except KeyNotFoundError:
            return False
        head = scopes_pb2.ScopeHead.FromString(entry.value or b"")
        if head.digest == self._digest:
            return False
        chunks: list[bytes] = []
        for number in range(head.chunk_count):
            try:
                chunks.append((await bucket.get(_chunk_key(head.version, number))).value or b"")
            except KeyNotFoundError:
                break
        if _digest(chunks) != head.digest:
            # A newer tree is being written over this one; its head will come.
            log.warning("scopes do not add up", action="scopes.digest_differs", version=head.version)
            return False
        self._tree = ScopeTree.from_chunks(map(scopes_pb2.ScopeChunk.FromString, chunks), version=head.version)
        self._digest = head.digest
        self._changed.set()
        self._changed = asyncio.Event()
        log.info("scopes taken", action="scopes.taken", version=head.version, units=len(self._tree))
        return True

    async def _run(self, stop: asyncio.Event) -> None:
        bus = self._following()
        watcher: Any = None
        connection = bus.connections
        try:
            while not stop.is_set():
                try:
                    if connection != bus.connections:
                        # The broker forgets watchers when it restarts, without a word.
                        connection = bus.connections
                        await _close(watcher)
                        watcher = None
                    await self.refresh()
                    if watcher is None:
                        watcher = await (await bus.key_value(BUCKET)).watch(HEAD)
                    await self._wait(watcher, stop)
                except Exception as error:  # noqa: BLE001 (a broker that is away is waited for, whatever it raises)
                    log.warning("scopes not read", action="scopes.read_failed", error=said(error))
                    await _close(watcher)
                    watcher = None
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), POLL_SECONDS)
        finally:
            await _close(watcher)

    async def _wait(self, watcher: Any, stop: asyncio.Event) -> None:
        """Until the head moved, the poll is due, or the process stops."""
        update = asyncio.ensure_future(watcher.updates(timeout=POLL_SECONDS))
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({update, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            if not update.done():
                update.cancel()
            with contextlib.suppress(asyncio.CancelledError, TimeoutError):
                await update

    async def _ping(self) -> None:
        if self._tree is None:
            raise LookupError("no tree of units yet")

    def _following(self) -> Bus:
        if self._bus is None:
            raise RuntimeError("these scopes follow no bucket")
        return self._bus


def chunked(
    units: Iterable[scopes_pb2.ScopeUnit],
    grants: Iterable[scopes_pb2.ScopeGrant],
    years: Iterable[scopes_pb2.ScopeYear] = (),
    calendars: Iterable[scopes_pb2.ScopeCalendar] = (),
) -> list[scopes_pb2.ScopeChunk]:
    """Cut units, grants, years and calendars into chunks of at most 500 entries and 900 kB each."""
    chunks = [scopes_pb2.ScopeChunk()]
    size = count = 0
    for kind, items in (("units", units), ("grants", grants), ("years", years), ("calendars", calendars)):
        for item in items:
            weight = item.ByteSize() + 6
            if count >= MOST_ITEMS or size + weight > MOST_BYTES:
                chunks.append(scopes_pb2.ScopeChunk())
                size = count = 0
            getattr(chunks[-1], kind).append(item)
            size, count = size + weight, count + 1
    return chunks


async def publish_tree(bus: Bus, tree_chunks: Sequence[scopes_pb2.ScopeChunk], version: int) -> bool:
    """Publish a whole tree: chunks first, head last, all but the newest versions' chunks removed.

    Returns False, having changed nothing readers see, when the bucket holds a newer version already. Publishing what is
    there already writes nothing. Safe from several replicas at once.
    """
    bucket = await bus.key_value(BUCKET)
    payloads = [chunk.SerializeToString(deterministic=True) for chunk in tree_chunks]
    head = scopes_pb2.ScopeHead(version=version, chunk_count=len(payloads), digest=_digest(payloads))
    while True:
        try:
            entry = await bucket.get(HEAD)
        except KeyNotFoundError as missing:
            # A head that was removed left a marker, and what replaces it must name the marker's revision.
            revision = int(missing.entry.revision or 0) if missing.entry else 0
        else:
            present, revision = scopes_pb2.ScopeHead.FromString(entry.value or b""), int(entry.revision or 0)
            if present == head:
                return True
            if present.version > version:
                log.warning("scopes older than published", action="scopes.older", version=version, head=present.version)
                return False
        for number, payload in enumerate(payloads):
            await bucket.put(_chunk_key(version, number), payload)
        try:
            await bucket.update(HEAD, head.SerializeToString(), last=revision)
        except KeyWrongLastSequenceError:
            continue  # Another replica was faster: look at what it wrote.
        await _remove_old(bucket, version)
        log.info("scopes published", action="scopes.published", version=version, chunks=len(payloads))
        return True


async def published_version(bus: Bus) -> int:
    """The version that the bucket holds; 0 when it holds none."""
    bucket = await bus.key_value(BUCKET)
    try:
        return int(scopes_pb2.ScopeHead.FromString((await bucket.get(HEAD)).value or b"").version)
    except KeyNotFoundError:
        return 0


async def _remove_old(bucket: Any, newest: int) -> None:
    try:
        keys: list[str] = await bucket.keys()
    except NoKeysError:
        return
    versions = {key: int(key.split(".")[1]) for key in keys if key.startswith("tree.")}
    kept = sorted({version for version in versions.values() if version <= newest}, reverse=True)[:VERSIONS_KEPT]
    for key, version in versions.items():
        if version < min(kept, default=newest):
            await bucket.purge(key)


async def _close(watcher: Any) -> None:
    if watcher is not None:
        with contextlib.suppress(Exception):
            await watcher.stop()


def _chunk_key(version: int, number: int) -> str:
    return f"tree.{version}.{number}"


def _digest(chunks: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()
