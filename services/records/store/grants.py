"""Role grants: given, listed, revoked; never removed, so that it can be asked who could do what when."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.grants import EVERY_UNIT, Grant, GrantDraft, Moved
from services.records.domain.spans import Span
from services.records.store.spans import to_range, to_span
from services.records.store.tables import role_grant


async def standing_grant(connection: AsyncConnection, draft: GrantDraft) -> Grant | None:
    """The grant that already gives all of this and is not revoked; the oldest of several."""
    query = (
        _grants()
        .where(
            role_grant.c.subject == draft.subject,
            role_grant.c.role == draft.role,
            role_grant.c.unit_id.is_not_distinct_from(draft.unit_id or None),
            role_grant.c.edge_type == draft.edge_type,
            role_grant.c.revoke_time.is_(None),
            role_grant.c.valid.op("@>", is_comparison=True)(sa.cast(to_range(draft.span), role_grant.c.valid.type)),
        )
        .order_by(role_grant.c.grant_id)
        .limit(1)
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _grant(row)


async def add_grant(
    connection: AsyncConnection, draft: GrantDraft, *, created_by: str, now: datetime, moved: Moved | None = None
) -> Grant:
    """Store a grant."""
    values = {
        "subject": draft.subject,
        "role": draft.role,
        "unit_id": draft.unit_id or None,
        "edge_type": draft.edge_type,
        "valid": to_range(draft.span),
        "create_time": now,
        "created_by": created_by,
        "provenance": moved.provenance if moved else "",
        "moved_from": moved.moved_from if moved else None,
        "operation_id": moved.operation_id if moved else None,
    }
    query = sa.insert(role_grant).values(values).returning(*role_grant.c)
    return _grant((await connection.execute(query)).one())


async def grants_after(connection: AsyncConnection, unit_ids: Collection[int], day: date) -> list[Grant]:
    """Grants on these units that are not revoked and would count on a day or later, by id."""
    query = (
        _grants()
        .where(role_grant.c.unit_id.in_(unit_ids), role_grant.c.revoke_time.is_(None))
        .order_by(role_grant.c.grant_id)
    )
    return [grant for grant in map(_grant, await connection.execute(query)) if grant.stands(day)]


async def shorten_grant(connection: AsyncConnection, grant_id: int, span: Span) -> None:
    """Let a grant end sooner."""
    query = role_grant.update().where(role_grant.c.grant_id == grant_id).values(valid=to_range(span))
    await connection.execute(query)


async def get_grant(connection: AsyncConnection, grant_id: int) -> Grant | None:
    """A grant, locked against others who would revoke it."""
    query = _grants().where(role_grant.c.grant_id == grant_id).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _grant(row)


async def revoke_grant(connection: AsyncConnection, grant_id: int, *, revoked_by: str, now: datetime) -> Grant:
    """End a grant now."""
    query = (
        role_grant.update()
        .where(role_grant.c.grant_id == grant_id)
        .values(revoke_time=now, revoked_by=revoked_by)
        .returning(*role_grant.c)
    )
    return _grant((await connection.execute(query)).one())


async def grants_on(connection: AsyncConnection, unit_ids: Collection[int], *, after: int, most: int) -> list[Grant]:
    """Grants on these units, revoked ones included, by id."""
    query = (
        _grants()
        .where(
            sa.func.coalesce(role_grant.c.unit_id, EVERY_UNIT)
            == sa.any_(sa.cast(list(unit_ids), sa.ARRAY(sa.BigInteger))),
            role_grant.c.grant_id > after,
        )
        .order_by(role_grant.c.grant_id)
        .limit(most)
    )
    return [_grant(row) for row in await connection.execute(query)]


async def load_grants(connection: AsyncConnection, day: date) -> list[Grant]:
    """Every grant that stands on a day or later."""
    query = _grants().where(role_grant.c.revoke_time.is_(None)).order_by(role_grant.c.grant_id)
    return [grant for grant in map(_grant, await connection.execute(query)) if grant.stands(day)]


def _grants() -> "sa.Select[Any]":
    return sa.select(*role_grant.c)


def _grant(row: Any) -> Grant:
    return Grant(
        grant_id=row.grant_id,
        subject=row.subject,
        role=row.role,
        unit_id=row.unit_id or EVERY_UNIT,
        edge_type=row.edge_type,
        span=to_span(row.valid),
        create_time=row.create_time,
        created_by=row.created_by,
        revoke_time=row.revoke_time,
        provenance=row.provenance,
        moved_from=row.moved_from or 0,
        operation_id=row.operation_id or 0,
    )
