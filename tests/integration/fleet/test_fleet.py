"""The fleet with a toy in the place of each service: order, restarts, failures, and that nothing is left behind."""

import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from deploy.local.errors import NotStarted
from deploy.local.fleet import NATS, Fleet
from deploy.local.parts import START_LIMIT
from deploy.local.ports import LOOPBACK
from deploy.local.settings import FleetSettings
from deploy.local.slots import State
from deploy.local.table import SERVICES, Service
from tests.support.waiting import poll_until

TOY = "tests.integration.fleet.toy"
TOYS = (Service("alpha", module=TOY), Service("beta", calls=("alpha",), module=TOY))


def children() -> set[int]:
    """Every process this one started; not theirs, for a database's own helpers come and go."""
    return {child.pid for child in psutil.Process().children()}


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    """Two toys and two copies of one of them."""
    made = Fleet(tmp_path / "data", services=TOYS, edge=False, durable=False, replicas={"beta": 2})
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def test_a_service_that_dies_is_started_again_where_it_was(fleet: Fleet) -> None:
    """A crash is repaired without help, on the same address, and shows in the status."""
    slot = fleet.slot("alpha")
    before, address = slot.pid, slot.address
    assert before is not None
    os.kill(before, signal.SIGKILL)
    await poll_until(lambda: slot.state is State.READY and slot.pid not in (None, before))
    assert (slot.restarts, slot.address) == (1, address)
    assert slot.describe()["detail"] == "ended by signal 9"


async def test_an_engine_that_dies_is_started_again_with_its_data(fleet: Fleet) -> None:
    """PostgreSQL comes back by itself, on the same address, with what was committed."""
    slot = fleet.slot("postgres")
    connection = await asyncpg.connect(fleet.databases["alpha"])
    await connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    await connection.close()
    before = slot.pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    await poll_until(lambda: slot.state is State.READY and slot.pid not in (None, before))
    connection = await asyncpg.connect(fleet.databases["alpha"])
    assert await connection.fetchval("SELECT n FROM kept") == 7
    await connection.close()


async def test_what_a_test_kills_stays_dead_until_it_is_restarted(fleet: Fleet) -> None:
    """`kill` is for looking at the others meanwhile; `restart` brings the part back."""
    await fleet.kill("beta")
    slot = fleet.slot("beta")
    await poll_until(lambda: fleet.slot("beta-2").state is State.READY)
    assert (slot.state, slot.pid) == (State.KILLED, None)
    await fleet.restart("beta")
    assert slot.state is State.READY
    assert slot.pid is not None


async def test_a_stopped_service_is_started_again_when_it_ends_by_itself(fleet: Fleet) -> None:
    """A service has no business to end: even an orderly end is repaired."""
    slot = fleet.slot("beta-2")
    before = slot.pid
    assert before is not None
    os.kill(before, signal.SIGTERM)
    await poll_until(lambda: slot.state is State.READY and slot.pid not in (None, before))


async def test_a_service_that_cannot_start_leaves_nothing_behind(tmp_path: Path) -> None:
    """One part that fails stops the rest, and the reason is the service's own last line."""
    before = children()
    settings = FleetSettings(own={"alpha": {"TOY_BROKEN": "1"}})
    with pytest.raises(NotStarted, match="alpha did not start: the toy is broken"):
        await Fleet(tmp_path / "data", services=TOYS, settings=settings, edge=False, durable=False).start()
    assert children() == before


async def test_a_part_that_fails_ends_the_waiting_of_those_that_need_it(tmp_path: Path) -> None:
    """What failed is said at once, not after the rest has waited for it in vain."""
    settings = FleetSettings(own={"alpha": {"TOY_WAITING": "1"}, "beta": {"TOY_BROKEN": "1"}})
    began = time.monotonic()
    with pytest.raises(NotStarted, match="beta did not start: the toy is broken"):
        await Fleet(tmp_path / "data", services=TOYS, settings=settings, edge=False, durable=False).start()
    assert time.monotonic() - began < START_LIMIT / 2


async def test_a_database_that_cannot_be_migrated_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failing migration stops the start before any service runs on a schema it does not know."""
    versions = tmp_path / "migrations" / "versions"
    versions.mkdir(parents=True)
    versions.joinpath("0001_pre_broken.py").write_text("raise RuntimeError('broken')")
    monkeypatch.setattr(Service, "migrations", tmp_path / "migrations")
    before = children()
    with pytest.raises(NotStarted, match="alpha cannot migrate its database: RuntimeError: broken"):
        await Fleet(tmp_path / "data", services=TOYS, edge=False, durable=False).start()
    assert children() == before


async def test_a_service_deaf_to_its_stop_does_not_hold_the_rest(tmp_path: Path) -> None:
    """It is killed once the time for all together is over, whatever it does."""
    before = children()
    settings = FleetSettings(own={"alpha": {"TOY_DEAF": "1"}, "beta": {"TOY_DEAF": "1"}})
    fleet = Fleet(tmp_path / "data", services=TOYS, settings=settings, edge=False, durable=False)
    await fleet.start()
    assert len(children() - before) == 4, "PostgreSQL, NATS and both services"
    await fleet.stop()
    assert children() == before


async def test_own_servers_are_used_instead_of_embedded_ones(tmp_path: Path, postgres_url: str, nats_url: str) -> None:
    """Told of servers of one's own, the fleet starts none, and makes its databases there."""
    settings = FleetSettings(postgres_url=postgres_url, nats_url=nats_url)
    fleet = Fleet(tmp_path / "data", services=TOYS, settings=settings, edge=False)
    await fleet.start()
    try:
        assert [part["name"] for part in fleet.describe()] == ["alpha", "beta"]
        assert fleet.databases["alpha"] == postgres_url.rpartition("/")[0] + "/iocedu_alpha"
        connection = await asyncpg.connect(fleet.databases["alpha"])
        await connection.close()
    finally:
        await fleet.stop()


@pytest.mark.parametrize(
    ("setting", "settings"),
    [
        ("IOCEDU_NATS_URL", FleetSettings(nats_url="nats://127.0.0.1:1")),
        ("IOCEDU_POSTGRES_URL", FleetSettings(postgres_url="postgresql://nobody:x@127.0.0.1:1/postgres")),
    ],
)
async def test_own_servers_that_cannot_be_reached_are_named(
    tmp_path: Path, setting: str, settings: FleetSettings
) -> None:
    """The line names the setting, and what was started already is stopped."""
    before = children()
    with pytest.raises(NotStarted, match=setting):
        await Fleet(tmp_path / "data", services=TOYS, settings=settings, edge=False, durable=False).start()
    assert children() == before


async def test_a_port_that_another_took_while_the_fleet_started_is_named_with_its_remedy(tmp_path: Path) -> None:
    """What was free at the first look is not by the time the edge comes up."""
    toys = [Service(one.name, module=TOY) for one in SERVICES]
    fleet = Fleet(tmp_path / "data", services=toys, durable=False)
    with socket.socket() as thief:

        def take_port(what: str, _seconds: float) -> None:
            if what == NATS:
                thief.bind((LOOPBACK, fleet.port))
                thief.listen()

        with pytest.raises(NotStarted, match=rf"port {fleet.port} on .* is in use: .* IOCEDU_PORT=<port>"):
            await fleet.start(take_port)
