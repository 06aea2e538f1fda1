"""Deeds on requests of erasure and objection as they are kept: what is to be done, was done, and who confirmed it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.erasing import Identity
from services.records.store.driver import begin, fetch


class Deed(NamedTuple):
    """When a request was carried out in records."""

    deed_time: datetime
    history_count: int


class Confirmation(NamedTuple):
    """What a service that was asked did; no time: it has not answered."""

    service: str
    confirm_time: datetime | None
    erased_count: int


class Noted(NamedTuple):
    """A record that a request has erased, or restricted."""

    type: int
    key: str
    erased: bool
    dropped: Sequence[str]
    source: str


async def next_to_do(connection: AsyncConnection, *, now: datetime) -> tuple[int, int] | None:
    """The granted request, by school and number, that is due first, not carried out and not put off; nobody else has
    it.
    """
    found = await fetch(connection, _NEXT, now)
    return (found[0][0], found[0][1]) if found else None


async def put_off(connection: AsyncConnection, school_id: int, data_request_id: int, *, until: datetime) -> None:
    """Let others be carried out before a request."""
    await begin(connection)
    await fetch(connection, _PUT_OFF, school_id, data_request_id, until)


async def note_deed(
    connection: AsyncConnection,
    *,
    school_id: int,
    data_request_id: int,
    services: Sequence[str],
    history_count: int,
    now: datetime,
) -> None:
    """Note that a request was carried out, and who is to confirm it."""
    await fetch(connection, _NOTE_DEED, school_id, data_request_id, now, history_count)
    await fetch(connection, _NOTE_ASKED, school_id, data_request_id, list(services))


async def deed_of(connection: AsyncConnection, *, school_id: int, data_request_id: int) -> Deed | None:
    """When a request was carried out; None: not yet."""
    found = await fetch(connection, _DEED, school_id, data_request_id)
    return Deed(*found[0]) if found else None


async def confirmations(connection: AsyncConnection, *, school_id: int, data_request_id: int) -> list[Confirmation]:
    """Who was asked to erase, in order."""
    return [Confirmation(*row) for row in await fetch(connection, _CONFIRMATIONS, school_id, data_request_id)]


async def confirm(
    connection: AsyncConnection, service: str, *, school_id: int, data_request_id: int, count: int, now: datetime
) -> None:
    """Note that a service has erased what it held; what it said first counts."""
    await fetch(connection, _CONFIRM, school_id, data_request_id, service, now, count)


async def noted_by(connection: AsyncConnection, *, school_id: int, data_request_id: int) -> list[Noted]:
    """Records that a request has erased or restricted."""
    return [Noted(*row) for row in await fetch(connection, _NOTED, school_id, data_request_id)]


async def lift(
    connection: AsyncConnection, *, school_id: int, data_request_id: int, by: str, reason: str, now: datetime
) -> list[Identity]:
    """Let records be used again that a request had restricted; returns these."""
    rows = await fetch(connection, _LIFT, school_id, data_request_id)
    await fetch(connection, _NOTE_LIFT, school_id, data_request_id, now, by, reason)
    return [(row[0], row[1], row[2]) for row in rows]


_NEXT: Final = """
SELECT school_id, data_request_id FROM data_request AS wanted
WHERE state = 'granted' AND kind IN ('erasure', 'objection') AND NOT EXISTS (
    SELECT FROM erasure AS done
    WHERE done.school_id = wanted.school_id AND done.data_request_id = wanted.data_request_id)
    AND (try_after IS NULL OR try_after <= $1)
ORDER BY due_date, school_id, data_request_id LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_PUT_OFF: Final = "UPDATE data_request SET try_after = $3 WHERE school_id = $1 AND data_request_id = $2"
_NOTE_DEED: Final = "INSERT INTO erasure (school_id, data_request_id, deed_time, history_count) VALUES ($1, $2, $3, $4)"
_NOTE_ASKED: Final = (
    "INSERT INTO erasure_confirmation (school_id, data_request_id, service) SELECT $1, $2, unnest($3::text[])"
)
_DEED: Final = "SELECT deed_time, history_count FROM erasure WHERE school_id = $1 AND data_request_id = $2"
_CONFIRMATIONS: Final = (
    "SELECT service, confirm_time, erased_count FROM erasure_confirmation"
    " WHERE school_id = $1 AND data_request_id = $2 ORDER BY service"
)
_CONFIRM: Final = (
    "UPDATE erasure_confirmation SET confirm_time = $4, erased_count = $5"
    " WHERE school_id = $1 AND data_request_id = $2 AND service = $3 AND confirm_time IS NULL"
)
_NOTED: Final = (
    "SELECT type, key, true AS erased, '{}'::text[], source FROM erased_record"
    " WHERE school_id = $1 AND data_request_id = $2"
    " UNION ALL SELECT type, key, false, dropped, source FROM restricted_record"
    " WHERE school_id = $1 AND data_request_id = $2 ORDER BY 1, 2"
)
_LIFT: Final = (
    "DELETE FROM restricted_record WHERE school_id = $1 AND data_request_id = $2 RETURNING school_id, type, key"
)
_NOTE_LIFT: Final = (
    "INSERT INTO restriction_lift (school_id, data_request_id, lift_time, lifted_by, reason)"
    " VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING"
)
