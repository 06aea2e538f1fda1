"""What became of units, as records told it last: who is told of an older state afterwards changes nothing."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting.domain.successions import Succession


async def load(connection: AsyncConnection) -> list[Succession]:
    """All of them, in order of time."""
    found = await connection.execute(
        sa.text(
            "SELECT unit_id, successor_id, kind, effective_date, partial FROM succession"
            " ORDER BY effective_date, unit_id, successor_id"
        )
    )
    return [Succession(*row) for row in found]


async def replace(
    connection: AsyncConnection, units: Sequence[int], rows: Sequence[Succession], *, told: datetime
) -> None:
    """Take what was said of these units at an instant for all there is, save of those that were told of later."""
    await connection.execute(
        sa.text("DELETE FROM succession WHERE unit_id = ANY(CAST(:units AS bigint[])) AND told_time <= :told"),
        {"units": list(units), "told": told},
    )
    if rows:
        await connection.execute(
            sa.text(
                "INSERT INTO succession (unit_id, successor_id, kind, effective_date, partial, told_time)"
                " SELECT :unit_id, :successor_id, :kind, :effective_date, :partial, :told"
                " WHERE NOT EXISTS (SELECT FROM succession WHERE unit_id = :unit_id AND told_time > :told)"
                " ON CONFLICT DO NOTHING"
            ),
            [row._asdict() | {"told": told} for row in rows],
        )
