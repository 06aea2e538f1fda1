"""The broker as services use it, and what they do while it, or the database, is away: wait, and lose nothing."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import nats.errors
import nats.js.errors
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.bus import Bus, Event, Publication, stream_of
from chassis.database import Database, open_database
from chassis.errors import Fault, Kind
from chassis.inbox import consumer
from chassis.migrations_env import migrate
from chassis.outbox import Outgoing, append, relay
from deploy.local.engines import Nats, Postgres
from deploy.local.engines.binaries import nats_bin
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.processes import Process
from tests.support.databases import CHASSIS
from tests.support.waiting import poll_until, running


async def write(connection: AsyncConnection, events: Sequence[Event]) -> None:
    """A handler that writes each event's number."""
    for event in events:
        await connection.execute(sa.text("INSERT INTO handled VALUES (:number)"), {"number": int(event.data)})


async def numbers(database: Database) -> list[int]:
    """What has taken effect; nothing while the database is away."""
    try:
        async with database.connection() as connection:
            return list(await connection.scalars(sa.text("SELECT number FROM handled ORDER BY number")))
    except Fault:
        return []


class Plant:
    """A database and a broker of their own, durable as in production, that a test may kill."""

    def __init__(self, postgres: Postgres, nats: Nats, database: Database, bus: Bus) -> None:
        self.postgres = postgres
        self.nats = nats
        self.database = database
        self.bus = bus

    async def put(self, *payloads: int) -> None:
        """Append events, trying again while the database is away, as a caller does who is told UNAVAILABLE."""
        while True:
            try:
                async with self.database.transaction() as connection:
                    for payload in payloads:
                        # One marker for each: a commit whose answer was lost must not append twice.
                        marker = sa.text("INSERT INTO put VALUES (:n) ON CONFLICT DO NOTHING RETURNING n")
                        if await connection.scalar(marker, {"n": payload}) is not None:
                            await append(connection, [Outgoing("things-changed", str(payload).encode())])
            except Fault as fault:
                if fault.kind is not Kind.UNAVAILABLE or fault.retry_after is None:
                    raise
                await asyncio.sleep(0.1)
            else:
                return


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Plant]:
    """Own engines, with the chassis' tables and one to write to."""
    async with AsyncExitStack() as resources:
        postgres = Postgres(tmp_path / "postgres", small=True)
        nats = Nats(tmp_path / "nats")
        for engine in (postgres, nats):
            await engine.start()
            resources.push_async_callback(engine.stop)
        await migrate(postgres.url(), CHASSIS)
        database = await resources.enter_async_context(open_database(postgres.url()))
        async with database.transaction() as connection:
            await connection.execute(sa.text("CREATE TABLE handled (number int)"))
            await connection.execute(sa.text("CREATE TABLE put (n int PRIMARY KEY)"))
        bus = await resources.enter_async_context(Bus.connect(nats.url, "toy"))
        yield Plant(postgres, nats, database, bus)


async def test_a_killed_broker_and_a_killed_database_cost_time_and_nothing_else(plant: Plant) -> None:
    """Through a kill of NATS and one of PostgreSQL under way, every event takes effect once, without help."""
    handled = consumer(plant.database, plant.bus, service="reader", source="toy", event="things-changed", handle=write)
    async with running(relay(plant.database, plant.bus, "toy"), handled, timeout=30):
        await plant.put(*range(50))
        await poll_until(lambda: numbers(plant.database))
        plant.nats.kill()
        await plant.put(*range(50, 100))
        await plant.nats.start()
        await plant.put(*range(100, 150))
        await poll_until(lambda: _all_of(plant, 150))
        plant.postgres.kill()
        putting = asyncio.ensure_future(plant.put(*range(150, 200)))
        await plant.postgres.start()
        await putting
        await plant.put(*range(200, 250))
        await poll_until(lambda: _all_of(plant, 250))
    assert await numbers(plant.database) == list(range(250))


async def test_a_lost_database_is_a_fault_to_retry(plant: Plant) -> None:
    """No driver error leaves the chassis, and the same `Database` works again once the server is back."""
    await plant.database.ping()
    await plant.postgres.stop()
    for _ in range(3):
        with pytest.raises(Fault) as caught:
            await plant.database.ping()
        assert (caught.value.kind, caught.value.reason) == (Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE")
    await plant.postgres.start()
    await plant.database.ping()


async def test_publishing_the_same_id_again_stores_nothing(bus: Bus) -> None:
    """The broker drops a repeated message while it remembers the id."""
    await bus.ensure_stream("toy")
    message = Publication(subject="iocedu.toy.v1.things-changed", payload=b"x", headers={}, message_id="1")
    await bus.publish([message, message])
    await bus.publish([message])
    assert (await bus.jetstream.stream_info(stream_of("toy"))).state.messages == 1


async def test_publishing_where_no_stream_listens_is_an_error(bus: Bus) -> None:
    """A message nobody stores must not count as published."""
    message = Publication(subject="iocedu.nobody.v1.things-changed", payload=b"x", headers={}, message_id="1")
    with pytest.raises(Exception, match=r"NoStreamResponse|no response from stream"):
        await bus.publish([message])


async def _all_of(plant: Plant, count: int) -> bool:
    return len(await numbers(plant.database)) >= count


@asynccontextmanager
async def cluster(folder: Path, *, servers: int) -> AsyncIterator[str]:
    """Servers that keep streams together; their URLs, separated by commas."""
    ports, routes = [free_port() for _ in range(servers)], [free_port() for _ in range(servers)]
    started = []
    try:
        for number, (port, route) in enumerate(zip(ports, routes, strict=True)):
            config = {
                "host": LOOPBACK,
                "port": port,
                "server_name": f"broker-{number}",
                "jetstream": {"store_dir": str(folder / f"broker-{number}")},
                "cluster": {
                    "name": "brokers",
                    "listen": f"{LOOPBACK}:{route}",
                    "routes": [f"nats://{LOOPBACK}:{other}" for other in routes],
                },
            }
            path = folder / f"broker-{number}.conf"
            path.write_text(json.dumps(config), "utf-8")
            log = folder / f"broker-{number}.log"
            started.append(Process(f"broker-{number}", [nats_bin(), "--config", path], log=log, folder=folder))
        yield ",".join(f"nats://{LOOPBACK}:{port}" for port in ports)
    finally:
        for process in started:
            await process.stop(grace=5.0)


async def test_streams_and_buckets_of_before_are_given_copies_and_never_lose_them(tmp_path: Path) -> None:
    """Made in one copy, kept in three from the next start on; a service that wants fewer takes none away."""

    async def copies(bus: Bus) -> set[int | None]:
        streams = await bus.jetstream.streams_info()
        return {each.config.num_replicas for each in streams}

    async with cluster(tmp_path, servers=3) as urls:
        async with Bus.connect(urls, "records") as alone:

            async def made() -> bool:
                """The servers choose a leader first."""
                try:
                    await alone.ensure_stream("records")
                    await (await alone.key_value("scopes")).put("head", b"1")
                except (nats.errors.Error, nats.js.errors.Error):
                    return False
                return True

            await poll_until(made)
            assert await copies(alone) == {1}
        async with Bus.connect(urls, "records", replicas=3) as several:
            await several.ensure_stream("records")
            await several.key_value("scopes")
            await several.ensure_stream("sync")
            assert len(await several.jetstream.streams_info()) == 3
            assert await copies(several) == {3}
        async with Bus.connect(urls, "sync") as other:
            await other.ensure_stream("records")
            assert (await (await other.key_value("scopes")).get("head")).value == b"1"
            assert await copies(other) == {3}
