"""Whom an alert reaches and when: at its unit first, then unit by unit, and nobody who is not to be told."""

import sqlalchemy as sa

from chassis.testing import FixedClock
from tests.integration.alerts import scenes
from tests.integration.alerts.scenes import NOW, a_class, figures, hours
from tests.support.waiting import poll_until


async def test_an_alert_reaches_the_head_teacher_then_the_officer_then_the_director(
    database_factory, bus, keys, scopes_tree
):
    """Each once, when the time of those before has run out; a matter taken in time climbs no further."""
    await scopes_tree(scenes.units(), scenes.grants())
    ours, theirs, clock = await database_factory("alerts"), await database_factory("notify"), FixedClock(NOW)
    async with ours.transaction() as held:
        await held.execute(
            sa.text("UPDATE rule SET audience_reach = 2, acknowledge_hours = 24 WHERE code = 'class_oversize'")
        )

    async def told() -> list[str]:
        async with theirs.connection() as reading:
            return list(await reading.scalars(sa.text("SELECT subject FROM notice ORDER BY subject")))

    async def are(*subjects: str) -> bool:
        return await told() == sorted(subjects)

    async with (
        scenes.alerts_replica(ours, bus, keys, clock=clock),
        scenes.alerts_replica(ours, bus, keys, clock=clock),
        scenes.notify_replica(theirs, bus, keys, clock=clock),
    ):
        await scenes.publish(bus, "reporting", "figures-changed", figures(a_class(40)))
        await poll_until(lambda: are("head"))
        clock.advance(hours(24))
        await poll_until(lambda: are("head", "officer"))
        clock.advance(hours(24))
        await poll_until(lambda: are("head", "officer", "director"))
