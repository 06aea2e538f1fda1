"""Queries on facts. Each row kept, claimed or locked is held until the transaction ends."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import given_rows
from services.alerts.domain import Fact
from services.alerts.store.tables import INSTANT, fact_table

_as_json = json.JSONEncoder(ensure_ascii=False).encode  # Made once: `json.dumps` makes one a call.
_FACT_COLUMNS = ("kind", "unit_id", "subject", "version", "values", "baseline", "since")


async def keep_facts(
    connection: AsyncConnection, facts: Sequence[Fact], due_times: Sequence[datetime | None]
) -> set[tuple[int, str, str]]:
    """Keep facts that are newer than what is known, in key order; returns the keys of those that were.

    Each row kept stays locked until the transaction ends, so that nobody else decides about its alerts meanwhile.
    """
    given = given_rows(
        {
            "unit_id": (sa.BigInteger(), [fact.unit_id for fact in facts]),
            "kind": (sa.Text(), [fact.kind for fact in facts]),
            "subject": (sa.Text(), [fact.subject for fact in facts]),
            "version": (sa.BigInteger(), [fact.version for fact in facts]),
            "values": (sa.Text(), [_as_json(fact.values) for fact in facts]),
            "baseline": (sa.Boolean(), [fact.baseline for fact in facts]),
            "since": (INSTANT, [fact.since for fact in facts]),
            "due_time": (INSTANT, due_times),
        }
    )
    table, names = fact_table.c, list(given.c.keys())
    rows = sa.select(*(sa.cast(column, JSONB) if name == "values" else column for name, column in given.c.items()))
    insert = upsert(fact_table).from_select(names, rows)
    kept = await connection.execute(
        insert.on_conflict_do_update(
            index_elements=[table.unit_id, table.kind, table.subject],
            set_={name: insert.excluded[name] for name in names},
            where=table.version < insert.excluded.version,
        ).returning(table.unit_id, table.kind, table.subject)
    )
    return {(unit_id, kind, subject) for unit_id, kind, subject in kept}


async def claim_due_facts(connection: AsyncConnection, *, now: datetime, limit: int) -> list[Fact]:
    """Lock facts whose time has come, longest due first; those another replica holds are left to it."""
    claimed = await connection.execute(
        sa.select(fact_table)
        .where(fact_table.c.due_time <= now)
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


async def lock_facts(
    connection: AsyncConnection, keys: Sequence[tuple[int, str, str]]
) -> dict[tuple[int, str, str], Fact]:
    """Lock the facts with these keys that there are, in key order."""
    given = given_rows(
        {
            "unit_id": (sa.BigInteger(), [unit_id for unit_id, _, _ in keys]),
            "kind": (sa.Text(), [kind for _, kind, _ in keys]),
            "subject": (sa.Text(), [subject for _, _, subject in keys]),
        }
    )
    names = ("unit_id", "kind", "subject")
    chosen = sa.select(fact_table).join(given, sa.and_(*(fact_table.c[name] == given.c[name] for name in names)))
    ordered = chosen.order_by(*(fact_table.c[name] for name in names)).with_for_update(of=fact_table)
    facts = [_fact(row) for row in (await connection.execute(ordered)).mappings()]
    return {fact.key: fact for fact in facts}


def _fact(row: Mapping[Any, Any]) -> Fact:
    return Fact(**{name: row[name] for name in _FACT_COLUMNS})
