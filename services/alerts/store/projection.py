"""Keeps classes, pupils, registers and results as of their newest change; whoever calls holds the schools' locks.

Each row is guarded by its position in the feed, so that neither order nor repetition matters.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.arrays import columns, unnested
from chassis.database import lock_keys

LOCK_SPACE = 1
Row = tuple[Any, ...]
Identity = tuple[int, str]  # school, key
ClassYear = tuple[int, int, str]  # school, school year, class
StageOf = tuple[int, int, str]  # school, school year, stage


async def hold_schools(connection: AsyncConnection, schools: Iterable[int]) -> None:
    """Let nobody else make facts of these schools until the transaction ends."""
    await lock_keys(connection, schools, space=LOCK_SPACE)


async def merge_classes(connection: AsyncConnection, rows: Sequence[Row]) -> set[int]:
    """Keep classes; returns the schools of those that were newer than known."""
    kept = await _run(connection, _CLASSES, rows, _CLASS_TYPES)
    return {school_id for school_id, _ in kept}


async def merge_pupils(connection: AsyncConnection, rows: Sequence[Row]) -> list[Identity]:
    """Keep pupils; returns those of whom registers or results say something."""
    await _run(connection, _PUPILS, rows, _PUPIL_TYPES)
    identities = [(row[0], row[1]) for row in rows]
    return [tuple(row) for row in await _fetch(connection, _SEEN, *columns(identities, _IDENTITY))]


async def rename_pupils(connection: AsyncConnection, renames: Sequence[tuple[int, str, str]]) -> list[Row]:
    """Let what is kept of pupils go on under their new keys; returns (school, year, key before, key)."""
    given = columns(renames, _RENAME)
    renamed = await _fetch(connection, _RENAME_FACTS, *given)
    for statement in (_KEEP_RENAMES, _RENAME_ABSENCES, _RENAME_RESULTS, _RENAME_PUPILS):
        await _fetch(connection, statement, *given)
    return [tuple(row) for row in renamed]


async def merge_registers(
    connection: AsyncConnection, rows: Sequence[Row], absences: Mapping[Identity, Sequence[tuple[str, str]]]
) -> tuple[set[ClassYear], set[Identity]]:
    """Keep registers with who was away; returns the class-years they are about, and pupils no longer away in them.

    A register that moves to another class or year is about both.
    """
    before = await _fetch(connection, _REGISTERS_BEFORE, *columns([(row[0], row[1]) for row in rows], _IDENTITY))
    kept = await _run(connection, _REGISTERS, rows, _REGISTER_TYPES)
    identities = sorted({(school_id, key) for school_id, key, _, _ in kept})
    dirty = {(school_id, year, class_key) for school_id, _, year, class_key in (*kept, *before)}
    gone = {tuple(row) for row in await _fetch(connection, _DROP_ABSENCES, *columns(identities, _IDENTITY))}
    fresh = [
        (school_id, key, pupil_key, kind)
        for school_id, key in identities
        for pupil_key, kind in absences.get((school_id, key), ())
    ]
    if fresh:
        await _fetch(connection, _ABSENCES, *columns(fresh, _ABSENCE))
    return dirty, gone


async def merge_results(connection: AsyncConnection, rows: Sequence[Row]) -> tuple[set[Identity], set[StageOf]]:
    """Keep results; returns the pupils and the stages that those newer than known are about, or were."""
    before = await _fetch(connection, _RESULTS_BEFORE, *columns([(row[0], row[1]) for row in rows], _IDENTITY))
    kept = await _run(connection, _RESULTS, rows, _RESULT_TYPES)
    told = [*kept, *before]
    return {(row[0], row[1]) for row in told}, {(row[0], row[2], row[3]) for row in told}


async def keep_figures(connection: AsyncConnection, rows: Sequence[Row]) -> None:
    """Keep schools' figures of school years."""
    await _run(connection, _FIGURES, rows, ("bigint", "int", "bigint", "int", "int", "int"))


async def _run(connection: AsyncConnection, statement: str, rows: Sequence[Row], types: Sequence[str]) -> list[Any]:
    return await _fetch(connection, statement, *columns(rows, types))


async def _fetch(connection: AsyncConnection, statement: str, *values: Any) -> list[Any]:
    """Rows of a statement, by the driver itself: these are the most frequent statements of the service."""
    raw = (await connection.get_raw_connection()).driver_connection
    assert raw is not None
    if not raw.is_in_transaction():
        await connection.exec_driver_sql("SELECT 1")
    rows: list[Any] = await raw.fetch(statement, *values)
    return rows


fetch = _fetch


_IDENTITY = ("bigint", "text")
_ABSENCE = ("bigint", "text", "text", "text")
_RENAME = ("bigint", "text", "text")


def _merge(table: str, held: str, types: Sequence[str], key: str, returning: str, guard: str = "position") -> str:
    names = [name.strip() for name in held.split(",")]
    changed = ", ".join(f"{name} = excluded.{name}" for name in names)
    ending = f" RETURNING {returning}" if returning else ""
    return (
        f"INSERT INTO {table} ({held}) SELECT * FROM {unnested(types)} ON CONFLICT ({key}) DO UPDATE SET {changed}"  # noqa: S608 (our own names)
        f" WHERE {table}.{guard} < excluded.{guard}{ending}"
    )


_CLASS_TYPES = ("bigint", "text", "bigint", "bool", "int", "text")
_CLASSES = _merge(
    "school_class",
    "school_id, key, position, deleted, school_year, grade",
    _CLASS_TYPES,
    "school_id, key",
    "school_id, key",
)
_PUPIL_TYPES = (
    "bigint", "text", "bigint", "bool", "int", "text", "text", "bool", "bool", "timestamptz", "smallint",
    "bool",
)  # fmt: skip
_PUPILS = _merge(
    "pupil",
    "school_id, key, position, deleted, school_year, class_key, grade, in_stock, left_school, left_time, context,"
    " restricted",
    _PUPIL_TYPES,
    "school_id, key",
    "",
).replace(
    "left_time = excluded.left_time",
    "left_time = CASE WHEN excluded.left_school AND pupil.left_school THEN pupil.left_time ELSE excluded.left_time END",
)
for _kept in ("school_year", "class_key", "grade"):  # A tombstone does not say them, and its fact is known by the year.
    _PUPILS = _PUPILS.replace(
        f"{_kept} = excluded.{_kept}",
        f"{_kept} = CASE WHEN excluded.deleted THEN pupil.{_kept} ELSE excluded.{_kept} END",
    )
_REGISTER_TYPES = ("bigint", "text", "bigint", "bool", "int", "text", "date", "smallint", "int", "int")
_REGISTERS = _merge(
    "register",
    "school_id, key, position, deleted, school_year, class_key, day, session, scheduled, absent",
    _REGISTER_TYPES,
    "school_id, key",
    "school_id, key, school_year, class_key",
)
_RESULT_TYPES = (
    "bigint", "text", "bigint", "bool", "int", "text", "text", "smallint", "smallint", "smallint", "bool", "bool",
    "float8", "int",
)  # fmt: skip
_RESULTS = _merge(
    "result",
    "school_id, key, position, deleted, school_year, pupil_key, stage, below_5, below_3_5, core_not_completed,"
    " conduct_failed, failing, mark_sum, mark_count",
    _RESULT_TYPES,
    "school_id, key",
    "school_id, pupil_key, school_year, stage",
)
_FIGURES = _merge(
    "school_figure",
    "school_id, school_year, version, pupils, classes, staff",
    ("bigint", "int", "bigint", "int", "int", "int"),
    "school_id, school_year",
    "",
    guard="version",
)
_GIVEN = f"{unnested(_IDENTITY)} AS given(school_id, key)"
_SEEN = (
    f"SELECT school_id, key FROM {_GIVEN} WHERE EXISTS (SELECT FROM absence WHERE absence.school_id = given.school_id"  # noqa: S608 (our own text)
    " AND absence.pupil_key = given.key) OR EXISTS (SELECT FROM result WHERE result.school_id = given.school_id"
    " AND result.pupil_key = given.key)"
)
_REGISTERS_BEFORE = f"SELECT school_id, key, school_year, class_key FROM register JOIN {_GIVEN} USING (school_id, key)"  # noqa: S608 (as above)
_RESULTS_BEFORE = f"SELECT school_id, pupil_key, school_year, stage FROM result JOIN {_GIVEN} USING (school_id, key)"  # noqa: S608 (as above)
_DROP_ABSENCES = (
    f"DELETE FROM absence USING {_GIVEN} WHERE absence.school_id = given.school_id"  # noqa: S608 (as above)
    " AND absence.register_key = given.key RETURNING absence.school_id, absence.pupil_key"
)
_ABSENCES = (
    "INSERT INTO absence (school_id, register_key, pupil_key, kind)"  # noqa: S608 (as above)
    " SELECT given.school_id, given.register_key, coalesce(pupil_rename.key, given.pupil_key), min(given.kind)"
    f" FROM {unnested(_ABSENCE)} AS given(school_id, register_key, pupil_key, kind) LEFT JOIN pupil_rename"
    " ON pupil_rename.school_id = given.school_id AND pupil_rename.previous_key = given.pupil_key"
    " GROUP BY 1, 2, 3"
)
_RENAMED = f"{unnested(_RENAME)} AS given(school_id, previous_key, key)"
_KEEP_RENAMES = (
    f"INSERT INTO pupil_rename (school_id, previous_key, key) SELECT DISTINCT ON (school_id, previous_key) * FROM"  # noqa: S608 (as above)
    f" {_RENAMED} WHERE key <> previous_key ON CONFLICT (school_id, previous_key) DO UPDATE SET key = excluded.key"
)
_RENAME_FACTS = (
    f"SELECT pupil.school_id, pupil.school_year, given.previous_key, given.key FROM pupil JOIN {_RENAMED}"  # noqa: S608 (as above)
    " ON pupil.school_id = given.school_id AND pupil.key = given.previous_key"
)
_RENAME_ABSENCES = (
    f"UPDATE absence SET pupil_key = given.key FROM {_RENAMED} WHERE absence.school_id = given.school_id"  # noqa: S608 (as above)
    " AND absence.pupil_key = given.previous_key AND NOT EXISTS (SELECT FROM absence AS other"
    " WHERE other.school_id = absence.school_id AND other.register_key = absence.register_key"
    " AND other.pupil_key = given.key)"
)
_RENAME_RESULTS = (
    f"UPDATE result SET pupil_key = given.key FROM {_RENAMED} WHERE result.school_id = given.school_id"  # noqa: S608 (as above)
    " AND result.pupil_key = given.previous_key"
)
_RENAME_PUPILS = (
    f"DELETE FROM pupil USING {_RENAMED} WHERE pupil.school_id = given.school_id AND pupil.key = given.previous_key"  # noqa: S608 (as above)
)
