"""Timers that look now and then: when they begin."""

from services.reporting.jobs.reports import looking
from tests.support.waiting import poll_until, running


async def test_a_look_is_not_made_before_what_it_needs_is_there():
    """So that it does not fail; then it is made."""
    there, asked, looks = False, 0, 0

    def ready() -> bool:
        nonlocal asked
        asked += 1
        return there

    async def look() -> int:
        nonlocal looks
        looks += 1
        return 0

    async with running(looking("targets", look, every_seconds=0.01, ready=ready)):
        await poll_until(lambda: asked > 1)
        assert looks == 0
        there = True
        await poll_until(lambda: looks)
