"""What was erased at a person's request: its keys, and what of it stands in quarantined rows and stored answers."""

from collections.abc import Collection
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import lock_keys
from services.sync.domain.batches import BatchKey
from services.sync.store.arrays import any_of
from services.sync.store.imports import UNNAMED, UNQUOTED
from services.sync.store.tables import batch, erased_key

ERASURE_LOCKS: Final = 2  # lock space of places where somebody is erased


async def hold_erasures(writes: AsyncConnection, places: Collection[int]) -> None:
    """Let nothing that may name keys of places be written until the transaction ends; comes first in it."""
    await lock_keys(writes, places, space=ERASURE_LOCKS)


async def erased_until_written(writes: AsyncConnection, places: Collection[int]) -> set[tuple[int, str]]:
    """Places and keys of what was erased, of these places; no erasure there goes on until the transaction ends.

    So what is written without these keys names nobody who is erased meanwhile. Comes first in the transaction.
    """
    if not places:
        return set()
    await lock_keys(writes, places, space=ERASURE_LOCKS, shared=True)
    found = await writes.execute(sa.select(erased_key).where(erased_key.c.place_id == any_of(places)))
    return {(row.place_id, row.key) for row in found}


async def note_erased(writes: AsyncConnection, place_id: int, keys: Collection[str]) -> None:
    """Note keys of which nothing is to be kept any more."""
    if keys:
        rows = [{"place_id": place_id, "key": key} for key in sorted(keys)]
        await writes.execute(insert(erased_key).on_conflict_do_nothing(), rows)


async def erase_quarantined(
    writes: AsyncConnection, place_id: int, keys: Collection[str], mentions: Collection[str]
) -> list[BatchKey]:
    """Erase rows of a place under these keys, or that mention one of these texts; the batch of each."""
    given = {"place": place_id, "keys": list(keys), "mentions": list(mentions)}
    return [BatchKey(*row) for row in await writes.execute(_ERASE_QUARANTINED, given)]


async def erase_files(writes: AsyncConnection, unit_ids: Collection[int]) -> int:
    """Erase the files that units have uploaded, and what was quoted of them; returns how many they were.

    Those that are still worked on go when they end.
    """
    given = {"units": list(unit_ids)}
    await writes.execute(_DROP_LATER, given)
    await writes.execute(_UNQUOTE, given)
    found = await writes.execute(_ERASE_FILES, given)
    return len({row.import_id for row in found})


async def lookers(writes: AsyncConnection, units: Collection[int]) -> set[tuple[int, str]]:
    """For whom files were only looked at that came for these units: each a unit with a source."""
    rows = await writes.execute(_LOOKERS, {"units": list(units)})
    return {(row.unit_id, row.source) for row in rows}


async def batches_mentioning(
    writes: AsyncConnection, senders: Collection[tuple[int, str]], also: Collection[BatchKey], keys: Collection[str]
) -> list[tuple[BatchKey, bytes]]:
    """Batches whose outcome mentions one of these keys; held until the transaction ends.

    They are those of the senders, each a unit with a source or without, which is any, and the given ones.

    An outcome holds keys as they are, so that looking for their bytes misses none.
    """
    given = {
        "sender_units": [unit_id for unit_id, _ in senders],
        "sender_sources": [source for _, source in senders],
        "keys": [key.encode() for key in keys],
        "units": [one.unit_id for one in also],
        "sources": [one.source for one in also],
        "ids": [one.batch_id for one in also],
    }
    found = await writes.execute(_BATCHES_MENTIONING, given)
    return [(BatchKey(row.unit_id, row.source, row.batch_id), row.outcome) for row in found]


async def keep_outcome(writes: AsyncConnection, key: BatchKey, outcome: bytes) -> None:
    """Keep an outcome of which something was taken out."""
    await writes.execute(
        batch.update()
        .where(batch.c.unit_id == key.unit_id, batch.c.source == key.source, batch.c.batch_id == key.batch_id)
        .values(outcome=outcome)
    )


_ERASE_QUARANTINED = sa.text(
    """
    DELETE FROM quarantined_row WHERE place_id = :place AND (key = ANY(CAST(:keys AS text[])) OR EXISTS (
        SELECT FROM unnest(CAST(:mentions AS text[])) AS mention WHERE strpos(content, mention) > 0))
    RETURNING unit_id, source, batch_id
    """
)
_ERASE_FILES = sa.text(
    """
    DELETE FROM import_part USING import WHERE import_part.import_id = import.import_id
        AND import.unit_id = ANY(CAST(:units AS bigint[])) AND import.end_time IS NOT NULL
    RETURNING import_part.import_id
    """
)
_DROP_LATER = sa.text(
    "UPDATE import SET drop_file = true WHERE unit_id = ANY(CAST(:units AS bigint[])) AND end_time IS NULL"
)
_UNQUOTE = sa.text(
    f"""
    UPDATE import SET suspicions = {UNQUOTED}, deletions = {UNNAMED}
    WHERE unit_id = ANY(CAST(:units AS bigint[]))
        AND (jsonb_array_length(suspicions) > 0 OR jsonb_array_length(deletions) > 0)
    """  # noqa: S608  an expression of ours
)
_LOOKERS = sa.text(
    "SELECT DISTINCT unit_id, source FROM import WHERE validate_only AND unit_id = ANY(CAST(:units AS bigint[]))"
)
_BATCHES_MENTIONING = sa.text(
    """
    SELECT unit_id, source, batch_id, outcome FROM batch
    WHERE (EXISTS (
            SELECT FROM unnest(CAST(:sender_units AS bigint[]), CAST(:sender_sources AS text[])) AS sender(unit, named)
            WHERE sender.unit = batch.unit_id AND sender.named IN ('', batch.source))
        OR (unit_id, source, batch_id) IN (
        SELECT * FROM unnest(CAST(:units AS bigint[]), CAST(:sources AS text[]), CAST(:ids AS text[]))))
        AND EXISTS (SELECT FROM unnest(CAST(:keys AS bytea[])) AS wanted WHERE position(wanted IN outcome) > 0)
    ORDER BY unit_id, source, batch_id FOR UPDATE
    """
)
