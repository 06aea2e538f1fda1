"""Pupils of a school year with their results, for assessing them."""

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.objects import BY_FIELD, BY_NUMBER, ObjectSpec
from services.records.domain.persons import PUPIL
from services.records.store.driver import Record, fetch
from services.records.store.withheld import unrestricted

RESULT_COLUMNS: Final = (
    "pupil_key",
    "stage",
    "learning_result",
    "conduct_result",
    "title",
    "absent_days",
    "promoted",
    "retraining",
    "conduct_after_retraining",
    "learning_after_retest",
    "subject_marks",
    "qualities",
)
PUPIL_COLUMNS: Final = ("key", "full_name", "class_key", "grade", "level")


async def pupil_of_year(
    connection: AsyncConnection, school_id: int, school_year: int, key: str
) -> dict[str, Any] | None:
    """One pupil; None where the school has no such pupil in that year."""
    rows = await fetch(connection, _ONE, school_id, school_year, key)
    return _named(PUPIL_COLUMNS, rows[0]) if rows else None


async def year_of(connection: AsyncConnection, school_id: int, key: str) -> int | None:
    """The school year of a pupil's record; None where the school has none under this key that may be used."""
    rows = await fetch(connection, _YEAR, school_id, key)
    return rows[0][0] if rows else None


async def pupils_page(
    connection: AsyncConnection, school_id: int, school_year: int, *, class_key: str, after: str, most: int
) -> list[dict[str, Any]]:
    """Pupils in order of their keys; an empty class: of all classes."""
    rows = await fetch(connection, _PAGE, school_id, school_year, class_key, after, most)
    return [_named(PUPIL_COLUMNS, row) for row in rows]


async def results_of(
    connection: AsyncConnection, school_id: int, school_year: int, pupil_keys: Sequence[str]
) -> list[dict[str, Any]]:
    """The results of these pupils at the end of terms and year, also under keys they had before.

    Of two for one stage the one under the pupil's present key comes last, else the newer one.
    """
    now = await keys_now(connection, school_id)
    wanted = set(pupil_keys)
    before = (key for key, known in now.items() if known in wanted)
    rows = await fetch(connection, _RESULTS, school_id, school_year, list(chain(wanted, before)))
    found = sorted((_named(RESULT_COLUMNS, row) for row in rows), key=lambda row: row["pupil_key"] in wanted)
    return [row | {"pupil_key": now.get(row["pupil_key"], row["pupil_key"])} for row in found]


async def result_keys(
    connection: AsyncConnection, school_id: int, school_year: int, pupil_keys: Sequence[str]
) -> list[str]:
    """Keys of all results that name a pupil under one of these keys, in the order of the stages."""
    return [row[0] for row in await fetch(connection, _RESULT_KEYS, school_id, school_year, list(pupil_keys))]


async def other_keys(
    connection: AsyncConnection, school_id: int, school_year: int, pupil_keys: Sequence[str]
) -> list[tuple[ObjectSpec, str]]:
    """What else a school has of a pupil under one of these keys in a year: type and key, oldest type first."""
    rows = await fetch(connection, _OTHERS, school_id, school_year, list(pupil_keys))
    return sorted(((BY_NUMBER[number], key) for number, key in rows), key=lambda one: (one[0].number, one[1]))


async def keys_now(connection: AsyncConnection, school_id: int) -> dict[str, str]:
    """The keys under which pupils of a school were known before, each with the one the pupil has now.

    Results and registers may still name the old one; a key that a living pupil bears means that pupil.
    """
    rows = await fetch(connection, _RENAMES, BY_FIELD["pupil"].number, school_id)
    renames: dict[str, str] = {previous: key for previous, key in rows}  # noqa: C416 (rows are no pairs to the types)
    return {previous: _last(renames, previous) for previous in renames}


def _last(renames: dict[str, str], key: str) -> str:
    seen = {key}
    while (following := renames.get(key)) is not None and following not in seen:
        key = following
        seen.add(key)
    return key


def _named(names: Sequence[str], row: Record) -> dict[str, Any]:
    return dict(zip(names, row, strict=True))


_PUPIL: Final = (
    f"SELECT {', '.join(PUPIL_COLUMNS)} FROM pupil WHERE school_id = $1 AND school_year = $2 AND NOT deleted"  # noqa: S608 (names of our own)
    f" AND {unrestricted(BY_FIELD['pupil'], 'pupil')}"
)
_ONE: Final = f'{_PUPIL} AND key = $3 COLLATE "C"'
_YEAR: Final = (
    'SELECT school_year FROM pupil WHERE school_id = $1 AND key = $2 COLLATE "C" AND NOT deleted'  # noqa: S608 (our own)
    f" AND {unrestricted(PUPIL, 'pupil')}"
)
_PAGE: Final = f"{_PUPIL} AND ($3 = '' OR class_key = $3) AND key > $4 COLLATE \"C\" ORDER BY key LIMIT $5"
_RENAMES: Final = (
    "SELECT renamed.previous_key, renamed.key FROM record_rename AS renamed"
    " WHERE renamed.type = $1 AND renamed.school_id = $2 AND NOT EXISTS (SELECT FROM pupil"
    " WHERE pupil.school_id = $2 AND pupil.key = renamed.previous_key AND NOT pupil.deleted)"
)
_RESULTS: Final = (
    f"SELECT {', '.join(RESULT_COLUMNS)} FROM result"  # noqa: S608 (names of our own)
    " WHERE school_id = $1 AND school_year = $2 AND pupil_key = ANY($3::text[]) AND NOT deleted"
    f" AND {unrestricted(BY_FIELD['result'], 'result')} AND stage IN ('CK1', 'CK2', 'CN') ORDER BY update_time, key"
)
_RESULT_KEYS: Final = (
    "SELECT key FROM result WHERE school_id = $1 AND school_year = $2 AND pupil_key = ANY($3::text[]) AND NOT deleted"  # noqa: S608
    f" AND {unrestricted(BY_FIELD['result'], 'result')}"
    " ORDER BY array_position(ARRAY['GK1', 'CK1', 'GK2', 'CK2', 'CN'], stage), key"
)
# Types beside results that are of a pupil.
_OF_PUPILS: Final = [BY_FIELD[field] for field in ("conduct_entry", "health_check", "retest", "graduation")]
_OTHERS: Final = " UNION ALL ".join(
    f"SELECT {spec.number} AS type, key FROM {spec.field} WHERE school_id = $1 AND school_year = $2"  # noqa: S608 (names of our own)
    " AND pupil_key = ANY($3::text[]) AND NOT deleted"
    for spec in _OF_PUPILS
)
