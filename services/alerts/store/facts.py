"""Queries on facts. Each row kept, claimed or locked is held until the transaction ends."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.clock import VIETNAM, vietnam_day
from chassis.database import given_rows
from services.alerts.domain import KINDS, PUPIL, SCHOOL_YEAR, SHAPES, Fact, Scalar
from services.alerts.domain.shapes import CLASS_NAME
from services.alerts.store.alerts import bigints
from services.alerts.store.tables import INSTANT, fact_table, history_table

_as_json = json.JSONEncoder(ensure_ascii=False).encode  # Made once: `json.dumps` makes one a call.
_FACT_COLUMNS = ("kind", "unit_id", "subject", "version", "values", "baseline", "since", "look_time")


async def keep_facts(
    connection: AsyncConnection, facts: Sequence[Fact], due_times: Sequence[datetime | None], *, now: datetime
) -> set[tuple[int, str, str]]:
    """Keep facts that are newer than what is known, in key order; returns the keys of those that were.

    Each row kept stays locked until the transaction ends, so that nobody else decides about its alerts meanwhile. What
    it was on an earlier day goes into the history first: the last state of each day, however often it changes.
    """
    versions: dict[str, tuple[Any, Sequence[Any]]] = {
        "unit_id": (sa.BigInteger(), [fact.unit_id for fact in facts]),
        "kind": (sa.Text(), [fact.kind for fact in facts]),
        "subject": (sa.Text(), [fact.subject for fact in facts]),
        "version": (sa.BigInteger(), [fact.version for fact in facts]),
    }
    states: dict[str, tuple[Any, Sequence[Any]]] = {
        "values": (sa.Text(), [_as_json(fact.values) for fact in facts]),
        "baseline": (sa.Boolean(), [fact.baseline for fact in facts]),
        "since": (INSTANT, [fact.since for fact in facts]),
        "due_time": (INSTANT, due_times),
        "look_time": (INSTANT, [fact.look_time for fact in facts]),
    }
    await connection.execute(_archive(given_rows(versions), now))
    given = given_rows(versions | states)
    columns = [sa.cast(column, JSONB) if name == "values" else column for name, column in given.c.items()]
    table, names = fact_table.c, [*given.c.keys(), "change_time"]
    insert = upsert(fact_table).from_select(names, sa.select(*columns, sa.literal(now, INSTANT)))
    kept = await connection.execute(
        insert.on_conflict_do_update(
            index_elements=[table.unit_id, table.kind, table.subject],
            set_={name: insert.excluded[name] for name in names},
            where=table.version < insert.excluded.version,
        ).returning(table.unit_id, table.kind, table.subject)
    )
    return {(unit_id, kind, subject) for unit_id, kind, subject in kept}


def _archive(given: sa.TableValuedAlias, now: datetime) -> sa.Insert:
    """Copies into the history what is about to be replaced and did not come to be known today."""
    table, day = fact_table.c, vietnam_day(now)
    begins = datetime.combine(day, time.min, VIETNAM)
    names = ["unit_id", "kind", "subject", "from_time", "to_time", "values", "since"]
    replaced = sa.select(
        table.unit_id,
        table.kind,
        table.subject,
        table.change_time,
        sa.literal(now, INSTANT),
        table["values"],
        table.since,
    ).join(given, sa.and_(*(table[name] == given.c[name] for name in ("unit_id", "kind", "subject"))))
    replaced = replaced.where(table.change_time < begins, table.version < given.c.version)
    return upsert(history_table).from_select(names, replaced).on_conflict_do_nothing()


async def next_versions(connection: AsyncConnection) -> int:
    """A version above all before it, for facts made here; take it after the locks that order their making."""
    return int(await connection.scalar(sa.text("SELECT nextval('fact_version')")) or 0)


async def renew_facts(connection: AsyncConnection, facts: Sequence[Fact]) -> None:
    """Write the values of facts that are held and were made anew."""
    given = given_rows(
        {
            "unit_id": (sa.BigInteger(), [fact.unit_id for fact in facts]),
            "kind": (sa.Text(), [fact.kind for fact in facts]),
            "subject": (sa.Text(), [fact.subject for fact in facts]),
            "values": (sa.Text(), [_as_json(fact.values) for fact in facts]),
            "look_time": (INSTANT, [fact.look_time for fact in facts]),
        }
    )
    same = (fact_table.c[name] == given.c[name] for name in ("unit_id", "kind", "subject"))
    changed = {"values": sa.cast(given.c["values"], JSONB), "look_time": given.c.look_time}
    await connection.execute(sa.update(fact_table).values(changed).where(*same))


async def drop_fact(connection: AsyncConnection, key: tuple[int, str, str]) -> None:
    """Forget a fact whose thing goes on under another name."""
    unit_id, kind, subject = key
    table = fact_table.c
    gone = sa.delete(fact_table).where(table.unit_id == unit_id, table.kind == kind, table.subject == subject)
    await connection.execute(gone)


async def facts_of(
    connection: AsyncConnection, kind: str, unit_ids: Iterable[int], *, after: tuple[int, str], limit: int
) -> list[Fact]:
    """Facts of a kind on these units, in the order of unit and subject, from the one behind `after`."""
    table = fact_table.c
    chosen = sa.select(fact_table).where(table.kind == kind, sa.tuple_(table.unit_id, table.subject) > after)
    chosen = chosen.where(table.unit_id == sa.any_(bigints("unit_ids", unit_ids)))
    rows = await connection.execute(chosen.order_by(table.unit_id, table.subject).limit(limit))
    return [_fact(row) for row in rows.mappings()]


async def facts_on(connection: AsyncConnection, kind: str, unit_ids: Iterable[int]) -> dict[tuple[int, str], Fact]:
    """All facts of a kind on these units, by unit and subject."""
    table = fact_table.c
    chosen = sa.select(fact_table).where(table.kind == kind, table.unit_id == sa.any_(bigints("unit_ids", unit_ids)))
    facts = [_fact(row) for row in (await connection.execute(chosen)).mappings()]
    return {(fact.unit_id, fact.subject): fact for fact in facts}


async def signs_in_year(connection: AsyncConnection, school_id: int, school_year: int) -> list[Mapping[str, Scalar]]:
    """Of a school's pupils in stock in a school year, the fields of those with any sign."""
    table, values = fact_table.c, fact_table.c["values"]
    chosen = sa.select(values).where(table.unit_id == school_id, table.kind == PUPIL)
    chosen = chosen.where(values.contains({SCHOOL_YEAR: school_year, "in_stock": True}))
    signs = sa.func.coalesce(values["flag_count"].as_integer(), 0)
    return list(await connection.scalars(chosen.where(signs > 0)))


async def history_of(
    connection: AsyncConnection, kind: str, keys: Sequence[tuple[int, str]], *, since: datetime
) -> list[tuple[int, str, datetime, datetime | None, Mapping[str, Scalar], datetime | None]]:
    """What facts were from an instant on: (unit, subject, from, to, values, silent since), each fact's in order.

    The present state comes last and has no end.
    """
    rows = await connection.execute(
        _HISTORY,
        {"kind": kind, "units": [unit for unit, _ in keys], "subjects": [one for _, one in keys], "since": since},
    )
    return [tuple(row) for row in rows]


async def prune_facts(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Forget, of what facts were, at most `limit` states that ended before an instant; says how many."""
    return (await connection.execute(_PRUNE, {"before": before, "limit": limit})).rowcount


async def prune_past_years(connection: AsyncConnection, *, school_year: int, before: datetime, limit: int) -> int:
    """Forget at most `limit` facts on pupils of years before one that stand since before an instant; says how many.

    One with an alert that is not resolved stays, and so does one that another replica holds.
    """
    given = {"kind": PUPIL, "year": school_year, "before": before, "limit": limit}
    return (await connection.execute(_PRUNE_YEARS, given)).rowcount


async def claim_due_facts(connection: AsyncConnection, *, now: datetime, limit: int) -> list[Fact]:
    """Lock facts whose time has come, longest due first; those another replica holds are left to it.

    Kinds that this version does not know are those of another, and are left alone.
    """
    claimed = await connection.execute(
        sa.select(fact_table)
        .where(fact_table.c.due_time <= now, fact_table.c.kind.in_(sorted(KINDS)))
        .order_by(fact_table.c.due_time)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [_fact(row) for row in claimed.mappings()]


async def put_off(connection: AsyncConnection, facts: Sequence[Fact], due_times: Sequence[datetime | None]) -> None:
    """Set when claimed facts are to be looked at next."""
    given = given_rows(
        {
            "unit_id": (sa.BigInteger(), [fact.unit_id for fact in facts]),
            "kind": (sa.Text(), [fact.kind for fact in facts]),
            "subject": (sa.Text(), [fact.subject for fact in facts]),
            "due_time": (INSTANT, due_times),
        }
    )
    same = (fact_table.c[name] == given.c[name] for name in ("unit_id", "kind", "subject"))
    await connection.execute(sa.update(fact_table).values(due_time=given.c.due_time).where(*same))


async def look_at_kinds(connection: AsyncConnection, kinds: Iterable[str], *, now: datetime) -> None:
    """Let all facts of some kinds be looked at now. They are locked in key order, as everywhere."""
    await connection.execute(_LOOK_AT_KINDS, {"kinds": sorted(kinds), "now": now})


async def look_at_slice(
    connection: AsyncConnection,
    kind: str,
    unit_ids: Iterable[int] | None,
    *,
    after: tuple[int, str],
    limit: int,
    now: datetime,
) -> list[tuple[int, str]]:
    """Let at most `limit` facts of a kind be looked at now, of these units (None: of all), from the one behind `after`.

    Returns their units and subjects in order. They are locked in key order, as everywhere.
    """
    table = fact_table.c
    chosen = sa.select(table.unit_id, table.kind, table.subject)
    chosen = chosen.where(table.kind == kind, sa.tuple_(table.unit_id, table.subject) > after)
    if unit_ids is not None:
        chosen = chosen.where(table.unit_id == sa.any_(bigints("unit_ids", unit_ids)))
    chosen = chosen.order_by(table.unit_id, table.subject).limit(limit).with_for_update()
    keys = [(unit_id, subject) for unit_id, _, subject in await connection.execute(chosen)]
    if keys:
        units, subjects = zip(*keys, strict=True)
        given = {"kind": kind, "units": list(units), "subjects": list(subjects), "now": now}
        await connection.execute(_LOOK_AT_THESE, given)
    return keys


async def name_classes(
    connection: AsyncConnection, names: Mapping[tuple[int, int, str], str], *, now: datetime
) -> None:
    """Let what is known of classes, by school, school year and key, call them so, and be looked at now."""
    keys = sorted(names)
    given = {
        "units": [school_id for school_id, _, _ in keys],
        "years": [year for _, year, _ in keys],
        "classes": [key for _, _, key in keys],
        "names": [names[key] for key in keys],
        "kinds": [kind for kind, shape in SHAPES.items() if CLASS_NAME in shape],
        "now": now,
    }
    await connection.execute(_NAME_CLASSES, given)


async def lock_facts(
    connection: AsyncConnection, keys: Sequence[tuple[int, str, str]]
) -> dict[tuple[int, str, str], Fact]:
    """Lock the facts with these keys that there are, in key order."""
    return await _by_key(connection, _with_keys(keys).with_for_update(of=fact_table))


async def known_facts(
    connection: AsyncConnection, keys: Sequence[tuple[int, str, str]]
) -> dict[tuple[int, str, str], Fact]:
    """The facts with these keys that there are, without holding them."""
    return await _by_key(connection, _with_keys(keys)) if keys else {}


async def look_at_led(connection: AsyncConnection, led: Sequence[tuple[int, str, str]], *, now: datetime) -> None:
    """Let facts be looked at now that facts which changed stand beside: (unit, kind, subject or what it begins with).

    They are locked in key order, as everywhere; who decides about them meanwhile reads what changed, or is read after.
    """
    units, kinds, subjects = zip(*led, strict=True)
    given = {"units": list(units), "kinds": list(kinds), "subjects": list(subjects), "now": now}
    await connection.execute(_LOOK_AT_LED, given)


def _with_keys(keys: Sequence[tuple[int, str, str]]) -> sa.Select[Any]:
    given = given_rows(
        {
            "unit_id": (sa.BigInteger(), [unit_id for unit_id, _, _ in keys]),
            "kind": (sa.Text(), [kind for _, kind, _ in keys]),
            "subject": (sa.Text(), [subject for _, _, subject in keys]),
        }
    )
    names = ("unit_id", "kind", "subject")
    chosen = sa.select(fact_table).join(given, sa.and_(*(fact_table.c[name] == given.c[name] for name in names)))
    return chosen.order_by(*(fact_table.c[name] for name in names))


async def _by_key(connection: AsyncConnection, chosen: sa.Select[Any]) -> dict[tuple[int, str, str], Fact]:
    facts = [_fact(row) for row in (await connection.execute(chosen)).mappings()]
    return {fact.key: fact for fact in facts}


_HISTORY = sa.text(
    "WITH given AS (SELECT * FROM"
    " unnest(CAST(:units AS bigint[]), CAST(:subjects AS text[])) AS g(unit_id, subject))"
    ' SELECT unit_id, subject, from_time, to_time, "values", since'
    " FROM fact_history JOIN given USING (unit_id, subject)"
    " WHERE kind = :kind AND to_time > :since"
    " UNION ALL"
    ' SELECT unit_id, subject, coalesce(change_time, :since), NULL, "values", since'
    " FROM fact JOIN given USING (unit_id, subject) WHERE kind = :kind"
    " ORDER BY 1, 2, 3"
).columns(
    sa.column("unit_id"),
    sa.column("subject"),
    sa.column("from_time"),
    sa.column("to_time"),
    sa.column("values", JSONB),
    sa.column("since"),
)
_LOOK_AT_KINDS = sa.text(
    "WITH held AS (SELECT unit_id, kind, subject FROM fact WHERE kind = ANY(CAST(:kinds AS text[]))"
    " ORDER BY unit_id, kind, subject FOR UPDATE)"
    " UPDATE fact SET due_time = :now FROM held"
    " WHERE (fact.unit_id, fact.kind, fact.subject) = (held.unit_id, held.kind, held.subject)"
)
_LOOK_AT_THESE = sa.text(
    "UPDATE fact SET due_time = :now FROM unnest(CAST(:units AS bigint[]), CAST(:subjects AS text[]))"
    " AS given(unit_id, subject) WHERE fact.unit_id = given.unit_id AND fact.kind = :kind"
    " AND fact.subject = given.subject"
)
_NAME_CLASSES = sa.text(
    "WITH given AS (SELECT * FROM unnest(CAST(:units AS bigint[]), CAST(:years AS int[]), CAST(:classes AS text[]),"
    " CAST(:names AS text[])) AS g(unit_id, school_year, class_key, name)),"
    " held AS (SELECT fact.unit_id, fact.kind, fact.subject, given.name FROM given JOIN fact"
    " ON fact.unit_id = given.unit_id AND fact.kind = ANY(CAST(:kinds AS text[]))"
    " AND fact.\"values\" ->> 'class_key' = given.class_key"
    " AND (fact.\"values\" ->> 'school_year')::int = given.school_year"
    " AND fact.\"values\" ->> 'class_name' IS DISTINCT FROM given.name"
    " ORDER BY fact.unit_id, fact.kind, fact.subject FOR UPDATE OF fact)"
    " UPDATE fact SET due_time = :now,"
    ' "values" = fact."values" || jsonb_build_object(\'class_name\', held.name) FROM held'
    " WHERE (fact.unit_id, fact.kind, fact.subject) = (held.unit_id, held.kind, held.subject)"
)
_LOOK_AT_LED = sa.text(
    "WITH led AS (SELECT * FROM unnest(CAST(:units AS bigint[]), CAST(:kinds AS text[]),"
    " CAST(:subjects AS text[])) AS g(unit_id, kind, subject)),"
    # Joined, since a semi-join by more than equality can only begin with all facts there are.
    " held AS (SELECT fact.unit_id, fact.kind, fact.subject FROM led JOIN fact"
    " ON fact.unit_id = led.unit_id AND fact.kind = led.kind"
    " AND (led.subject IN ('', fact.subject) OR starts_with(fact.subject, led.subject || '/'))"
    " ORDER BY fact.unit_id, fact.kind, fact.subject FOR UPDATE OF fact)"
    " UPDATE fact SET due_time = :now FROM held"
    " WHERE (fact.unit_id, fact.kind, fact.subject) = (held.unit_id, held.kind, held.subject)"
)
_PRUNE = sa.text(
    "DELETE FROM fact_history WHERE ctid = ANY(ARRAY(SELECT ctid FROM fact_history WHERE to_time < :before"
    " LIMIT :limit))"
)
_PRUNE_YEARS = sa.text(
    "DELETE FROM fact WHERE ctid = ANY(ARRAY(SELECT ctid FROM fact WHERE kind = :kind"
    " AND (\"values\" ->> 'school_year')::int < :year AND coalesce(change_time < :before, true)"
    " AND NOT EXISTS (SELECT FROM alert WHERE alert.unit_id = fact.unit_id AND alert.fact_kind = fact.kind"
    " AND alert.subject = fact.subject AND alert.state <> 3) LIMIT :limit FOR UPDATE SKIP LOCKED))"
)


def _fact(row: Mapping[Any, Any]) -> Fact:
    return Fact(**{name: row[name] for name in _FACT_COLUMNS})
