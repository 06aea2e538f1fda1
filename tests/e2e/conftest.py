"""One fleet for all end-to-end tests of a session; tests that kill parts have one of their own."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from deploy.local.fleet import Fleet
from deploy.local.settings import FleetSettings
from tests.e2e.world import World, world_of
from tests.support.collector import Collector, collecting


@pytest.fixture(scope="session")
async def collector() -> AsyncIterator[Collector]:
    """Receives the traces of the session's fleet."""
    async with collecting() as receiving:
        yield receiving


@pytest.fixture(scope="session")
async def fleet(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> AsyncIterator[Fleet]:
    """A started fleet, quick rather than durable, that sends its traces to the collector."""
    endpoint = f"http://{collector.address}"
    settings = replace(FleetSettings(), otlp_endpoint=endpoint, shared={"OTLP_ENDPOINT": endpoint})
    started = Fleet(tmp_path_factory.mktemp("fleet"), settings=settings, durable=False)
    await started.start()
    try:
        yield started
    finally:
        await started.stop()


@pytest.fixture(scope="session")
async def world(fleet: Fleet) -> AsyncIterator[World]:
    """The fleet with a small province in it."""
    async with world_of(fleet) as made:
        yield made
