"""What is kept of pupils beside their alerts, taken out at a person's request; the school's lock is held."""

from collections.abc import Collection

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain import PUPIL
from services.alerts.domain.alerts import ERASED_SUBJECT
from services.alerts.store.projection import fetch


async def is_behind(connection: AsyncConnection, school_id: int, keys: Collection[str]) -> bool:
    """Whether registers, results or the pupils themselves still say something of these, as the feed is not followed."""
    return bool((await fetch(connection, _BEHIND, school_id, sorted(keys)))[0][0])


async def note_erased(connection: AsyncConnection, school_id: int, keys: Collection[str]) -> None:
    """Note pupils of whom nothing is made again, and leave of them no more than the keys."""
    for statement in (_NOTE, _FORGET_PUPILS, _FORGET_RENAMES):
        await fetch(connection, statement, school_id, sorted(keys))


async def forget_facts(
    connection: AsyncConnection, school_id: int, keys: Collection[str], *, above: Collection[int]
) -> int:
    """Erase what facts on pupils are and were, and what waits or is silenced about them; says how many things.

    Silences may be those of the units above.
    """
    count = 0
    for statement in (_FORGET_FACTS, _FORGET_HISTORY, _FORGET_PENDING):
        count += len(await fetch(connection, statement, school_id, PUPIL, sorted(keys)))
    return count + len(await fetch(connection, _FORGET_SILENCES, [school_id, *above], sorted(keys), ERASED_SUBJECT))


def _about(keys: str, subject: str = "subject") -> str:
    return f"substr({subject}, strpos({subject}, '/') + 1) = ANY({keys}::text[])"


_BEHIND = (
    "SELECT EXISTS (SELECT FROM pupil WHERE school_id = $1 AND key = ANY($2::text[]) AND NOT deleted)"
    " OR EXISTS (SELECT FROM absence WHERE school_id = $1 AND pupil_key = ANY($2::text[]))"
    " OR EXISTS (SELECT FROM result WHERE school_id = $1 AND pupil_key = ANY($2::text[]) AND NOT deleted)"
)
_NOTE = "INSERT INTO erased_pupil SELECT $1, key FROM unnest($2::text[]) AS given(key) ON CONFLICT DO NOTHING"
_FORGET_PUPILS = (
    "UPDATE pupil SET class_key = '', grade = '', school_year = 0, left_school = false, left_time = NULL, context = 0"
    " WHERE school_id = $1 AND key = ANY($2::text[])"
)
_FORGET_RENAMES = (
    "DELETE FROM pupil_rename WHERE school_id = $1 AND (key = ANY($2::text[]) OR previous_key = ANY($2::text[]))"
)
_FORGET_FACTS = f"DELETE FROM fact WHERE unit_id = $1 AND kind = $2 AND {_about('$3')} RETURNING 1"  # noqa: S608 (our own text)
_FORGET_HISTORY = f"DELETE FROM fact_history WHERE unit_id = $1 AND kind = $2 AND {_about('$3')} RETURNING 1"  # noqa: S608 (as above)
_FORGET_PENDING = (
    "DELETE FROM pending WHERE unit_id = $1 AND rule IN (SELECT code FROM rule WHERE fact_kind = $2)"  # noqa: S608 (as above)
    f" AND {_about('$3')} RETURNING 1"
)
_FORGET_SILENCES = (
    "UPDATE silence SET subject = $3, reason = '' WHERE unit_id = ANY($1::bigint[])"  # noqa: S608 (as above)
    f" AND subject <> '' AND {_about('$2')} RETURNING 1"
)
