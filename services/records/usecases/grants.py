"""Roles given and taken back, each by someone who may."""

from collections.abc import Collection, Iterator
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.errors import Fault, Kind
from chassis.scope_tree import EVERY_UNIT, ScopeGrant, ScopeTree
from services.records.domain.grants import Grant, GrantDraft, givers_of
from services.records.domain.spans import Span
from services.records.store import grants, scopes, units


async def create_grant(
    connection: AsyncConnection, draft: GrantDraft, *, giver: str, tree: ScopeTree, day: date, now: datetime
) -> Grant:
    """Give a role, or return the grant that gives it already; raises ROLE_NOT_HELD for a role the giver cannot give."""
    own = await _own_grants(connection, giver, tree=tree, day=day)
    if not _may_give(own, draft, tree=tree, day=day):
        raise Fault(
            Kind.DENIED,
            "ROLE_NOT_HELD",
            vi=f"Bạn không thể giao vai trò `{draft.role}` tại đơn vị này, theo loại quan hệ và trong thời hạn này: "
            "quyền của bạn không bao trùm, hoặc chỉ là quyền được ủy quyền. Hãy rút ngắn thời hạn hoặc nhờ người quản "
            "trị của đơn vị.",
            en=f"You cannot give the role {draft.role} on this unit, along these edges and for these days: your own "
            "grant does not cover them, or is held by delegation only. Shorten the days or ask the unit's "
            "administrator.",
            metadata={"role": draft.role},
        )
    await units.lock_forest(connection)
    present = await grants.standing_grant(connection, draft)
    if present is not None:
        return present
    await _refuse_outliving(connection, draft)
    grant = await grants.add_grant(connection, draft, created_by=giver, now=now)
    await scopes.raise_scope_version(connection)
    return grant


async def _refuse_outliving(connection: AsyncConnection, draft: GrantDraft) -> None:
    """Refuse a grant beyond its unit's end: what moves grants to a successor has been done already."""
    if draft.unit_id == EVERY_UNIT:
        return
    life = await units.unit_life(connection, draft.unit_id)
    if life.after is not None and draft.span.end > life.after:
        day = life.after.isoformat()
        raise Fault(
            Kind.PRECONDITION,
            "GRANT_OUTLIVES_UNIT",
            vi=f"Đơn vị này kết thúc từ ngày {day}. Hãy đặt `valid_to` không muộn hơn ngày đó và giao quyền tiếp theo "
            "tại đơn vị tiếp nối.",
            en=f"The unit has its end on {day}. Set `valid_to` no later than that and give what follows on the unit "
            "that goes on.",
            metadata={"unit": str(draft.unit_id), "valid_to": day},
        )


async def _own_grants(connection: AsyncConnection, holder: str, *, tree: ScopeTree, day: date) -> list[ScopeGrant]:
    """What somebody holds and nobody delegated: who stands in for another neither gives nor takes back roles."""
    held = tree.grants_of(holder, day)
    known = await grants.grants_by_id(connection, [one.grant_id for one in held])
    return [one for one in held if one.grant_id not in known or not known[one.grant_id].delegated_from]


def _may_give(own: Collection[ScopeGrant], draft: GrantDraft, *, tree: ScopeTree, day: date) -> bool:
    """Whether one of the giver's own grants covers what is given: the role, the unit, the type of edge and the days.

    Without the last two one could give oneself more than one holds: along edges of another type, or for other days.
    """
    return any(
        Span(held.valid_from, held.valid_to).covers(draft.span)
        for held in _rights(own, draft.role, draft.unit_id, draft.edge_type, tree=tree, day=day)
    )


def _rights(
    own: Collection[ScopeGrant], role: str, unit_id: int, edge_type: str, *, tree: ScopeTree, day: date
) -> Iterator[ScopeGrant]:
    """Those of somebody's own grants that allow to give and take back a role on a unit along edges of a type."""
    for held in own:
        if held.role not in givers_of(role):
            continue
        above = held.unit_id == unit_id or held.unit_id in tree.ancestors(unit_id, day, held.edge_type)
        if held.unit_id == EVERY_UNIT or (held.edge_type == edge_type and above):
            yield held


async def revoke_grant(
    connection: AsyncConnection,
    grant_id: int,
    *,
    revoker: str,
    tree: ScopeTree,
    day: date,
    now: datetime,
    after: date | None = None,
) -> Grant:
    """End a grant and what is delegated of it, now or on a later day; a revoked one, or one that ends sooner, stays.

    Raises UNKNOWN_GRANT, also to those who may not: who neither may give the role nor delegated it.
    """
    await units.lock_forest(connection)
    grant = await grants.get_grant(connection, grant_id)
    own = await _own_grants(connection, revoker, tree=tree, day=day)
    if grant is None or not (
        grant.delegated_by == revoker
        or any(_rights(own, grant.role, grant.unit_id, grant.edge_type, tree=tree, day=day))
    ):
        raise Fault(
            Kind.NOT_FOUND,
            "UNKNOWN_GRANT",
            vi=f"Không có quyền số {grant_id} mà bạn có thể thu hồi.",
            en=f"There is no grant {grant_id} that you could revoke.",
            metadata={"grant_id": str(grant_id)},
        )
    if grant.revoke_time is not None:
        return grant
    if after is not None and day < after:
        if grant.span.end <= after:
            return grant
        # One that would only begin later never counts.
        if after > grant.span.start:
            await grants.shorten_grant(connection, grant_id, Span(grant.span.first, after))
            await scopes.raise_scope_version(connection)
            return (await grants.grants_by_id(connection, [grant_id]))[grant_id]
    revoked = await grants.revoke_grant(connection, grant_id, revoked_by=revoker, now=now)
    await scopes.raise_scope_version(connection)
    return revoked
