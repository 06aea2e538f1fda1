"""Grants passed on for a time by who holds them. What ends with its grant, the database ends, whoever ends that."""

from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.errors import Fault, FieldViolation, Kind
from services.records.domain.delegating import Delegation, beyond_unit, days_below, hindrance
from services.records.domain.grants import EVERY_UNIT, Grant, GrantDraft
from services.records.domain.obstacles import Obstacle
from services.records.domain.spans import Span
from services.records.store import grants, scopes, units


async def own_grant(connection: AsyncConnection, grant_id: int, *, holder: str, day: date) -> Grant:
    """A grant that its holder has today or later, while nothing else changes it; raises UNKNOWN_GRANT."""
    await units.lock_forest(connection)
    grant = await grants.get_grant(connection, grant_id)
    if grant is None or grant.subject != holder or not grant.stands(day):
        raise Fault(
            Kind.NOT_FOUND,
            "UNKNOWN_GRANT",
            vi=f"Bạn không có quyền số {grant_id} còn hiệu lực. Hãy xem các quyền của mình tại /v1/me/grants.",
            en=f"You hold no grant {grant_id} that is in force. See /v1/me/grants for your own.",
            metadata={"grant_id": str(grant_id)},
        )
    return grant


async def delegate_grant(
    connection: AsyncConnection, grant: Grant, asked: Delegation, *, today: date, now: datetime
) -> Grant:
    """Pass an own grant on, or return the delegation that does so already; raises what stands in the way."""
    most_days = await grants.most_delegated_days(connection, today)
    found = hindrance(grant, asked, today=today, most_days=most_days) or await _outside(connection, grant, asked)
    if found is not None:
        raise _refused(found)
    draft = GrantDraft(asked.subject, grant.role, asked.unit_id, grant.edge_type, asked.span, grant.grant_id)
    present = await grants.standing_grant(connection, draft)
    if present is not None:
        return present
    delegated = await grants.add_grant(connection, draft, created_by=grant.subject, now=now)
    await scopes.raise_scope_version(connection)
    return delegated


async def _outside(connection: AsyncConnection, grant: Grant, asked: Delegation) -> Obstacle | None:
    """Whether the unit leaves what the grant reaches on one of the days."""
    within: Span | None = asked.span
    if grant.unit_id == EVERY_UNIT and asked.unit_id != EVERY_UNIT:
        within = asked.span.common(await units.unit_life(connection, asked.unit_id))
    elif asked.unit_id != grant.unit_id:
        edges = await units.edges_above(connection, asked.unit_id, grant.edge_type)
        within = days_below(asked.unit_id, grant.unit_id, asked.span, lambda unit_id: edges.get(unit_id, ()))
    return None if within == asked.span else beyond_unit(asked.unit_id, within)


def _refused(found: Obstacle) -> Fault:
    return Fault(
        Kind.PRECONDITION,
        found.reason,
        vi=found.vi,
        en=found.en,
        metadata=found.metadata,
        violations=[FieldViolation(found.field, found.reason, found.vi, found.en)],
    )
