"""Positions that rise in the order of commits: how a writer gets them, and how readers follow them.

Followers see commits of this process at once and those of other replicas by polling.
One poller a process asks for the newest position, and only while somebody follows; each follower then reads what it may
see for itself. Forgets nothing: whoever resumes after a position gets all that lies behind it. Refuses to let anyone
wait in good faith for what cannot be read: followers of a database that stays away get its fault.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import TypeVar

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.bell import Bell
from chassis.database import Database, gone
from chassis.errors import Fault
from chassis.workers import Worker

POLL_SECONDS = 0.5
LOOK_SECONDS = 5.0

log = structlog.get_logger(__name__)

ItemT = TypeVar("ItemT")


def newest_table(metadata: sa.MetaData) -> sa.Table:
    """Describe the table `newest` on a service's metadata; its migrations make it, with its one row at 0."""
    return sa.Table(
        "newest",
        metadata,
        sa.Column("one", sa.Boolean, primary_key=True, comment="True: there is one row."),
        sa.Column("position", sa.BigInteger, nullable=False, comment="Position of the newest committed change."),
        comment="The last position allotted; its row's lock makes the order of positions that of commits.",
    )


_NEWEST = newest_table(sa.MetaData()).c.position


async def allot_positions(connection: AsyncConnection, count: int) -> int:
    """The first of `count` consecutive positions, in the order in which transactions commit.

    Nobody else allots until the commit: do it last, and wait for nothing after it.
    """
    allotted = sa.update(_NEWEST.table).values(position=_NEWEST + count).returning(_NEWEST)
    return int((await connection.execute(allotted)).scalar_one()) - count + 1


async def newest_position(connection: AsyncConnection) -> int:
    """Position of the newest change that is committed; 0 before the first."""
    return int(await connection.scalar(sa.select(_NEWEST)) or 0)


async def in_time(read: Awaitable[ItemT]) -> ItemT:
    """What a read gives; raises the fault of a database that is away once it takes too long.

    A database that hangs is as far away as one that refuses, and whoever waits for it in a stream must hear of it.
    """
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            return await read
    except TimeoutError as error:
        raise gone() from error


class Tail:
    """The end of one service's positions. Hand `worker` to the server; call `wake` after each commit that moved it."""

    def __init__(
        self,
        name: str,
        newest: Callable[[], Awaitable[int]],
        *,
        poll_seconds: float = POLL_SECONDS,
        bell: Bell | None = None,
    ) -> None:
        self._newest = newest
        self.worker = Worker(f"tail-{name}", self._run)
        self._poll_seconds = poll_seconds
        self._position = -1
        self._followers = 0
        self._asked = asyncio.Event()
        self._bell = bell or Bell()

    @classmethod
    def of(cls, name: str, database: Database) -> "Tail":
        """The end of the positions that a database's table `newest` allots."""

        async def newest() -> int:
            async with database.connection() as connection:
                return await newest_position(connection)

        return cls(name, newest)

    def wake(self) -> None:
        """Look at once: something was committed in this process."""
        self._asked.set()

    async def start(self, after: int) -> int:
        """Where a reader begins: after the position it names, else after the newest. Raises what the database does.

        Asked even where the position is named, so that a stream opens only over a database that answers.
        """
        newest = await in_time(self._newest())
        return after or newest

    async def beyond(self, position: int) -> int:
        """Wait until the newest position lies beyond `position`; returns it. Raises once the database stays away."""
        self._followers += 1
        self.wake()
        try:
            while self._position <= position:
                await self._bell.next.heard()
            return self._position
        finally:
            self._followers -= 1

    async def follow(
        self, after: int, page: Callable[[int], Awaitable[Sequence[tuple[int, ItemT]]]]
    ) -> AsyncGenerator[tuple[str, ItemT], None]:
        """For ever, `(position, item)` of what `page(position)` gives: items behind a position, in rising order."""
        while True:
            newest = await self.beyond(after)
            while items := await in_time(page(after)):
                for after, item in items:  # noqa: PLR1704 (the position moves with each item given)
                    yield str(after), item
            after = max(after, newest)

    async def _run(self, stop: asyncio.Event) -> None:
        stopped = asyncio.ensure_future(stop.wait())
        try:
            while not stop.is_set():
                self._asked.clear()
                if self._followers:
                    await self._look()
                asked = asyncio.ensure_future(self._asked.wait())
                seconds = self._poll_seconds if self._followers else None
                await asyncio.wait({stopped, asked}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
                asked.cancel()
        finally:
            stopped.cancel()

    async def _look(self) -> None:
        began = self._bell.now()
        try:
            position = await in_time(self._newest())
        except Fault as fault:
            log.warning("positions not read", action="tail.failed", reason=self._bell.missed(fault, since=began))
            return
        if position > self._position:
            self._position = position
            self._bell.ring()
        else:
            self._bell.quiet()
