"""The quarantine: rows refused or held, added by COPY, listed newest first, taken once more, forgotten.

Rows that a lock holds are tried once more when they have come here: it may have been lifted while they were on their
way, and then nobody else asks for them. What is still locked stays until the lift.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import copy_rows
from services.sync.domain.problems import LOCKED, MASS_DISAPPEARANCE
from services.sync.store.arrays import any_of
from services.sync.store.tables import quarantined_row, replay

QUARANTINE_COLUMNS: Final = tuple(
    column.name for column in quarantined_row.columns if column.name != "quarantined_row_id"
)


_PLACE, _REASON = map(QUARANTINE_COLUMNS.index, ("place_id", "reason"))


async def add(writes: AsyncConnection, rows: Collection[tuple[Any, ...]], *, now: datetime) -> None:
    """Add rows to the quarantine, as tuples of `QUARANTINE_COLUMNS`; metadata as JSON text."""
    if held := {row[_PLACE] for row in rows if row[_REASON] == LOCKED}:
        last: int = (await writes.execute(_NEXT_ID)).scalar_one()  # Rows added from now on get higher ones.
        await ask_replay(writes, dict.fromkeys(held, last), now=now)
    await copy_rows(writes, "quarantined_row", QUARANTINE_COLUMNS, rows)


async def listed(
    reads: AsyncConnection,
    places: Collection[int],
    *,
    like: Mapping[str, str],
    before: int | None,
    most: int,
    most_bytes: int,
) -> tuple[list[dict[str, Any]], bool]:
    """Quarantined rows at these places, newest first, older than the id `before`.

    `like` says what columns must hold, empty: anything. At most `most`,
    the last of them the one with which their contents reach `most_bytes`; and whether there are more.
    """
    newest = quarantined_row.c.quarantined_row_id.desc()
    asked = sa.select(quarantined_row).where(quarantined_row.c.place_id == any_of(places))
    asked = asked.order_by(newest).limit(most + 1)
    for name, value in like.items():
        if value:
            asked = asked.where(quarantined_row.c[name] == value)
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


async def by_place(
    reads: AsyncConnection, unit_id: int, source: str, batch_ids: Collection[str], *, places: Collection[int]
) -> dict[tuple[str, int], int]:
    """Ids of the rows that stand in the quarantine, by batch and place in it."""
    row = quarantined_row.c
    asked = sa.select(row.batch_id, row.row_index, row.quarantined_row_id).where(
        row.place_id == any_of(places), row.unit_id == unit_id, row.source == source, row.batch_id.in_(batch_ids)
    )
    return {(found.batch_id, found.row_index): found.quarantined_row_id for found in await reads.execute(asked)}


async def wanted(
    reads: AsyncConnection,
    places: Collection[int],
    *,
    ids: Collection[int] = (),
    after: int = 0,
    most: int,
    **matching: str,
) -> list[dict[str, Any]]:
    """Quarantined rows at these places to take once more, the oldest first.

    `matching` are values of columns (`reason`, `field`, `batch_id`, `source`); an empty one does not matter.

    Deletions that wait for a person are none of them: they are confirmed together.
    """
    row = quarantined_row.c
    asked = sa.select(quarantined_row).where(row.place_id == any_of(places), row.quarantined_row_id > after)
    asked = asked.where(row.reason != MASS_DISAPPEARANCE).order_by(row.quarantined_row_id).limit(most)
    if ids:
        asked = asked.where(row.quarantined_row_id == any_of(ids))
    asked = asked.where(*(row[name] == value for name, value in matching.items() if value))
    return [dict(found) for found in (await reads.execute(asked)).mappings()]


async def settled(writes: AsyncConnection, ids: Collection[int]) -> None:
    """Take rows out of the quarantine."""
    await writes.execute(quarantined_row.delete().where(quarantined_row.c.quarantined_row_id == any_of(ids)))


async def told_anew(writes: AsyncConnection, rows: Iterable[dict[str, Any]], *, now: datetime) -> None:
    """Say what is wrong with rows now; where it is the same as before, its words stay, with the place they name."""
    told = await writes.execute(_TELL, {"rows": json.dumps(list(rows), ensure_ascii=False)})
    after: dict[int, int] = {}
    for row in told:
        if row.reason == LOCKED != row.before:
            after[row.place_id] = min(row.quarantined_row_id - 1, after.get(row.place_id, row.quarantined_row_id))
    if after:
        await ask_replay(writes, after, now=now)


_TELL = sa.text(
    """
    UPDATE quarantined_row AS held SET state = told.state, key = told.key, reason = told.reason, field = told.field,
        message = told.message, message_en = told.message_en, metadata = told.metadata,
        stored_version = told.stored_version, content = told.content
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS told(
        place_id bigint, quarantined_row_id bigint, state smallint, key text, reason text, field text, message text,
        message_en text, metadata jsonb, stored_version bigint, content text)
    WHERE held.place_id = told.place_id AND held.quarantined_row_id = told.quarantined_row_id
        AND (held.state, held.key, held.reason, held.field, held.metadata, held.stored_version, held.content)
            IS DISTINCT FROM
            (told.state, told.key, told.reason, told.field, told.metadata, told.stored_version, told.content)
    RETURNING held.place_id, held.quarantined_row_id, old.reason AS before, new.reason
    """
)
_NEXT_ID = sa.text("SELECT nextval(pg_get_serial_sequence('quarantined_row', 'quarantined_row_id'))")


async def ask_replay(writes: AsyncConnection, after: Mapping[int, int], *, now: datetime) -> None:
    """Note that rows that a lock held are to be taken once more: by place the id after which they begin."""
    places = sorted(after)
    await writes.execute(_ASK, {"places": places, "after": [after[one] for one in places], "now": now})


async def claim_replay(writes: AsyncConnection, *, seconds: float) -> tuple[int, int, int] | None:
    """Take the oldest place that nobody works on, for some seconds: place, row to go on after, how often it was asked
    for.
    """
    row = (await writes.execute(_CLAIM, {"seconds": seconds})).one_or_none()
    return (row.place_id, row.after_row_id, row.asked) if row else None


async def advance_replay(writes: AsyncConnection, place_id: int, *, asked: int, after: int) -> None:
    """Note how far a place is, unless it was asked for meanwhile, and let go of it."""
    far = sa.case((replay.c.asked == asked, after), else_=replay.c.after_row_id)
    of_place = replay.c.place_id == place_id
    await writes.execute(replay.update().where(of_place).values(after_row_id=far, claimed_until=None))


async def end_replay(writes: AsyncConnection, place_id: int, *, asked: int) -> None:
    """A place is done, unless it was asked for meanwhile: then it begins anew."""
    of_place = replay.c.place_id == place_id
    await writes.execute(replay.delete().where(of_place, replay.c.asked == asked))
    await writes.execute(replay.update().where(of_place).values(claimed_until=None))


_ASK = sa.text(
    """
    INSERT INTO replay AS held (place_id, after_row_id, create_time)
    SELECT place_id, after, :now
    FROM unnest(CAST(:places AS bigint[]), CAST(:after AS bigint[])) AS asked(place_id, after)
    ORDER BY place_id
    ON CONFLICT (place_id) DO UPDATE
        SET asked = held.asked + 1, after_row_id = least(held.after_row_id, excluded.after_row_id)
    """
)
_CLAIM = sa.text(
    """
    UPDATE replay SET claimed_until = clock_timestamp() + make_interval(secs => :seconds)
    WHERE place_id = (
        SELECT place_id FROM replay WHERE claimed_until IS NULL OR claimed_until < clock_timestamp()
        ORDER BY create_time LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING place_id, after_row_id, asked
    """
)
