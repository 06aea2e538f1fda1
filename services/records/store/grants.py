"""Role grants: given, listed, revoked; never removed, so that it can be asked who could do what when."""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.grants import EVERY_UNIT, Grant, GrantDraft, Moved
from services.records.domain.spans import Span
from services.records.store.spans import to_range, to_span
from services.records.store.tables import delegation_term, role_grant

_DELEGATOR = role_grant.alias("delegator")
_COLUMNS: tuple[Any, ...] = (
    *role_grant.c,
    sa.select(_DELEGATOR.c.subject)
    .where(_DELEGATOR.c.grant_id == role_grant.c.delegated_from)
    .scalar_subquery()
    .label("delegated_by"),
)


async def standing_grant(connection: AsyncConnection, draft: GrantDraft) -> Grant | None:
    """The grant that already gives all of this, delegated of the same or of none, and is not revoked; the oldest."""
    query = (
        _grants()
        .where(
            role_grant.c.subject == draft.subject,
            role_grant.c.role == draft.role,
            role_grant.c.unit_id.is_not_distinct_from(draft.unit_id or None),
            role_grant.c.edge_type == draft.edge_type,
            role_grant.c.delegated_from.is_not_distinct_from(draft.delegated_from or None),
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
        "delegated_from": draft.delegated_from or None,
    }
    query = sa.insert(role_grant).values(values).returning(role_grant.c.grant_id)
    return await _known_grant(connection, (await connection.execute(query)).scalar_one())


async def grants_after(connection: AsyncConnection, unit_ids: Collection[int], day: date) -> list[Grant]:
    """Grants given on these units that are not revoked and would count on a day or later, by id."""
    return await _standing(connection, day, role_grant.c.unit_id.in_(unit_ids), role_grant.c.delegated_from.is_(None))


async def delegations_after(connection: AsyncConnection, day: date) -> list[Grant]:
    """Delegated grants that are not revoked and would count on a day or later, by id."""
    return await _standing(connection, day, role_grant.c.delegated_from.is_not(None))


async def grants_by_id(connection: AsyncConnection, grant_ids: Collection[int]) -> dict[int, Grant]:
    """Grants by id, revoked ones included."""
    found = map(_grant, await connection.execute(_grants().where(role_grant.c.grant_id.in_(grant_ids))))
    return {grant.grant_id: grant for grant in found}


async def most_delegated_days(connection: AsyncConnection, day: date) -> int:
    """How many days a delegation made on a day may last; 0 where nothing says so."""
    query = sa.select(delegation_term.c.days).where(delegation_term.c.valid.contains(day))
    return (await connection.execute(query)).scalar_one_or_none() or 0


async def shorten_grant(connection: AsyncConnection, grant_id: int, span: Span) -> None:
    """Let a grant end sooner; the database ends what is delegated of it."""
    query = role_grant.update().where(role_grant.c.grant_id == grant_id).values(valid=to_range(span))
    await connection.execute(query)


async def get_grant(connection: AsyncConnection, grant_id: int) -> Grant | None:
    """A grant, locked against others who would revoke it."""
    query = _grants().where(role_grant.c.grant_id == grant_id).with_for_update(of=role_grant)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _grant(row)


async def revoke_grant(connection: AsyncConnection, grant_id: int, *, revoked_by: str, now: datetime) -> Grant:
    """End a grant now; the database ends what is delegated of it."""
    values = {"revoke_time": now, "revoked_by": revoked_by}
    await connection.execute(role_grant.update().where(role_grant.c.grant_id == grant_id).values(values))
    return await _known_grant(connection, grant_id)


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
    return await _standing(connection, day)


async def grants_reaching(
    connection: AsyncConnection,
    unit_id: int,
    above: Mapping[str, Collection[int]],
    *,
    roles: Collection[str],
    subject: str,
) -> list[Grant]:
    """Grants of these roles on a unit, on one above by its type of edge or on every unit; of any day, revoked too."""
    places = [role_grant.c.unit_id.is_(None), role_grant.c.unit_id == unit_id] + [
        sa.and_(role_grant.c.edge_type == edge_type, role_grant.c.unit_id.in_(unit_ids))
        for edge_type, unit_ids in above.items()
    ]
    query = _grants().where(sa.or_(*places), role_grant.c.role.in_(roles))
    if subject:
        query = query.where(role_grant.c.subject == subject)
    return [_grant(row) for row in await connection.execute(query)]


async def _known_grant(connection: AsyncConnection, grant_id: int) -> Grant:
    """A grant that is there; what a statement returns of it would lack whose it is delegated of."""
    return _grant((await connection.execute(_grants().where(role_grant.c.grant_id == grant_id))).one())


async def _standing(connection: AsyncConnection, day: date, *such: sa.ColumnElement[bool]) -> list[Grant]:
    query = _grants().where(role_grant.c.revoke_time.is_(None), *such).order_by(role_grant.c.grant_id)
    return [grant for grant in map(_grant, await connection.execute(query)) if grant.stands(day)]


def _grants() -> "sa.Select[Any]":
    return sa.select(*_COLUMNS)


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
        delegated_from=row.delegated_from or 0,
        delegated_by=row.delegated_by or "",
    )
