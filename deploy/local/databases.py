"""One database per service on a PostgreSQL server, made when missing. Refuses to touch one that is there."""

from urllib.parse import urlsplit, urlunsplit

import asyncpg

from deploy.local.errors import NotStarted


async def ensure_on(server_url: str, name: str) -> str:
    """The address of database `name` on one's own server, owned by the user of `server_url`."""
    try:
        connection = await asyncpg.connect(server_url, timeout=10)
    except (OSError, asyncpg.PostgresError, ValueError, TimeoutError) as error:
        place = urlsplit(server_url).hostname or "?"
        raise NotStarted(f"IOCEDU_POSTGRES_URL: the server at {place} cannot be used ({error})") from error
    try:
        await _create(connection, name, owner=None)
    finally:
        await connection.close()
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))


async def ensure_owned(server_url: str, name: str, password: str) -> None:
    """A database whose owner has the same name, and can reach no other service's."""
    connection = await asyncpg.connect(server_url, timeout=10)
    try:
        known = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", name)
        verb = "ALTER" if known else "CREATE"
        await connection.execute(f"{verb} ROLE {_quoted(name)} LOGIN PASSWORD '{password}'")
        await _create(connection, name, owner=name)
    finally:
        await connection.close()


async def _create(connection: asyncpg.Connection, name: str, *, owner: str | None) -> None:
    if await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
        return
    await connection.execute(f"CREATE DATABASE {_quoted(name)}" + (f" OWNER {_quoted(owner)}" if owner else ""))
    await connection.execute(f"REVOKE CONNECT ON DATABASE {_quoted(name)} FROM PUBLIC")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
