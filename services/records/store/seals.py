"""The chain over the access log: what waits for its seal, seals appended, and all of it read back to be checked."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import copy_rows
from services.records.domain.reading import Reading
from services.records.domain.sealing import START, Entry, Head, Seal
from services.records.store.driver import fetch

SEAL_LOCK: Final = 5 << 48  # beside the lock spaces of schools, of the forest and of publication

_READING: Final = ", ".join(f"log.{field.name}" for field in fields(Reading))


async def anything_unsealed(connection: AsyncConnection) -> bool:
    """Whether an entry waits for its seal."""
    return bool((await fetch(connection, "SELECT EXISTS (SELECT FROM access_unsealed)"))[0][0])


async def try_seal_lock(connection: AsyncConnection) -> bool:
    """Whether this transaction is the one that may seal."""
    return bool((await connection.execute(sa.select(sa.func.pg_try_advisory_xact_lock(SEAL_LOCK)))).scalar_one())


async def take_unsealed(connection: AsyncConnection, *, most: int) -> list[Entry]:
    """Take entries out of the queue, the lowest numbers first; one that has its seal already is left out."""
    return [Entry(row[0], Reading(*row[1:])) for row in await fetch(connection, _TAKE, most)]


async def head(connection: AsyncConnection) -> Head:
    """The end of the chain."""
    found = await fetch(connection, "SELECT sequence, hash FROM access_seal ORDER BY sequence DESC LIMIT 1")
    return Head(*found[0]) if found else START


async def hash_at(connection: AsyncConnection, sequence: int) -> bytes | None:
    """The hash at a place of the chain, None beyond its end."""
    found = await fetch(connection, "SELECT hash FROM access_seal WHERE sequence = $1", sequence)
    return found[0][0] if found else None


async def append_seals(connection: AsyncConnection, seals: Sequence[Seal]) -> None:
    """Append seals to the chain."""
    await copy_rows(connection, "access_seal", ("sequence", "entry_id", "hash"), [seal[:3] for seal in seals])


async def seals_after(connection: AsyncConnection, sequence: int, *, most: int) -> list[Seal]:
    """The next seals in order of their places, each with its entry where that is there."""
    rows: Sequence[Sequence[Any]] = await fetch(connection, _AFTER, sequence, most)
    # An entry has no empty column: where one is, none was found.
    return [Seal(row[0], row[1], row[2], None if row[3] is None else Reading(*row[3:])) for row in rows]


async def strayed(connection: AsyncConnection) -> int | None:
    """The lowest number of an entry that is neither sealed nor waits, or waits and is gone; None: there is none."""
    found: int | None = (await fetch(connection, _STRAYED))[0][0]
    return found


async def seconds_sealed(connection: AsyncConnection) -> float:
    """How long ago the first entry of the chain was written; 0 where there is none."""
    found = await fetch(connection, _SECONDS)
    return float(found[0][0]) if found else 0.0


async def anchored_place(connection: AsyncConnection) -> int:
    """The place that was anchored last, 0 where none was."""
    found = await fetch(connection, "SELECT sequence FROM access_anchored")
    return int(found[0][0]) if found else 0


async def keep_anchored_place(connection: AsyncConnection, sequence: int) -> None:
    """Keep which place was anchored, once it is."""
    await fetch(connection, _ANCHORED, sequence)


async def count_unsealed(connection: AsyncConnection) -> int:
    """How many entries wait for their seal."""
    return int((await fetch(connection, "SELECT count(*) FROM access_unsealed"))[0][0])


# An entry that was removed before it was sealed stays in the queue, as a witness.
_TAKE: Final = (
    "WITH taken AS (DELETE FROM access_unsealed WHERE entry_id IN (SELECT waiting.entry_id"  # noqa: S608 (own names)
    " FROM access_unsealed AS waiting JOIN access_log AS log ON log.entry_id = waiting.entry_id"
    " ORDER BY waiting.entry_id LIMIT $1) RETURNING entry_id)"
    f" SELECT log.entry_id, {_READING} FROM taken JOIN access_log AS log ON log.entry_id = taken.entry_id"
    " WHERE NOT EXISTS (SELECT FROM access_seal AS seal WHERE seal.entry_id = log.entry_id) ORDER BY log.entry_id"
)
_AFTER: Final = (
    f"SELECT seal.sequence, seal.entry_id, seal.hash, {_READING}"  # noqa: S608 (names of our own)
    " FROM (SELECT * FROM access_seal WHERE sequence > $1 ORDER BY sequence LIMIT $2) AS seal"
    " LEFT JOIN access_log AS log ON log.entry_id = seal.entry_id ORDER BY seal.sequence"
)
_SECONDS: Final = (
    "SELECT extract(epoch FROM now() - read_time) FROM access_log JOIN access_seal USING (entry_id) WHERE sequence = 1"
)
_ANCHORED: Final = (
    "INSERT INTO access_anchored (sequence) VALUES ($1) ON CONFLICT (one) DO UPDATE SET sequence = excluded.sequence"
)
_STRAYED: Final = (
    "SELECT min(entry_id) FROM (SELECT log.entry_id FROM access_log AS log"
    " LEFT JOIN access_seal AS seal ON seal.entry_id = log.entry_id"
    " LEFT JOIN access_unsealed AS waiting ON waiting.entry_id = log.entry_id"
    " WHERE seal.entry_id IS NULL AND waiting.entry_id IS NULL"
    " UNION ALL SELECT waiting.entry_id FROM access_unsealed AS waiting"
    " LEFT JOIN access_log AS log ON log.entry_id = waiting.entry_id WHERE log.entry_id IS NULL) AS found"
)
