"""Brings the databases of all services up to date in one process, which is quicker than one process each.

Run as `python -m deploy.local.migrate` it reads what to do from `MIGRATIONS`. Refuses to go on after the first failure.
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.local.errors import NotStarted
from deploy.local.processes import Process
from deploy.local.settings import CHECKOUT

LIMIT = 120.0
VARIABLE = "MIGRATIONS"


async def migrate_all(databases: Mapping[str, str], folders: Mapping[str, Path], *, log: Path) -> None:
    """Apply what is pending in the folder of each service to its database. NotStarted names the service that fails."""
    work = [[name, databases[name], str(folder)] for name, folder in folders.items()]
    process = Process(
        "migrations",
        [sys.executable, "-m", "deploy.local.migrate"],
        log=log,
        environment={**os.environ, VARIABLE: json.dumps(work)},
        folder=CHECKOUT,
    )
    try:
        if not await process.wait(LIMIT) or process.returncode != 0:
            raise NotStarted(f"{process.last_words() or 'the databases cannot be migrated'} (log: {log})")
    finally:
        process.kill()


async def _apply(work: list[list[str]]) -> None:
    from chassis.migrations_env import migrate  # noqa: PLC0415  Alembic is not for the supervisor

    for name, url, folder in work:
        try:
            applied = await migrate(url, folder)
        except Exception as error:
            line = str(error).partition("\n")[0]
            raise SystemExit(f"{name} cannot migrate its database: {type(error).__name__}: {line}") from error
        print(f"{name}: {', '.join(applied) or 'nothing to apply'}", flush=True)


if __name__ == "__main__":
    asyncio.run(_apply(json.loads(os.environ[VARIABLE])))
