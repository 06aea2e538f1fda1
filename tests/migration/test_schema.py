"""Each service's migrations make the tables its queries expect, in files that say in which phase they run."""

import re
from importlib import import_module
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.migrations_env import migrate
from tests.support.databases import DatabaseFactory

ROOT = Path(__file__).resolve().parents[2]
TABLES = {
    "records": "services.records.store.tables",
    "sync": "services.sync.store.tables",
    "alerts": "services.alerts.store",
    "notify": "services.notify.store",
}
SERVICES = (*TABLES, "reporting")


async def columns(connection: AsyncConnection) -> set[tuple[str, str]]:
    """(table, column) of everything in the database."""
    found = await connection.execute(
        sa.text("SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'")
    )
    return {(table, column) for table, column in found}


@pytest.mark.parametrize("service", TABLES)
async def test_a_migrated_database_has_every_column_the_store_names(
    service: str, database_factory: DatabaseFactory
) -> None:
    """A query could else fail only once it runs."""
    database = await database_factory(service)
    metadata: sa.MetaData = import_module(TABLES[service]).metadata

    async with database.connection() as connection:
        there = await columns(connection)

    named = {(table.name, column.name) for table in metadata.tables.values() for column in table.columns}
    assert named - there == set()


@pytest.mark.parametrize("service", SERVICES)
async def test_migrating_again_does_nothing(service: str, database_factory: DatabaseFactory) -> None:
    """A job that runs twice, or after a restart, finds nothing to do."""
    database = await database_factory(service)

    assert await migrate(database.url, ROOT / "services" / service / "migrations", "all") == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_revision_says_its_phase(service: str) -> None:
    """`pre` is safe under the code that runs, `post` under the code that comes."""
    files = sorted((ROOT / "services" / service / "migrations/versions").glob("*.py"))

    assert files
    assert [file.name for file in files if not re.fullmatch(r"\d{4}_(pre|post)_[a-z0-9_]+\.py", file.name)] == []
