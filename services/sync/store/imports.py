"""Imports and their files: added, claimed by one run at a time, brought further, forgotten.

The database's clock decides how long a claim lasts: it is the one that all replicas share.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.sync.domain.full import Decision
from services.sync.domain.imports import Counts, Import, ImportState, Order
from services.sync.store.arrays import any_of
from services.sync.store.tables import import_, import_part

_OPEN: Final = (ImportState.QUEUED, ImportState.RUNNING)
_ENDED: Final = tuple(one.value for one in ImportState if one.ended)
_ORDER: Final = (
    "unit_id",
    "subject",
    "source",
    "file_name",
    "school_year",
    "collection",
    "stage",
    "complete",
    "backfill",
    "request_id",
    "validate_only",
)
_COUNTS: Final = ("accepted", "unchanged", "stale", "rejected", "held")


# A file that is only looked at and that nobody works on: replicas before 0014, which would carry it, do not take it.
_NOBODYS: Final = sa.text("'infinity'::timestamptz")


async def begin(writes: AsyncConnection, order: Order, *, now: datetime) -> int | None:
    """Add an import without its file; None when its request id is there already."""
    values = {name: getattr(order, name) for name in _ORDER}
    given = insert(import_).values(
        **values,
        size=0,
        digest=b"",
        state=ImportState.QUEUED.value,
        claimed_until=_NOBODYS if order.validate_only else None,
        create_time=now,
        update_time=now,
        **_BARE,
    )
    added = given.on_conflict_do_nothing().returning(import_.c.import_id)
    found: int | None = await writes.scalar(added)
    return found


# What a row begins with; told here too, since a table without them knows no defaults.
_BARE: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("attempts", "row_count", "slices_done", *(f"{name}_count" for name in _COUNTS)), 0),
    "sheets": [],
    "suspicions": [],
    "error": {},
    "decided_by": "",
    "decision_reason": "",
    "cancel_requested": False,
    "drop_file": False,
}


async def add_part(writes: AsyncConnection, import_id: int, number: int, content: bytes) -> None:
    """Add a part of an import's file."""
    await writes.execute(import_part.insert(), {"import_id": import_id, "number": number, "content": content})


async def complete_upload(writes: AsyncConnection, import_id: int, *, size: int, digest: bytes) -> None:
    """Say how large the file is, and what tells it from others."""
    where = import_.c.import_id == import_id
    await writes.execute(import_.update().where(where).values(size=size, digest=digest))


async def by_request(reads: AsyncConnection, unit_id: int, request_id: str) -> Import | None:
    """The import of a unit under a request id."""
    where = sa.and_(import_.c.unit_id == unit_id, import_.c.request_id == request_id, import_.c.request_id != "")
    row = (await reads.execute(sa.select(import_).where(where))).one_or_none()
    return _import(row) if row else None


async def get(reads: AsyncConnection, import_id: int) -> Import | None:
    """An import."""
    row = (await reads.execute(sa.select(import_).where(import_.c.import_id == import_id))).one_or_none()
    return _import(row) if row else None


async def listed(
    reads: AsyncConnection,
    units: Collection[int],
    *,
    states: Sequence[int],
    before: int | None,
    most: int,
) -> list[Import]:
    """Imports for these units, newest first, older than the id `before`."""
    asked = sa.select(import_).where(import_.c.unit_id == any_of(units))
    asked = asked.order_by(import_.c.import_id.desc()).limit(most)
    if states:
        asked = asked.where(import_.c.state.in_(states))
    if before is not None:
        asked = asked.where(import_.c.import_id < before)
    return [_import(row) for row in await reads.execute(asked)]


async def sent_after(reads: AsyncConnection, one: Import) -> list[Import]:
    """Imports of the same unit, source and school year that came after one and are no mere looks, the newest first."""
    order, table = one.order, import_.c
    same = sa.and_(table.source == order.source, table.school_year == order.school_year)
    where = sa.and_(table.unit_id == order.unit_id, table.import_id > one.import_id, same)
    asked = sa.select(import_).where(where, table.validate_only.is_not(True)).order_by(table.import_id.desc())
    return [_import(row) for row in await reads.execute(asked)]


async def sent_beside(reads: AsyncConnection, one: Import) -> tuple[int, bool]:
    """Of the same unit, source and school year: the id of the import that came next, 0: none; whether an earlier one
    has not ended.
    """
    order, table = one.order, import_.c
    same = sa.and_(table.source == order.source, table.school_year == order.school_year)
    earlier = sa.and_(table.import_id < one.import_id, table.state.not_in(_ENDED))
    asked = sa.select(
        sa.func.coalesce(sa.func.min(table.import_id).filter(table.import_id > one.import_id), 0),
        sa.func.coalesce(sa.func.bool_or(earlier), sa.false()),
    ).where(table.unit_id == order.unit_id, same, table.validate_only.is_not(True))
    later, waits = (await reads.execute(asked)).one()
    return later, waits


async def parts(reads: AsyncConnection, import_id: int) -> AsyncIterator[bytes]:
    """The file of an import, part by part."""
    number = 0
    while True:
        where = sa.and_(import_part.c.import_id == import_id, import_part.c.number == number)
        content: bytes | None = await reads.scalar(sa.select(import_part.c.content).where(where))
        if content is None:
            return
        yield content
        number += 1


async def claim(writes: AsyncConnection, *, run: UUID, seconds: float) -> Import | None:
    """Take the oldest import that nobody works on, for some seconds; None: there is none.

    Of a unit, a source and a school year one is taken at a time, in the order they were sent: the last of them counts.
    """
    row = (await writes.execute(_CLAIM, {"run": run, "seconds": seconds})).one_or_none()
    return _import(row) if row else None


async def renew(writes: AsyncConnection, import_id: int, *, run: UUID, seconds: float) -> bool:
    """Keep a claim; False when it is another's by now."""
    result = await writes.execute(_RENEW, {"import_id": import_id, "run": run, "seconds": seconds})
    return bool(result.rowcount)


_CLAIM = sa.text(
    """
    UPDATE import SET claim = :run, attempts = attempts + 1,
        claimed_until = clock_timestamp() + make_interval(secs => :seconds)
    WHERE import_id = (
        SELECT import_id FROM import
        WHERE state IN (1, 3)
            AND (coalesce(claimed_until, 'infinity') = 'infinity' OR claimed_until < clock_timestamp())
            AND (validate_only IS TRUE OR NOT EXISTS (
                SELECT FROM import AS earlier
                WHERE earlier.state IN (1, 3) AND earlier.import_id < import.import_id
                    AND earlier.unit_id = import.unit_id AND earlier.source = import.source
                    AND earlier.school_year = import.school_year AND earlier.validate_only IS NOT TRUE
            ))
        ORDER BY import_id LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING *
    """
)
_RENEW = sa.text(
    """
    UPDATE import SET claimed_until = clock_timestamp() + make_interval(secs => :seconds)
    WHERE import_id = :import_id AND claim = :run
    """
)


async def advance(writes: AsyncConnection, import_id: int, *, run: UUID, now: datetime, **values: Any) -> Import | None:
    """Note how far the run that holds the claim is; None when the claim is another's by now."""
    where = sa.and_(import_.c.import_id == import_id, import_.c.claim == run)
    changed = import_.update().where(where).values(**values, update_time=now).returning(import_)
    row = (await writes.execute(changed)).one_or_none()
    return _import(row) if row else None


def counted(counts: Counts) -> dict[str, int]:
    """The columns of counts."""
    return {f"{name}_count": getattr(counts, name) for name in _COUNTS}


async def release(writes: AsyncConnection, import_id: int, *, run: UUID) -> None:
    """Let another run have the import at once."""
    where = sa.and_(import_.c.import_id == import_id, import_.c.claim == run)
    await writes.execute(
        import_.update().where(where).values(claim=None, claimed_until=sa.case((import_.c.validate_only, _NOBODYS)))
    )


async def confirm(writes: AsyncConnection, import_id: int, *, decision: Decision, now: datetime) -> Import | None:
    """Let an import that waits for a person go on; None when it does not wait."""
    where = sa.and_(import_.c.import_id == import_id, import_.c.state == ImportState.AWAITING_CONFIRMATION.value)
    values = {"state": ImportState.RUNNING.value, "claimed_until": None, "update_time": now, **decided(decision)}
    row = (await writes.execute(import_.update().where(where).values(values).returning(import_))).one_or_none()
    return _import(row) if row else None


async def cancel(writes: AsyncConnection, import_id: int, *, decision: Decision, now: datetime) -> Import | None:
    """Stop an import: at once where nobody works on it, else the run that does stops it; None when it has ended."""
    values = {"import_id": import_id, "now": now, **decided(decision)}
    row = (await writes.execute(_CANCEL, values)).one_or_none()
    return _import(row) if row else None


_CANCEL = sa.text(
    """
    UPDATE import SET cancel_requested = true, update_time = :now,
        decided_by = :decided_by, decision_reason = :decision_reason, decide_time = :decide_time,
        state = CASE WHEN free THEN 6 ELSE state END, end_time = CASE WHEN free THEN CAST(:now AS timestamptz) END,
        claim = CASE WHEN free THEN NULL ELSE claim END
    FROM (
        SELECT import_id AS id, state = 2 OR coalesce(claimed_until, 'infinity') = 'infinity'
            OR claimed_until < clock_timestamp() AS free
        FROM import WHERE import_id = :import_id FOR UPDATE
    ) AS found
    WHERE import_id = found.id AND state IN (1, 2, 3)
    RETURNING import.*
    """
)


def decided(decision: Decision | None) -> dict[str, Any]:
    """The columns of a decision; None: nobody has decided."""
    one = decision or Decision("", "")
    return {"decided_by": one.subject, "decision_reason": one.reason, "decide_time": one.time}


# Suspicions without the lines of the file that they quote.
UNQUOTED: Final = (
    "(SELECT coalesce(jsonb_agg(one || '{\"examples\": []}' ORDER BY place), '[]')"
    " FROM jsonb_array_elements(suspicions) WITH ORDINALITY AS quoting(one, place))"
)
# And what it lacks without the keys.
UNNAMED: Final = "(SELECT jsonb_agg(one || '{\"keys\": []}') FROM jsonb_array_elements(deletions) AS one)"


async def drop_file(writes: AsyncConnection, import_id: int) -> None:
    """Forget an ended import's file, and what was quoted of it, if somebody in it was erased while it was worked on."""
    ended = await writes.scalar(_UNQUOTE_ENDED, {"import_id": import_id})
    if ended:
        await writes.execute(import_part.delete().where(import_part.c.import_id == import_id))


_UNQUOTE_ENDED = sa.text(
    f"""
    UPDATE import SET suspicions = {UNQUOTED}, deletions = {UNNAMED}
    WHERE import_id = :import_id AND drop_file AND end_time IS NOT NULL RETURNING import_id
    """  # noqa: S608  an expression of ours
)


async def prune_files(writes: AsyncConnection, *, before: datetime, most: int) -> int:
    """Forget the files of imports that ended before an instant; returns how many imports lost theirs."""
    ended = (
        sa.select(import_.c.import_id)
        .where(import_.c.end_time < before)
        .where(sa.exists().where(import_part.c.import_id == import_.c.import_id))
        .order_by(import_.c.import_id)
        .limit(most)
    )
    ids = list(await writes.scalars(ended))
    if ids:
        await writes.execute(import_part.delete().where(import_part.c.import_id == any_of(ids)))
    return len(ids)


async def prune(writes: AsyncConnection, *, before: datetime, most: int) -> int:
    """Forget imports that came before an instant and have ended or wait for nobody any more; returns how many."""
    old = sa.select(import_.c.import_id).where(import_.c.create_time < before)
    old = old.where(import_.c.state.not_in([one.value for one in _OPEN])).order_by(import_.c.import_id).limit(most)
    result = await writes.execute(import_.delete().where(import_.c.import_id.in_(old)))
    return result.rowcount


def _import(row: Any) -> Import:
    return Import(
        import_id=row.import_id,
        order=Order(**{name: getattr(row, name) for name in _ORDER} | {"validate_only": bool(row.validate_only)}),
        size=row.size,
        digest=row.digest,
        state=ImportState(row.state),
        attempts=row.attempts,
        row_count=row.row_count,
        slices_done=row.slices_done,
        counts=Counts(**{name: getattr(row, f"{name}_count") for name in _COUNTS}),
        sheets=row.sheets,
        suspicions=row.suspicions,
        error=row.error,
        deletions=row.deletions or [],
        decision=Decision(row.decided_by, row.decision_reason, row.decide_time) if row.decided_by else None,
        cancel_requested=row.cancel_requested,
        create_time=row.create_time,
        update_time=row.update_time,
        end_time=row.end_time,
    )
