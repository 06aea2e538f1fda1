"""Records and sync in process, on real databases and a real broker."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from chassis.bus import Bus
from chassis.testing import FixedClock
from deploy.local.issuer import Issuer
from tests.integration.sync.world import World, world
from tests.support.databases import DatabaseFactory


@pytest.fixture
def clock() -> FixedClock:
    """A day in a school year."""
    return FixedClock("2026-11-02T01:00:00+00:00")


@pytest.fixture
def sync_settings() -> dict[str, Any]:
    """Settings of sync that differ from its own; a module that needs some has a fixture of this name."""
    return {}


@pytest.fixture
async def here(
    database_factory: DatabaseFactory,
    bus: Bus,
    nats_url: str,
    keys: Issuer,
    clock: FixedClock,
    sync_settings: dict[str, Any],
) -> AsyncIterator[World]:
    """A province with three schools and a childcare group, a vendor for all, a clerk in the first."""
    assert bus.client.is_connected
    databases = (await database_factory("records"), await database_factory("sync"))
    async with world(databases, nats_url, keys, clock, **sync_settings) as running:
        yield running
