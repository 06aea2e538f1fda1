"""What there is of a person at a school, and what is done to it: found, taken out of history and projections, noted.

The records themselves are changed as ever, by way of `bulk`; here goes what lies beside them.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.erasing import Said
from services.records.domain.objects import ObjectSpec
from services.records.domain.persons import PUPIL
from services.records.store.driver import fetch


async def keys_of_person(connection: AsyncConnection, spec: ObjectSpec, *, school_id: int, key: str) -> list[str]:
    """Keys of all records of one type that a school has, or had, of whom a record is.

    A key that was given to somebody else by now is that one's.
    """
    return [row[0] for row in await fetch(connection, _of_person(spec), school_id, key)]


async def schools_of_persons(
    connection: AsyncConnection, number: int, *, school_id: int, keys: Sequence[str]
) -> set[int]:
    """Schools where the persons behind these records have any."""
    return {row[0] for row in await fetch(connection, _SCHOOLS, school_id, number, list(keys))}


async def said_of(
    connection: AsyncConnection, spec: ObjectSpec, *, school_id: int, keys: Sequence[str]
) -> dict[str, Said]:
    """What records say, or said last before they went, by key; what never said anything is missing."""
    return {row[0]: Said(*row[1:]) for row in await fetch(connection, _said(spec), school_id, list(keys))}


async def naming(
    connection: AsyncConnection, spec: ObjectSpec, column: str, *, school_id: int, keys: Sequence[str]
) -> dict[str, str]:
    """Records of a type that name one of these keys, or did before they went: the key that each names."""
    return {row[0]: row[1] for row in await fetch(connection, _naming(spec, column), school_id, list(keys))}


async def named_by(connection: AsyncConnection, spec: ObjectSpec, column: str, *, school_id: int, key: str) -> str:
    """The key that a record names, or named last before it went; empty: it never named any."""
    found = await fetch(connection, _named_by(spec, column), school_id, key)
    return str(found[0][0]) if found else ""


async def registers_naming(
    connection: AsyncConnection, spec: ObjectSpec, *, school_id: int, keys: Sequence[str]
) -> list[str]:
    """Registers whose exceptions name one of these keys."""
    statement = (
        f"SELECT key FROM {spec.field} WHERE school_id = $1 AND NOT deleted AND EXISTS"  # noqa: S608 (of the specs)
        " (SELECT FROM jsonb_array_elements(exceptions) AS one WHERE one->>'pupil_key' = ANY($2::text[])) ORDER BY key"
    )
    return [row[0] for row in await fetch(connection, statement, school_id, list(keys))]


async def states_naming(connection: AsyncConnection, spec: ObjectSpec, *, school_id: int, keys: Sequence[str]) -> int:
    """How many states of registers that were replaced name one of these keys."""
    statement = f"SELECT count(*) FROM record_history {_NAMING}"  # noqa: S608 (our own text)
    return int((await fetch(connection, statement, school_id, spec.number, list(keys)))[0][0])


async def count_states(connection: AsyncConnection, spec: ObjectSpec, *, school_id: int, keys: Sequence[str]) -> int:
    """How many states of records that were replaced are kept."""
    statement = "SELECT count(*) FROM record_history WHERE school_id = $1 AND type = $2 AND key = ANY($3::text[])"
    return int((await fetch(connection, statement, school_id, spec.number, list(keys)))[0][0])


async def count_looks(connection: AsyncConnection, collection: str, *, school_id: int, keys: Sequence[str]) -> int:
    """How many entries of the access log name one of these records."""
    statement = "SELECT count(*) FROM access_log WHERE unit_id = $1 AND collection = $2 AND key = ANY($3::text[])"
    return int((await fetch(connection, statement, school_id, collection, list(keys)))[0][0])


async def forget_states(connection: AsyncConnection, spec: ObjectSpec, *, school_id: int, keys: Sequence[str]) -> int:
    """Erase all states of records that were replaced, and why they were corrected; returns how many."""
    return len(await fetch(connection, _FORGET_STATES, school_id, spec.number, list(keys)))


async def forget_states_of(
    connection: AsyncConnection, spec: ObjectSpec, identities: Sequence[tuple[int, str]]
) -> None:
    """The same for records of any schools, at once."""
    schools, keys = [school_id for school_id, _ in identities], [key for _, key in identities]
    await fetch(connection, _FORGET_STATES_OF, schools, keys, spec.number)


async def drop_from_states(
    connection: AsyncConnection, spec: ObjectSpec, fields: Sequence[str], *, school_id: int, keys: Sequence[str]
) -> None:
    """Erase fields from the states of records that were replaced."""
    await fetch(connection, _DROP_FIELDS, school_id, spec.number, list(keys), list(fields))


async def drop_exceptions_from_states(
    connection: AsyncConnection, spec: ObjectSpec, *, school_id: int, keys: Sequence[str]
) -> int:
    """Erase the exceptions of these pupils from states of registers that were replaced; returns of how many."""
    statement = f"UPDATE record_history SET image = {_WITHOUT} {_NAMING} RETURNING 1"  # noqa: S608 (our own text)
    return len(await fetch(connection, statement, school_id, spec.number, list(keys)))


async def forget_links(
    connection: AsyncConnection, spec: ObjectSpec, *, school_id: int, keys: Sequence[str]
) -> Collection[int]:
    """Erase what records said about who they are; returns the persons whose they were."""
    found = {row[0] for row in await fetch(connection, _FORGET_LINKS, school_id, spec.number, list(keys))}
    if spec is PUPIL:
        await fetch(connection, _FORGET_COUNTS, school_id, list(keys))
    await fetch(connection, _FORGET_DISCLOSURES, school_id, spec.number, list(keys))
    return found


async def forget_words_of_transfers(connection: AsyncConnection, *, school_id: int, keys: Sequence[str]) -> None:
    """Erase what was said with the steps of these pupils' transfers."""
    await fetch(connection, _FORGET_WORDS, school_id, list(keys))


async def count_transfers(connection: AsyncConnection, *, school_id: int, keys: Sequence[str]) -> tuple[int, int, int]:
    """How many transfers of these pupils there are; of these, how many are under way, and how many keep any words."""
    found = await fetch(connection, _COUNT_TRANSFERS, school_id, list(keys))
    return found[0][0], found[0][1], found[0][2]


async def note_erased(
    connection: AsyncConnection,
    spec: ObjectSpec,
    keys: Sequence[tuple[str, str]],
    *,
    school_id: int,
    data_request_id: int,
    now: datetime,
) -> None:
    """Note records, each with the document by which it may go, that are not to come back and no longer restricted."""
    columns = [list(column) for column in zip(*keys, strict=True)]
    await fetch(connection, _FORGET_RESTRICTIONS, school_id, spec.number, columns[0])
    await fetch(connection, _NOTE_ERASED, school_id, spec.number, *columns, data_request_id, now)


async def note_restricted(
    connection: AsyncConnection,
    spec: ObjectSpec,
    rows: Sequence[tuple[str, Sequence[str], str]],
    *,
    school_id: int,
    data_request_id: int,
    now: datetime,
) -> None:
    """Note records as restricted, each with the fields that go and the document by which it is kept."""
    keys, dropped, sources = zip(*rows, strict=True)
    joined = [",".join(fields) for fields in dropped]
    await fetch(
        connection, _NOTE_RESTRICTED, school_id, spec.number, list(keys), joined, list(sources), data_request_id, now
    )


@cache
def _of_person(spec: ObjectSpec) -> str:
    return f"""
WITH RECURSIVE named AS (
    SELECT $2::text COLLATE "C" AS key
    UNION
    SELECT beside.key FROM named CROSS JOIN LATERAL (
        SELECT other.key FROM person_record AS mine JOIN person_record AS other USING (root_id, school_id, type)
        WHERE mine.school_id = $1 AND mine.type = {spec.number} AND mine.key = named.key
        UNION ALL
        SELECT CASE renamed.key WHEN named.key THEN renamed.previous_key ELSE renamed.key END
        FROM record_rename AS renamed
        WHERE renamed.school_id = $1 AND renamed.type = {spec.number}
            AND named.key IN (renamed.key, renamed.previous_key)
            AND NOT EXISTS (SELECT FROM {spec.field} AS held
                WHERE held.school_id = $1 AND held.key = renamed.previous_key AND NOT held.deleted)
    ) AS beside(key)
)
SELECT key FROM named ORDER BY key
"""  # noqa: S608 (names come from the column specs)


@cache
def _said(spec: ObjectSpec) -> str:
    columns = {column.name for column in spec.columns}
    level, image = ("level", "image->>'level'") if "level" in columns else ("''", "''")
    return (
        "SELECT DISTINCT ON (key) key, school_year, level FROM ("  # noqa: S608 (names come from the column specs)
        f"SELECT key, school_year, {level} AS level, 9223372036854775807 AS age FROM {spec.field}"
        " WHERE school_id = $1 AND key = ANY($2::text[]) AND NOT deleted"
        f" UNION ALL SELECT key, coalesce((image->>'school_year')::integer, 0), coalesce({image}, ''), history_id"
        f" FROM record_history WHERE school_id = $1 AND type = {spec.number} AND key = ANY($2::text[]) AND NOT deleted"
        ") AS state ORDER BY key, age DESC"
    )


@cache
def _named_by(spec: ObjectSpec, column: str) -> str:
    return (
        f"SELECT named FROM (SELECT {column} AS named, 9223372036854775807 AS age FROM {spec.field}"  # noqa: S608
        " WHERE school_id = $1 AND key = $2 AND NOT deleted"
        f" UNION ALL SELECT image->>'{column}', history_id FROM record_history"
        f" WHERE school_id = $1 AND type = {spec.number} AND key = $2 AND NOT deleted) AS state"
        " ORDER BY age DESC LIMIT 1"
    )


@cache
def _naming(spec: ObjectSpec, column: str) -> str:
    return (
        f"SELECT key, {column} FROM {spec.field} WHERE school_id = $1 AND {column} = ANY($2::text[]) AND NOT deleted"  # noqa: S608
        f" UNION SELECT key, image->>'{column}' FROM record_history"
        f" WHERE school_id = $1 AND type = {spec.number} AND image->>'{column}' = ANY($2::text[])"
    )


_SCHOOLS: Final = (
    "SELECT DISTINCT other.school_id FROM person_record AS mine JOIN person_record AS other USING (root_id)"
    " WHERE mine.school_id = $1 AND mine.type = $2 AND mine.key = ANY($3::text[])"
)
_NAMING: Final = (
    "WHERE school_id = $1 AND type = $2 AND EXISTS (SELECT FROM jsonb_array_elements(image->'exceptions') AS one"
    " WHERE one->>'pupil_key' = ANY($3::text[]))"
)
_WITHOUT: Final = (
    "jsonb_set(image, '{exceptions}', coalesce((SELECT jsonb_agg(one ORDER BY place)"
    " FROM jsonb_array_elements(image->'exceptions') WITH ORDINALITY AS listed(one, place)"
    " WHERE one->>'pupil_key' <> ALL($3::text[])), '[]'))"
)
_FORGET_STATES: Final = """
WITH gone AS (
    DELETE FROM record_history WHERE school_id = $1 AND type = $2 AND key = ANY($3::text[]) RETURNING request_id
), uncorrected AS (
    DELETE FROM record_edit USING gone WHERE record_edit.school_id = $1 AND record_edit.request_id = gone.request_id
)
SELECT 1 FROM gone
"""
_FORGET_STATES_OF: Final = """
WITH gone AS (
    DELETE FROM record_history USING unnest($1::bigint[], $2::text[]) AS given(school_id, key)
    WHERE record_history.school_id = given.school_id AND record_history.key = given.key AND type = $3
    RETURNING record_history.school_id, request_id
)
DELETE FROM record_edit USING gone
WHERE record_edit.school_id = gone.school_id AND record_edit.request_id = gone.request_id
"""
_DROP_FIELDS: Final = (
    "UPDATE record_history SET image = image - $4::text[]"
    " WHERE school_id = $1 AND type = $2 AND key = ANY($3::text[]) AND image ?| $4::text[]"
)
_FORGET_LINKS: Final = (
    "DELETE FROM person_record WHERE school_id = $1 AND type = $2 AND key = ANY($3::text[]) RETURNING root_id"
)
_FORGET_DISCLOSURES: Final = (
    "DELETE FROM person_disclosure WHERE school_id = $1 AND type = $2 AND key = ANY($3::text[])"
)
_FORGET_COUNTS: Final = "DELETE FROM counted_elsewhere WHERE school_id = $1 AND key = ANY($2::text[])"
_FORGET_RESTRICTIONS: Final = (
    "DELETE FROM restricted_record WHERE school_id = $1 AND type = $2 AND key = ANY($3::text[])"
)
_TRANSFERRED: Final = (
    "(releasing_id = $1 AND pupil_key = ANY($2::text[]) OR receiving_id = $1 AND receiving_key = ANY($2::text[]))"
)
_FORGET_WORDS: Final = (
    f"UPDATE transfer_step SET note = '' FROM transfer WHERE {_TRANSFERRED}"  # noqa: S608 (our own text)
    " AND transfer_step.transfer_id = transfer.transfer_id AND note <> ''"
)
_COUNT_TRANSFERS: Final = (
    "SELECT count(*), count(due_date), count(*) FILTER (WHERE EXISTS ("  # noqa: S608 (our own text)
    "SELECT FROM transfer_step AS step WHERE step.transfer_id = transfer.transfer_id AND note <> ''))"
    f" FROM transfer WHERE {_TRANSFERRED}"
)
_NOTE_ERASED: Final = (
    "INSERT INTO erased_record (school_id, type, key, data_request_id, erase_time, source)"
    " SELECT $1, $2, key, $5, $6, source FROM unnest($3::text[], $4::text[]) AS given(key, source)"
    " ON CONFLICT DO NOTHING"
)
_NOTE_RESTRICTED: Final = (
    "INSERT INTO restricted_record (school_id, type, key, data_request_id, restrict_time, dropped, source)"
    " SELECT $1, $2, key, $6, $7, string_to_array(dropped, ','), source"
    " FROM unnest($3::text[], $4::text[], $5::text[]) AS given(key, dropped, source)"
)
