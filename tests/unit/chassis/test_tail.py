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
        async with asyncio.timeout(60):
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
        async with asyncio.timeout(60):
            assert await waiting == 4


async def test_nobody_is_asked_while_nobody_follows():
    """An idle service leaves its database alone."""
    positions = Positions()
    tail = Tail("test", positions.newest, poll_seconds=0.01)
    async with running(tail.worker):
        async with asyncio.timeout(60):
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
        async with asyncio.timeout(60):
            assert await waiting == ("5", "item 5")


async def test_who_follows_a_database_that_stays_away_is_told_and_can_follow_again():
    """A stream must not beat on as if nothing had changed; it resumes where it was once the database is back."""
    positions = Positions()
    positions.committed, positions.away = [1], True
    tail = Tail("test", positions.newest, poll_seconds=0.01, bell=Bell(patience_seconds=0.05))
    async with running(tail.worker), asyncio.timeout(60):
        with pytest.raises(Fault, match="DATABASE_UNAVAILABLE"):
            await tail.beyond(1)
        with pytest.raises(Fault, match="DATABASE_UNAVAILABLE"):
            await tail.start(1)
        positions.away, positions.committed = False, [1, 2]
        assert await tail.start(1) == 1
        assert await tail.start(0) == 2
        assert await tail.beyond(1) == 2


async def test_what_is_committed_while_a_page_is_read_is_not_skipped():
    """The newest position moves on under a reader; it goes on where its own look ended."""
    positions = Positions()
    positions.committed = [1]
    tail = Tail("test", positions.newest, poll_seconds=0.01)
    asked: list[int] = []

    async def page(after: int) -> list[tuple[int, str]]:
        asked.append(after)
        seen = await positions.page(after)
        if not seen and 5 not in positions.committed:
            # Committed after this look at the table, and known to the tail before the look is answered.
            positions.committed = [1, 5]
            assert await tail.beyond(1) == 5
        return seen

    async with running(tail.worker), aclosing(tail.follow(0, page)) as following, asyncio.timeout(60):
        assert [await anext(following), await anext(following)] == [("1", "item 1"), ("5", "item 5")]
    assert asked[:3] == [0, 1, 1]


async def test_a_database_that_hangs_is_as_far_away_as_one_that_refuses(monkeypatch: pytest.MonkeyPatch):
    """Whoever follows it, or would begin to, is told; nobody waits in good faith for an answer that never comes."""
    monkeypatch.setattr("chassis.tail.LOOK_SECONDS", 0.05)
    positions = Positions()

    async def never(*_: object) -> list[tuple[int, str]]:
        await asyncio.Event().wait()
        raise AssertionError

    async def hanging() -> int:
        await asyncio.Event().wait()
        return 0

    stuck = Tail("stuck", hanging, poll_seconds=0.01, bell=Bell(patience_seconds=0.04))
    async with running(stuck.worker), asyncio.timeout(60):
        for waiting in (stuck.start(0), stuck.beyond(0)):
            with pytest.raises(Fault, match="DATABASE_UNAVAILABLE"):
                await waiting
    positions.committed = [1]
    tail = Tail("test", positions.newest, poll_seconds=0.01)
    async with running(tail.worker), aclosing(tail.follow(0, never)) as following, asyncio.timeout(60):
        with pytest.raises(Fault, match="DATABASE_UNAVAILABLE"):
            await anext(following)
