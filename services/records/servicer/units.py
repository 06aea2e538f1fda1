"""UnitsService: the dated forest of units, imported and asked."""

from collections.abc import Callable
from datetime import date
from typing import Any

from iocedu.records.v1 import units_pb2, units_pb2_grpc
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.clock import Clock
from chassis.database import Database
from chassis.paging import page_cursor, page_size, page_token
from services.records.convert.days import day_of
from services.records.convert.units import drafts_of, succession_of, unit_of, wanted_aliases
from services.records.domain.units import ADMINISTRATIVE
from services.records.store import unit_days, units
from services.records.store.successions import successions_around
from services.records.usecases.units import import_units, nobody_there


class UnitsServicer(units_pb2_grpc.UnitsServiceServicer):
    """Answers UnitsService."""

    def __init__(self, database: Database, clock: Clock, *, changed: Callable[[], None]) -> None:
        self._database = database
        self._clock = clock
        self._changed = changed

    async def ImportUnits(self, request: units_pb2.ImportUnitsRequest, _context: Any) -> units_pb2.ImportUnitsResponse:
        """Store what is new of the units given."""
        drafts = drafts_of(request.units)
        async with self._database.transaction() as connection:
            additions = await import_units(connection, drafts)
        self._changed()
        return units_pb2.ImportUnitsResponse(
            created_count=len(additions.units),
            updated_count=len(additions.updated),
            unchanged_count=len(additions.unchanged),
        )

    async def GetUnit(self, request: units_pb2.GetUnitRequest, _context: Any) -> units_pb2.GetUnitResponse:
        """Give one unit as of a day."""
        day = self._day(request.as_of)
        async with self._database.connection() as connection:
            unit_id = await units.resolve_unit(connection, request.unit, day)
            found = None if unit_id is None else await unit_days.unit_on(connection, unit_id, day)
            if found is None:
                raise await nobody_there(connection, request.unit, day)
            aliases = await unit_days.aliases_on(connection, wanted_aliases([found], day))
        return units_pb2.GetUnitResponse(unit=unit_of(found, aliases=aliases, day=day))

    async def ListUnits(self, request: units_pb2.ListUnitsRequest, _context: Any) -> units_pb2.ListUnitsResponse:
        """Give a page of the units below a unit as of a day."""
        day = self._day(request.as_of)
        most = page_size(request.page_size, default=100, maximum=1000)
        cursor = page_cursor(request)
        async with self._database.connection() as connection:
            found = await unit_days.units_below(
                connection,
                await self._resolve(connection, request.parent, day),
                day=day,
                edge_type=request.edge_type or ADMINISTRATIVE,
                recursive=request.recursive,
                kinds=request.kinds,
                after=(cursor[0], cursor[1]) if cursor else None,
                most=most + 1,
            )
            page = found[:most]
            aliases = await unit_days.aliases_on(connection, wanted_aliases(page, day))
        response = units_pb2.ListUnitsResponse(units=[unit_of(one, aliases=aliases, day=day) for one in page])
        if len(found) > most:
            response.next_page_token = page_token(request, (page[-1].sort_name, page[-1].unit_id))
        return response

    async def ListAncestors(
        self, request: units_pb2.ListAncestorsRequest, _context: Any
    ) -> units_pb2.ListAncestorsResponse:
        """Give a page of the units above a unit as of a day."""
        day = self._day(request.as_of)
        most = page_size(request.page_size, default=100, maximum=1000)
        after = (page_cursor(request) or [0])[0]
        async with self._database.connection() as connection:
            found = await unit_days.units_above(
                connection,
                await self._resolve(connection, request.unit, day),
                day=day,
                edge_type=request.edge_type or ADMINISTRATIVE,
                after=after,
                most=most + 1,
            )
            page = found[:most]
            aliases = await unit_days.aliases_on(connection, wanted_aliases(page, day))
        response = units_pb2.ListAncestorsResponse(units=[unit_of(one, aliases=aliases, day=day) for one in page])
        if len(found) > most:
            response.next_page_token = page_token(request, (after + most,))
        return response

    async def CountUnits(self, request: units_pb2.CountUnitsRequest, _context: Any) -> units_pb2.CountUnitsResponse:
        """Count the units below a unit as of a day."""
        day, edge_type = self._day(request.as_of), request.edge_type or ADMINISTRATIVE
        async with self._database.connection() as connection:
            parent_id = await self._resolve(connection, request.parent, day)
            counts = await unit_days.count_below(
                connection, parent_id, day=day, edge_type=edge_type, recursive=request.recursive
            )
        return units_pb2.CountUnitsResponse(
            counts=[units_pb2.KindCount(kind=kind, count=count) for kind, count in counts],
            as_of=day.isoformat(),
            edge_type=edge_type,
        )

    async def ListSuccessions(
        self, request: units_pb2.ListSuccessionsRequest, _context: Any
    ) -> units_pb2.ListSuccessionsResponse:
        """Give a page of the successions that lead to a unit and away from it."""
        most = page_size(request.page_size, default=100, maximum=1000)
        cursor = page_cursor(request)
        async with self._database.connection() as connection:
            found = await successions_around(
                connection,
                await self._resolve(connection, request.unit, self._day(request.as_of)),
                after=(date.fromisoformat(cursor[0]), cursor[1], cursor[2], cursor[3]) if cursor else None,
                most=most + 1,
            )
        response = units_pb2.ListSuccessionsResponse(successions=map(succession_of, found[:most]))
        if len(found) > most:
            last = found[most - 1]
            key = (last.day.isoformat(), last.unit_id, last.successor_id, last.kind)
            response.next_page_token = page_token(request, key)
        return response

    async def _resolve(self, connection: AsyncConnection, ref: str, day: date) -> int:
        unit_id = await units.resolve_unit(connection, ref, day)
        if unit_id is None:
            raise await nobody_there(connection, ref, day)
        return unit_id

    def _day(self, as_of: str) -> date:
        return day_of(as_of, field="as_of") or self._clock.today()
