"""Pupils of a school year with the next year's record of the same person, and what was decided of them."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.objects import BY_FIELD
from services.records.domain.year_steps import Place, Stepped
from services.records.store.driver import fetch
from services.records.store.withheld import unrestricted


async def pupils_stepped(
    connection: AsyncConnection,
    school_id: int,
    school_year: int,
    *,
    flows: Mapping[str, str],
    now: Mapping[str, str],
    class_key: str = "",
    key: str = "",
) -> list[Stepped]:
    """The pupils of a school's year, of one class or of one key where that is given, in order of their keys.

    `now` are the school's keys of before, as `keys_now` gives them.
    """
    promoted: dict[str, bool] = {}
    graduated: dict[str, bool] = {}
    keys = [key, *(before for before, present in now.items() if present == key)] if key else list[str]()
    for kind, pupil_key, said in await fetch(connection, _DECIDED, school_id, school_year, keys):
        decided = graduated if kind == "graduation" else promoted
        decided[now.get(str(pupil_key), str(pupil_key))] = said
    rows = await fetch(connection, _STEPPED, school_id, school_year, class_key, key)
    return [
        Stepped(
            Place(school_id, own, own_class, grade, level),
            full_name,
            flows.get(status, ""),
            promoted.get(own),
            graduated.get(own),
            Place(next_school, *(said or "" for said in following)) if next_school else None,
        )
        for (
            own, full_name, own_class, grade, level, status, next_school, *following,
        ) in rows
    ]  # fmt: skip


_PUPIL: Final = BY_FIELD["pupil"]
# The newest word comes last and holds; of a re-test after that of the year's end.
_DECIDED: Final = """
SELECT kind, pupil_key, said FROM (
    SELECT 'result' AS kind, pupil_key, promoted AS said, update_time FROM result
    WHERE school_id = $1 AND school_year = $2 AND stage = 'CN' AND NOT deleted
    UNION ALL SELECT 'retest', pupil_key, promoted, update_time FROM retest
    WHERE school_id = $1 AND school_year = $2 AND NOT deleted
    UNION ALL SELECT 'graduation', pupil_key, graduated, update_time FROM graduation
    WHERE school_id = $1 AND school_year = $2 AND NOT deleted
) AS decided
WHERE said IS NOT NULL AND ($3::text[] = '{}' OR pupil_key = ANY($3)) ORDER BY kind = 'retest', update_time
"""
_STEPPED: Final = f"""
SELECT pupil.key, pupil.full_name, pupil.class_key, pupil.grade, pupil.level, pupil.status,
    follow.school_id, following.key, following.class_key, following.grade, following.level
FROM pupil
LEFT JOIN person_record AS own
    ON own.school_id = pupil.school_id AND own.type = {_PUPIL.number} AND own.key = pupil.key
LEFT JOIN LATERAL (
    SELECT other.school_id, other.key FROM person_record AS other
    WHERE other.root_id = own.root_id AND other.type = own.type AND NOT other.deleted AND other.school_year = $2 + 1
    ORDER BY other.school_id <> $1, other.secondary, NOT other.in_stock, other.school_id, other.key LIMIT 1
) AS follow ON true
LEFT JOIN pupil AS following ON following.school_id = follow.school_id AND following.key = follow.key
    AND {unrestricted(_PUPIL, "following")}
WHERE pupil.school_id = $1 AND pupil.school_year = $2 AND NOT pupil.deleted AND {unrestricted(_PUPIL, "pupil")}
    AND ($3 = '' OR pupil.class_key = $3) AND ($4 = '' OR pupil.key = $4 COLLATE "C")
ORDER BY pupil.key
"""  # noqa: S608 (names of our own)
