"""Grants follow their units: what is held on a unit that ends, ends with it and continues on the unit that goes on."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.grants import Grant, GrantDraft, Moved
from services.records.domain.spans import Span
from services.records.store import grants


@dataclass(frozen=True, slots=True)
class Move:
    """A grant that ends with its unit, and what continues it."""

    grant: Grant
    continued: Sequence[GrantDraft]


async def plan_moves(connection: AsyncConnection, heirs: Mapping[int, Collection[int]], *, day: date) -> list[Move]:
    """The grants that end with their units on a day; what is held on the unit that goes on is not given again."""
    moves = []
    planned: set[GrantDraft] = set()
    for grant in await grants.grants_after(connection, heirs, day) if heirs else ():
        span = Span(max(day, grant.span.start), grant.span.after)
        drafts = [GrantDraft(grant.subject, grant.role, heir, grant.edge_type, span) for heir in heirs[grant.unit_id]]
        fresh = [
            draft for draft in drafts if draft not in planned and await grants.standing_grant(connection, draft) is None
        ]
        planned.update(fresh)
        moves.append(Move(grant, fresh))
    return moves


async def move_grants(
    connection: AsyncConnection,
    moves: Collection[Move],
    *,
    day: date,
    provenance: str,
    operation_id: int,
    mover: str,
    now: datetime,
) -> None:
    """End grants and continue them; one that would only begin later never counts, and so is revoked."""
    for move in moves:
        grant = move.grant
        if grant.span.start < day:
            await grants.shorten_grant(connection, grant.grant_id, Span(grant.span.first, day))
        else:
            await grants.revoke_grant(connection, grant.grant_id, revoked_by=mover, now=now)
        moved = Moved(provenance, grant.grant_id, operation_id)
        for draft in move.continued:
            await grants.add_grant(connection, draft, created_by=mover, now=now, moved=moved)
