"""Records in process, with a small province in it or without a unit."""

from collections.abc import AsyncIterator

import pytest
from iocedu.records.v1 import units_pb2

from chassis.bus import Bus
from chassis.testing import FixedClock
from deploy.local.issuer import Issuer
from tests.integration.records.scenes import PLACES, SCHOOL_A, Running, start_records
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until


@pytest.fixture
def clock() -> FixedClock:
    """A day in a school year."""
    return FixedClock("2026-11-02T01:00:00+00:00")


@pytest.fixture
async def empty(
    database_factory: DatabaseFactory, bus: Bus, nats_url: str, keys: Issuer, clock: FixedClock
) -> AsyncIterator[Running]:
    """Records without a unit."""
    assert bus.client.is_connected
    async with start_records(await database_factory("records"), nats_url, keys, clock=clock) as running:
        yield running


@pytest.fixture
async def records(empty: Running) -> Running:
    """Records with a small province, known to its own access rules."""
    await (await empty.units()).ImportUnits(units_pb2.ImportUnitsRequest(units=PLACES))
    await poll_until(lambda: empty.scopes.tree.resolve(SCHOOL_A, FixedClock().today()) is not None)
    return empty
