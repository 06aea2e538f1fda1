"""A database per test in milliseconds: each service's schema is migrated once, into a template that tests copy."""

import itertools
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from chassis.database import Database, open_database
from chassis.migrations_env import migrate
from deploy.local.engines import Postgres

ROOT = Path(__file__).parents[2]
CHASSIS = Path(__file__).with_name("migrations")
DatabaseFactory = Callable[[str], Awaitable[Database]]


class Templates:
    """Makes databases on one server; drops each once its test is over."""

    def __init__(self, server: Postgres) -> None:
        self._server = server
        self._made: dict[str, str] = {}
        self._numbers = itertools.count(1)

    async def empty(self, name: str) -> str:
        """The URL of a fresh database without tables."""
        database = f"{name}_{next(self._numbers)}"
        await self._server.execute(f'CREATE DATABASE "{database}"')
        return self._server.url(database)

    async def copy(self, service: str, resources: AsyncExitStack) -> Database:
        """A fresh migrated database of a service, open until the resources are closed, then dropped."""
        template = self._made.get(service)
        if template is None:
            template = f"template_{service}"
            await self._server.execute(f'CREATE DATABASE "{template}"')
            await migrate(self._server.url(template), migrations_of(service))
            self._made[service] = template
        name = f"{service}_{next(self._numbers)}"
        await self._server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        resources.push_async_callback(self._server.execute, f'DROP DATABASE "{name}" WITH (FORCE)')
        return await resources.enter_async_context(open_database(self._server.url(name)))


def migrations_of(service: str) -> Path:
    """The folder of a service's migrations; `chassis` has the chassis' own tables and nothing else."""
    return CHASSIS if service == "chassis" else ROOT / "services" / service / "migrations"
