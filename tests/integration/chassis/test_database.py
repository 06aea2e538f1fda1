"""The database as a service uses it: what is committed, what is not, what a lost server looks like."""

import asyncio
from collections.abc import Sequence

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError

from chassis.database import copy_rows, lock_keys, open_database
from chassis.errors import Fault, Kind
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


async def test_a_deadlock_is_a_fault_to_retry(database_factory: DatabaseFactory) -> None:
    """One of two writers in each other's way is told to try again; the other succeeds."""
    database = await database_factory("chassis")
    both = asyncio.Barrier(2)

    async def write(first: int, second: int) -> None:
        async with database.transaction() as connection:
            await connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": first})
            await both.wait()
            await connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": second})

    [fault] = [one for one in await asyncio.gather(write(1, 2), write(2, 1), return_exceptions=True) if one]
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.reason) == (Kind.UNAVAILABLE, "DATABASE_BUSY")
    assert fault.retry_after is not None


async def test_a_statement_older_than_a_migration_is_a_fault_to_retry(database_factory: DatabaseFactory) -> None:
    """A migration under running code costs one retry, not an error."""
    database = await database_factory("chassis")
    query = sa.text("SELECT * FROM thing")
    async with database.transaction() as connection:
        await connection.execute(sa.text("CREATE TABLE thing (a int)"))
    async with database.connection() as connection:
        await connection.execute(query)
        async with open_database(database.url) as other, other.transaction() as migrating:
            await migrating.execute(sa.text("ALTER TABLE thing ADD COLUMN b int"))

    async def read() -> Sequence[str]:
        async with database.connection() as connection:
            return list((await connection.execute(query)).keys())

    with pytest.raises(Fault) as caught:
        await read()
    assert (caught.value.kind, caught.value.reason) == (Kind.UNAVAILABLE, "DATABASE_BUSY")
    assert await read() == ["a", "b"]


async def test_a_mistake_in_a_statement_stays_an_error(database_factory: DatabaseFactory) -> None:
    """What no retry mends is not dressed up as something one does."""
    database = await database_factory("chassis")
    with pytest.raises(ProgrammingError):
        async with database.connection() as connection:
            await connection.execute(sa.text("SELECT nothing FROM nowhere"))
