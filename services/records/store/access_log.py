"""The append-only log of readings; the database itself refuses to change or remove what is in it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.reading import Logged, Reading
from services.records.store.driver import fetch
from services.records.store.tables import access_log, access_seal

_COLUMNS = tuple(field.name for field in fields(Reading))
_VALUES = attrgetter(*_COLUMNS)


async def append_readings(connection: AsyncConnection, readings: Sequence[Reading]) -> None:
    """Write readings down, in one statement."""
    if readings:
        columns = zip(*map(_VALUES, readings), strict=True)
        await fetch(connection, _APPEND, *map(list, columns))


@dataclass(frozen=True, slots=True)
class Sought:
    """Which readings are wanted; all that is given must hold."""

    units: frozenset[int] | None  # None: any
    collections: frozenset[str] | None  # None: any
    subject: str
    key: str
    from_time: datetime | None
    until_time: datetime | None


async def readings_page(
    connection: AsyncConnection, sought: Sought, *, before: tuple[datetime, int] | None, most: int
) -> list[Logged]:
    """Readings, newest first, from before a place in that order on."""
    query = (
        sa.select(
            access_log.c.entry_id, access_seal.c.sequence, access_seal.c.hash, *(access_log.c[n] for n in _COLUMNS)
        )
        .select_from(access_log.outerjoin(access_seal, access_seal.c.entry_id == access_log.c.entry_id))
        .order_by(access_log.c.read_time.desc(), access_log.c.entry_id.desc())
        .limit(most)
    )
    if sought.units is not None:
        query = query.where(access_log.c.unit_id == sa.any_(sa.cast(sorted(sought.units), ARRAY(sa.BigInteger))))
    if sought.collections is not None:
        query = query.where(access_log.c.collection.in_(sorted(sought.collections)))
    if sought.subject:
        query = query.where(access_log.c.subject == sought.subject)
    if sought.key:
        query = query.where(access_log.c.key == sought.key)
    if sought.from_time is not None:
        query = query.where(access_log.c.read_time >= sought.from_time)
    if sought.until_time is not None:
        query = query.where(access_log.c.read_time < sought.until_time)
    if before is not None:
        place = sa.tuple_(access_log.c.read_time, access_log.c.entry_id)
        query = query.where(place < sa.tuple_(*map(sa.literal, before)))
    return [Logged(row[0], row[1], row[2], Reading(*row[3:])) for row in await connection.execute(query)]


_TYPES = {"read_time": "timestamptz", "unit_id": "bigint", "record_count": "integer", "unmasked": "boolean"}
_APPEND = (
    f"INSERT INTO {access_log.name} ({', '.join(_COLUMNS)}) SELECT * FROM unnest("  # noqa: S608 (names of our own)
    + ", ".join(f"${place}::{_TYPES.get(name, 'text')}[]" for place, name in enumerate(_COLUMNS, 1))
    + ")"
)
