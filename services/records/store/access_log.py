"""The append-only log of readings; the database itself refuses to change or remove what is in it."""

from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter

from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.reading import Reading
from services.records.store.driver import fetch
from services.records.store.tables import access_log

_COLUMNS = tuple(field.name for field in fields(Reading))
_VALUES = attrgetter(*_COLUMNS)


async def append_readings(connection: AsyncConnection, readings: Sequence[Reading]) -> None:
    """Write readings down, in one statement."""
    if readings:
        columns = zip(*map(_VALUES, readings), strict=True)
        await fetch(connection, _APPEND, *map(list, columns))


_TYPES = {"read_time": "timestamptz", "unit_id": "bigint", "record_count": "integer", "unmasked": "boolean"}
_APPEND = (
    f"INSERT INTO {access_log.name} ({', '.join(_COLUMNS)}) SELECT * FROM unnest("  # noqa: S608 (names of our own)
    + ", ".join(f"${place}::{_TYPES.get(name, 'text')}[]" for place, name in enumerate(_COLUMNS, 1))
    + ")"
)
