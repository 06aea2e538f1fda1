"""The coverage of schools: what came in is added up, schools that are due are claimed, judged, listed, followed."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.sync.domain.coverage import Arrival, Assessment, CoverageState, DayCounts, Delivery, Facts, Known, Reason
from services.sync.domain.school_days import VIETNAM

_REASONS: Final = Known.__slots__.index("reasons")
_END: Final = len(Known.__slots__)
POSITION_LOCK: Final = 0x636F7665  # "cove": positions are given in the order of commits.


async def note(writes: AsyncConnection, deliveries: Iterable[Delivery], *, now: datetime) -> None:
    """Add up what schools sent, and let them be looked at. Whoever calls holds the schools' connections."""
    rows = sorted(deliveries, key=lambda one: one.school_id)
    if not rows:
        return
    counts = [{"school_id": one.school_id, "refused": one.refused, **_named(one.counts)} for one in rows]
    arrivals = [
        {"school_id": one.school_id, "collection": collection, "school_year": year, **_told(arrival)}
        for one in rows
        for (collection, year), arrival in sorted(one.arrivals.items())
    ]
    given = {"counts": json.dumps(counts), "arrivals": json.dumps(arrivals), "now": now}
    given["day"] = now.astimezone(VIETNAM).date()
    await writes.execute(_NOTE, given)


def _named(counts: DayCounts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in DayCounts.__slots__}


def _told(one: Arrival) -> dict[str, Any]:
    told = {name: getattr(one, name) for name in Arrival.__slots__}
    return told | {name: told[name].isoformat() for name in ("first_time", "last_time")}


# One statement: it runs beside every batch.
_NOTE = sa.text(
    """
    WITH sent AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(CAST(:counts AS jsonb)) AS sent(
            school_id bigint, refused boolean, taken bigint, rejected bigint, held bigint, batches bigint,
            refused_batches bigint)
    ), counted AS (
        INSERT INTO coverage_day AS held (
            school_id, day, taken_count, rejected_count, held_count, batch_count, refused_batch_count)
        SELECT school_id, :day, taken, rejected, held, batches, refused_batches FROM sent WHERE batches > 0
        ON CONFLICT (school_id, day) DO UPDATE SET
            taken_count = held.taken_count + EXCLUDED.taken_count,
            rejected_count = held.rejected_count + EXCLUDED.rejected_count,
            held_count = held.held_count + EXCLUDED.held_count,
            batch_count = held.batch_count + EXCLUDED.batch_count,
            refused_batch_count = held.refused_batch_count + EXCLUDED.refused_batch_count
    ), arrived AS (
        INSERT INTO coverage_collection AS held (
            school_id, collection, school_year, first_time, last_time, source, row_count, last_day)
        SELECT * FROM jsonb_to_recordset(CAST(:arrivals AS jsonb)) AS arrived(
            school_id bigint, collection text, school_year integer, first_time timestamptz, last_time timestamptz,
            source text, row_count bigint, last_day text)
        ON CONFLICT (school_id, collection, school_year) DO UPDATE SET
            first_time = LEAST(held.first_time, EXCLUDED.first_time),
            last_time = GREATEST(held.last_time, EXCLUDED.last_time),
            source = CASE WHEN (EXCLUDED.last_time, EXCLUDED.source) > (held.last_time, held.source)
                THEN EXCLUDED.source ELSE held.source END,
            row_count = held.row_count + EXCLUDED.row_count,
            last_day = GREATEST(held.last_day, EXCLUDED.last_day)
    )
    INSERT INTO coverage AS held (school_id, known_since, look_time, first_refused_time, last_refused_time)
    SELECT school_id, :now, :now, CASE WHEN refused THEN CAST(:now AS timestamptz) END,
        CASE WHEN refused THEN CAST(:now AS timestamptz) END
    FROM sent
    ON CONFLICT (school_id) DO UPDATE SET
        look_time = LEAST(held.look_time, EXCLUDED.look_time),
        first_refused_time = LEAST(held.first_refused_time, EXCLUDED.first_refused_time),
        last_refused_time = GREATEST(held.last_refused_time, EXCLUDED.last_refused_time)
    """
)


async def expect(writes: AsyncConnection, schools: Collection[int], *, now: datetime) -> None:
    """Let schools be looked at, also those that are new."""
    await writes.execute(_EXPECT, {"schools": sorted(schools), "now": now})


_EXPECT = sa.text(
    """
    INSERT INTO coverage AS held (school_id, known_since, look_time)
    SELECT school_id, :now, :now FROM unnest(CAST(:schools AS bigint[])) AS wanted(school_id)
    ON CONFLICT (school_id) DO UPDATE SET look_time = LEAST(held.look_time, EXCLUDED.look_time)
    """
)


async def expect_all(writes: AsyncConnection, *, now: datetime) -> None:
    """Let every school be looked at."""
    await writes.execute(_EXPECT_ALL, {"now": now})


# In key order, as whoever notes a batch locks them.
_EXPECT_ALL = sa.text(
    """
    INSERT INTO coverage AS held (school_id, known_since, look_time)
    SELECT school_id, :now, :now FROM connection ORDER BY school_id
    ON CONFLICT (school_id) DO UPDATE SET look_time = LEAST(held.look_time, EXCLUDED.look_time)
    """
)


_COLUMNS: Final = (
    "c.school_id, c.known_since, c.first_refused_time, c.last_refused_time, c.state, c.since_time, c.reasons,"
    " c.expected_count, c.arrived_count, c.taken_count, c.rejected_count, c.held_count, c.open_row_count,"
    " c.update_time, c.told_must_connect, c.position, n.must_connect,"
    " n.first_accept_time, n.last_accept_time, n.source, n.create_time"
)


# Of a list the gravest reason alone is read.
_BRIEF: Final = _COLUMNS.replace("c.reasons", "jsonb_path_query_array(c.reasons, '$[0]') AS reasons")


async def claim(writes: AsyncConnection, *, now: datetime, most: int) -> list[Known]:
    """Take schools that are due and that nobody else has, until the end of the transaction."""
    return [_known(row) for row in await writes.execute(_CLAIM, {"now": now, "most": most})]


_CLAIM = sa.text(
    f"""
    SELECT {_COLUMNS} FROM coverage AS c JOIN connection AS n ON n.school_id = c.school_id
    WHERE c.look_time <= :now ORDER BY c.look_time LIMIT :most FOR UPDATE OF c SKIP LOCKED
    """  # noqa: S608  names of columns
)


async def day_counts(
    reads: AsyncConnection, schools: Collection[int], *, after: date
) -> dict[int, dict[date, DayCounts]]:
    """What came in on days after one, by school."""
    found: dict[int, dict[date, DayCounts]] = {}
    for row in await reads.execute(_DAYS, {"schools": list(schools), "after": after}):
        found.setdefault(row[0], {})[row[1]] = DayCounts(*row[2:])
    return found


_DAYS = sa.text(
    "SELECT school_id, day, taken_count, rejected_count, held_count, batch_count, refused_batch_count"
    " FROM coverage_day WHERE school_id = ANY(CAST(:schools AS bigint[])) AND day > :after"
)


async def arrivals(
    reads: AsyncConnection, schools: Collection[int], *, school_year: int
) -> dict[int, dict[tuple[str, int], Arrival]]:
    """Which collections of a school year arrived, by school."""
    found: dict[int, dict[tuple[str, int], Arrival]] = {}
    for row in await reads.execute(_ARRIVALS, {"schools": list(schools), "year": school_year}):
        found.setdefault(row[0], {})[row[1], school_year] = Arrival(*row[2:])
    return found


_ARRIVALS = sa.text(
    "SELECT school_id, collection, first_time, last_time, source, row_count, last_day FROM coverage_collection"
    " WHERE school_id = ANY(CAST(:schools AS bigint[])) AND school_year = :year"
)


async def open_rows(reads: AsyncConnection, schools: Collection[int], *, since: datetime) -> dict[int, int]:
    """How many rows that came since an instant stand in the quarantine, by school."""
    found = await reads.execute(_OPEN, {"schools": list(schools), "since": since})
    return {row[0]: row[1] for row in found}


_OPEN = sa.text(
    "SELECT place_id, count(*) FROM quarantined_row"
    " WHERE place_id = ANY(CAST(:schools AS bigint[])) AND create_time >= :since GROUP BY place_id"
)


async def keep(
    writes: AsyncConnection,
    assessed: Mapping[int, tuple[Assessment, Facts]],
    *,
    changed: Collection[int],
    now: datetime,
) -> dict[int, int]:
    """Keep the states of claimed schools, with the facts they follow from; returns positions of `changed`."""
    positions: dict[int, int] = {}
    if changed:
        await writes.execute(sa.select(sa.func.pg_advisory_xact_lock(POSITION_LOCK)))
        last = await position(writes)
        positions = {school_id: last + number for number, school_id in enumerate(sorted(changed), 1)}
    rows = [
        {
            "school_id": school_id,
            "look_time": one.next_look.isoformat(),
            "state": int(one.state),
            "since_time": one.since.isoformat(),
            "reasons": [_written(reason) for reason in one.reasons],
            "expected_count": one.expected_count,
            "arrived_count": one.arrived_count,
            "taken_count": one.recent.taken,
            "rejected_count": one.recent.rejected,
            "held_count": one.recent.held,
            "open_row_count": facts.open_rows,
            "must_connect": facts.must_connect,
            "position": positions.get(school_id),
        }
        for school_id, (one, facts) in sorted(assessed.items(), key=lambda item: item[0])
    ]
    await writes.execute(_KEEP, {"rows": json.dumps(rows), "now": now})
    return positions


_KEEP = sa.text(
    """
    UPDATE coverage AS held SET look_time = told.look_time, state = told.state, since_time = told.since_time,
        reasons = told.reasons, expected_count = told.expected_count, arrived_count = told.arrived_count,
        taken_count = told.taken_count, rejected_count = told.rejected_count, held_count = told.held_count,
        open_row_count = told.open_row_count, update_time = :now, told_must_connect = told.must_connect,
        position = coalesce(told.position, held.position)
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS told(
        school_id bigint, look_time timestamptz, state smallint, since_time timestamptz, reasons jsonb,
        expected_count integer, arrived_count integer, taken_count bigint, rejected_count bigint, held_count bigint,
        open_row_count bigint, must_connect boolean, position bigint)
    WHERE held.school_id = told.school_id
    """
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which schools are wanted; empty states and sources are all."""

    schools: Collection[int]
    states: Collection[int] = ()
    sources: Collection[str] = ()
    optional: bool = False  # Also those that do not have to connect.

    def given(self) -> dict[str, Any]:
        """As parameters."""
        return {
            "schools": list(self.schools),
            "states": list(self.states),
            "sources": list(self.sources),
            "optional": self.optional,
        }


_WANTED: Final = """
    c.school_id = ANY(CAST(:schools AS bigint[])) AND (:optional OR n.must_connect)
    AND (cardinality(CAST(:states AS smallint[])) = 0 OR c.state = ANY(CAST(:states AS smallint[])))
    AND (cardinality(CAST(:sources AS text[])) = 0 OR n.source = ANY(CAST(:sources AS text[])))
"""
# Two numbers to sort by, then the school.
_NEVER: Final = "-1e15"
_LAST: Final = f"coalesce(extract(epoch FROM n.last_accept_time)::float8, {_NEVER})"
_ORDERS: Final = (
    (
        "CASE c.state WHEN 4 THEN 0 WHEN 3 THEN 1 WHEN 2 THEN 2 WHEN 1 THEN 3 ELSE 4 END::float8",
        f"coalesce(extract(epoch FROM c.since_time)::float8, {_NEVER})",
    ),
    (_LAST, "0::float8"),
    (
        "-coalesce(c.rejected_count::float8 / nullif(c.taken_count + c.rejected_count + c.held_count, 0), 0)",
        "-c.rejected_count::float8",
    ),
)
_LISTED: Final = {
    (order, whole): sa.text(
        f"""
        SELECT {_COLUMNS if whole else _BRIEF}, page.first_key, page.second_key
        FROM (
            SELECT * FROM (
                SELECT c.school_id, {first} AS first_key, {second} AS second_key
                FROM coverage AS c JOIN connection AS n ON n.school_id = c.school_id WHERE {_WANTED}
            ) AS found
            WHERE :begins OR (first_key, second_key, school_id)
                > (CAST(:first AS float8), CAST(:second AS float8), CAST(:school AS bigint))
            ORDER BY first_key, second_key, school_id LIMIT :most
        ) AS page
        JOIN coverage AS c ON c.school_id = page.school_id JOIN connection AS n ON n.school_id = page.school_id
        ORDER BY page.first_key, page.second_key, page.school_id
        """  # noqa: S608
    )
    for order, (first, second) in enumerate(_ORDERS)
    for whole in (True, False)
}


async def listed(
    reads: AsyncConnection,
    wanted: Wanted,
    *,
    order: int = 0,
    after: Sequence[Any] | None = None,
    most: int,
    whole: bool = False,
) -> list[tuple[Known, tuple[float, float, int]]]:
    """Schools in one of the orders, after (number, number, school), each with its place; `whole`: with all reasons."""
    begins = after is None
    first, second, school = after or (0.0, 0.0, 0)
    given = {"begins": begins, "first": float(first), "second": float(second), "school": school, "most": most}
    rows = await reads.execute(_LISTED[order, whole], wanted.given() | given)
    return [(_known(row), (row[-2], row[-1], row[0])) for row in rows]


async def states(reads: AsyncConnection, wanted: Wanted) -> list[tuple[int, int, bool, bool, str]]:
    """School, state, whether it has to connect, whether it ever sent, and its source."""
    return [tuple(row) for row in await reads.execute(_STATES, wanted.given())]


_STATES = sa.text(
    f"""
    SELECT c.school_id, c.state, n.must_connect, n.first_accept_time IS NOT NULL, n.source
    FROM coverage AS c JOIN connection AS n ON n.school_id = c.school_id WHERE {_WANTED}
    """  # noqa: S608
)


async def changed(
    reads: AsyncConnection, schools: Collection[int], *, after: int, most: int, whole: bool = False
) -> list[Known]:
    """Schools that changed after a position, in order of positions; `whole`: with all reasons."""
    given = {"schools": list(schools), "after": after, "most": most}
    return [_known(row) for row in await reads.execute(_CHANGED[whole], given)]


_CHANGED: Final = {
    whole: sa.text(
        f"""
    SELECT {_COLUMNS if whole else _BRIEF} FROM coverage AS c JOIN connection AS n ON n.school_id = c.school_id
    WHERE c.position > :after AND c.school_id = ANY(CAST(:schools AS bigint[])) ORDER BY c.position LIMIT :most
    """  # noqa: S608
    )
    for whole in (True, False)
}


async def position(reads: AsyncConnection) -> int:
    """The newest position."""
    return await reads.scalar(_POSITION) or 0


_POSITION = sa.text("SELECT coalesce(max(position), 0) FROM coverage")


async def school(reads: AsyncConnection, school_id: int) -> Known | None:
    """One school."""
    row = (await reads.execute(_SCHOOL, {"school": school_id})).one_or_none()
    return None if row is None else _known(row)


_SCHOOL = sa.text(
    f"SELECT {_COLUMNS} FROM coverage AS c JOIN connection AS n ON n.school_id = c.school_id"  # noqa: S608
    " WHERE c.school_id = :school"
)


async def prune_days(writes: AsyncConnection, *, before: datetime, most: int) -> int:
    """Forget counts of the oldest days before an instant; returns how many."""
    return (await writes.execute(_PRUNE, {"before": before.date(), "most": most})).rowcount


_PRUNE = sa.text(
    """
    DELETE FROM coverage_day WHERE (school_id, day) IN (
        SELECT school_id, day FROM coverage_day WHERE day < :before ORDER BY day LIMIT :most FOR UPDATE SKIP LOCKED
    )
    """
)


def _known(row: Any) -> Known:
    """A school by its row, whose columns are those of `Known` in their order."""
    values: list[Any] = list(row[:_END])
    values[_REASONS] = tuple(map(_read, values[_REASONS]))
    return Known(*values)


def _written(reason: Reason) -> dict[str, Any]:
    facts = dict(reason.facts)
    return {"code": reason.code, "state": int(reason.state), "since": reason.since.isoformat(), "facts": facts}


def _read(told: Mapping[str, Any]) -> Reason:
    since = datetime.fromisoformat(told["since"])
    return Reason(told["code"], CoverageState(told["state"]), since, told["facts"])
