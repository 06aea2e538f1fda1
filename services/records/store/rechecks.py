"""Persons who are looked at again though no record of theirs has changed; and the projection brought into line.

Who writes here holds the row of `person_cursor`, apart from noting what is to be looked at.
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.persons import PERSONS
from services.records.store.driver import fetch


async def note_rechecks(connection: AsyncConnection, places: Iterable[tuple[int, int]]) -> None:
    """Let the persons of these schools and school years be looked at again."""
    ordered = sorted(set(places))
    if ordered:
        await fetch(connection, _NOTE, *map(list, zip(*ordered, strict=True)))


async def take_recheck(connection: AsyncConnection) -> set[int] | None:
    """The persons of the next school and year that are to be looked at; None: there is none."""
    found = await fetch(connection, _TAKE)
    if not found:
        return None
    return {row[0] for row in await fetch(connection, _PERSONS_OF, *found[0])}


async def statuses_noted(connection: AsyncConnection) -> str | None:
    """By which statuses pupils were taken to be there; None: it was never noted."""
    found = await fetch(connection, "SELECT statuses FROM person_cursor")
    return found[0][0] if found else None


async def note_statuses(connection: AsyncConnection, statuses: str) -> None:
    """Note by which statuses pupils are taken to be there from now on."""
    await fetch(connection, "UPDATE person_cursor SET statuses = $1", statuses)


async def begin_anew(connection: AsyncConnection) -> int:
    """Read all records again, follow all decisions again, look at everybody again; how many links led nowhere.

    Links stay whose they were: decisions are made on these persons. A link without a record goes; one that is missing
    is made anew when its record is read.
    """
    count = 0
    for spec in PERSONS:
        count += len(await fetch(connection, _FORGET_ORPHANS.format(table=spec.field), spec.number))
    await fetch(connection, _FOLLOW_MERGES)
    await fetch(connection, _FORGET_ELSEWHERE)
    await fetch(connection, _NOTE_ALL)
    await fetch(connection, "UPDATE person_cursor SET position = 0")
    return count


_NOTE: Final = (
    "INSERT INTO person_recheck (school_id, school_year) SELECT * FROM unnest($1::bigint[], $2::integer[])"
    " ON CONFLICT DO NOTHING"
)
_TAKE: Final = (
    "DELETE FROM person_recheck WHERE (school_id, school_year) IN (SELECT school_id, school_year FROM person_recheck"
    " ORDER BY school_id, school_year LIMIT 1 FOR UPDATE SKIP LOCKED)"
    " RETURNING school_id, school_year"
)
_PERSONS_OF: Final = "SELECT DISTINCT root_id FROM person_record WHERE school_id = $1 AND school_year = $2"
_NOTE_ALL: Final = (
    "INSERT INTO person_recheck (school_id, school_year) SELECT DISTINCT school_id, school_year FROM person_record"
    " ON CONFLICT DO NOTHING"
)
_FORGET_ORPHANS: Final = (
    "DELETE FROM person_record AS held WHERE type = $1 AND NOT EXISTS"
    " (SELECT FROM {table} AS record WHERE record.school_id = held.school_id AND record.key = held.key) RETURNING 1"
)
_FORGET_ELSEWHERE: Final = (
    "DELETE FROM counted_elsewhere AS noted WHERE NOT EXISTS"
    " (SELECT FROM pupil WHERE pupil.school_id = noted.school_id AND pupil.key = noted.key AND NOT pupil.deleted)"
)
_FOLLOW_MERGES: Final = """
WITH RECURSIVE up AS (
    SELECT gone_id AS person_id, kept_id AS at FROM person_merge WHERE undo_time IS NULL
    UNION ALL
    SELECT up.person_id, next.kept_id
    FROM up JOIN person_merge AS next ON next.gone_id = up.at AND next.undo_time IS NULL
), root AS (
    SELECT person_id, at FROM up
    WHERE NOT EXISTS (SELECT FROM person_merge AS next WHERE next.gone_id = up.at AND next.undo_time IS NULL)
)
UPDATE person_record AS held SET root_id = coalesce(root.at, held.person_id)
FROM person_record AS same LEFT JOIN root ON root.person_id = same.person_id
WHERE held.school_id = same.school_id AND held.type = same.type AND held.key = same.key
    AND held.root_id <> coalesce(root.at, held.person_id)
"""
