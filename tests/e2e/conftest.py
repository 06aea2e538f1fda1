"""One fleet for all end-to-end tests of a session; tests that kill parts have one of their own."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from playwright.async_api import Browser, async_playwright

from deploy.local.fleet import Fleet
from deploy.local.settings import FleetSettings
from tests.e2e.browsing import CHROMIUM, FLAGS, Visit, Visits
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
async def browser() -> AsyncIterator[Browser]:
    """One browser for the session; each test opens its pages in contexts of its own."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on the path (on Debian: apt-get install chromium)")
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        await started.close()


@pytest.fixture
async def visit(browser: Browser) -> AsyncIterator[Visit]:
    """Opens pages as somebody; the test fails on anything that they or the browser complain of."""
    async with AsyncExitStack() as contexts:
        visits = Visits(browser, contexts)
        yield visits.open
        complaints = [*visits.complaints]
    assert complaints == []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a browser, whoever asks for it."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
async def world(fleet: Fleet) -> AsyncIterator[World]:
    """The fleet with a small province in it."""
    async with world_of(fleet) as made:
        yield made
