"""Waiting for news: a short absence is waited out, a long one is told, and what was told is not told again."""

import asyncio

import pytest

from chassis.bell import Bell
from chassis.errors import Fault, Kind


def away() -> Fault:
    """The database is away."""
    return Fault(Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE", vi="", en="")


async def test_a_ring_is_heard_by_all_who_wait_and_by_none_after():
    """The next ring is another one."""
    bell = Bell()
    waiting = asyncio.gather(bell.next.heard(), bell.next.heard())
    bell.ring()
    async with asyncio.timeout(60):
        await waiting
    later = asyncio.ensure_future(bell.next.heard())
    await asyncio.sleep(0)
    assert not later.done()
    later.cancel()


async def test_a_short_absence_is_waited_out_and_a_long_one_is_told_once():
    """Only what lasts reaches who waits; whoever comes after starts with patience anew once it is over."""
    bell = Bell(patience_seconds=3600)
    waiting = asyncio.ensure_future(bell.next.heard())
    assert bell.missed(away()) == "DATABASE_UNAVAILABLE"
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
    impatient = Bell(patience_seconds=0)
    told = asyncio.gather(impatient.next.heard(), impatient.next.heard(), return_exceptions=True)
    await asyncio.sleep(0)
    impatient.missed(TimeoutError())
    async with asyncio.timeout(60):
        assert [getattr(fault, "reason", "") for fault in await told] == ["DATABASE_UNAVAILABLE"] * 2
    heard = asyncio.ensure_future(impatient.next.heard())
    impatient.ring()
    async with asyncio.timeout(60):
        await heard


async def test_an_answer_in_between_makes_absences_two():
    """A database that comes and goes is not one that stays away."""
    clock = iter((0.0, 2.0, 4.0, 7.0))
    bell = Bell(patience_seconds=3, clock=lambda: next(clock))
    waiting = asyncio.ensure_future(bell.next.heard())
    bell.missed(away())
    bell.quiet()
    for _ in range(2):
        bell.missed(away())
        await asyncio.sleep(0)
        assert not waiting.done()
    bell.missed(away())
    with pytest.raises(Fault, match="DATABASE_UNAVAILABLE"):
        await waiting
