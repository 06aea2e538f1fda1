"""What the tests of reports share: a running reporting with pupils in it, and who calls it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest
from iocedu.reporting.v1 import reporting_pb2, reporting_pb2_grpc

from chassis.bus import Bus
from chassis.database import Database
from chassis.testing import FixedClock, client
from deploy.local.issuer import Issuer
from tests.integration.reporting import report_scenes, scenes
from tests.integration.reporting.report_scenes import Desk
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until


@pytest.fixture
def report_clock() -> FixedClock:
    """The clock of a running reporting."""
    return FixedClock(scenes.NOW)


@pytest.fixture
async def report_database(database_factory: DatabaseFactory) -> Database:
    """A fresh database of reporting."""
    return await database_factory("reporting")


@pytest.fixture
async def desk(
    report_database: Database,
    report_clock: FixedClock,
    bus: Bus,
    keys: Issuer,
    scopes_tree,
    token: Callable[..., str],
) -> AsyncIterator[Desk]:
    """A running reporting in which the primary school has 3 pupils of grade 3, one a girl, and 1 of grade 4."""
    await scopes_tree(report_scenes.units(), report_scenes.grants())
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(scenes.replica(report_database, bus, keys, clock=report_clock))
        subjects = {grant.subject for grant in report_scenes.grants()}
        channels = {one: await stack.enter_async_context(client(address, token(one))) for one in subjects}
        records = scenes.Records(bus)
        await records.publish(*scenes.pupils(2), scenes.pupil("G1", sex="2"), scenes.pupil("G2", grade="04"))
        stub = reporting_pb2_grpc.ReportingServiceStub(channels["officer"])

        async def counted() -> bool:
            asked = reporting_pb2.QueryIndicatorsRequest(unit="gso:49", indicators=["pupils"])
            figures = (await stub.QueryIndicators(asked)).figures
            return bool(figures) and figures[0].value == 4

        await poll_until(counted)
        yield Desk(channels)
