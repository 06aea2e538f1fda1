"""Grants follow their units: what is held on a unit that ends, ends with it and continues on the unit that goes on.

What is delegated follows its grant: it continues where the grant does, and ends where its unit leaves what the grant
reaches.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.delegating import EdgesOf, days_below
from services.records.domain.forest import Forest
from services.records.domain.grants import Grant, GrantDraft, Moved
from services.records.domain.spans import Span
from services.records.store import grants

Heirs = Mapping[int, Collection[int]]  # who takes over what is held on each unit that ends


@dataclass(frozen=True, slots=True)
class Carrier:
    """A grant that goes on: one that is stored, or one that the same operation gives."""

    unit_id: int
    grant_id: int = 0
    draft: GrantDraft | None = None  # where it is not stored yet


@dataclass(frozen=True, slots=True)
class Continued:
    """A grant to give in place of one that ends."""

    draft: GrantDraft
    of: GrantDraft | None = None  # the grant of which it is delegated, where that is not stored yet


@dataclass(frozen=True, slots=True)
class Move:
    """A grant that ends on a day, and what continues it."""

    grant: Grant
    day: date
    continued: Sequence[Continued]


async def plan_moves(connection: AsyncConnection, heirs: Heirs, *, forest: Forest, day: date) -> list[Move]:
    """The grants that end with their units on a day; what is held on the unit that goes on is not given again."""
    moves = []
    carriers: dict[int, list[Carrier]] = {}
    planned: set[GrantDraft] = set()
    for grant in await grants.grants_after(connection, heirs, day) if heirs else ():
        span = Span(max(day, grant.span.start), grant.span.after)
        carriers[grant.grant_id] = []
        fresh = []
        for heir in heirs[grant.unit_id]:
            draft = GrantDraft(grant.subject, grant.role, heir, grant.edge_type, span)
            present = await grants.standing_grant(connection, draft)
            if present is None and draft not in planned:
                fresh.append(Continued(draft))
                planned.add(draft)
            carriers[grant.grant_id].append(Carrier(heir, present.grant_id) if present else Carrier(heir, draft=draft))
        moves.append(Move(grant, day, fresh))
    return await _plan_delegations(connection, heirs, carriers, forest=forest, day=day) + moves


async def _plan_delegations(
    connection: AsyncConnection,
    heirs: Heirs,
    carriers: Mapping[int, Sequence[Carrier]],
    *,
    forest: Forest,
    day: date,
) -> list[Move]:
    """The delegated grants that end, because a unit ends or leaves what the grant reaches that they are of."""
    delegated = await grants.delegations_after(connection, day)
    held = await grants.grants_by_id(connection, {grant.delegated_from for grant in delegated})
    moves = []
    planned: set[Continued] = set()
    for grant in delegated:
        parent = held[grant.delegated_from]
        span = Span(max(day, grant.span.start), grant.span.after)
        above = carriers.get(parent.grant_id, [Carrier(parent.unit_id, parent.grant_id)])
        if parent.grant_id not in carriers and grant.unit_id not in heirs:
            within = days_below(grant.unit_id, parent.unit_id, span, _edges(forest, grant.edge_type))
            if within != span:
                moves.append(Move(grant, within.end if within else day, []))
            continue
        fresh = []
        for unit_id in heirs.get(grant.unit_id, [grant.unit_id]):
            one = _continued(grant, unit_id, span, above, forest)
            if one is None or one in planned:
                continue
            if one.of is None and await grants.standing_grant(connection, one.draft) is not None:
                continue
            fresh.append(one)
            planned.add(one)
        moves.append(Move(grant, day, fresh))
    return moves


def _continued(grant: Grant, unit_id: int, span: Span, above: Sequence[Carrier], forest: Forest) -> Continued | None:
    """What continues a delegated grant on a unit, of the first grant above that reaches it."""
    for carrier in above:
        within = days_below(unit_id, carrier.unit_id, span, _edges(forest, grant.edge_type))
        if within is not None:
            draft = GrantDraft(grant.subject, grant.role, unit_id, grant.edge_type, within, carrier.grant_id)
            return Continued(draft, carrier.draft)
    return None


async def move_grants(
    connection: AsyncConnection,
    moves: Collection[Move],
    *,
    provenance: str,
    operation_id: int,
    mover: str,
    now: datetime,
) -> None:
    """End grants and continue them, those first that are delegated of others."""
    for move in moves:
        await _end(connection, move, mover=mover, now=now)
    given: dict[GrantDraft, int] = {}
    for move in sorted(moves, key=lambda move: bool(move.grant.delegated_from)):
        moved = Moved(provenance, move.grant.grant_id, operation_id)
        for one in move.continued:
            draft = one.draft if one.of is None else replace(one.draft, delegated_from=given[one.of])
            grant = await grants.add_grant(connection, draft, created_by=mover, now=now, moved=moved)
            given[one.draft] = grant.grant_id


async def _end(connection: AsyncConnection, move: Move, *, mover: str, now: datetime) -> None:
    """End a grant on the day; one that would only begin later never counts, and so is revoked."""
    grant = move.grant
    if grant.span.start < move.day:
        await grants.shorten_grant(connection, grant.grant_id, Span(grant.span.first, move.day))
    else:
        await grants.revoke_grant(connection, grant.grant_id, revoked_by=mover, now=now)


def _edges(forest: Forest, edge_type: str) -> EdgesOf:
    return lambda unit_id: [edge for edge in forest.unit(unit_id).edges if edge.type == edge_type]
