"""The quarantine: rows refused or held, added by COPY, listed newest first, forgotten."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import copy_rows
from services.sync.store.arrays import any_of
from services.sync.store.tables import quarantined_row

QUARANTINE_COLUMNS: Final = tuple(
    column.name for column in quarantined_row.columns if column.name != "quarantined_row_id"
)


async def add(writes: AsyncConnection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Add rows to the quarantine, as tuples of `QUARANTINE_COLUMNS`; metadata as JSON text."""
    await copy_rows(writes, "quarantined_row", QUARANTINE_COLUMNS, rows)


async def listed(
    reads: AsyncConnection,
    places: Collection[int] | None,
    *,
    reason: str,
    before: int | None,
    most: int,
    most_bytes: int,
) -> tuple[list[dict[str, Any]], bool]:
    """Quarantined rows at these places (None: everywhere), newest first, older than the id `before`.

    At most `most`, the last of them the one with which their contents reach `most_bytes`; and whether there are more.
    """
    newest = quarantined_row.c.quarantined_row_id.desc()
    asked = sa.select(quarantined_row).order_by(newest).limit(most + 1)
    if places is not None:
        asked = asked.where(quarantined_row.c.place_id == any_of(places))
    if reason:
        asked = asked.where(quarantined_row.c.reason == reason)
    if before is not None:
        asked = asked.where(quarantined_row.c.quarantined_row_id < before)
    page = asked.subquery()
    newest, size = page.c.quarantined_row_id.desc(), sa.func.octet_length(page.c.content)
    weighed = sa.select(
        page,
        (sa.func.sum(size).over(order_by=newest, rows=(None, 0)) - size).label("bytes_before"),
        sa.func.count().over().label("found"),
    ).subquery()
    fitting = sa.select(weighed).where(weighed.c.bytes_before < most_bytes)
    fitting = fitting.order_by(weighed.c.quarantined_row_id.desc()).limit(most)
    rows = [dict(row) for row in (await reads.execute(fitting)).mappings()]
    return rows, bool(rows) and rows[0]["found"] > len(rows)


async def prune(writes: AsyncConnection, *, before: datetime, most: int) -> int:
    """Forget the oldest rows quarantined before an instant; returns how many."""
    return (await writes.execute(_PRUNE, {"before": before, "most": most})).rowcount


# Ids follow time: looking at the oldest alone needs no index on time.
_PRUNE = sa.text(
    """
    DELETE FROM quarantined_row WHERE quarantined_row_id IN (
        SELECT quarantined_row_id FROM (
            SELECT quarantined_row_id, create_time FROM quarantined_row
            ORDER BY quarantined_row_id LIMIT :most FOR UPDATE SKIP LOCKED
        ) AS oldest
        WHERE create_time < :before
    )
    """
)
