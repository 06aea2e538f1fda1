"""Units of which a destination was told from the beginning."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection


async def of_destination(reads: AsyncConnection, destination: str) -> dict[int, datetime | None]:
    """The units of a destination, each with the instant at which it is read once more."""
    found = await reads.execute(_OF, {"destination": destination})
    return {row.unit_id: row.read_again_time for row in found}


async def keep(
    writes: AsyncConnection, destination: str, units: Collection[int], *, read_again_time: datetime | None
) -> None:
    """Keep that units were read."""
    given = {"destination": destination, "units": list(units), "again": read_again_time}
    await writes.execute(_KEEP, given)


async def drop(writes: AsyncConnection, destination: str, units: Collection[int]) -> None:
    """Forget units."""
    await writes.execute(_DROP, {"destination": destination, "units": list(units)})


_OF = sa.text("SELECT unit_id, read_again_time FROM followed_unit WHERE destination = :destination")
_KEEP = sa.text(
    """
    INSERT INTO followed_unit (destination, unit_id, read_again_time)
    SELECT :destination, unit_id, CAST(:again AS timestamptz) FROM unnest(CAST(:units AS bigint[])) AS unit_id
    ORDER BY unit_id
    ON CONFLICT (destination, unit_id) DO UPDATE SET read_again_time = excluded.read_again_time
    """
)
_DROP = sa.text(
    "DELETE FROM followed_unit WHERE destination = :destination AND unit_id = ANY(CAST(:units AS bigint[]))"
)
