"""What profiles ask for: a school's counts by year, what a member of staff did in one."""

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.objects import BY_FIELD, BY_NUMBER, ObjectSpec
from services.records.store.driver import fetch

_OF_STAFF: Final = [BY_FIELD[field] for field in ("staff_assignment", "conduct_entry")]


async def pupils_by_level(
    connection: AsyncConnection, school_id: int, *, in_stock: Collection[str]
) -> list[tuple[int, str, int]]:
    """School year, level and the pupils who are there and count there."""
    return [(row[0], row[1], row[2]) for row in await fetch(connection, _PUPILS, school_id, sorted(in_stock))]


async def classes_by_level(connection: AsyncConnection, school_id: int) -> list[tuple[int, str, int]]:
    """School year, level and classes."""
    return [(row[0], row[1], row[2]) for row in await fetch(connection, _CLASSES, school_id)]


async def staff_and_rooms(connection: AsyncConnection, school_id: int) -> list[tuple[int, int, int]]:
    """School year, members of staff and rooms."""
    return [(row[0], row[1], row[2]) for row in await fetch(connection, _STAFF_AND_ROOMS, school_id)]


async def homeroom_classes(connection: AsyncConnection, school_id: int, year: int, staff_key: str) -> list[str]:
    """Keys of the classes whose homeroom teacher a member of staff is."""
    return [row[0] for row in await fetch(connection, _HOMEROOMS, school_id, year, staff_key)]


async def subjects_taught(
    connection: AsyncConnection, school_id: int, year: int, staff_id: str
) -> list[tuple[str, str, str]]:
    """Class, subject and term of what classes say in the ministry's list; `staff_id` is the code without the year."""
    return [(row[0], row[1], row[2]) for row in await fetch(connection, _SUBJECTS, school_id, year, staff_id)]


async def other_keys(
    connection: AsyncConnection, school_id: int, year: int, staff_key: str
) -> Sequence[tuple[ObjectSpec, str]]:
    """Assignments and entries of conduct of a member of staff in a year: type and key."""
    rows = await fetch(connection, _OTHERS, school_id, year, staff_key)
    return sorted(((BY_NUMBER[number], key) for number, key in rows), key=lambda one: (one[0].number, one[1]))


_PUPILS: Final = (
    "SELECT school_year, level, count(*) FROM pupil WHERE school_id = $1 AND NOT deleted AND status = ANY($2::text[])"
    " AND NOT EXISTS (SELECT FROM counted_elsewhere AS one WHERE one.school_id = pupil.school_id"
    " AND one.key = pupil.key) GROUP BY 1, 2"
)
_CLASSES: Final = (
    "SELECT school_year, level, count(*) FROM school_class WHERE school_id = $1 AND NOT deleted GROUP BY 1, 2"
)
_STAFF_AND_ROOMS: Final = (
    "SELECT school_year, coalesce(sum(staff), 0)::integer, coalesce(sum(rooms), 0)::integer FROM ("
    " SELECT school_year, count(*) AS staff, 0 AS rooms FROM staff_member WHERE school_id = $1 AND NOT deleted"
    " GROUP BY 1 UNION ALL"
    " SELECT school_year, 0, sum(greatest(quantity, 1)) FROM facility"
    " WHERE school_id = $1 AND NOT deleted AND kind = 'room' GROUP BY 1) AS counted GROUP BY 1"
)
_HOMEROOMS: Final = (
    "SELECT key FROM school_class WHERE school_id = $1 AND school_year = $2 AND homeroom_key = $3 AND NOT deleted"
    " ORDER BY key"
)
# The ministry's list stands in `further` as JSON, as it came.
_SUBJECTS: Final = (
    "SELECT key, one->>'MA_MON_HOC', coalesce(one->>'HOC_KY', '') FROM school_class"
    " CROSS JOIN LATERAL jsonb_array_elements((further->>'MON_HOCS')::jsonb) AS one"
    " WHERE school_id = $1 AND school_year = $2 AND NOT deleted AND further ? 'MON_HOCS'"
    " AND one->>'GIAO_VIEN_ID' = $3 AND one->>'MA_MON_HOC' IS NOT NULL ORDER BY 1, 2, 3"
)
_OTHERS: Final = " UNION ALL ".join(
    f"SELECT {spec.number} AS type, key FROM {spec.field} WHERE school_id = $1 AND school_year = $2"  # noqa: S608 (names of our own)
    " AND staff_key = $3 AND NOT deleted"
    for spec in _OF_STAFF
)
