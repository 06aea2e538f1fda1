"""Of records that were erased or restricted nothing more goes out: what is noted of them and what packages hold is
cleared, and what destinations said of them.

Whoever notes a page of the feed or writes a package down is waited for, and finds afterwards what is done here.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.sync.domain.destinations import ExchangeForm, Kind, PackageState

Identity = tuple[int, str]  # Type and key.


async def erase(writes: AsyncConnection, school_id: int, erased: Collection[Identity], *, now: datetime) -> int:
    """Leave of a school's records on their way out that they are to be deleted there; returns how many held more."""
    given = _given(school_id, erased) | {"now": now}
    await writes.execute(_NOTE_ERASED, given)
    await writes.execute(_FORGET_UNSENT, given)
    return (await writes.execute(_ERASE, given)).rowcount


async def restrict(writes: AsyncConnection, school_id: int, restricted: Collection[Identity], *, now: datetime) -> int:
    """Let destinations keep what they have of a school's records, and keep nothing else; returns how many."""
    given = _given(school_id, restricted) | {"now": now, "ministry": int(Kind.MINISTRY)}
    return (await writes.execute(_RESTRICT, given)).rowcount


async def hold(writes: AsyncConnection, school_id: int) -> None:
    """Hold destinations and a school's packages until the transaction ends: nothing is noted meanwhile, nor settled."""
    await writes.execute(_HOLD_DESTINATIONS)
    await writes.execute(_HOLD_PACKAGES, {"school": school_id})


async def record_ids(reads: AsyncConnection, school_id: int, records: Collection[Identity]) -> list[str]:
    """The ids by which destinations know records."""
    return [str(one) for one in await reads.scalars(_IDS, _given(school_id, records))]


async def packages(reads: AsyncConnection, school_id: int) -> list[tuple[UUID, ExchangeForm, bytes]]:
    """A school's packages whose outcome is not known and that hold contents, with the form they are written in."""
    found = await reads.execute(_PACKAGES, {"school": school_id, "ministry": int(Kind.MINISTRY)})
    return [(row.package_id, ExchangeForm(row.form), row.body) for row in found]


async def keep_package(
    writes: AsyncConnection, package_id: UUID, *, body: bytes, count: int, without: Sequence[str]
) -> None:
    """Keep a package without some records, or not at all where none is left."""
    given = {"package": package_id, "body": body, "count": count, "without": list(without)}
    state = await writes.scalar(_KEEP_PACKAGE if count else _DROP_PACKAGE, given)
    if state == PackageState.MADE or not count:
        # It tells nothing of them. One that may have left has an outcome, which is noted for them, too.
        await writes.execute(_OUT_OF_PACKAGE, given)


async def clear_outcomes(writes: AsyncConnection, school_id: int, records: Collection[Identity]) -> None:
    """Forget what destinations said of records in words, which may quote them; let the school have its turn."""
    await writes.execute(_CLEAR_OUTCOMES, _given(school_id, records))
    await writes.execute(_DUE, {"school": school_id})


def _given(school_id: int, records: Collection[Identity]) -> dict[str, Any]:
    return {"school": school_id, "types": [one for one, _ in records], "keys": [one for _, one in records]}


_THESE = "unnest(CAST(:types AS smallint[]), CAST(:keys AS text[])) AS these(type, key)"
_OF_THESE = 'r.school_id = :school AND r.type = these.type AND r.key = these.key COLLATE "C"'
_HOLD_DESTINATIONS = sa.text("SELECT code FROM destination ORDER BY code FOR NO KEY UPDATE")
_HOLD_PACKAGES = sa.text(
    "SELECT package_id FROM push_package WHERE school_id = :school AND state < 3 ORDER BY package_id FOR UPDATE"
)
_IDS = sa.text(f"SELECT r.record_id FROM outgoing_record AS r, {_THESE} WHERE {_OF_THESE}")  # noqa: S608
_NOTE_ERASED = sa.text(
    f"INSERT INTO erased_record (school_id, type, key) SELECT :school, type, key FROM {_THESE} ON CONFLICT DO NOTHING"  # noqa: S608
)
_FORGET_UNSENT = sa.text(
    f"""
    DELETE FROM outgoing_record AS r USING {_THESE} WHERE {_OF_THESE} AND r.version = 0 AND r.package_id IS NULL
    """  # noqa: S608
)
_CLEARED = "row = '', retry_time = NULL, reason = '', field = '', message = '', message_en = ''"
_ERASE = sa.text(
    f"""
    UPDATE outgoing_record AS r SET {_CLEARED}, digest = NULL, deleted = true, state_time = :now, attempt_count = 0,
        state = CASE WHEN r.deleted THEN r.state ELSE 1 END
    FROM {_THESE} WHERE {_OF_THESE} AND (NOT r.deleted OR r.message <> '' OR r.digest IS NOT NULL)
    """  # noqa: S608
)
_RESTRICT = sa.text(
    f"""
    UPDATE outgoing_record AS r SET {_CLEARED}, restricted = true, state = 8, state_time = :now
    FROM destination, {_THESE}
    WHERE {_OF_THESE} AND NOT r.deleted AND destination.code = r.destination AND destination.kind = :ministry
    """  # noqa: S608
)
_PACKAGES = sa.text(
    """
    SELECT package_id, push_package.form, body
    FROM push_package JOIN destination ON destination.code = push_package.destination
    WHERE push_package.school_id = :school AND state < 3 AND destination.kind = :ministry ORDER BY package_id
    """
)
_KEEP_PACKAGE = sa.text(
    "UPDATE push_package SET body = :body, record_count = :count WHERE package_id = :package RETURNING state"
)
_DROP_PACKAGE = sa.text("DELETE FROM push_package WHERE package_id = :package RETURNING state")
_OUT_OF_PACKAGE = sa.text(
    """
    UPDATE outgoing_record SET package_id = NULL
    WHERE package_id = :package AND record_id = ANY(CAST(:without AS uuid[]))
    """
)
_CLEAR_OUTCOMES = sa.text(
    f"""
    UPDATE push_outcome AS r SET field = '', message = '' FROM {_THESE} WHERE {_OF_THESE} AND r.message <> ''
    """  # noqa: S608
)
_DUE = sa.text(
    """
    UPDATE school_push SET due = true, dirty = true, note_number = note_number + 1, next_attempt_time = NULL
    WHERE school_id = :school
    """
)
