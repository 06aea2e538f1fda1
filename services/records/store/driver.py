"""The driver's own connection, for statements that bring many rows: each costs a third of what it costs above it.

What is run here joins a transaction only when something before it has begun one, as the school locks do.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

Record = Sequence[Any]


async def begin(connection: AsyncConnection) -> None:
    """Begin the connection's transaction, if nothing has yet: the driver's own statements do not."""
    raw = (await connection.get_raw_connection()).driver_connection
    assert raw is not None, "a connection in use has its driver's connection"
    if not raw.is_in_transaction():
        await connection.exec_driver_sql("SELECT 1")


async def run(connection: AsyncConnection, script: str) -> None:
    """Run statements without parameters, all in one round trip."""
    raw = (await connection.get_raw_connection()).driver_connection
    assert raw is not None, "a connection in use has its driver's connection"
    await raw.execute(script)


async def fetch(connection: AsyncConnection, statement: str, *values: object) -> list[Record]:
    """Run a statement with `$1`, `$2` … and return its rows."""
    raw = (await connection.get_raw_connection()).driver_connection
    assert raw is not None, "a connection in use has its driver's connection"
    rows: list[Record] = await raw.fetch(statement, *values)
    return rows
