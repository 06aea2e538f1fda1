"""Old answers to ApplyRows are forgotten, recent ones are kept."""

from datetime import timedelta

from chassis.testing import FixedClock
from services.records import jobs
from services.records.store.requests import prune_answers
from tests.integration.records.scenes import Running, pupil


async def test_answers_are_forgotten_after_their_time(records: Running, clock: FixedClock):
    """What a source may still repeat stays; the rest goes, in small transactions."""
    for number in range(3):
        await records.apply(pupil(str(number)), request_id=f"old{number}")
    clock.advance(timedelta(days=6))
    await records.apply(pupil("9"), request_id="new")
    assert await jobs.prune(records.database, prune_answers, before=clock.now() - timedelta(days=7)) == 0
    clock.advance(timedelta(days=2))
    assert await jobs.prune(records.database, prune_answers, before=clock.now() - timedelta(days=7)) == 3
    assert await records.rows("SELECT request_id FROM apply_request") == [("new",)]
