"""A running notify over real servers, seen by everybody of a small province."""

from collections.abc import AsyncIterator, Callable

import pytest

from chassis.bus import Bus
from chassis.database import Database
from chassis.testing import FixedClock
from deploy.local.issuer import Issuer
from tests.integration.alerts.scenes import NOW, notify_replica
from tests.integration.notify import people
from tests.integration.notify.people import Desk
from tests.support.databases import DatabaseFactory


@pytest.fixture
def clock() -> FixedClock:
    """The clock of the service; it moves only when told to."""
    return FixedClock(NOW)


@pytest.fixture
async def kept(database_factory: DatabaseFactory) -> Database:
    """The service's database."""
    return await database_factory("notify")


@pytest.fixture
async def desk(
    kept: Database, bus: Bus, keys: Issuer, scopes_tree, clock: FixedClock, token: Callable[..., str]
) -> AsyncIterator[Desk]:
    """A running notify as everybody sees it."""
    await scopes_tree(people.units(), people.grants())
    async with notify_replica(kept, bus, keys, clock=clock) as address:
        yield Desk(address, token, kept)
