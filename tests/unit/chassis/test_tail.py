"""Following positions: nothing is missed, nothing comes twice, and a database that is away only delays."""

import asyncio
import time
from contextlib import aclosing

import pytest

from chassis.bell import Bell
from chassis.errors import Fault, Kind
from chassis.tail import Tail
from tests.support.waiting import poll_until, running


class Positions:
    """Committed positions, as a table would hold them."""

    def __init__(self) -> None:
        self.committed: list[int] = []
        self.away = False
        self.asked = 0

    async def newest(self) -> int:
        """The newest one."""
        self.asked += 1
        if self.away:
            raise Fault(Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE", vi="", en="")
        return max(self.committed, default=0)

    async def page(self, after: int) -> list[tuple[int, str]]:
        """At most two behind a position."""
        return [(position, f"item {position}") for position in self.committed if position > after][:2]


async def test_a_wake_shows_what_was_committed_at_once_and_polling_what_others_committed():
    """In this process without waiting for the poll; from another within it."""
    positions = Positions()
    tail = Tail("test", positions.newest, poll_seconds=0.05)
    async with running(tail.worker), aclosing(tail.follow(0, positions.page)) as following:
        waiting = asyncio.ensure_future(anext(following))
        positions.committed = [1, 2, 3]
        tail.wake()
        async with asyncio.timeout(5):
            seen = [await waiting, await anext(following), await anext(following)]
            positions.committed = [1, 2, 3, 7]
            seen.append(await anext(following))
    assert seen == [("1", "item 1"), ("2", "item 2"), ("3", "item 3"), ("7", "item 7")]


async def test_a_poll_interval_is_not_waited_for_after_a_wake():
    """With an hour between polls, a wake is enough."""
    positions = Positions()
    tail = Tail("test", positions.newest, poll_seconds=3600)
    async with running(tail.worker):
        waiting = asyncio.ensure_future(tail.beyond(0))
        await poll_until(lambda: positions.asked)
        positions.committed = [4]
        tail.wake()
        async with asyncio.timeout(5):
            assert await waiting == 4


async def test_nobody_is_asked_while_nobody_follows():
    """An idle service leaves its database alone."""
    positions = Positions()
    tail = Tail("test", positions.newest, poll_seconds=0.01)
    async with running(tail.worker):
        async with asyncio.timeout(5):
            positions.committed = [1]
            assert await tail.beyond(0) == 1
        asked, end = positions.asked, time.monotonic() + 0.1
        await poll_until(lambda: time.monotonic() > end)
    assert positions.asked <= asked + 1


async def test_a_database_that_is_away_delays_and_loses_nothing():
    """The follower waits; what was committed meanwhile comes when the database is back."""
    positions = Positions()
    positions.away = True
    tail = Tail("test", positions.newest, poll_seconds=0.01)
    async with running(tail.worker), aclosing(tail.follow(0, positions.page)) as following:
        waiting = asyncio.ensure_future(anext(following))
        await poll_until(lambda: positions.asked > 2)
        assert not waiting.done()
        positions.away, positions.committed = False, [5]
        async with asyncio.timeout(5):
            assert await waiting == ("5", "item 5")


async def test_who_follows_a_database_that_stays_away_is_told_and_can_follow_again():
    """A stream must not beat on as if nothing had changed; it resumes where it was once the database is back."""
    positions = Positions()
    positions.committed, positions.away = [1], True
    tail = Tail("test", positions.newest, poll_seconds=0.01, bell=Bell(patience_seconds=0.05))
    async with running(tail.worker), asyncio.timeout(5):
        with pytest.raises(Fault, match="DATABASE_UNAVAILABLE"):
            await tail.beyond(1)
        with pytest.raises(Fault, match="DATABASE_UNAVAILABLE"):
            await tail.start(1)
        positions.away, positions.committed = False, [1, 2]
        assert await tail.start(1) == 1
        assert await tail.start(0) == 2
        assert await tail.beyond(1) == 2
