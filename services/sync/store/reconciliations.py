"""Comparisons with destinations: our digests, what was found, and the gap of each school."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.sync.domain.pushes import Difference, Reconciliation


@dataclass(frozen=True, slots=True)
class Group:
    """A school's records of one type: how many, and the sum of their digests."""

    school_id: int
    type: int
    count: int
    digest: int
    uncomposed: int


# What ought to be there: all that is not gone here, and of what is withheld only what was accepted before it was.
_OUGHT = (
    "destination = :destination AND school_id = ANY(CAST(:schools AS bigint[])) AND NOT deleted"
    " AND (state <> 8 OR accepted_version > 0)"
)


async def groups(reads: AsyncConnection, destination: str, schools: Collection[int]) -> list[Group]:
    """Digests of what each school ought to have there, by type."""
    found = await reads.execute(_GROUPS, {"destination": destination, "schools": list(schools)})
    return [Group(row[0], row[1], row[2], int(row[3]), row[4]) for row in found]


_GROUPS = sa.text(
    f"""
    SELECT school_id, type, count(*), mod(coalesce(sum(digest), 0), 18446744073709551616),
        count(*) FILTER (WHERE digest IS NULL)
    FROM outgoing_record WHERE {_OUGHT} GROUP BY school_id, type
    """  # noqa: S608
)


@dataclass(frozen=True, slots=True)
class Held:
    """One record as it ought to be there."""

    type: int
    key: str
    record_id: UUID
    digest: int | None
    state: int


async def held(reads: AsyncConnection, destination: str, school_id: int, record_type: int) -> list[Held]:
    """A school's records of one type that ought to be there."""
    given = {"destination": destination, "schools": [school_id], "type": record_type}
    return [Held(*row) for row in await reads.execute(_HELD, given)]


_HELD = sa.text(
    f"SELECT type, key, record_id, digest, state FROM outgoing_record WHERE {_OUGHT} AND type = :type"  # noqa: S608
)


async def leaving(reads: AsyncConnection, destination: str, school_id: int, record_type: int) -> dict[str, str]:
    """Keys, by record id, of records that are gone here and whose deletion is still on its way."""
    given = {"destination": destination, "school": school_id, "type": record_type}
    return {str(row.record_id): row.key for row in await reads.execute(_LEAVING, given)}


_LEAVING = sa.text(
    "SELECT record_id, key FROM outgoing_record WHERE destination = :destination AND school_id = :school"
    " AND type = :type AND deleted AND state <> 5"
)


async def rows(
    reads: AsyncConnection, destination: str, school_id: int, record_type: int, keys: Collection[str]
) -> dict[str, bytes]:
    """The noted records behind keys."""
    given = {"destination": destination, "school": school_id, "type": record_type, "keys": list(keys)}
    found = await reads.execute(_ROWS, given)
    return {row.key: row.row for row in found}


_ROWS = sa.text(
    """
    SELECT key, row FROM outgoing_record
    WHERE destination = :destination AND school_id = :school AND type = :type AND key = ANY(CAST(:keys AS text[]))
    """
)


_COLUMNS = tuple(Reconciliation.__slots__)


async def add(
    writes: AsyncConnection, found: Reconciliation, differences: Sequence[Difference], schools: Collection[int]
) -> Reconciliation:
    """Keep a comparison with what it found, and each compared school's gap."""
    given = {name: getattr(found, name) for name in _COLUMNS[1:]}
    row = (await writes.execute(_ADD, given)).one()
    kept = Reconciliation(*row)
    if differences:
        await writes.execute(
            _ADD_DIFFERENCES,
            [
                {
                    "reconciliation_id": kept.reconciliation_id,
                    **{name: getattr(one, name) for name in Difference.__slots__},
                    "fields": list(one.fields),
                }
                for one in differences
            ],
        )
    gaps = {"destination": found.destination, "schools": list(schools), "id": kept.reconciliation_id}
    await writes.execute(_NOTE_GAPS, {**gaps, "now": found.end_time})
    return kept


_ADD = sa.text(
    f"INSERT INTO reconciliation ({', '.join(_COLUMNS[1:])})"  # noqa: S608  names of columns
    f" VALUES ({', '.join(f':{name}' for name in _COLUMNS[1:])}) RETURNING {', '.join(_COLUMNS)}"
)
_ADD_DIFFERENCES = sa.text(
    """
    INSERT INTO difference
        (school_id, reconciliation_id, type, kind, record_id, key, fields, matched_key, on_the_way, version_there)
    VALUES (:school_id, :reconciliation_id, :type, :kind, :record_id, :key, :fields, :matched_key, :on_the_way,
        :version_there)
    """
)
_NOTE_GAPS = sa.text(
    """
    UPDATE school_push AS held SET gap_count = found.gap, reconcile_time = :now, dirty = true
    FROM (
        SELECT wanted.school_id, count(d.school_id) AS gap
        FROM unnest(CAST(:schools AS bigint[])) AS wanted(school_id)
        LEFT JOIN difference AS d ON d.reconciliation_id = :id AND d.school_id = wanted.school_id
        GROUP BY 1
    ) AS found
    WHERE held.destination = :destination AND held.school_id = found.school_id
    """
)


async def reconciliation(reads: AsyncConnection, reconciliation_id: int) -> Reconciliation | None:
    """One comparison."""
    row = (await reads.execute(_ONE, {"id": reconciliation_id})).one_or_none()
    return None if row is None else Reconciliation(*row)


async def reconciliations(
    reads: AsyncConnection, destination: str, unit_id: int, *, before: int, most: int
) -> list[Reconciliation]:
    """Comparisons of a unit, newest first, older than the id `before` (0: the newest)."""
    given = {"destination": destination, "unit": unit_id, "before": before, "most": most}
    return [Reconciliation(*row) for row in await reads.execute(_LIST, given)]


async def differences(
    reads: AsyncConnection,
    reconciliation_id: int,
    schools: Collection[int],
    *,
    kind: int,
    after: Sequence[Any] | None,
    most: int,
) -> list[Difference]:
    """What a comparison found in these schools, after (school, type, kind, record id)."""
    place = tuple(after) if after else (0, 0, 0, "")
    given = {"id": reconciliation_id, "schools": list(schools), "kind": kind, "most": most}
    given |= dict(zip(("a", "b", "c", "d"), place, strict=True))
    return [Difference(*row) for row in await reads.execute(_DIFFERENCES, given)]


async def prune_differences(writes: AsyncConnection, *, before: datetime, most: int) -> int:
    """Forget what comparisons found that ended before an instant; their counts stay, as the gap over time."""
    return (await writes.execute(_PRUNE, {"before": before, "most": most})).rowcount


_PRUNE = sa.text(
    """
    DELETE FROM difference WHERE ctid IN (
        SELECT found.ctid FROM difference AS found JOIN reconciliation USING (reconciliation_id)
        WHERE end_time < :before LIMIT :most
    )
    """
)
_ONE = sa.text(f"SELECT {', '.join(_COLUMNS)} FROM reconciliation WHERE reconciliation_id = :id")  # noqa: S608
_LIST = sa.text(
    f"SELECT {', '.join(_COLUMNS)} FROM reconciliation WHERE destination = :destination AND unit_id = :unit"  # noqa: S608
    " AND (:before = 0 OR reconciliation_id < :before) ORDER BY reconciliation_id DESC LIMIT :most"
)
_DIFFERENCES = sa.text(
    f"SELECT {', '.join(Difference.__slots__)} FROM difference"  # noqa: S608
    " WHERE reconciliation_id = :id AND school_id = ANY(CAST(:schools AS bigint[])) AND (:kind = 0 OR kind = :kind)"
    ' AND (school_id, type, kind, record_id) > (:a, :b, :c, CAST(:d AS text) COLLATE "C")'
    " ORDER BY school_id, type, kind, record_id LIMIT :most"
)
