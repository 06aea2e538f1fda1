"""Two transactions of reporting at once: they may wait for each other, never in a circle."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest
from google.protobuf.message import Message
from iocedu.records.v1 import records_pb2
from sqlalchemy import text

from chassis.bus import Event
from chassis.database import Database
from services.reporting import consumers
from services.reporting.clients import ChangeFeed
from services.reporting.store import projection
from services.reporting.usecases import rebuilding
from tests.integration.reporting import scenes
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until


@pytest.fixture
async def database(database_factory: DatabaseFactory) -> Database:
    """A fresh database of reporting."""
    return await database_factory("reporting")


def _event(message: Message, *, position: int) -> Event:
    return Event(
        id=f"event-{position}",
        type="iocedu.records.v1.records-changed",
        source="/iocedu/records",
        subject="",
        time=scenes.NOW,
        data=message.SerializeToString(),
        headers={"iocedu-position": str(position)},
    )


def _changed(school: int, *, backfill: bool) -> records_pb2.RecordsChanged:
    return records_pb2.RecordsChanged(changes=scenes.pupils(1, school=school), backfill=backfill)


async def _waits_for_a_school(database: Database) -> bool:
    async with database.connection() as connection:
        waiting = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database ="
        return bool(
            await connection.scalar(
                text(f"{waiting} (SELECT oid FROM pg_database WHERE datname = current_database()))")
            )
        )


@pytest.mark.parametrize("first", [scenes.PRIMARY, None], ids=["counted", "not counted"])
async def test_history_and_news_in_one_batch_do_not_block_connections(database: Database, first: int | None) -> None:
    """Who waits for a school does not hold the head, though the batch is merged in two parts."""
    history = _changed(first, backfill=True) if first else records_pb2.RecordsChanged(backfill=True)
    news = _changed(scenes.SECONDARY, backfill=False)

    async def follow() -> None:
        async with database.transaction() as connection:
            await consumers.follow_records(connection, [_event(history, position=1), _event(news, position=2)])

    async with asyncio.timeout(60):
        async with database.transaction() as connection:
            await projection.hold_schools(connection, [scenes.SECONDARY])
            following = asyncio.create_task(follow())
            await poll_until(lambda: _waits_for_a_school(database))
            await projection.connect_schools(connection, [(scenes.SECONDARY, scenes.NOW, scenes.NOW)], data_time=None)
        await following
    assert await scenes.verified(database)


class _Feed:
    """A feed of one page, in place of that of records."""

    async def pages(self, _types: object) -> AsyncIterator[records_pb2.ListChangesResponse]:
        change = scenes.pupil("p")
        change.position = 1
        yield records_pb2.ListChangesResponse(changes=[change], position=1)


async def test_a_rebuild_waits_for_whoever_changes_its_schools(database: Database) -> None:
    """Two differences of one school follow each other, also where the batch of a consumer is not what merges."""
    async with asyncio.timeout(60):
        async with database.transaction() as connection:
            await projection.hold_schools(connection, [scenes.PRIMARY])
            rebuilt = asyncio.create_task(rebuilding.rebuild(database, cast("ChangeFeed", _Feed())))
            await poll_until(lambda: _waits_for_a_school(database))
            async with database.connection() as other:
                assert await other.scalar(text("SELECT position FROM head")) == 0
        assert (await rebuilt).change_count == 1
    assert await scenes.verified(database)
