"""Whose records are: the projection by person, and what a change of it does to suspicions and counts.

Who writes here holds the row of `person_cursor`, so that one transaction links at a time.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.arrays import columns, unnested
from services.records.domain.persons import (
    MOTHER,
    PERSONS,
    PUPIL,
    STAFF_MEMBER,
    Held,
    Identity,
    Link,
    Linked,
    LinkRule,
    Merge,
    MergedPair,
    Said,
    Traits,
)
from services.records.store.driver import begin, fetch
from services.records.store.feed import Wanted, last_position, page_extent

FEW_SCHOOLS: Final = 128  # whose pairs are found from their own records; of more, by going through the pairs
_LINK: Final = ("person_id", "root_id", "rule", "link_time")
_TRAITS: Final = ", ".join(Traits._fields)
_OF: Final = ", ".join(f"held.{name}" for name in Traits._fields)


async def take_turn(connection: AsyncConnection, *, wait: bool = True) -> int | None:
    """Be the one who links until the transaction ends; how far records are linked. None: another one is at it."""
    await begin(connection)
    found = await fetch(connection, _TAKE_TURN if wait else f"{_TAKE_TURN} SKIP LOCKED")
    return int(found[0][0]) if found else None


async def move_on(connection: AsyncConnection, position: int) -> None:
    """Note how far records are linked."""
    await fetch(connection, "UPDATE person_cursor SET position = $1", position)


async def changed_after(connection: AsyncConnection, position: int, *, most: int) -> tuple[list[Said], int, int]:
    """What the next records of persons in the feed say, in order; how far they reach; where the feed ends."""
    last = await last_position(connection)
    extent = await page_extent(connection, _WANTED, after=position, until=last, most=most)
    said = [row for number in extent.types for row in await fetch(connection, _SAID[number], position, extent.last)]
    said.sort(key=itemgetter(0))
    return [tuple(row[1:]) for row in said], extent.last if extent.count == most else last, last


async def said_of_pupils(connection: AsyncConnection, pupils: Iterable[tuple[int, str]]) -> list[Said]:
    """What records of pupils, by school and key, say now, whether they are in the feed yet or not."""
    return [tuple(row) for row in await fetch(connection, _SAID_OF_PUPILS, *columns(pupils, ("bigint", "text")))]


async def known_beside(
    connection: AsyncConnection, changed: Sequence[Traits], previous: Iterable[Identity]
) -> list[Linked]:
    """The records that are linked and could be of the same persons as these, themselves included."""
    identities = [*(one.identity for one in changed), *previous]
    named = [one for one in changed if one.birth_date is not None]
    found = await fetch(
        connection,
        _BESIDE,
        *columns(identities, _IDENTITY),
        [one.personal_id for one in changed if one.personal_id],
        [one.ministry_code for one in changed if one.ministry_code],
        *columns([(one.school_id, one.type, one.birth_date, one.name) for one in named], _NAMESAKE),
    )
    return [Linked(Traits(*row[:-1]), row[-1]) for row in found]


async def fellows_of(connection: AsyncConnection, identities: Iterable[Identity]) -> list[Linked]:
    """The records that are there of the persons whose these are."""
    found = await fetch(connection, _FELLOWS, *columns(identities, _IDENTITY))
    return [Linked(Traits(*row[:-1]), row[-1]) for row in found]


async def new_persons(connection: AsyncConnection, count: int) -> list[int]:
    """Ids of persons that nobody was yet."""
    return [row[0] for row in await fetch(connection, "SELECT nextval('person_id') FROM generate_series(1, $1)", count)]


async def keep_links(connection: AsyncConnection, links: Sequence[Link], *, now: datetime) -> None:
    """Keep whose records are and what they say now; a record that is not linked anew keeps its person."""
    rows = [(*link.traits, link.person_id, link.rule or "") for link in links]
    await fetch(connection, _KEEP, *columns(rows, _LINKED), now)
    renamed = [link.traits.identity for link in links if link.rule is LinkRule.RENAMED]
    if renamed:
        await fetch(connection, _KEPT_KNOWN, *columns(renamed, _IDENTITY))


async def suspect(connection: AsyncConnection, persons: Collection[int]) -> list[tuple[int, int]]:
    """Find anew which persons may be one of these; returns those pairs that are certain, and so need no decision."""
    await fetch(connection, "DELETE FROM person_pair WHERE person_a = ANY($1) OR person_b = ANY($1)", list(persons))
    found = await fetch(connection, _SUSPECT, list(persons))
    return [(row[0], row[1]) for row in found if row[2]]


async def merge(connection: AsyncConnection, kept: int, gone: int, *, reason: str, by: str, now: datetime) -> int:
    """Let one person's records be another's from now on; returns the merge's id."""
    ((merge_id,),) = await fetch(connection, _MERGE, kept, gone, reason, by, now)
    await fetch(connection, "UPDATE person_record SET root_id = $1 WHERE root_id = $2", kept, gone)
    await fetch(connection, "DELETE FROM person_pair WHERE person_a = $1 OR person_b = $1", gone)
    return int(merge_id)


async def undo_merge(connection: AsyncConnection, merge_id: int, *, reason: str, by: str, now: datetime) -> None:
    """Part again what a merge that is in force put together."""
    ((gone,),) = await fetch(connection, _UNDO, merge_id, reason, by, now)
    await fetch(connection, _PART, gone)


async def keep_apart(connection: AsyncConnection, one: int, other: int, *, reason: str, by: str, now: datetime) -> None:
    """Decide that two persons are two."""
    first, second = sorted((one, other))
    await fetch(connection, _KEEP_APART, first, second, reason, now, by)
    await fetch(connection, "DELETE FROM person_pair WHERE person_a = $1 AND person_b = $2", first, second)


async def kept_apart(connection: AsyncConnection, one: int, other: int) -> bool:
    """Whether it was decided that two persons are two, whoever they were then."""
    return bool(await fetch(connection, _KEPT_APART, one, other))


async def wrongly_counted(connection: AsyncConnection, persons: Collection[int]) -> Mapping[tuple[int, str], bool]:
    """Pupils of these persons that count and should not, or should and do not: whether they should."""
    found = await fetch(connection, _MISCOUNTED, list(persons))
    return {(row[0], row[1]): row[2] for row in found}


async def count(connection: AsyncConnection, pupils: Mapping[tuple[int, str], bool]) -> None:
    """Note which pupils count where they are and which elsewhere."""
    for counts, statement in ((False, _COUNT_ELSEWHERE), (True, _COUNT_HERE)):
        chosen = [identity for identity, here in pupils.items() if here is counts]
        if chosen:
            await fetch(connection, statement, [one[0] for one in chosen], [one[1] for one in chosen])


async def counted_elsewhere(connection: AsyncConnection, school_ids: Iterable[int]) -> frozenset[tuple[int, str]]:
    """The pupils of these schools who count at another enrolment, by school and key."""
    statement = "SELECT school_id, key FROM counted_elsewhere WHERE school_id = ANY($1::bigint[])"
    return frozenset((row[0], row[1]) for row in await fetch(connection, statement, list(school_ids)))


async def person_of(connection: AsyncConnection, identity: Identity) -> int | None:
    """Whose a record is; None: it is not linked, or never was."""
    statement = "SELECT root_id FROM person_record WHERE school_id = $1 AND type = $2 AND key = $3"
    found = await fetch(connection, statement, *identity)
    return int(found[0][0]) if found else None


async def root_of(connection: AsyncConnection, person_id: int) -> int | None:
    """Who a person is after all merges; None: there are no records of such a person."""
    statement = "SELECT root_id FROM person_record WHERE person_id = $1 OR root_id = $1 LIMIT 1"
    found = await fetch(connection, statement, person_id)
    return int(found[0][0]) if found else None


async def persons_held(
    connection: AsyncConnection, persons: Collection[int], *, withheld: bool
) -> dict[int, list[Held]]:
    """The records of persons, by person, the newest school year first; one that is unknown is missing.

    What is restricted is left out unless `withheld`.
    """
    held: dict[int, list[Held]] = {}
    for row in await fetch(connection, _HELD_BY, list(persons), withheld):
        held.setdefault(row[0], []).append(Held(*row))
    return held


async def merges_of(connection: AsyncConnection, persons: Collection[int]) -> dict[int, list[Merge]]:
    """The merges in force that made persons, by person, the newest first."""
    merges: dict[int, list[Merge]] = {}
    for root, *values in await fetch(connection, _MERGES_OF, list(persons)):
        merges.setdefault(root, []).append(Merge(*values))
    return merges


async def merge_known(connection: AsyncConnection, kept: int, gone: int, *, reason: str, by: str) -> int | None:
    """The merge in force that the same person made for the same reason, as when a request comes again."""
    found = await fetch(connection, _MERGE_KNOWN, kept, gone, reason, by)
    return int(found[0][0]) if found else None


async def merged_pair(connection: AsyncConnection, merge_id: int) -> MergedPair | None:
    """The two persons of a merge, and who has undone it and why, if somebody has; None: there is no such merge."""
    found = await fetch(connection, _MERGED_PAIR, merge_id)
    return MergedPair(*found[0]) if found else None


async def pairs_page(
    connection: AsyncConnection, school_ids: Collection[int], *, after: tuple[int, int], most: int
) -> list[tuple[int, int, list[str]]]:
    """Pairs of persons of whom at least one has a record in these schools, in order."""
    statement = _PAIRS_OF_FEW if len(school_ids) <= FEW_SCHOOLS else _PAIRS
    return [(row[0], row[1], row[2]) for row in await fetch(connection, statement, list(school_ids), *after, most)]


async def conflicts_page(
    connection: AsyncConnection, school_ids: Collection[int], *, school_year: int, after: tuple[int, int], most: int
) -> list[tuple[int, int]]:
    """Persons with several main enrolments in a school year (0: any), one of them in these schools; in order."""
    found = await fetch(connection, _CONFLICTS, list(school_ids), school_year, *after, most)
    return [(row[0], row[1]) for row in found]


_WANTED: Final = Wanted(None, tuple(spec.number for spec in PERSONS))
_SAYS: Final = {
    spec.number: f"held.school_id, {spec.number}, held.key, held.deleted, held.school_year, held.status, {secondary},"
    f" held.search_name, held.birth_date, held.sex, coalesce(held.further->>'{MOTHER}', ''), held.personal_id, {code}"
    for spec, secondary, code in ((PUPIL, "held.secondary", "held.ministry_code"), (STAFF_MEMBER, "NULL", "''"))
}
_SAID: Final = {
    spec.number: f"""
SELECT feed.position, {_SAYS[spec.number]}
FROM feed JOIN {spec.field} AS held ON held.school_id = feed.school_id AND held.key = feed.key
WHERE feed.type = {spec.number} AND feed.position > $1 AND feed.position <= $2
"""  # noqa: S608 (names of our own)
    for spec in PERSONS
}
_SAID_OF_PUPILS: Final = f"""
SELECT {_SAYS[PUPIL.number]} FROM pupil AS held JOIN {unnested(("bigint", "text"))} AS given(school_id, key)
    ON held.school_id = given.school_id AND held.key = given.key COLLATE "C"
"""  # noqa: S608 (names of our own)
_TAKE_TURN: Final = "SELECT position FROM person_cursor FOR UPDATE"

_IDENTITY: Final = ("bigint", "smallint", "text")
_NAMESAKE: Final = ("bigint", "smallint", "date", "text")
# A `Traits`, the person and the rule.
_LINKED: Final = (
    *_IDENTITY, "boolean", "integer", "boolean", "boolean", "text", "date", "text", "text", "text", "text", "bigint",
    "text",
)  # fmt: skip

_BESIDE: Final = f"""
SELECT {_OF}, held.root_id FROM {unnested(_IDENTITY)} AS given(school_id, type, key)
    JOIN person_record AS held USING (school_id, type, key)
UNION ALL
SELECT {_OF}, held.root_id FROM person_record AS held WHERE personal_id = ANY($4::text[]) AND personal_id <> ''
UNION ALL
SELECT {_OF}, held.root_id FROM person_record AS held WHERE ministry_code = ANY($5::text[]) AND ministry_code <> ''
UNION ALL
SELECT {_OF}, held.root_id
FROM (SELECT DISTINCT * FROM {unnested(_NAMESAKE, first=6)}
    AS namesake(school_id, type, birth_date, name)) AS given
    JOIN person_record AS held ON held.birth_date = given.birth_date AND held.name = given.name
        AND held.school_id = given.school_id AND held.type = given.type
UNION ALL
SELECT {_OF}, held.root_id FROM {unnested(_IDENTITY)} AS given(school_id, type, key)
    JOIN person_record AS ended USING (school_id, type, key) JOIN person_record AS held USING (root_id)
WHERE ended.deleted AND NOT held.deleted
"""  # noqa: S608 (names of our own)

_FELLOWS: Final = f"""
SELECT {_OF}, held.root_id FROM {unnested(_IDENTITY)} AS given(school_id, type, key)
    JOIN person_record AS mine USING (school_id, type, key) JOIN person_record AS held USING (root_id)
WHERE NOT held.deleted
"""  # noqa: S608 (names of our own)

_KEEP: Final = f"""
INSERT INTO person_record AS held ({_TRAITS}, person_id, root_id, rule, link_time)
SELECT {_TRAITS}, person_id, person_id, rule, $16
FROM {unnested(_LINKED)}
    AS given({_TRAITS}, person_id, rule)
ON CONFLICT (school_id, type, key) DO UPDATE SET
    ({", ".join(Traits._fields[3:])}) = ROW({", ".join(f"excluded.{name}" for name in Traits._fields[3:])}),
    (person_id, root_id, rule, link_time) = (
        SELECT {", ".join(f"CASE excluded.rule WHEN '' THEN held.{name} ELSE excluded.{name} END" for name in _LINK)})
"""  # noqa: S608
# Who goes on under another key has been known as long as under the old one.
_KEPT_KNOWN: Final = f"""
UPDATE person_record AS held SET link_time = before.link_time
FROM record_rename AS renamed JOIN person_record AS before
    ON before.school_id = renamed.school_id AND before.type = renamed.type AND before.key = renamed.previous_key
WHERE held.school_id = renamed.school_id AND held.type = renamed.type AND held.key = renamed.key
    AND held.rule = 'RENAMED' AND held.root_id = before.root_id AND before.link_time < held.link_time
    AND (held.school_id, held.type, held.key) IN (SELECT * FROM {unnested(_IDENTITY)})
"""  # noqa: S608

# Two records speak for one person when they have an id in common, or name and birth with nothing to contradict it. It
# is certain when id, name and birth agree, and a person has not decided otherwise.
_CONTRADICT: Final = """(
    (one.personal_id <> '' AND other.personal_id <> '' AND one.personal_id <> other.personal_id)
    OR (one.ministry_code <> '' AND other.ministry_code <> '' AND one.ministry_code <> other.ministry_code)
    OR (one.sex = '1' AND other.sex = '2') OR (one.sex = '2' AND other.sex = '1'))"""
_SAME: Final = f"(one.name = other.name AND one.birth_date = other.birth_date AND NOT {_CONTRADICT})"
_SUSPECT: Final = f"""
WITH speaking AS (
    SELECT one.root_id AS this, other.root_id AS that, 'SAME_PERSONAL_ID' AS reason, {_SAME} AS certain
    FROM person_record AS one JOIN person_record AS other
        ON other.personal_id = one.personal_id AND other.personal_id <> '' AND other.root_id <> one.root_id
    WHERE one.root_id = ANY($1) AND NOT one.deleted AND NOT other.deleted
    UNION ALL
    SELECT one.root_id, other.root_id, 'SAME_MINISTRY_CODE', {_SAME}
    FROM person_record AS one JOIN person_record AS other
        ON other.ministry_code = one.ministry_code AND other.ministry_code <> '' AND other.root_id <> one.root_id
    WHERE one.root_id = ANY($1) AND NOT one.deleted AND NOT other.deleted
    UNION ALL
    SELECT one.root_id, other.root_id, said.reason, false
    FROM person_record AS one JOIN person_record AS other
        ON other.birth_date = one.birth_date AND other.name = one.name AND other.type = one.type
            AND other.root_id <> one.root_id
    CROSS JOIN LATERAL (
        SELECT 'SAME_NAME_AND_BIRTH'
        UNION ALL SELECT 'SAME_MOTHER' WHERE one.mother <> '' AND one.mother = other.mother
    ) AS said(reason)
    WHERE one.root_id = ANY($1) AND NOT one.deleted AND NOT other.deleted AND NOT {_CONTRADICT}
), found AS (
    SELECT least(this, that) AS person_a, greatest(this, that) AS person_b,
        array_agg(DISTINCT reason ORDER BY reason) AS reasons, bool_or(certain) AS certain
    FROM speaking GROUP BY 1, 2
), undecided AS (
    -- A decision stays on the persons it was made of, and holds for whoever these are after merges.
    SELECT found.* FROM found WHERE NOT EXISTS (
        SELECT FROM person_record AS one
            JOIN person_distinct AS decided ON decided.person_a = one.person_id
            JOIN person_record AS other ON other.person_id = decided.person_b
        WHERE (one.root_id = found.person_a AND other.root_id = found.person_b)
            OR (one.root_id = found.person_b AND other.root_id = found.person_a))
), kept AS (
    INSERT INTO person_pair (person_a, person_b, reasons) SELECT person_a, person_b, reasons FROM undecided
    ON CONFLICT (person_a, person_b) DO UPDATE SET reasons = excluded.reasons
)
SELECT person_a, person_b, certain FROM undecided ORDER BY person_a, person_b
"""  # noqa: S608

_MERGE: Final = (
    "INSERT INTO person_merge (kept_id, gone_id, reason, merged_by, merge_time) VALUES ($1, $2, $3, $4, $5)"
    " RETURNING merge_id"
)
_UNDO: Final = (
    "UPDATE person_merge SET undo_time = $4, undone_by = $3, undo_reason = $2"
    " WHERE merge_id = $1 AND undo_time IS NULL RETURNING gone_id"
)
# Persons that had been merged into the one who is parted go with it.
_PART: Final = """
WITH RECURSIVE parted AS (
    SELECT $1::bigint AS person_id
    UNION
    SELECT person_merge.gone_id FROM person_merge JOIN parted ON person_merge.kept_id = parted.person_id
    WHERE person_merge.undo_time IS NULL
)
UPDATE person_record SET root_id = $1 FROM parted WHERE person_record.person_id = parted.person_id
"""
_KEEP_APART: Final = (
    "INSERT INTO person_distinct (person_a, person_b, reason, decide_time, decided_by) VALUES ($1, $2, $3, $4, $5)"
    " ON CONFLICT (person_a, person_b) DO UPDATE SET reason = excluded.reason, decide_time = excluded.decide_time,"
    " decided_by = excluded.decided_by"
)

_KEPT_APART: Final = """
SELECT FROM person_record AS one
    JOIN person_distinct AS decided ON one.person_id IN (decided.person_a, decided.person_b)
    JOIN person_record AS other ON other.person_id IN (decided.person_a, decided.person_b)
WHERE one.root_id = $1 AND other.root_id = $2 LIMIT 1
"""

# Of the enrolments of one person in one school year one counts: one that counts in a locked place before all, so that
# what is closed does not change, then a main one before a secondary one, then one the person was not handed over from,
# then the first. What is locked stays as it is. Who was handed over and back again counts where he or she went last.
_MISCOUNTED: Final = f"""
WITH placed AS (
    SELECT held.*, noted.school_id IS NOT NULL AS noted, EXISTS (
        SELECT FROM lock WHERE lock.school_id = held.school_id AND lock.collection = 'pupils'
            AND lock.school_year = held.school_year AND lock.lift_time IS NULL
    ) AS locked, EXISTS (
        SELECT FROM transfer AS given WHERE given.releasing_id = held.school_id AND given.pupil_key = held.key
            AND given.state IN ('released', 'placed') AND NOT EXISTS (
                SELECT FROM transfer AS back JOIN person_record AS fellow
                    ON fellow.school_id = back.releasing_id AND fellow.key = back.pupil_key AND fellow.type = held.type
                WHERE back.receiving_id = held.school_id AND back.transfer_id > given.transfer_id
                    AND back.school_year = held.school_year AND back.state IN ('released', 'placed')
                    AND fellow.root_id = held.root_id)
    ) AS left_it
    FROM person_record AS held LEFT JOIN counted_elsewhere AS noted USING (school_id, key)
    WHERE held.type = {PUPIL.number} AND held.root_id = ANY($1::bigint[])
), ranked AS (
    SELECT school_id, key, locked, noted, in_stock AND NOT deleted AND row_number() OVER (
        PARTITION BY root_id, school_year
        ORDER BY deleted OR NOT in_stock, locked AND NOT noted DESC, secondary, left_it, link_time, school_id, key
    ) > 1 AS elsewhere
    FROM placed
)
SELECT school_id, key, NOT elsewhere FROM ranked WHERE elsewhere <> noted AND NOT locked
"""  # noqa: S608
_COUNT_ELSEWHERE: Final = (
    "INSERT INTO counted_elsewhere (school_id, key) SELECT * FROM unnest($1::bigint[], $2::text[])"
    " ON CONFLICT DO NOTHING"
)
_COUNT_HERE: Final = (
    "DELETE FROM counted_elsewhere AS noted USING unnest($1::bigint[], $2::text[]) AS given(school_id, key)"
    ' WHERE noted.school_id = given.school_id AND noted.key = given.key COLLATE "C"'
)

_HELD_BY: Final = """
SELECT held.root_id, held.school_id, held.type, held.key, held.deleted, held.school_year, held.in_stock,
    held.secondary, held.rule, held.in_stock AND noted.school_id IS NOT NULL
FROM person_record AS held LEFT JOIN counted_elsewhere AS noted USING (school_id, key)
WHERE held.root_id = ANY($1::bigint[]) AND ($2 OR NOT EXISTS (
    SELECT FROM restricted_record AS restricted
    WHERE (restricted.school_id, restricted.type, restricted.key) = (held.school_id, held.type, held.key)))
ORDER BY held.root_id, held.school_year DESC, 10, held.link_time, held.school_id, held.type, held.key
"""
_MERGES_OF: Final = """
WITH RECURSIVE merged AS (
    SELECT kept_id AS root, person_merge.* FROM person_merge WHERE kept_id = ANY($1::bigint[]) AND undo_time IS NULL
    UNION
    SELECT merged.root, person_merge.* FROM person_merge JOIN merged ON person_merge.kept_id = merged.gone_id
    WHERE person_merge.undo_time IS NULL
)
SELECT root, merge_id, kept_id, gone_id, reason, merge_time, merged_by FROM merged ORDER BY root, merge_id DESC
"""
_PAIRS: Final = """
SELECT person_a, person_b, reasons FROM person_pair AS pair
WHERE (person_a, person_b) > ($2, $3) AND EXISTS (
    SELECT FROM person_record WHERE root_id IN (pair.person_a, pair.person_b) AND school_id = ANY($1::bigint[]))
ORDER BY person_a, person_b LIMIT $4
"""
_PAIRS_OF_FEW: Final = """
WITH here AS (SELECT DISTINCT root_id FROM person_record WHERE school_id = ANY($1::bigint[]))
SELECT person_a, person_b, reasons FROM (
    SELECT person_pair.* FROM here JOIN person_pair ON person_a = root_id
    UNION
    SELECT person_pair.* FROM here JOIN person_pair ON person_b = root_id
) AS pair
WHERE (person_a, person_b) > ($2, $3) ORDER BY person_a, person_b LIMIT $4
"""
_MERGE_KNOWN: Final = (
    "SELECT merge_id FROM person_merge"
    " WHERE kept_id = $1 AND gone_id = $2 AND reason = $3 AND merged_by = $4 AND undo_time IS NULL"
)
_MERGED_PAIR: Final = "SELECT kept_id, gone_id, undone_by, undo_reason FROM person_merge WHERE merge_id = $1"
# Several enrolments that count or would: beside the one that counts there is a main one that does not.
_CONFLICTS: Final = f"""
SELECT DISTINCT surplus.root_id, surplus.school_year
FROM counted_elsewhere AS noted JOIN person_record AS surplus USING (school_id, key)
WHERE surplus.type = {PUPIL.number} AND NOT surplus.secondary AND ($2 = 0 OR surplus.school_year = $2)
    AND (surplus.root_id, surplus.school_year) > ($3, $4) AND EXISTS (
        SELECT FROM person_record AS fellow WHERE fellow.root_id = surplus.root_id AND fellow.type = surplus.type
            AND fellow.school_year = surplus.school_year AND fellow.in_stock AND fellow.school_id = ANY($1::bigint[]))
ORDER BY 1, 2 LIMIT $5
"""  # noqa: S608
