"""The database as a service uses it: what is committed, what is not, what a lost server looks like."""

import asyncio

import pytest
import sqlalchemy as sa

from chassis.database import copy_rows, lock_keys
from tests.support.databases import DatabaseFactory


async def test_a_transaction_that_raises_leaves_nothing(database_factory: DatabaseFactory) -> None:
    """Whatever is raised inside, nothing of the transaction is seen afterwards."""
    database = await database_factory("chassis")

    async def fail() -> None:
        async with database.transaction() as connection:
            await copy_rows(connection, "inbox", ["consumer", "event_id"], [("c", "1")])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with database.connection() as connection:
        assert await connection.scalar(sa.text("SELECT count(*) FROM inbox")) == 0


async def test_copied_rows_are_there_after_the_commit(database_factory: DatabaseFactory) -> None:
    """COPY writes inside the transaction, and rows are complete after it."""
    database = await database_factory("chassis")
    async with database.transaction() as connection:
        await copy_rows(connection, "public.inbox", ["consumer", "event_id"], ((("c"), str(n)) for n in range(1000)))
    async with database.connection() as connection:
        assert await connection.scalar(sa.text("SELECT count(*) FROM inbox")) == 1000


async def test_writers_that_lock_the_same_keys_follow_each_other(database_factory: DatabaseFactory) -> None:
    """The second waits until the first has ended, whatever order the keys were named in; no id is taken."""
    database = await database_factory("chassis")
    order: list[str] = []
    held = asyncio.Event()

    async def first() -> None:
        async with database.transaction() as connection:
            await lock_keys(connection, [3, 1, 2], space=7)
            assert await connection.scalar(sa.text("SELECT pg_current_xact_id_if_assigned()")) is None
            held.set()
            await asyncio.sleep(0.2)
            order.append("first")

    async def second() -> None:
        await held.wait()
        async with database.transaction() as connection:
            await lock_keys(connection, [2, 9], space=7)
            order.append("second")

    await asyncio.gather(first(), second())
    assert order == ["first", "second"]
