"""Candidates for a search of people: found by the one index, judged row by row, and put in order.

No more than `MOST_CANDIDATES` are ever judged: where there are more, that is said instead. Bitmap scans alone are
allowed, since the planner, told of a limit, would else walk through a province in the hope of finding enough early.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.asked import Asked
from services.records.domain.objects import BY_FIELD, ObjectSpec
from services.records.store.driver import fetch
from services.records.store.terms import LOOKUPS, Lookup
from services.records.store.withheld import unrestricted

MOST_CANDIDATES: Final = 3_000
SECONDS: Final = 5  # after which the database gives up on a statement

Cursor = tuple[int, str, int, str]  # rank, sort key, school, key


@dataclass(frozen=True, slots=True)
class Way:
    """One way to candidates: terms that all are there, sets of terms of which one is, or a column's value.

    `words` are patterns that a name matches besides, each or one of each set, where no degree says so.
    """

    contains: tuple[str, ...] = ()
    among: tuple[tuple[str, ...], ...] = ()
    column: str = ""
    values: tuple[str, ...] = ()
    words: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())


@dataclass(frozen=True, slots=True)
class Patterns:
    """How well a name matches: patterns which it must all match to be of a degree, of parts one; then the tones."""

    name: str
    words: tuple[str, ...]
    prefixes: tuple[str, ...]
    parts: tuple[str, ...]
    spelled: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """What every step of one search asks alike."""

    asked: Asked
    patterns: Patterns
    schools: Collection[int]  # whose records may be found, and no others
    after: Cursor | None


# Degrees of a match, in the order of the patterns; one that is of none may still be a wrong letter away.
EXACT, WORDS, PREFIX, PART, TYPO = range(5)


@dataclass(frozen=True, slots=True)
class Found:
    """A page of hits in order: degree and place of each. Nothing is in it when there were too many candidates."""

    hits: list[tuple[int, Cursor]]
    too_many: bool


async def prepare(connection: AsyncConnection) -> None:
    """Begin the transaction, set up for searching; what the driver runs after it joins it."""
    await connection.exec_driver_sql(_PREPARE)


async def find(
    connection: AsyncConnection,
    spec: ObjectSpec,
    ways: Sequence[Way],
    question: Question,
    *,
    degrees: Collection[int],
    most: int,
) -> Found:
    """The next hits of some degrees among the candidates of all ways."""
    each = MOST_CANDIDATES // len(ways)
    asked, patterns, after = question.asked, question.patterns, question.after
    values: list[object] = [list(question.schools), patterns.name, *map(list, (patterns.words, patterns.prefixes))]
    values += [list(patterns.parts), list(patterns.spelled), sorted(degrees), each, *(after or (-1, "", 0, "")), most]
    values += [list(asked.birth_dates), list(asked.birth_years), asked.level, asked.status, asked.school_year]
    values += [list(asked.endings), list(asked.ids[1:]), list(asked.classes), list(asked.grades)]
    shape = tuple((bool(way.contains), len(way.among), way.column, way.words != Way().words) for way in ways)
    for way in ways:
        values += [list(way.contains)] if way.contains else []
        values += [list(one) for one in way.among]
        values += [list(way.values)] if way.column else []
        values += [list(way.words[0]), list(way.words[1])] if way.words != Way().words else []
    rows = await fetch(connection, _statement(spec.field, shape), *values)
    if rows[0][0] > each:
        return Found([], too_many=True)
    return Found([(row[1] // 2, (row[1], row[2], row[3], row[4])) for row in rows if row[1] is not None], False)


_PREPARE: Final = (
    "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_indexscan', 'off', true),"
    f" set_config('plan_cache_mode', 'force_custom_plan', true), set_config('statement_timeout', '{SECONDS}s', true)"
)
_FIRST_OF_WAYS: Final = 23  # place of the first value that belongs to a way


@cache
def _statement(table: str, shape: tuple[tuple[bool, int, str, bool], ...]) -> str:
    """The statement over ways of a shape; the names in it are our own, all that was typed is a value."""
    lookup = LOOKUPS[table]
    columns = ", ".join(("school_id", "key", "search_name", "sort_name", *lookup.columns))
    place = _FIRST_OF_WAYS
    ways = []
    for contains, sets, column, judged in shape:
        conditions = ["NOT deleted"]
        if contains:
            conditions.append(f"{lookup.terms} @> ${place}::text[]")
            place += 1
        for _ in range(sets):
            conditions.append(f"{lookup.terms} && ${place}::text[]")
            place += 1
        if column == "key":
            conditions.append(f'school_id = ANY($1::bigint[]) AND key = ANY(${place}::text[] COLLATE "C")')
        elif column:
            conditions.append(f"{column} = ANY(${place}::text[])")
        place += bool(column)
        if judged:
            name = "' ' || search_name || ' '"
            conditions.append(f"{name} LIKE ALL(${place}::text[]) AND {name} LIKE ANY(${place + 1}::text[])")
            place += 2
        ways.append(f"SELECT {columns} FROM {table} WHERE {' AND '.join(conditions)} LIMIT $8::bigint + 1")  # noqa: S608
    parts = [f"way{number} AS MATERIALIZED ({way})" for number, way in enumerate(ways)]
    counts = ", ".join(f"(SELECT count(*) FROM way{number})" for number in range(len(ways)))  # noqa: S608
    union = " UNION ".join(f"SELECT * FROM way{number}" for number in range(len(ways)))  # noqa: S608
    return (
        f"WITH {', '.join(parts)}, seen AS (SELECT greatest({counts}) AS most),"  # noqa: S608
        f" judged AS (SELECT ({_DEGREE}) * 2 + ({_SPELLED_OTHERWISE})::integer AS rank,"
        f" sort_name, school_id, key FROM ({union}) AS candidate WHERE {_conditions(lookup)}"
        f" AND {unrestricted(BY_FIELD[table], 'candidate')}),"
        " page AS (SELECT * FROM judged WHERE rank / 2 = ANY($7::integer[])"
        " AND (rank, sort_name, school_id, key)"
        ' > ($9::integer, $10::text COLLATE "C", $11::bigint, $12::text COLLATE "C")'
        " ORDER BY rank, sort_name, school_id, key LIMIT $13::bigint)"
        " SELECT seen.most, page.* FROM seen LEFT JOIN page ON true"
        " ORDER BY rank, sort_name, school_id, key"
    )


_DEGREE: Final = (
    "CASE WHEN search_name = $2::text THEN 0"
    " WHEN ' ' || search_name || ' ' LIKE ALL($3::text[]) THEN 1"
    " WHEN ' ' || search_name LIKE ALL($4::text[]) THEN 2"
    " WHEN search_name LIKE ANY($5::text[]) THEN 3 ELSE 4 END"
)
_SPELLED_OTHERWISE: Final = "NOT ' ' || sort_name || ' ' LIKE ALL($6::text[])"


def _conditions(lookup: Lookup) -> str:
    ids = ", ".join(f'{column} COLLATE "C"' for column in ("key", *lookup.ids))
    endings = ", ".join(f"right({column}, 3)" for column in lookup.ids)
    conditions = [
        "school_id = ANY($1::bigint[])",
        "(cardinality($14::date[]) = 0 OR birth_date = ALL($14))",
        "(cardinality($15::integer[]) = 0 OR extract(year FROM birth_date) = ALL($15))",
        "($16::text = '' OR level = $16)",
        "($17::text = '' OR status = $17)",
        "($18::integer = 0 OR school_year = $18)",
        f"$19::text[] <@ ARRAY[{endings}]",
        f'$20::text[] COLLATE "C" <@ ARRAY[{ids}]',
    ]
    if lookup.placed:
        class_name = (
            "coalesce((SELECT held.search_name FROM school_class AS held WHERE held.school_id = candidate.school_id"
            " AND held.key = candidate.class_key AND NOT held.deleted), '')"
        )
        conditions += [
            f"(cardinality($21::text[]) = 0 OR $21 <@ ARRAY[lower(class_key), {class_name}])",
            "(cardinality($22::text[]) = 0 OR grade = ALL($22))",
        ]
    else:
        conditions += ["cardinality($21::text[]) = 0", "cardinality($22::text[]) = 0"]
    return " AND ".join(conditions)
