"""GrantsService: who may do what where. Roles are judged by the tree that every service judges by."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from iocedu.records.v1 import units_pb2, units_pb2_grpc
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.access import caller_may, rule_of, unknown_unit
from chassis.clock import Clock
from chassis.database import Database
from chassis.identity import caller
from chassis.paging import page_cursor, page_size, page_token
from chassis.scopes import Scopes
from services.records.convert.days import day_of, text_of
from services.records.convert.units import grant_draft_of, grant_of
from services.records.domain.grants import EVERY_UNIT, Grant
from services.records.store import grants, unit_days, units
from services.records.usecases.grants import create_grant, revoke_grant


class GrantsServicer(units_pb2_grpc.GrantsServiceServicer):
    """Answers GrantsService."""

    def __init__(self, database: Database, scopes: Scopes, clock: Clock, *, changed: Callable[[], None]) -> None:
        self._database = database
        self._scopes = scopes
        self._clock = clock
        self._changed = changed
        rule = rule_of("iocedu.records.v1.GrantsService/ListGrants")
        self._listing = rule.roles if rule else frozenset()

    async def CreateGrant(self, request: units_pb2.CreateGrantRequest, _context: Any) -> units_pb2.CreateGrantResponse:
        """Give a role."""
        today = self._clock.today()
        async with self._database.transaction() as connection:
            unit_id = await self._unit(connection, request.grant.unit)
            draft = grant_draft_of(request.grant, unit_id=unit_id, today=today)
            grant = await create_grant(
                connection,
                draft,
                giver=caller().subject,
                tree=self._scopes.tree,
                day=today,
                now=self._clock.now(),
            )
            (message,) = await self._messages(connection, [grant])
        self._changed()
        return units_pb2.CreateGrantResponse(grant=message)

    async def ListGrants(self, request: units_pb2.ListGrantsRequest, _context: Any) -> units_pb2.ListGrantsResponse:
        """Give a page of the grants on a unit and below it."""
        most = page_size(request.page_size, default=100, maximum=1000)
        cursor = page_cursor(request)
        async with self._database.connection() as connection:
            unit_id = await self._unit(connection, request.unit)
            below = self._below(unit_id, day_of(request.as_of, field="as_of"))
            found = await grants.grants_on(connection, below, after=cursor[0] if cursor else 0, most=most + 1)
            messages = await self._messages(connection, found[:most])
        response = units_pb2.ListGrantsResponse(grants=messages)
        if len(found) > most:
            response.next_page_token = page_token(request, (found[most - 1].grant_id,))
        return response

    async def RevokeGrant(self, request: units_pb2.RevokeGrantRequest, _context: Any) -> units_pb2.RevokeGrantResponse:
        """End a grant, now or on a day."""
        async with self._database.transaction() as connection:
            grant = await revoke_grant(
                connection,
                request.grant_id,
                revoker=caller().subject,
                tree=self._scopes.tree,
                day=self._clock.today(),
                now=self._clock.now(),
                after=day_of(request.valid_to, field="valid_to"),
            )
            (message,) = await self._messages(connection, [grant])
        self._changed()
        return units_pb2.RevokeGrantResponse(grant=message)

    async def ListOwnGrants(
        self, request: units_pb2.ListOwnGrantsRequest, _context: Any
    ) -> units_pb2.ListOwnGrantsResponse:
        """Give what the caller may do today, as it is enforced."""
        who, tree, today = caller(), self._scopes.tree, self._clock.today()
        held = [one for one in tree.grants_of(who.subject, today) if who.among({one.role})]
        async with self._database.connection() as connection:
            if request.unit:
                unit_id = await self._unit(connection, request.unit)
                held = [grant for grant in held if tree.counts_on(grant, unit_id, today)]
            known = await grants.grants_by_id(connection, {grant.grant_id for grant in held})
        response = units_pb2.ListOwnGrantsResponse(subject=who.subject)
        for grant in held:
            unit, stored = tree.unit(grant.unit_id), known.get(grant.grant_id)
            response.grants.add(
                role=grant.role,
                unit_id=grant.unit_id,
                unit_name=unit.name if unit else "",
                unit_kind=unit.kind if unit else "",
                grant_id=grant.grant_id,
                valid_from=text_of(grant.valid_from),
                valid_to=text_of(grant.valid_to),
                delegated_by=stored.delegated_by if stored else "",
            )
        return response

    def _below(self, unit_id: int, as_of: date | None) -> set[int]:
        """A unit and all below it as of a day, as far as the caller's roles reach: they are judged by today's units."""
        today, tree = self._clock.today(), self._scopes.tree
        wanted = {unit_id, *tree.subtree(unit_id, as_of or today)}
        if caller_may(tree, self._listing, EVERY_UNIT, today):
            return wanted
        return wanted & {unit_id, *tree.reach(unit_id, today)}

    async def _unit(self, connection: AsyncConnection, ref: str) -> int:
        """The unit behind a reference, one that was stored a moment ago included; 0 is every unit."""
        unit_id = EVERY_UNIT if ref == str(EVERY_UNIT) else None
        if unit_id is None:
            unit_id = await units.resolve_unit(connection, ref, self._clock.today())
        if unit_id is None:
            raise unknown_unit(ref)
        return unit_id

    async def _messages(self, connection: AsyncConnection, found: Sequence[Grant]) -> list[units_pb2.Grant]:
        today = self._clock.today()
        aliases = await unit_days.aliases_on(connection, {(grant.unit_id, today) for grant in found})
        return [grant_of(grant, aliases=aliases, day=today) for grant in found]
