"""Rebuilding from the change feed of a real records, and the commands an operator has."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from iocedu.records.v1 import resources_pb2, units_pb2
from sqlalchemy import text

from chassis import clients
from chassis.bus import Bus
from chassis.database import Database
from chassis.identity import ServiceIdentity
from chassis.testing import FixedClock
from deploy.local.issuer import ISSUER, Issuer
from services.reporting import consumers, jobs
from services.reporting.clients import ChangeFeed
from services.reporting.store import projection
from services.reporting.usecases import rebuilding
from tests.integration.records.asking import CHILD, ERASURE, ask, done, linked
from tests.integration.records.scenes import PLACES, SCHOOL_A, Running, gone, pupil, start_records
from tests.integration.reporting import scenes
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until, running


@pytest.fixture
async def database(database_factory: DatabaseFactory) -> Database:
    """A fresh database of reporting."""
    return await database_factory("reporting")


@pytest.fixture
async def records(database_factory: DatabaseFactory, bus: Bus, nats_url: str, keys: Issuer) -> AsyncIterator[Running]:
    """Records with two schools."""
    assert bus.client.is_connected
    clock = FixedClock(scenes.NOW)
    async with start_records(await database_factory("records"), nats_url, keys, clock=clock) as started:
        stub: Any = await started.units()
        await stub.ImportUnits(units_pb2.ImportUnitsRequest(units=PLACES))
        await poll_until(lambda: started.scopes.tree.resolve(SCHOOL_A, clock.today()) is not None)
        yield started


@pytest.fixture
async def feed(records: Running, keys: Issuer) -> AsyncIterator[ChangeFeed]:
    """The feed as reporting reads it."""
    identity = ServiceIdentity("reporting", keys.service_key("reporting"), issuer=ISSUER)
    async with await clients.channel(records.address, service_identity=identity) as channel:
        yield ChangeFeed(channel)


def _a_class(key: str, version: int = 1) -> resources_pb2.Row:
    record = resources_pb2.SchoolClass(school_year=2026, name=key, grade="06", level="03")
    return resources_pb2.Row(school=SCHOOL_A, key=key, version=version, school_class=record)


async def _counts(database: Database) -> tuple[int, int]:
    async with database.connection() as connection:
        found = await connection.execute(
            text("SELECT coalesce(sum(pupil_count), 0)::int, coalesce(sum(class_count), 0)::int FROM school_figure")
        )
        pupils, classes = found.one()
        return pupils, classes


async def test_an_empty_database_is_rebuilt_from_the_feed(database, records, feed):
    """All events may be lost: the feed holds each record's newest change, tombstones among them."""
    await records.apply(_a_class("6A"), *(pupil(f"HS{number}") for number in range(30)))
    await records.apply(pupil("HS1", 2, status="05"), gone("HS2", 2))
    await records.settled()
    done = await rebuilding.rebuild(database, feed)
    assert (done.change_count, done.repaired_schools) == (31, 0)
    assert await _counts(database) == (28, 1)
    assert await scenes.verified(database)


async def test_what_was_erased_or_restricted_is_rebuilt_as_it_was_counted(database, records, feed):
    """An erased pupil counts nowhere, a restricted one goes on counting: from events and from the feed alike."""
    await records.apply(_a_class("6A"), pupil("HS1"), pupil("M1", **CHILD))
    await linked(records)
    for key in ("HS1", "M1"):
        await done(records, await ask(records, ERASURE, key))
    rebuilt = await rebuilding.rebuild(database, feed)
    assert rebuilt.change_count == 3
    assert await _counts(database) == (1, 1)
    assert await scenes.verified(database)


async def test_a_rebuild_puts_right_what_was_tampered_with_and_is_idle_the_second_time(database, records, feed, capsys):
    """Facts, stocks, classes and totals are what the feed says; the commands tell."""
    await records.apply(_a_class("6A"), *(pupil(f"HS{number}") for number in range(10)))
    await records.settled()
    await rebuilding.rebuild(database, feed)
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE fact SET counted = false, status = '05' WHERE key = 'HS3'"))
        await connection.execute(text("UPDATE stock SET value = 99 WHERE measure = 'pupils'"))
    assert await jobs.verify(database) == 1
    assert await jobs.rebuild(database, feed) == 0
    assert await jobs.verify(database) == 0
    assert await _counts(database) == (10, 1)
    assert (await rebuilding.rebuild(database, feed)).repaired_schools == 0
    assert "1 schools put right" in capsys.readouterr().out


async def test_figures_stay_exact_while_a_rebuild_runs_beside_the_consumers(database, records, feed, bus):
    """News goes on coming in: whatever the interleaving, the end is a recount of the newest."""
    async with running(*consumers.consumers(database, bus)):
        for version in range(1, 6):
            rows = [pupil(f"HS{number}", version, grade=f"0{6 + (number + version) % 4}") for number in range(40)]
            await asyncio.gather(records.apply(_a_class("6A", version), *rows), rebuilding.rebuild(database, feed))
        await records.settled()

        async def same() -> bool:
            return await _counts(database) == (40, 1) and await scenes.verified(database) and await newest() == 40

        async def newest() -> int:
            # The grade of version 5, as given above.
            of_version_5 = "SELECT count(*) FROM fact WHERE grade = '0' || (6 + (substr(key, 3)::int + 5) % 4)"
            async with database.connection() as connection:
                found = await connection.execute(text(f"{of_version_5} AND measure = 'pupils'"))
                return int(found.scalar_one())

        await poll_until(same)


@pytest.mark.parametrize(("value", "status", "said"), [(1, 0, "all figures equal"), (2, 1, "1 figures differ")])
async def test_the_command_line_verifies(database, keys, value, status, said):
    """An operator, or a nightly job, learns from the exit status whether the figures are exact; a service that runs
    with the same settings is not in its way.
    """
    async with database.transaction() as connection:
        changed = await projection.merge(connection, [(7, "staff", "T", 1, 2026, "02", "", "1", "01", "", "", "01")])
        assert changed.schools
        await connection.execute(text("UPDATE stock SET value = :value"), {"value": value})
    serving = socket.create_server(("127.0.0.1", 0))
    environment = {
        "IOCEDU_METRICS_LISTEN": f"127.0.0.1:{serving.getsockname()[1]}",
        "IOCEDU_DATABASE_URL": database.url,
        "IOCEDU_NATS_URL": "nats://127.0.0.1:1",
        "IOCEDU_JWKS": str(keys.jwks),
        "IOCEDU_ISSUER": ISSUER,
        "IOCEDU_SERVICE_KEY_FILE": str(keys.service_key("reporting")),
    }
    with serving:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.reporting", "verify", env=environment, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == status
    assert said in out.decode()
