"""The access log sealed, anchored and checked.

Sealing is one transaction at a time: what is taken from the queue, and its seals. A process that dies anywhere in it
has done nothing.
"""

from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database
from services.records.domain.sealing import START, Anchor, Check, Head, Wrong, sealed
from services.records.store import seals
from services.records.store.anchors import Anchors
from services.records.store.driver import begin

SEALED_AT_ONCE: Final = 500  # more would keep the loop from calls for too long
CHECKED_AT_ONCE: Final = 5000

log = structlog.get_logger(__name__)


async def seal_entries(database: Database, *, most: int = SEALED_AT_ONCE) -> int:
    """Seal what waits, unless another replica is at it; returns how many entries."""
    async with database.connection() as connection:
        if not await seals.anything_unsealed(connection):
            return 0
    async with database.transaction() as connection:
        if not await seals.try_seal_lock(connection):
            return 0
        entries = await seals.take_unsealed(connection, most=most)
        if entries:
            await seals.append_seals(connection, list(sealed(await seals.head(connection), entries)))
    return len(entries)


async def anchor_head(database: Database, anchors: Anchors) -> Head:
    """Tell the chain's end outside the database, in the stream of anchors and in the log, if it has moved.

    A chain that no longer holds what was told last is told of loudly, as are anchors that are gone, and anchored all
    the same: what is told stays.
    """
    async with database.connection() as connection:
        told = await seals.anchored_place(connection)  # before the broker is asked: others anchor meanwhile
    last = await anchors.last()
    if told > (0 if last is None else last.head.sequence):
        log.error("anchors of the access log are gone", action="access_log.anchors_gone", sequence=told)
    async with database.connection() as connection:
        head = await seals.head(connection)
        if last is None or last.head == START:
            agrees = True
        else:
            agrees = await seals.hash_at(connection, last.head.sequence) == last.head.hash
    if not agrees and last is not None:
        log.error(
            "the access log is not what was anchored",
            action="access_log.contradicted",
            sequence=last.head.sequence,
            anchored_hash=last.head.hash.hex(),
        )
    if head != START and (last is None or head != last.head):
        await anchors.append(head)
        async with database.connection() as connection:
            await seals.keep_anchored_place(connection, head.sequence)
        log.info("access log anchored", action="access_log.anchored", sequence=head.sequence, hash=head.hash.hex())
    return head


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found."""

    wrong: Wrong | None
    head: Head
    met: int  # anchors that agree
    waiting: int  # entries that are not sealed yet
    seconds: float  # since the first entry was written


async def check_whole_log(database: Database, anchors: list[Anchor]) -> Checked:
    """Check the log as it is at one moment, while it grows."""
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        await begin(connection)
        return await check_log(connection, anchors)


async def check_log(connection: AsyncConnection, anchors: list[Anchor]) -> Checked:
    """Go through the whole log and stop at the first fault; the connection should see one moment throughout."""
    check = Check(anchors)
    wrong: Wrong | None = None
    while wrong is None:
        page = await seals.seals_after(connection, check.head.sequence, most=CHECKED_AT_ONCE)
        wrong = next(filter(None, map(check.take, page)), None)
        if len(page) < CHECKED_AT_ONCE:
            break
    wrong = wrong or check.end()
    if wrong is None and (stray := await seals.strayed(connection)) is not None:
        wrong = Wrong(check.head.sequence + 1, stray, "the entry is not sealed and does not wait for it, or is gone")
    waiting, seconds = await seals.count_unsealed(connection), await seals.seconds_sealed(connection)
    return Checked(wrong, check.head, check.met, waiting, seconds)
