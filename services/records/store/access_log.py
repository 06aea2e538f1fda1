"""The append-only log of readings; the database itself refuses to change or remove what is in it."""

from collections.abc import Sequence
from dataclasses import fields

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.reading import Reading
from services.records.store.tables import access_log

_COLUMNS = tuple(field.name for field in fields(Reading))


async def append_readings(connection: AsyncConnection, readings: Sequence[Reading]) -> None:
    """Write readings down, in one statement."""
    if readings:
        values = {name: [getattr(reading, name) for reading in readings] for name in _COLUMNS}
        await connection.execute(_APPEND, values)


_TYPES = {"read_time": "timestamptz", "unit_id": "bigint", "record_count": "integer", "unmasked": "boolean"}
_APPEND = sa.text(
    f"INSERT INTO {access_log.name} ({', '.join(_COLUMNS)}) SELECT * FROM unnest("  # noqa: S608 (names of our own)
    + ", ".join(f"CAST(:{name} AS {_TYPES.get(name, 'text')}[])" for name in _COLUMNS)
    + ")"
)
