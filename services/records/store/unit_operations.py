"""Operations on units: what they change stored in one go, and themselves kept for ever, by request and by unit."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.differences import Difference
from services.records.store.spans import to_range
from services.records.store.tables import (
    unit,
    unit_code,
    unit_edge,
    unit_name,
    unit_operation,
    unit_operation_unit,
)
from services.records.store.units import add_units


@dataclass(frozen=True, slots=True)
class Recorded:
    """An operation to keep, with the units it touched."""

    operation_id: int
    request_id: str
    digest: bytes
    effective_date: date
    operation: bytes
    response: bytes
    unit_ids: Collection[int]


async def answered(connection: AsyncConnection, request_id: str) -> tuple[bytes, bytes] | None:
    """Digest and answer of the operation that came under a request id."""
    query = sa.select(unit_operation.c.digest, unit_operation.c.response).where(
        unit_operation.c.request_id == request_id
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else (row.digest, row.response)


async def next_operation_id(connection: AsyncConnection) -> int:
    """A fresh id."""
    return int((await connection.execute(sa.text("SELECT nextval('unit_operation_id')"))).scalar_one())


async def store_difference(connection: AsyncConnection, difference: Difference) -> None:
    """Store what an operation changes. What goes, goes first, so that nothing overlaps or outlives its unit."""
    for table, facts in (
        (unit_name, difference.names),
        (unit_code, difference.codes),
        (unit_edge, difference.edges),
    ):
        rows = [{"gone_id": unit_id, "gone": to_range(fact.span), **_told_apart(fact)} for unit_id, fact in facts]
        await _remove(connection, table, rows)
    if difference.lives:
        shorter = sa.update(unit).where(unit.c.unit_id == sa.bindparam("ended_id")).values(valid=sa.bindparam("valid"))
        lives = [{"ended_id": unit_id, "valid": to_range(span)} for unit_id, span in difference.lives.items()]
        await connection.execute(shorter, lives)
    await add_units(connection, difference.added)


async def keep(connection: AsyncConnection, recorded: Recorded, *, created_by: str, now: datetime) -> None:
    """Keep an operation."""
    values = {
        "operation_id": recorded.operation_id,
        "request_id": recorded.request_id,
        "digest": recorded.digest,
        "effective_date": recorded.effective_date,
        "operation": recorded.operation,
        "response": recorded.response,
        "create_time": now,
        "created_by": created_by,
    }
    await connection.execute(sa.insert(unit_operation).values(values))
    rows = [{"unit_id": unit_id, "operation_id": recorded.operation_id} for unit_id in sorted(recorded.unit_ids)]
    await connection.execute(sa.insert(unit_operation_unit), rows)


async def operations_of(
    connection: AsyncConnection, unit_id: int, *, recursive: bool, before: int | None, most: int
) -> Sequence[tuple[int, bytes]]:
    """Id and content of the operations that touched a unit, or one that lay below it at that time; newest first."""
    rows = await connection.execute(_BELOW if recursive else _OWN, {"unit_id": unit_id, "before": before, "most": most})
    return [(operation_id, operation) for operation_id, operation in rows]


_OWN = sa.text(
    "SELECT operation_id, operation FROM unit_operation_unit JOIN unit_operation USING (operation_id)"
    " WHERE unit_id = :unit_id AND (CAST(:before AS bigint) IS NULL OR operation_id < CAST(:before AS bigint))"
    " ORDER BY operation_id DESC LIMIT :most"
)
# Each unit below is taken with the days on which it lay there; an operation counts on its day and the day before,
# since what it ends is there no more on the day itself.
_BELOW = sa.text(
    "WITH RECURSIVE below AS ("
    " SELECT CAST(:unit_id AS bigint) AS unit_id, CAST('(,)' AS daterange) AS valid"
    " UNION SELECT edge.unit_id, edge.valid * below.valid FROM below JOIN unit_edge AS edge"
    " ON edge.parent_id = below.unit_id AND edge.type = 'administrative' AND edge.valid && below.valid)"
    " SELECT operation_id, operation FROM unit_operation AS one"
    " WHERE (CAST(:before AS bigint) IS NULL OR operation_id < CAST(:before AS bigint)) AND EXISTS ("
    " SELECT FROM unit_operation_unit AS touched JOIN below ON below.unit_id = touched.unit_id"
    " WHERE touched.operation_id = one.operation_id"
    " AND below.valid && daterange(one.effective_date - 1, one.effective_date, '[]'))"
    " ORDER BY operation_id DESC LIMIT :most"
)


def _told_apart(fact: object) -> dict[str, str]:
    """What tells facts of one unit and one span apart."""
    return {name: getattr(fact, name) for name in ("system", "type") if hasattr(fact, name)}


async def _remove(connection: AsyncConnection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    query = sa.delete(table).where(
        table.c.unit_id == sa.bindparam("gone_id"), table.c.valid == sa.bindparam("gone", type_=table.c.valid.type)
    )
    for name in ("system", "type"):
        if name in rows[0]:
            query = query.where(table.c[name] == sa.bindparam(name))
    await connection.execute(query, rows)
