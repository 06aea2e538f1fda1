"""Since when each school has sent nothing, as sync told it last."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify.domain.silence import Silence
from services.notify.store.tables import silence_table


async def keep_silences(connection: AsyncConnection, silences: Sequence[Silence]) -> None:
    """Keep what is newer than known, one entry a school, in the order given."""
    await connection.execute(
        _KEEP,
        {
            "schools": [one.school_id for one in silences],
            "versions": [one.version for one in silences],
            "musts": [one.must_connect for one in silences],
            "sinces": [one.since for one in silences],
        },
    )


async def silent_since(connection: AsyncConnection, before: datetime) -> frozenset[int]:
    """Schools that have to send and have sent nothing since an instant."""
    table = silence_table.c
    rows = await connection.scalars(sa.select(table.school_id).where(table.must_connect, table.since <= before))
    return frozenset(rows)


_KEEP = sa.text(
    "INSERT INTO silence (school_id, version, must_connect, since) SELECT * FROM"
    " unnest(CAST(:schools AS bigint[]), CAST(:versions AS bigint[]), CAST(:musts AS boolean[]),"
    " CAST(:sinces AS timestamptz[]))"
    " ON CONFLICT (school_id) DO UPDATE SET version = excluded.version, must_connect = excluded.must_connect,"
    " since = excluded.since WHERE silence.version < excluded.version"
)
