"""Migrations by Alembic in two phases: `pre` runs before new code is rolled out, `post` after the old code is gone.

Revision files are called `NNNN_pre_<what>.py` (safe under the old code) or `NNNN_post_<what>.py`, in one line. Phase
`pre` applies what is pending up to the first pending `post`; phases `post` and `all` apply everything. Two runs at once
wait for each other; a statement that would block the service for long fails instead and can be run again.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from alembic import context
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from chassis.database import chassis_tables

Phase = Literal["pre", "post", "all"]
MIGRATION_LOCK = 0x696F635F6D6967  # "ioc_mig"
WAIT_SECONDS = 120
LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "15min"


async def migrate(database_url: str, script_location: str | Path, phase: Phase = "all") -> list[str]:
    """Apply what is pending in this phase; returns the revisions applied. Raises when another run never ends."""
    engine = create_async_engine(
        sa.make_url(database_url).set(drivername="postgresql+asyncpg"),
        poolclass=NullPool,
        connect_args={"timeout": 10, "server_settings": {"application_name": "migrate", "timezone": "UTC"}},
    )
    try:
        async with engine.connect() as connection:
            await _lock(connection)
            await connection.execute(sa.text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
            await connection.execute(sa.text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))
            await connection.commit()
            return await connection.run_sync(_upgrade, str(script_location), phase)
    finally:
        await engine.dispose()


def run() -> None:
    """Run migrations on the connection `migrate` hands in; all that a service's `migrations/env.py` has to call."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


def create_chassis_tables(op: Any) -> None:
    """Create the outbox, the inbox and the dead letters; for a service's first revision."""
    tables = chassis_tables(sa.MetaData())
    tables.outbox.metadata.create_all(op.get_bind(), checkfirst=False)
    # A payload is short-lived and read once: compressing it costs more than it saves.
    op.execute("ALTER TABLE outbox ALTER COLUMN payload SET STORAGE EXTERNAL")
    # Its rows come and go by the million; the few pages they live in are to be reused at once.
    op.execute("ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)")


async def _lock(connection: Any) -> None:
    for _ in range(WAIT_SECONDS):
        if await connection.scalar(sa.select(sa.func.pg_try_advisory_lock(MIGRATION_LOCK))):
            return
        await connection.rollback()
        await asyncio.sleep(1)
    raise TimeoutError(f"another migration of this database has been running for {WAIT_SECONDS} seconds")


def _upgrade(connection: sa.Connection, script_location: str, phase: Phase) -> list[str]:
    config = Config()
    config.set_main_option("script_location", script_location.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    directory = ScriptDirectory.from_config(config)
    present = MigrationContext.configure(connection).get_current_heads()
    connection.rollback()
    pending = list(_pending(directory, set(present)))
    if phase == "pre":
        pending = list(_leading_pre(pending))
    if not pending:
        return []
    target = pending[-1].revision

    def revisions(revision: Any, _context: Any) -> Any:
        return directory._upgrade_revs(target, revision)  # noqa: SLF001 (what alembic.command itself calls)

    with EnvironmentContext(config, directory, fn=revisions, destination_rev=target):
        directory.run_env()
    connection.commit()
    return [script.revision for script in pending]


def _pending(directory: ScriptDirectory, present: set[str]) -> Iterator[Script]:
    """Revisions that are not applied, oldest first."""
    line = list(directory.walk_revisions())[::-1]
    places = [place for place, script in enumerate(line) if script.revision in present]
    if present and not places:
        raise LookupError(f"the database is at revision {sorted(present)}, which this version does not know")
    yield from line[max(places, default=-1) + 1 :]


def _leading_pre(pending: list[Script]) -> Iterator[Script]:
    for script in pending:
        if "_post_" in Path(script.path).name:
            return
        yield script
