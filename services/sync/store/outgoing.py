"""What each destination is to have of each record: noted from the feed, taken into packages, settled by outcomes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import copy_rows

_NOTED_COLUMNS: Final = (
    'school_id bigint, type smallint, key text COLLATE "C", previous_key text COLLATE "C", position bigint,'
    " record_type integer, school_year integer, parent_type smallint, parent_key text, counts boolean,"
    " deleted boolean, restricted boolean, row bytea"
)


async def note(
    writes: AsyncConnection,
    destination: str,
    rows: Collection[tuple[Any, ...]],
    columns: Sequence[str],
    *,
    now: datetime,
) -> int:
    """Note changes of one page of the feed, each record once; returns how many records have to be sent."""
    await writes.execute(sa.text(f"CREATE TEMPORARY TABLE noted ({_NOTED_COLUMNS}) ON COMMIT DROP"))
    await copy_rows(writes, "noted", columns, rows)
    given = {"destination": destination, "now": now}
    await writes.execute(_NOTHING_OF_ERASED)
    await writes.execute(_MOVE_RENAMED, given)
    await writes.execute(_FORGET_UNSENT, given)
    await writes.execute(_NOTE_RESTRICTED, given)
    gone = (await writes.execute(_NOTE_GONE, given)).rowcount
    changed = (await writes.execute(_NOTE, given)).rowcount
    await writes.execute(_NOTE_SCHOOLS, given)
    return int(gone + changed)


# A page that was read before an erasure is noted after it: its tombstone comes with a later one.
_NOTHING_OF_ERASED = sa.text(
    """
    UPDATE noted SET deleted = true, row = '' FROM erased_record AS erased
    WHERE NOT noted.deleted AND erased.school_id = noted.school_id AND erased.type = noted.type
        AND erased.key = noted.key
    """
)
# What was under the old key goes on under the new one: the same id out there, the same versions.
_MOVE_RENAMED = sa.text(
    """
    UPDATE outgoing_record AS held SET key = noted.key
    FROM noted
    WHERE held.destination = :destination AND held.school_id = noted.school_id AND held.type = noted.type
        AND held.key = noted.previous_key AND noted.previous_key <> '' AND NOT noted.deleted
        AND NOT EXISTS (
            SELECT FROM outgoing_record AS there WHERE there.destination = :destination
                AND there.school_id = noted.school_id AND there.type = noted.type AND there.key = noted.key)
    """
)
_FORGET_UNSENT = sa.text(
    """
    DELETE FROM outgoing_record AS held USING noted
    WHERE (noted.deleted OR noted.restricted) AND held.destination = :destination
        AND held.school_id = noted.school_id AND held.type = noted.type AND held.key = noted.key
        AND held.version = 0 AND held.package_id IS NULL
    """
)
# The destination keeps what it has of a restricted record; a deletion that is on its way goes on.
_NOTE_RESTRICTED = sa.text(
    """
    UPDATE outgoing_record AS held
    SET restricted = true, row = '', position = noted.position, state = 8, state_time = :now, note_time = :now,
        attempt_count = 0, retry_time = NULL, reason = '', field = '', message = '', message_en = ''
    FROM noted
    WHERE noted.restricted AND NOT noted.deleted AND held.destination = :destination
        AND held.school_id = noted.school_id AND held.type = noted.type AND held.key = noted.key AND NOT held.deleted
    """
)
_NOTE_GONE = sa.text(
    """
    UPDATE outgoing_record AS held
    SET deleted = true, row = '', position = noted.position, state = 1, state_time = :now, note_time = :now,
        attempt_count = 0, retry_time = NULL, reason = '', field = '', message = '', message_en = ''
    FROM noted
    WHERE noted.deleted AND held.destination = :destination AND held.school_id = noted.school_id
        AND held.type = noted.type AND held.key = noted.key AND NOT held.deleted
    """
)
_NOTE = sa.text(
    """
    INSERT INTO outgoing_record AS held
        (destination, school_id, type, key, record_id, position, record_type, school_year, parent_type, parent_key,
         counts, deleted, row, state, state_time, note_time)
    SELECT :destination, school_id, type, key, gen_random_uuid(),
        position, record_type, school_year, parent_type, parent_key, counts, false, row, 1, :now, :now
    FROM noted WHERE NOT deleted AND NOT restricted
    ORDER BY school_id, type, key
    ON CONFLICT (school_id, destination, type, key) DO UPDATE
    SET position = excluded.position, record_type = excluded.record_type, school_year = excluded.school_year,
        parent_type = excluded.parent_type, parent_key = excluded.parent_key, counts = excluded.counts,
        deleted = false, restricted = false, row = excluded.row, state = 1, state_time = excluded.state_time,
        note_time = excluded.note_time, attempt_count = 0, retry_time = NULL, reason = '', field = '', message = '',
        message_en = ''
    WHERE held.row IS DISTINCT FROM excluded.row OR held.deleted OR held.restricted
    """
)
_NOTE_SCHOOLS = sa.text(
    """
    INSERT INTO school_push AS held (destination, school_id, due)
    SELECT DISTINCT :destination, school_id, true FROM noted ORDER BY 2
    ON CONFLICT (destination, school_id) DO UPDATE
    SET due = true, dirty = true, note_number = held.note_number + 1
    """
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A record whose turn it is."""

    type: int
    key: str
    record_id: UUID
    position: int
    row: bytes
    deleted: bool
    record_type: int
    school_year: int
    version: int
    accepted_version: int


async def waiting(
    reads: AsyncConnection, destination: str, school_id: int, *, now: datetime, most: int
) -> list[Waiting]:
    """The records whose turn it is, in the destination's order: only such as what they stand on has arrived.

    All of one record type and school year, so that they fit one package; deletions last, in the opposite order.
    """
    given = {"destination": destination, "school": school_id, "now": now, "most": most}
    rows = [Waiting(*row) for row in await reads.execute(_WAITING, given)]
    return [one for one in rows if _group(one) == _group(rows[0])]


def _group(one: Waiting) -> tuple[bool, int, int]:
    return one.deleted, one.record_type, one.school_year


_MAY_GO = """
    (r.deleted OR NOT r.restricted AND (r.parent_type = 0
        OR (r.parent_key = '*' AND r.school_year IN (
            SELECT own.school_year FROM outgoing_record AS own WHERE own.destination = :destination
                AND own.school_id = :school AND own.type = 1 AND own.accepted_version > 0 AND NOT own.deleted))
        OR EXISTS (
            SELECT FROM outgoing_record AS parent WHERE parent.destination = :destination
                AND parent.school_id = :school AND parent.type = r.parent_type AND parent.key = r.parent_key
                AND parent.accepted_version > 0 AND NOT parent.deleted AND (parent.counts OR r.type <> 6))))
"""
_WAITING = sa.text(
    f"""
    SELECT r.type, r.key, r.record_id, r.position, r.row, r.deleted, r.record_type, r.school_year, r.version,
        r.accepted_version
    FROM outgoing_record AS r
    WHERE r.destination = :destination AND r.school_id = :school AND r.state IN (1, 7, 8)
        AND (r.retry_time IS NULL OR r.retry_time <= :now) AND {_MAY_GO}
    ORDER BY r.deleted, CASE WHEN r.deleted THEN -r.type ELSE r.type END, r.record_type, r.school_year, r.position
    LIMIT :most
    """  # noqa: S608  a condition of ours
)


async def withhold(writes: AsyncConnection, destination: str, school_id: int, *, now: datetime) -> None:
    """Say of records that wait for others that they do, and for what, no longer for a time; for the end of a turn."""
    await writes.execute(_WITHHOLD, {"destination": destination, "school": school_id, "now": now})


_WITHHOLD = sa.text(
    f"""
    UPDATE outgoing_record AS r
    SET state = 8, state_time = :now, retry_time = NULL, field = '', message = '', message_en = '',
        reason = CASE WHEN EXISTS (
            SELECT FROM outgoing_record AS parent WHERE parent.destination = :destination
                AND parent.school_id = :school AND parent.type = r.parent_type AND parent.key = r.parent_key
                AND parent.accepted_version > 0 AND NOT parent.deleted)
            THEN 'NOT_STUDYING' ELSE 'PARENT_NOT_ACCEPTED' END
    WHERE r.destination = :destination AND r.school_id = :school AND r.state IN (1, 7) AND NOT {_MAY_GO}
    """  # noqa: S608
)


@dataclass(frozen=True, slots=True)
class Composed:
    """A record that was composed into a package, or could not be."""

    type: int
    key: str
    position: int
    deleted: bool
    version: int
    digest: int | None
    failed: bool = False
    reason: str = ""
    field: str = ""
    vi: str = ""
    en: str = ""


async def note_composed(
    writes: AsyncConnection,
    destination: str,
    school_id: int,
    package_id: UUID,
    rows: Sequence[Composed],
    *,
    now: datetime,
) -> bool:
    """Put records into a package, or say why they cannot be. One that changed since it was read stays to be sent.

    False: of one of them nothing may go out any more that was read of it, and the package must not be written.
    """
    given = {
        "destination": destination,
        "school": school_id,
        "package": package_id,
        "now": now,
        "types": [one.type for one in rows],
        "keys": [one.key for one in rows],
        "positions": [one.position for one in rows],
        "deleted": [one.deleted for one in rows],
        "versions": [one.version for one in rows],
        "digests": [one.digest for one in rows],
        "failed": [one.failed for one in rows],
        "reasons": [one.reason for one in rows],
        "fields": [one.field for one in rows],
        "vi": [one.vi for one in rows],
        "en": [one.en for one in rows],
    }
    found = await writes.execute(_NOTE_COMPOSED, given)
    return [bool(row.may_go) for row in found] == [True] * len(rows)


_NOTE_COMPOSED = sa.text(
    """
    UPDATE outgoing_record AS r
    SET state = CASE WHEN r.position <> made.position THEN r.state WHEN made.failed THEN 2 ELSE 3 END,
        state_time = :now, version = made.version, digest = made.digest,
        package_id = CASE WHEN made.failed THEN NULL ELSE CAST(:package AS uuid) END, retry_time = NULL,
        reason = made.reason, field = made.field, message = made.vi, message_en = made.en
    FROM unnest(CAST(:types AS smallint[]), CAST(:keys AS text[]), CAST(:positions AS bigint[]),
        CAST(:versions AS bigint[]), CAST(:deleted AS boolean[]),
        CAST(:digests AS bigint[]), CAST(:failed AS boolean[]), CAST(:reasons AS text[]), CAST(:fields AS text[]),
        CAST(:vi AS text[]), CAST(:en AS text[]))
        AS made(type, key, position, version, deleted, digest, failed, reason, field, vi, en)
    WHERE r.destination = :destination AND r.school_id = :school AND r.type = made.type AND r.key = made.key
    RETURNING made.deleted OR NOT (r.deleted OR r.restricted) AS may_go
    """
)


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a record of a package."""

    record_id: str
    state: int
    version: int  # What the destination holds, if that is higher than what was sent.
    held: bool | None = None  # Whether it holds the record; None: as was known before.
    reason: str = ""
    field: str = ""
    message: str = ""
    retry_time: datetime | None = None


async def settle(
    writes: AsyncConnection,
    destination: str,
    school_id: int,
    package_id: UUID,
    rows: Sequence[Settled],
    *,
    now: datetime,
) -> int:
    """Write down what became of a package's records, with its history; returns how many were accepted.

    A record that changed since it was composed stays to be sent; what is accepted of it is noted all the same.
    """
    given = {
        "destination": destination,
        "school": school_id,
        "package": package_id,
        "now": now,
        "ids": [one.record_id for one in rows],
        "states": [one.state for one in rows],
        "versions": [one.version for one in rows],
        "held": [one.held for one in rows],
        "reasons": [one.reason for one in rows],
        "fields": [one.field for one in rows],
        "messages": [one.message for one in rows],
        "retries": [one.retry_time for one in rows],
    }
    counted: int = (await writes.execute(_SETTLE, given)).scalar_one()
    return counted


_SETTLE = sa.text(
    """
    WITH settled AS (
        UPDATE outgoing_record AS r
        SET state = CASE WHEN r.state = 3 THEN told.state ELSE r.state END,
            state_time = CASE WHEN r.state = 3 THEN :now ELSE r.state_time END,
            accepted_version = CASE WHEN told.held THEN GREATEST(r.version, told.version)
                WHEN told.held IS NULL THEN r.accepted_version ELSE 0 END,
            version = GREATEST(r.version, told.version), package_id = NULL,
            attempt_count = CASE WHEN told.state = 5 THEN 0 ELSE r.attempt_count + 1 END,
            retry_time = CASE WHEN r.state = 3 THEN told.retry_time END,
            reason = CASE WHEN r.state = 3 THEN told.reason ELSE '' END,
            field = CASE WHEN r.state = 3 THEN told.field ELSE '' END,
            message = CASE WHEN r.state = 3 THEN told.message ELSE '' END,
            message_en = CASE WHEN r.state = 3 THEN told.message ELSE '' END
        FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS smallint[]), CAST(:versions AS bigint[]),
            CAST(:held AS boolean[]), CAST(:reasons AS text[]), CAST(:fields AS text[]), CAST(:messages AS text[]),
            CAST(:retries AS timestamptz[]))
            AS told(record_id, state, version, held, reason, field, message, retry_time)
        WHERE r.package_id = CAST(:package AS uuid) AND r.record_id = told.record_id
        RETURNING r.type, r.key, r.version, told.state, told.reason, told.field, told.message
    ), told AS (
        INSERT INTO push_outcome
            (school_id, destination, type, key, version, state, reason, field, message, package_id, create_time)
        SELECT :school, :destination, type, key, version, state, reason, field, message, :package, :now FROM settled
        ORDER BY type, key
    )
    SELECT count(*) FROM settled WHERE state = 5
    """
)


async def release(writes: AsyncConnection, package_id: UUID, *, now: datetime) -> None:
    """Let the records of a package go again at once, as if it had not been sent."""
    await writes.execute(_RELEASE, {"package": package_id, "now": now})


_RELEASE = sa.text(
    """
    UPDATE outgoing_record
    SET state_time = CASE WHEN state = 3 THEN :now ELSE state_time END,
        state = CASE WHEN state = 3 THEN 7 ELSE state END, package_id = NULL, retry_time = NULL
    WHERE package_id = :package
    """
)


async def attempts(reads: AsyncConnection, package_id: UUID) -> dict[str, tuple[int, int]]:
    """Of each record of a package: the version it was sent under, and how often it was refused since it changed."""
    found = await reads.execute(
        sa.text("SELECT record_id, version, attempt_count FROM outgoing_record WHERE package_id = :package"),
        {"package": package_id},
    )
    return {str(row.record_id): (row.version, row.attempt_count) for row in found}


async def repeat(
    writes: AsyncConnection, destination: str, schools: Collection[int], reason: str, *, now: datetime
) -> int:
    """Send what failed in these schools again; returns how many records."""
    given = {"destination": destination, "schools": list(schools), "reason": reason, "now": now}
    return int((await writes.execute(_REPEAT, given)).scalar_one())


_DUE = """
    due AS (
        UPDATE school_push AS s SET due = true, dirty = true, note_number = note_number + 1, next_attempt_time = NULL
        FROM (SELECT DISTINCT school_id FROM again) AS changed
        WHERE s.destination = :destination AND s.school_id = changed.school_id
    )
    SELECT count(*) FROM again
"""
_REPEAT = sa.text(
    f"""
    WITH again AS (
        UPDATE outgoing_record SET state = 7, state_time = :now, attempt_count = 0, retry_time = NULL
        WHERE destination = :destination AND school_id = ANY(CAST(:schools AS bigint[])) AND state IN (2, 6)
            AND (:reason = '' OR reason = :reason)
        RETURNING school_id
    ), {_DUE}
    """  # noqa: S608
)


async def repair(
    writes: AsyncConnection, destination: str, reconciliation_id: int, schools: Collection[int], *, now: datetime
) -> int:
    """Send exactly those records again that a comparison found missing there or differing; returns how many."""
    given = {"destination": destination, "reconciliation": reconciliation_id, "schools": list(schools), "now": now}
    return int((await writes.execute(_REPAIR, given)).scalar_one())


_REPAIR = sa.text(
    f"""
    WITH again AS (
        UPDATE outgoing_record AS r
        SET state = 7, state_time = :now, attempt_count = 0, retry_time = NULL,
            version = GREATEST(r.version, d.version_there),
            accepted_version = CASE WHEN d.kind = 1 THEN 0 ELSE r.accepted_version END
        FROM difference AS d
        WHERE d.reconciliation_id = :reconciliation AND d.school_id = ANY(CAST(:schools AS bigint[]))
            AND d.kind IN (1, 3) AND r.destination = :destination AND r.school_id = d.school_id
            AND r.type = d.type AND r.key = d.key AND r.state IN (2, 5, 6, 8) AND NOT r.deleted
            AND NOT r.restricted
        RETURNING r.school_id
    ), {_DUE}
    """  # noqa: S608
)
