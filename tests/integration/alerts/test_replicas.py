"""The whole way over the broker, each service in two copies: raised once, told once, resolved, and in time."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from iocedu.chassis.v1 import scopes_pb2

from chassis.bus import Bus
from chassis.database import Database
from chassis.scopes import chunked, publish_tree
from chassis.testing import FixedClock
from deploy.local.issuer import Issuer
from tests.integration.alerts import scenes
from tests.integration.alerts.scenes import (
    DISTRICT,
    NOW,
    SCHOOL,
    a_class,
    alerts_replica,
    figures,
    hours,
    notify_replica,
)
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until

SCHOOLS = range(1000, 1040)


@dataclass(frozen=True)
class House:
    """Two copies of alerts and two of notify over one broker."""

    alerts: Database
    notify: Database
    clock: FixedClock

    async def ask(self, database: Database, question: str) -> int:
        """A number from a database."""
        async with database.connection() as reading:
            return int(await reading.scalar(sa.text(question)) or 0)

    async def settled(self, *, raised: int, told: int, notices: int, resolved: int = 0) -> bool:
        """Whether so many alerts are there and resolved, told so often in so many notices that show the same."""
        counted = (
            await self.ask(self.alerts, "SELECT count(*) FROM alert"),
            await self.ask(self.alerts, "SELECT count(*) FROM alert WHERE state = 3"),
            await self.ask(self.notify, "SELECT count(*) FROM notice"),
            await self.ask(self.notify, "SELECT sum(alert_count) FROM notice JOIN matter USING (alert_id)"),
            await self.ask(self.notify, "SELECT sum(open_count) FROM notice JOIN matter USING (alert_id)"),
        )
        return counted == (raised, resolved, notices, told, told * (raised - resolved) // max(raised, 1))


@pytest.fixture
async def house(database_factory: DatabaseFactory, bus: Bus, keys: Issuer) -> AsyncIterator[House]:
    """Two copies of each service, running."""
    edge = scopes_pb2.ScopeEdge(parent_id=DISTRICT, type="administrative")
    more = [
        scopes_pb2.ScopeUnit(unit_id=number, name=f"TH {number}", kind="school", edges=[edge]) for number in SCHOOLS
    ]
    chunks = chunked([*scenes.units(), *more], scenes.grants(), (), [scenes.school_year(0)])
    assert await publish_tree(bus, chunks, 1)
    alerts, notify, clock = await database_factory("alerts"), await database_factory("notify"), FixedClock(NOW)
    async with AsyncExitStack() as running:
        for _ in range(2):
            await running.enter_async_context(alerts_replica(alerts, bus, keys, clock=clock))
            await running.enter_async_context(notify_replica(notify, bus, keys, clock=clock))
        yield House(alerts, notify, clock)


async def test_copies_side_by_side_raise_and_tell_once_though_every_event_comes_twice(bus, house):
    """Forty classes in forty events, each published twice under different ids: one alert each, one notice a reader."""
    events = [figures(a_class(40, school=school)) for school in SCHOOLS]
    await scenes.publish(bus, "reporting", "figures-changed", *events, *events)
    await poll_until(lambda: house.settled(raised=40, told=80, notices=2))
    cleared = [figures(a_class(30, version=2, school=school)) for school in SCHOOLS]
    await scenes.publish(bus, "reporting", "figures-changed", *cleared, *events, *cleared)
    await poll_until(lambda: house.settled(raised=40, resolved=40, told=80, notices=2))


async def test_timers_side_by_side_raise_each_silence_once(bus, house):
    """Forty schools fall silent at one instant; both timers see it, and everybody is told once."""
    waiting = scenes.coverage(*SCHOOLS, reason="NEVER_SENT", baseline=True)
    await scenes.publish(bus, "sync", "coverage-changed", waiting)
    await poll_until(lambda: _known(house, 40))
    house.clock.advance(hours(72))
    await poll_until(lambda: house.settled(raised=40, told=80, notices=2))
    sent = scenes.coverage(*SCHOOLS, state="CONNECTED", reason="")
    await scenes.publish(bus, "sync", "coverage-changed", sent, time=NOW + hours(73))
    await poll_until(lambda: house.settled(raised=40, resolved=40, told=80, notices=2))


async def test_a_backfill_reaches_no_inbox(bus, house):
    """History comes first and says nothing; the live change after it is told."""
    await scenes.publish(bus, "reporting", "figures-changed", figures(a_class(50), backfill=True))
    await poll_until(lambda: _known(house, 1))
    await scenes.publish(bus, "reporting", "figures-changed", figures(a_class(40, key="2A2026")))
    await poll_until(lambda: house.settled(raised=1, told=3, notices=3))
    assert await house.ask(house.alerts, f"SELECT count(*) FROM fact WHERE unit_id = {SCHOOL}") == 2


async def _known(house: House, count: int) -> bool:
    return await house.ask(house.alerts, "SELECT count(*) FROM fact") == count
