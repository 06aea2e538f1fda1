"""AccessService: own grants passed on for a time, and who may do what and why."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from iocedu.records.v1 import access_pb2, access_pb2_grpc
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.access import Rule, unknown_unit
from chassis.clock import Clock
from chassis.database import Database
from chassis.identity import caller
from chassis.paging import page_cursor, page_size, page_token
from chassis.scopes import Scopes
from services.records.convert.access import (
    Titles,
    access_grant_of,
    access_remedy_of,
    delegation_of,
    roles_asked,
    rule_asked,
    rule_message,
    units_named,
)
from services.records.convert.days import day_of
from services.records.convert.units import grant_of
from services.records.domain.explaining import Holding, Remedy
from services.records.domain.grants import EVERY_UNIT
from services.records.store import unit_days, units
from services.records.usecases.delegating import delegate_grant, own_grant
from services.records.usecases.explaining import Question, holdings, where_given


class AccessServicer(access_pb2_grpc.AccessServiceServicer):
    """Answers AccessService."""

    def __init__(
        self,
        database: Database,
        scopes: Scopes,
        clock: Clock,
        *,
        administrators: Sequence[str],
        changed: Callable[[], None],
    ) -> None:
        self._database = database
        self._scopes = scopes
        self._clock = clock
        self._administrators = administrators
        self._changed = changed

    async def DelegateGrant(
        self, request: access_pb2.DelegateGrantRequest, _context: Any
    ) -> access_pb2.DelegateGrantResponse:
        """Pass a grant of the caller's on."""
        today = self._clock.today()
        async with self._database.transaction() as connection:
            held = await own_grant(connection, request.grant_id, holder=caller().subject, day=today)
            unit_id = await self._unit(connection, request.unit) if request.unit else held.unit_id
            asked = delegation_of(request, unit_id=unit_id, today=today)
            grant = await delegate_grant(connection, held, asked, today=today, now=self._clock.now())
            aliases = await unit_days.aliases_on(connection, {(grant.unit_id, today)})
        self._changed()
        return access_pb2.DelegateGrantResponse(grant=grant_of(grant, aliases=aliases, day=today))

    async def ExplainAccess(
        self, request: access_pb2.ExplainAccessRequest, _context: Any
    ) -> access_pb2.ExplainAccessResponse:
        """Give a page of who may do something on a unit."""
        most, cursor = page_size(request.page_size, default=100, maximum=1000), page_cursor(request)
        rule = rule_asked(request.method, request.role)
        async with self._database.connection() as connection:
            asked = await self._question(connection, request, rule)
            roles = roles_asked(rule, request.role)
            found = await holdings(connection, asked, roles=roles, subject=request.subject)
            rest = [one for one in found if cursor is None or one.place > tuple(cursor)]
            titles = await self._titles(connection, asked, rest[:most])
        response = access_pb2.ExplainAccessResponse(
            rule=rule_message(rule),
            as_of=asked.day.isoformat(),
            grants=[access_grant_of(one, titles) for one in rest[:most]],
        )
        if len(rest) > most:
            response.next_page_token = page_token(request, rest[most - 1].place)
        return response

    async def ExplainOwnAccess(
        self, request: access_pb2.ExplainOwnAccessRequest, _context: Any
    ) -> access_pb2.ExplainOwnAccessResponse:
        """Say whether the caller may, and what would help."""
        rule = rule_asked(request.method, request.role)
        async with self._database.connection() as connection:
            asked = await self._question(connection, request, rule)
            roles = roles_asked(rule, request.role)
            found = await holdings(connection, asked, roles=caller().among(roles), subject=caller().subject)
            allowed = bool(found) or rule.takes_any(caller())
            wanted = roles if request.method or request.role else ()
            helping = [] if allowed else await where_given(connection, asked, roles=wanted)
            titles = await self._titles(connection, asked, found, helping)
        return access_pb2.ExplainOwnAccessResponse(
            allowed=allowed,
            rule=rule_message(rule),
            as_of=asked.day.isoformat(),
            grants=[access_grant_of(one, titles) for one in found],
            remedies=[access_remedy_of(one, titles) for one in helping],
        )

    async def _question(
        self,
        connection: AsyncConnection,
        request: access_pb2.ExplainAccessRequest | access_pb2.ExplainOwnAccessRequest,
        rule: Rule,
    ) -> Question:
        day = day_of(request.as_of, field="as_of") or self._clock.today()
        unit_id = EVERY_UNIT if request.unit == str(EVERY_UNIT) else None
        if unit_id is None:
            unit_id = await units.resolve_unit(connection, request.unit, day)
        if unit_id is None:
            raise unknown_unit(request.unit)
        return Question(unit_id, day, self._scopes.tree, self._administrators, every_unit=rule.every_unit)

    async def _unit(self, connection: AsyncConnection, ref: str) -> int:
        unit_id = await units.resolve_unit(connection, ref, self._clock.today())
        if unit_id is None:
            raise unknown_unit(ref)
        return unit_id

    async def _titles(
        self,
        connection: AsyncConnection,
        asked: Question,
        held: Iterable[Holding],
        remedies: Iterable[Remedy] = (),
    ) -> Titles:
        named = units_named(held, remedies)
        names = await unit_days.names_on(connection, named, asked.day)
        return Titles(asked.day, names, await unit_days.aliases_on(connection, {(one, asked.day) for one in named}))
