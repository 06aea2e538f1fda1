"""Replicas follow the feed beside each other: what one read before another moved the position on is dropped."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from iocedu.records.v1 import records_pb2
from iocedu.sync.v1 import destinations_pb2

from services.sync.clients.records import Records
from services.sync.domain.destinations import Destination
from services.sync.store import destinations
from services.sync.usecases.noting import follow
from services.sync.usecases.outlets import Outlets
from services.sync.usecases.pushing import Pushing
from tests.integration.sync.passing import move, pushed, stub
from tests.integration.sync.world import COMMUNE, SCHOOL_C, World, pupil
from tests.support.waiting import poll_until

FEED_OF: dict[str, Any] = {"unit": COMMUNE, "types": (), "after": 0}


@pytest.fixture
def sync_settings() -> dict[str, Any]:
    """Sync follows nothing by itself, and sends nothing."""
    return {"feed_seconds": 3600.0, "push_workers": 0, "webhook_private_addresses": True}


class Late(Records):
    """Hands its first page of changes on late: something else is done meanwhile."""

    def __init__(self, records: Records, meanwhile: Callable[[], Awaitable[None]]) -> None:
        self._records = records
        self._meanwhile: Callable[[], Awaitable[None]] | None = meanwhile

    async def changes(self, **asked: Any) -> records_pb2.ListChangesResponse:
        """A page as it was before."""
        page = await self._records.changes(**asked)
        if page.changes and self._meanwhile is not None:
            meanwhile, self._meanwhile = self._meanwhile, None
            await meanwhile()
        return page


async def replica(here: World) -> tuple[Pushing, Records]:
    """What following works with."""
    http = await here.stack.enter_async_context(httpx.AsyncClient(trust_env=False))
    outlets = Outlets(http, None, private_addresses=True)
    return Pushing(here.sync_database, outlets, here.scopes, here.clock), (await here.intake()).records


async def subscriber(here: World) -> Destination:
    """A subscriber of the commune, as it stands."""
    async with here.sync_database.connection() as reads:
        found = await destinations.destination(reads, "ioc")
    if found is not None:
        return found
    request = destinations_pb2.CreateDestinationRequest(unit=COMMUNE, code="ioc")
    request.destination.endpoint = "http://127.0.0.1:9/in"
    await (await stub(here)).CreateDestination(request)
    return await subscriber(here)


async def noted(here: World) -> list[Any]:
    """All that is noted, with what is told of it and from where in the feed."""
    async with here.sync_database.connection() as reads:
        found = await reads.exec_driver_sql("SELECT key, position, row FROM outgoing_record ORDER BY key")
        return [tuple(row) for row in found]


async def in_the_feed(records: Records, key: str, version: int) -> None:
    """Wait until the commune's feed holds a version of a record."""

    async def there() -> bool:
        page = await records.changes(unit=COMMUNE, types=(), after=0)
        return (key, version) in {(one.row.key, one.row.version) for one in page.changes}

    await poll_until(there)


async def test_a_page_read_before_another_replica_noted_a_newer_one_is_dropped(here: World) -> None:
    """Else the older state would be what is sent from then on."""
    pushing, records = await replica(here)
    await follow(pushing, records, await subscriber(here))
    before = await subscriber(here)
    await pushed(here, "1", pupil("A1"))
    await in_the_feed(records, "A1", 1)
    newest = list[Any]()

    async def change() -> None:
        await pushed(here, "2", pupil("A1", 2, full_name="Lê Thị Ánh"))
        await in_the_feed(records, "A1", 2)
        assert await follow(pushing, records, before) == 1
        newest.extend(await noted(here))

    assert await follow(pushing, Late(records, change), before) == 0
    assert await noted(here) == newest != []


async def test_a_page_of_a_school_that_joined_is_dropped_once_another_replica_has_gone_on(here: World) -> None:
    """What changed there since it was read was noted by the other, and the feed does not tell it again."""
    pushing, records = await replica(here)
    await follow(pushing, records, await subscriber(here))
    await pushed(here, "1", pupil("C1", school=SCHOOL_C), pupil("A1"))
    await in_the_feed(records, "A1", 1)
    await follow(pushing, records, await subscriber(here))
    assert [key for key, _, _ in await noted(here)] == ["A1"]
    await move(here, SCHOOL_C, COMMUNE, "1")
    await in_the_feed(records, "C1", 1)
    before, newest = await subscriber(here), list[Any]()

    async def change() -> None:
        await pushed(here, "2", pupil("C1", 2, school=SCHOOL_C, full_name="Lê Thị Ánh"))
        await in_the_feed(records, "C1", 2)
        assert await follow(pushing, records, before) == 1
        newest.extend(await noted(here))

    assert await follow(pushing, Late(records, change), before) == 0
    assert await noted(here) == newest
    assert [key for key, _, _ in newest] == ["A1", "C1"]
