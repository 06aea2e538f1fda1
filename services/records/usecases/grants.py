"""Roles given and taken back, each by someone who may."""

from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.errors import Fault, Kind
from chassis.scope_tree import EVERY_UNIT, ScopeGrant, ScopeTree
from services.records.domain.grants import Grant, GrantDraft, givers_of
from services.records.store import grants, scopes, units


async def create_grant(
    connection: AsyncConnection, draft: GrantDraft, *, giver: str, tree: ScopeTree, day: date, now: datetime
) -> Grant:
    """Give a role, or return the grant that gives it already; raises ROLE_NOT_HELD for a role the giver cannot give."""
    if not _may_give(giver, draft, tree=tree, day=day):
        raise Fault(
            Kind.DENIED,
            "ROLE_NOT_HELD",
            vi=f"Bạn không thể giao vai trò `{draft.role}` tại đơn vị này. Hãy nhờ người quản trị của đơn vị.",
            en=f"You cannot give the role {draft.role} on this unit. Ask its administrator to do it.",
            metadata={"role": draft.role},
        )
    await units.lock_forest(connection)
    present = await grants.standing_grant(connection, draft)
    if present is not None:
        return present
    grant = await grants.add_grant(connection, draft, created_by=giver, now=now)
    await scopes.raise_scope_version(connection)
    return grant


def _may_give(giver: str, draft: GrantDraft, *, tree: ScopeTree, day: date) -> bool:
    """Whether one of the giver's own grants covers what is given: the role, the unit, the type of edge and the days.

    Without the last two one could give oneself more than one holds: along edges of another type, or for longer.
    """
    return any(
        held.role in givers_of(draft.role)
        and (held.valid_to is None or draft.span.end <= held.valid_to)
        and (held.unit_id == EVERY_UNIT or (held.edge_type == draft.edge_type and _covers(held, draft, tree, day)))
        for held in tree.grants_of(giver, day)
    )


def _covers(held: ScopeGrant, draft: GrantDraft, tree: ScopeTree, day: date) -> bool:
    return held.unit_id == draft.unit_id or held.unit_id in tree.ancestors(draft.unit_id, day, held.edge_type)


async def revoke_grant(
    connection: AsyncConnection, grant_id: int, *, revoker: str, tree: ScopeTree, day: date, now: datetime
) -> Grant:
    """End a grant now; a revoked one stays as it is. Raises UNKNOWN_GRANT, also to those who may not."""
    await units.lock_forest(connection)
    grant = await grants.get_grant(connection, grant_id)
    if grant is None or not tree.may(revoker, givers_of(grant.role), grant.unit_id, day):
        raise Fault(
            Kind.NOT_FOUND,
            "UNKNOWN_GRANT",
            vi=f"Không có quyền số {grant_id} mà bạn có thể thu hồi.",
            en=f"There is no grant {grant_id} that you could revoke.",
            metadata={"grant_id": str(grant_id)},
        )
    if grant.revoke_time is not None:
        return grant
    revoked = await grants.revoke_grant(connection, grant_id, revoked_by=revoker, now=now)
    await scopes.raise_scope_version(connection)
    return revoked
