"""Schools on their way out: claimed by workers, counted, listed; and the packages they are sent in."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.sync.domain.pushes import SchoolPush, Sums


@dataclass(frozen=True, slots=True)
class Claimed:
    """A school whose turn a worker has."""

    destination: str
    school_id: int
    note_number: int
    attempt_count: int


@dataclass(frozen=True, slots=True)
class Package:
    """A package whose outcome is not known yet."""

    package_id: UUID
    unit_code: str
    level: str
    school_year: int
    record_type: int
    state: int
    record_count: int
    body: bytes
    create_time: datetime
    form: int  # In which it was written; it leaves in no other.
    cancels: bool  # Whether its records are to be gone there.


async def claim(writes: AsyncConnection, codes: Collection[str], *, now: datetime, until: datetime) -> Claimed | None:
    """Claim a school that is due at one of the destinations and that nobody else has."""
    given = {"codes": list(codes), "now": now, "until": until}
    row = (await writes.execute(_CLAIM, given)).one_or_none()
    return None if row is None else Claimed(*row)


_CLAIM = sa.text(
    """
    UPDATE school_push AS held SET lease_until = :until
    FROM (
        SELECT destination, school_id FROM school_push
        WHERE due AND destination = ANY(CAST(:codes AS text[]))
            AND (next_attempt_time IS NULL OR next_attempt_time <= :now)
            AND (lease_until IS NULL OR lease_until <= :now)
        ORDER BY next_attempt_time NULLS FIRST LIMIT 1 FOR UPDATE SKIP LOCKED
    ) AS chosen
    WHERE held.destination = chosen.destination AND held.school_id = chosen.school_id
    RETURNING held.destination, held.school_id, held.note_number, held.attempt_count
    """
)


async def renew(writes: AsyncConnection, claimed: Claimed, *, until: datetime) -> None:
    """Keep a school claimed for longer."""
    given = {"destination": claimed.destination, "school": claimed.school_id, "until": until}
    await writes.execute(
        sa.text(
            "UPDATE school_push SET lease_until = :until"
            " WHERE destination = :destination AND school_id = :school AND lease_until IS NOT NULL"
        ),
        given,
    )


async def end_turn(
    writes: AsyncConnection, claimed: Claimed, *, done: bool, next_attempt_time: datetime | None = None
) -> None:
    """Give a school back; `done`: nothing of it is left to send, unless something was noted meanwhile."""
    given = {
        "destination": claimed.destination,
        "school": claimed.school_id,
        "seen": claimed.note_number,
        "done": done,
        "next": next_attempt_time,
    }
    await writes.execute(_END_TURN, given)


# A retry that waits for its time keeps the school due.
_END_TURN = sa.text(
    """
    UPDATE school_push AS held
    SET lease_until = NULL, dirty = true,
        due = NOT :done OR held.note_number <> :seen OR retries.first IS NOT NULL,
        next_attempt_time = CASE
            WHEN held.note_number <> :seen THEN NULL
            WHEN :done THEN retries.first
            ELSE CAST(:next AS timestamptz) END
    FROM (
        SELECT min(retry_time) AS first FROM outgoing_record
        WHERE destination = :destination AND school_id = :school AND state = 7
    ) AS retries
    WHERE held.destination = :destination AND held.school_id = :school
    """
)


async def note_problem(writes: AsyncConnection, claimed: Claimed, *, reason: str, vi: str, en: str) -> None:
    """Say why nothing of a school can be sent; empty: it can."""
    given = {"destination": claimed.destination, "school": claimed.school_id, "reason": reason, "vi": vi, "en": en}
    await writes.execute(_PROBLEM, given)


_PROBLEM = sa.text(
    """
    UPDATE school_push
    SET problem_reason = :reason, problem = :vi, problem_en = :en, dirty = true,
        attempt_count = CASE WHEN :reason = '' THEN 0 ELSE attempt_count + 1 END
    WHERE destination = :destination AND school_id = :school
        AND (:reason <> '' OR problem_reason <> '' OR attempt_count > 0)
    """
)


async def open_package(reads: AsyncConnection, destination: str, school_id: int) -> Package | None:
    """The school's package whose outcome is not known yet."""
    row = (await reads.execute(_OPEN, {"destination": destination, "school": school_id})).one_or_none()
    return None if row is None else Package(*row)


_OPEN = sa.text(
    """
    SELECT package_id, unit_code, level, school_year, record_type, state, record_count, body, create_time,
        form, cancels
    FROM push_package WHERE destination = :destination AND school_id = :school AND state < 3
    """
)


async def add_package(writes: AsyncConnection, destination: str, school_id: int, package: Package) -> None:
    """Write a package down before it is sent."""
    given = {name: getattr(package, name) for name in Package.__slots__}
    await writes.execute(_ADD, {**given, "destination": destination, "school": school_id})


_ADD = sa.text(
    """
    INSERT INTO push_package (package_id, destination, school_id, record_type, school_year, unit_code, level, state,
        record_count, body, create_time, form, cancels)
    VALUES (:package_id, :destination, :school, :record_type, :school_year, :unit_code, :level, :state,
        :record_count, :body, :create_time, :form, :cancels)
    """
)


async def mark_sent(writes: AsyncConnection, package_id: UUID) -> bytes | None:
    """Say that a package may have left, and give what is to be sent by now; None: it is not to be sent any more."""
    marked = sa.text("UPDATE push_package SET state = 2 WHERE package_id = :package AND state < 3 RETURNING body")
    body: bytes | None = await writes.scalar(marked, {"package": package_id})
    return body


async def close_package(writes: AsyncConnection, package_id: UUID, *, now: datetime) -> bool:
    """Settle a package; False: another worker has."""
    closed = sa.text(
        "UPDATE push_package SET state = 3, body = '', end_time = :now WHERE package_id = :package AND state < 3"
    )
    return bool((await writes.execute(closed, {"package": package_id, "now": now})).rowcount)


async def note_success(writes: AsyncConnection, destination: str, school_id: int, *, now: datetime) -> None:
    """Note that the destination has accepted something of a school."""
    given = {"destination": destination, "school": school_id, "now": now}
    await writes.execute(
        sa.text(
            "UPDATE school_push SET last_success_time = :now, dirty = true"
            " WHERE destination = :destination AND school_id = :school"
        ),
        given,
    )


async def count_anew(writes: AsyncConnection, *, now: datetime, told_before: datetime, most: int) -> list[SchoolPush]:
    """Take the counts of schools anew in which something changed, and return them; each at most every so often."""
    given = {"now": now, "before": told_before, "most": most}
    return [SchoolPush(*row) for row in await writes.execute(_COUNT, given)]


_PUSH_COLUMNS = (
    "destination, school_id, waiting_count, accepted_count, failed_count, withheld_count, oldest_waiting_time,"
    " last_success_time, problem_reason, problem, problem_en, gap_count, reconcile_time"
)
_COUNT = sa.text(
    f"""
    WITH chosen AS (
        SELECT destination, school_id FROM school_push
        WHERE dirty AND (told_time IS NULL OR told_time <= :before)
        ORDER BY told_time NULLS FIRST LIMIT :most FOR UPDATE SKIP LOCKED
    ), counted AS (
        SELECT chosen.destination, chosen.school_id,
            count(*) FILTER (WHERE r.state IN (1, 3, 7)) AS waiting,
            count(*) FILTER (WHERE r.state = 5 AND NOT r.deleted) AS accepted,
            count(*) FILTER (WHERE r.state IN (2, 6)) AS failed,
            count(*) FILTER (WHERE r.state = 8) AS withheld,
            min(r.note_time) FILTER (WHERE r.state IN (1, 3, 7)) AS oldest
        FROM chosen LEFT JOIN outgoing_record AS r
            ON r.destination = chosen.destination AND r.school_id = chosen.school_id
        GROUP BY 1, 2
    )
    UPDATE school_push AS held
    SET waiting_count = counted.waiting, accepted_count = counted.accepted, failed_count = counted.failed,
        withheld_count = counted.withheld, oldest_waiting_time = counted.oldest, dirty = false, told_time = :now
    FROM counted WHERE held.destination = counted.destination AND held.school_id = counted.school_id
    RETURNING {", ".join(f"held.{name}" for name in _PUSH_COLUMNS.replace(",", "").split())}
    """  # noqa: S608  names of columns
)


async def schools(
    reads: AsyncConnection,
    destination: str,
    among: Collection[int],
    *,
    unsettled_only: bool,
    after: Sequence[Any] | None,
    most: int,
) -> list[SchoolPush]:
    """Schools, those with failures first, then those that wait, most first; after (rank, count, school)."""
    given = {
        "destination": destination,
        "schools": list(among),
        "unsettled": unsettled_only,
        "most": most,
        "first": after is None,
        "rank": after[0] if after else 0,
        "number": after[1] if after else 0,
        "school": after[2] if after else 0,
    }
    return [SchoolPush(*row) for row in await reads.execute(_SCHOOLS, given)]


_RANK = (
    "CASE WHEN failed_count > 0 OR problem_reason <> '' THEN 0 WHEN waiting_count > 0 THEN 1"
    " WHEN gap_count > 0 THEN 2 ELSE 3 END"
)
_SCHOOLS = sa.text(
    f"""
    SELECT {_PUSH_COLUMNS} FROM school_push
    WHERE destination = :destination AND school_id = ANY(CAST(:schools AS bigint[]))
        AND (NOT :unsettled OR {_RANK} < 3)
        AND (:first OR ({_RANK}, -(failed_count + waiting_count), school_id) > (:rank, :number, :school))
    ORDER BY {_RANK}, -(failed_count + waiting_count), school_id LIMIT :most
    """  # noqa: S608
)


async def sums(reads: AsyncConnection, destination: str, among: Collection[int]) -> Sums:
    """The schools' counts together."""
    given = {"destination": destination, "schools": list(among)}
    return Sums(*(await reads.execute(_SUMS, given)).one())


_SUMS = sa.text(
    """
    SELECT coalesce(sum(waiting_count), 0)::bigint, coalesce(sum(accepted_count), 0)::bigint,
        coalesce(sum(failed_count), 0)::bigint, coalesce(sum(withheld_count), 0)::bigint, count(*)::int,
        (count(*) FILTER (WHERE waiting_count = 0 AND failed_count = 0))::int,
        (count(*) FILTER (WHERE failed_count > 0 OR problem_reason <> ''))::int, min(oldest_waiting_time)
    FROM school_push WHERE destination = :destination AND school_id = ANY(CAST(:schools AS bigint[]))
    """
)


async def records(
    reads: AsyncConnection,
    destination: str,
    school_id: int,
    *,
    states: Collection[int],
    record_type: int,
    key: str,
    after: Sequence[Any] | None,
    most: int,
) -> list[Any]:
    """Records of a school, in order of type and key after (type, key); `sent`: the package of a queued one has left."""
    given = {
        "destination": destination,
        "school": school_id,
        "states": list(states),
        "type": record_type,
        "key": key,
        "after_type": after[0] if after else 0,
        "after_key": after[1] if after else "",
        "most": most,
    }
    return list(await reads.execute(_RECORDS, given))


_RECORDS = sa.text(
    """
    SELECT r.type, r.key, r.state, coalesce(p.state = 2, false) AS sent, r.state_time, r.record_id, r.version,
        r.accepted_version, r.deleted, r.reason, r.field, r.message, r.message_en, r.attempt_count
    FROM outgoing_record AS r LEFT JOIN push_package AS p ON p.package_id = r.package_id
    WHERE r.destination = :destination AND r.school_id = :school AND (r.deleted OR NOT r.restricted)
        AND (cardinality(CAST(:states AS smallint[])) = 0 OR (CASE WHEN r.state = 3 AND p.state = 2 THEN 4
            ELSE r.state END) = ANY(CAST(:states AS smallint[])))
        AND (:type = 0 OR r.type = :type) AND (:key = '' OR r.key = :key)
        AND (r.type, r.key) > (:after_type, CAST(:after_key AS text) COLLATE "C")
    ORDER BY r.type, r.key LIMIT :most
    """
)


async def outcomes(
    reads: AsyncConnection, destination: str, school_id: int, *, record_type: int, key: str, before: int, most: int
) -> list[Any]:
    """What became of a school's records, newest first, older than the id `before` (0: the newest)."""
    given = {
        "destination": destination,
        "school": school_id,
        "type": record_type,
        "key": key,
        "before": before,
        "most": most,
    }
    return list(await reads.execute(_OUTCOMES, given))


_OUTCOMES = sa.text(
    """
    SELECT push_outcome_id, type, key, version, state, reason, field, message, package_id, create_time
    FROM push_outcome
    WHERE destination = :destination AND school_id = :school AND (:type = 0 OR type = :type)
        AND (:key = '' OR key = :key) AND (:before = 0 OR push_outcome_id < :before)
    ORDER BY push_outcome_id DESC LIMIT :most
    """
)


async def prune_outcomes(writes: AsyncConnection, *, before: datetime, most: int) -> int:
    """Forget the oldest packages settled before an instant, with their outcomes; returns how many packages."""
    return (await writes.execute(_PRUNE, {"before": before, "most": most})).rowcount


_PRUNE = sa.text(
    """
    WITH old AS (
        SELECT package_id, school_id, destination FROM push_package WHERE state = 3 AND create_time < :before
        ORDER BY create_time LIMIT :most FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM push_outcome AS o USING old WHERE o.school_id = old.school_id
            AND o.destination = old.destination AND o.package_id = old.package_id
    )
    DELETE FROM push_package AS p USING old WHERE p.package_id = old.package_id
    """
)


async def school_ids(reads: AsyncConnection, destination: str, among: Collection[int]) -> list[int]:
    """The schools among these with records for a destination."""
    found = await reads.execute(_SCHOOL_IDS, {"destination": destination, "schools": list(among)})
    return list(found.scalars())


_SCHOOL_IDS = sa.text(
    "SELECT school_id FROM school_push WHERE destination = :destination"
    " AND school_id = ANY(CAST(:schools AS bigint[])) ORDER BY school_id"
)
