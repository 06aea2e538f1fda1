"""Fixtures of every test: real PostgreSQL and NATS for the session, a database per test, keys, tokens, a tree of units.

All of it runs in the session's one event loop. Settings of the caller's shell do not reach a test.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack

import pytest
from hypothesis import HealthCheck, settings
from iocedu.chassis.v1 import scopes_pb2

from chassis.bus import Bus
from chassis.database import Database
from chassis.scopes import chunked, publish_tree
from deploy.local.engines import Nats, Postgres
from deploy.local.issuer import SERVICES, Issuer
from tests.support.databases import DatabaseFactory, Templates

# A slow machine is no counter-example, and examples of one test may share its database.
FORGIVEN = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("iocedu", deadline=None, suppress_health_check=FORGIVEN)
settings.load_profile("iocedu")

KEPT = {"IOCEDU_POSTGRES_BIN", "IOCEDU_NATS_BIN", "IOCEDU_ENVOY_BIN"}  # Where the engines' binaries are.


@pytest.fixture(scope="session", autouse=True)
def _bare_environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("IOCEDU_") and name not in KEPT]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Postgres]:
    """The session's PostgreSQL server, quick rather than durable."""
    server = Postgres(tmp_path_factory.mktemp("postgres"), fsync=False, small=True)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@pytest.fixture(scope="session")
def postgres_url(postgres: Postgres) -> str:
    """Address of the server's maintenance database, as its superuser."""
    return postgres.url()


@pytest.fixture(scope="session")
async def nats_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nats]:
    """The session's NATS server with JetStream, quick rather than durable."""
    server = Nats(tmp_path_factory.mktemp("nats"), sync=False)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@pytest.fixture(scope="session")
def nats_url(nats_server: Nats) -> str:
    """Address of the session's NATS server. What is stored in it stays from test to test unless a test uses `bus`."""
    return nats_server.url


@pytest.fixture(scope="session")
def templates(postgres: Postgres) -> Templates:
    """Makes databases on the session's server."""
    return Templates(postgres)


@pytest.fixture
async def database_factory(templates: Templates) -> AsyncIterator[DatabaseFactory]:
    """Makes a fresh migrated database of a service, by its name; `chassis` has the chassis' tables only.

    The `Database` is open until the test ends; its `url` is for what opens it by itself.
    """
    async with AsyncExitStack() as resources:

        async def make(service: str) -> Database:
            return await templates.copy(service, resources)

        yield make


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    """A connection to a broker that holds no stream and no bucket when the test begins."""
    async with Bus.connect(nats_url, "tests") as connected:
        for stream in await connected.jetstream.streams_info():
            assert stream.config.name is not None
            await connected.jetstream.delete_stream(stream.config.name)
        yield connected


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    """The issuer: `jwks` is the file to verify with, `service_key(name)` a service's private key, `mint` a token."""
    return Issuer(tmp_path_factory.mktemp("keys"), services=(*SERVICES, "toy"))


@pytest.fixture(scope="session")
def token(keys: Issuer) -> Callable[..., str]:
    """`token(subject, **claims)` is a signed token of that subject."""
    return keys.mint


ScopesPublisher = Callable[..., Awaitable[None]]


@pytest.fixture
def scopes_tree(bus: Bus) -> ScopesPublisher:
    """Publishes trees made of `ScopeUnit` and `ScopeGrant` messages, each newer than the one before."""
    version = 0

    async def publish(units: Iterable[scopes_pb2.ScopeUnit], grants: Iterable[scopes_pb2.ScopeGrant] = ()) -> None:
        nonlocal version
        version += 1
        assert await publish_tree(bus, chunked(units, grants), version)

    return publish
