"""A real Envoy, rendered from the parrot's interface, in front of a parrot behind the real chain."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from chassis.server import serving
from chassis.testing import AUDIENCE, ISSUER, Keys
from deploy.local.engines import Envoy
from deploy.local.ports import free_port
from gateway.envoy.edge import Edge
from gateway.envoy.render import bootstrap
from tests.integration.gateway.parrot import DESCRIPTORS, Parrot, parrot_app
from tests.support.waiting import poll_until


@dataclass(frozen=True)
class Door:
    """The edge as tests reach it."""

    address: str
    log: Path
    scheme: str = "http"

    @property
    def url(self) -> str:
        """Its REST address."""
        return f"{self.scheme}://{self.address}"

    def lines(self) -> list[dict[str, Any]]:
        """What the access log holds."""
        return [json.loads(line) for line in self.log.read_text("utf-8").splitlines()] if self.log.exists() else []


@asynccontextmanager
async def opened(keys: Keys, folder: Path, *, backend: str, wait: bool = True, **changes) -> AsyncIterator[Door]:
    """Run an edge in front of `backend`."""
    address = f"127.0.0.1:{free_port()}"
    admin = f"127.0.0.1:{free_port()}"
    edge = Edge(
        listen=address,
        admin=admin,
        backends={"parrot": backend},
        issuer=ISSUER,
        audience=AUDIENCE,
        reflection="parrot",
        access_log=str(folder / "access.log"),
        descriptors=DESCRIPTORS,
        **({"jwks": keys.jwks} | changes),
    )
    config = folder / "envoy.json"
    config.write_text(json.dumps(bootstrap(edge)), "utf-8")
    envoy = Envoy(config, concurrency=1)
    await envoy.start()
    try:
        scheme = "https" if edge.certificate else "http"
        door = Door(address, folder / "access.log", scheme)
        async with httpx.AsyncClient(trust_env=False) as client:

            async def healthy() -> bool:
                return "parrot::127.0.0.1" in (page := (await client.get(f"http://{admin}/clusters")).text) and (
                    "health_flags::healthy" in page
                )

            if wait:
                await poll_until(healthy)
        yield door
    finally:
        await envoy.stop()


@pytest.fixture(scope="session")
def own_keys(tmp_path_factory):
    """An issuer, and the keys of the parrot and a friend."""
    return Keys.create(tmp_path_factory.mktemp("edge-keys"), ["parrot", "friend"])


@pytest.fixture(scope="session")
async def parrot(own_keys):
    """A parrot: (address, servicer)."""
    servicer = Parrot()
    settings = own_keys.settings("parrot", reflection_descriptors=DESCRIPTORS)
    async with serving("parrot", parrot_app(servicer), settings) as address:
        yield address, servicer


@pytest.fixture(scope="session")
async def door(own_keys, parrot, tmp_path_factory):
    """The edge in front of the parrot."""
    async with opened(own_keys, tmp_path_factory.mktemp("edge"), backend=parrot[0]) as found:
        yield found


@pytest.fixture
async def rest(door, own_keys):
    """A REST client that is signed in."""
    headers = {"authorization": f"Bearer {own_keys.token('person:an')}"}
    async with httpx.AsyncClient(base_url=door.url, headers=headers, trust_env=False, timeout=20) as client:
        yield client
