"""Rows in bulk: which versions are there, and writing many records by one COPY.

All of it runs under the locks of the schools it touches (`lock_schools`), so that nothing changes between the look
and the write: what was absent is copied straight into its table (a third faster than by way of a merge), what was
there goes through a temporary table and one UPDATE.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.arrays import plain, texts
from chassis.database import copy_rows, lock_keys
from services.records.domain.locks import Place, period_of
from services.records.domain.objects import ObjectSpec
from services.records.domain.versions import Stored
from services.records.store import history
from services.records.store.driver import fetch, run

SCHOOL_LOCKS: Final = 1  # lock space of schools

Identity = tuple[int, str]  # school and key
Values = tuple[object, ...]


async def lock_schools(connection: AsyncConnection, school_ids: Iterable[int]) -> None:
    """Keep other writers from these schools until the transaction ends; comes before anything else in it."""
    await lock_keys(connection, school_ids, space=SCHOOL_LOCKS)


async def stored_versions(
    connection: AsyncConnection, spec: ObjectSpec, identities: Sequence[Identity], *, places: bool = False
) -> dict[Identity, Stored]:
    """What is kept of these records, tombstones included; what never was is missing.

    Where they stand is read only when asked for: it makes the answer a third longer.
    """
    schools = plain([school_id for school_id, _ in identities])
    found = await fetch(connection, _versions(spec, places=places), schools, texts([key for _, key in identities]))
    if places:
        return {(row[0], row[1]): Stored(row[2], row[3], row[4], Place(row[5], period_of(row[6]))) for row in found}
    return {(school_id, key): Stored(version, digest, source) for school_id, key, version, digest, source in found}


async def insert_records(connection: AsyncConnection, spec: ObjectSpec, rows: Iterable[Values]) -> None:
    """Store records that were absent under the same locks; columns as in `spec.row`, best in key order."""
    await copy_rows(connection, spec.field, spec.row, rows)


async def replace_records(connection: AsyncConnection, spec: ObjectSpec, rows: Iterable[Values]) -> None:
    """Store records over what is there, which goes into the history; columns as in `spec.row`."""
    await run(connection, _stage(spec))
    await copy_rows(connection, f"pg_temp.stage_{spec.field}", spec.row, rows)
    await connection.execute(_replace(spec))


async def raise_versions(connection: AsyncConnection, spec: ObjectSpec, versions: Mapping[Identity, int]) -> None:
    """Note higher versions of records whose content stays."""
    parameters = {
        "schools": plain([school_id for school_id, _ in versions]),
        "keys": texts([key for _, key in versions]),
        "versions": plain(versions.values()),
    }
    await connection.execute(_raise(spec), parameters)


_IDENTITY: Final = frozenset({"school_id", "key"})
# A replica's clock may be behind another's: what came later must not seem to have come earlier.
_NEW: Final = {"update_time": "greatest(stage.update_time, held.update_time)"}


# The names in these statements come from the column specs, never from a request.
@cache
def _versions(spec: ObjectSpec, *, places: bool) -> str:
    place = f", held.school_year, {f'held.{spec.period}' if spec.period else 'NULL'}" if places else ""
    return (
        f"SELECT held.school_id, held.key, held.version, held.content_hash, held.source{place}"  # noqa: S608
        " FROM unnest(CAST($1::text AS bigint[]), CAST($2::text AS text[])) AS wanted(school_id, key)"
        f' JOIN {spec.field} AS held ON held.school_id = wanted.school_id AND held.key = wanted.key COLLATE "C"'
    )


@cache
def _stage(spec: ObjectSpec) -> str:
    # The table stays with the session, its rows until the transaction ends or replaces once more.
    return (
        f"CREATE TEMP TABLE IF NOT EXISTS stage_{spec.field} (LIKE {spec.field}) ON COMMIT DELETE ROWS;"  # noqa: S608
        f"DELETE FROM pg_temp.stage_{spec.field}"
    )


@cache
def _replace(spec: ObjectSpec) -> sa.TextClause:
    changes = ", ".join(f"{name} = {_NEW.get(name, f'stage.{name}')}" for name in spec.row if name not in _IDENTITY)
    return sa.text(
        f"WITH replaced AS (UPDATE {spec.field} AS held SET {changes} FROM pg_temp.stage_{spec.field} AS stage"  # noqa: S608
        " WHERE held.school_id = stage.school_id AND held.key = stage.key"
        f" RETURNING {history.replaced(spec)})"
        f" INSERT INTO record_history ({history.COLUMNS}) SELECT * FROM replaced"
    )


@cache
def _raise(spec: ObjectSpec) -> sa.TextClause:
    return sa.text(
        f"UPDATE {spec.field} AS held SET version = raised.version"  # noqa: S608
        " FROM unnest(CAST(CAST(:schools AS text) AS bigint[]), CAST(CAST(:keys AS text) AS text[]),"
        " CAST(CAST(:versions AS text) AS bigint[])) AS raised(school_id, key, version)"
        ' WHERE held.school_id = raised.school_id AND held.key = raised.key COLLATE "C"'
    )
