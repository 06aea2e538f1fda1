"""gRPC in: residents by age and targets, stored with their sources and listed."""

from dataclasses import dataclass
from typing import Any

from iocedu.reporting.v1 import bases_pb2, bases_pb2_grpc

from chassis.clock import Clock
from chassis.database import Database
from chassis.identity import caller
from chassis.paging import page_cursor, page_size, page_token
from chassis.scopes import Scopes
from services.reporting import convert
from services.reporting.domain.catalogue import Catalogue
from services.reporting.domain.figures import TargetRow
from services.reporting.store import outside
from services.reporting.usecases import bases
from services.reporting.usecases.querying import resolved


@dataclass(frozen=True)
class BasesServicer(bases_pb2_grpc.BasesServiceServicer):
    """Answers iocedu.reporting.v1.BasesService."""

    database: Database
    catalogue: Catalogue
    scopes: Scopes
    clock: Clock

    async def ImportPopulation(
        self, request: bases_pb2.ImportPopulationRequest, _context: Any
    ) -> bases_pb2.ImportPopulationResponse:
        """Store residents by age; all or nothing."""
        given = [
            (
                self._below(request.unit, one.unit, f"populations[{place}].unit"),
                one.year,
                dict(one.count_by_age),
                one.source,
            )
            for place, one in enumerate(request.populations)
        ]
        async with self.database.transaction() as connection:
            stored = await bases.import_population(connection, given, subject=caller().subject)
        return bases_pb2.ImportPopulationResponse(stored_count=stored)

    async def ListPopulation(
        self, request: bases_pb2.ListPopulationRequest, _context: Any
    ) -> bases_pb2.ListPopulationResponse:
        """Residents of a unit and those below it."""
        cursor, size = page_cursor(request), page_size(request.page_size)
        after = (int(cursor[0]), int(cursor[1])) if cursor else (0, 0)
        async with self.database.connection() as connection:
            rows = await outside.list_population(
                connection, self._units(request.unit), year=request.year, after=after, limit=size + 1
            )
        response = bases_pb2.ListPopulationResponse()
        for row in rows[:size]:
            response.populations.add(
                unit=str(row.unit_id),
                year=row.year,
                count_by_age=dict(zip(row.ages, row.counts, strict=True)),
                source=row.source,
                import_time=convert.timestamp(row.import_time),
            )
        if len(rows) > size:
            response.next_page_token = page_token(request, [rows[size - 1].unit_id, rows[size - 1].year])
        return response

    async def SetTargets(self, request: bases_pb2.SetTargetsRequest, _context: Any) -> bases_pb2.SetTargetsResponse:
        """Set targets; all or nothing."""
        given = [
            TargetRow(
                self._below(request.unit, one.unit, f"targets[{place}].unit"),
                one.school_year,
                one.indicator,
                one.value,
                one.source,
            )
            for place, one in enumerate(request.targets)
        ]
        async with self.database.transaction() as connection:
            stored = await bases.set_targets(
                connection,
                given,
                catalogue=self.catalogue,
                tree=self.scopes.tree,
                today=self.clock.today(),
                subject=caller().subject,
            )
        return bases_pb2.SetTargetsResponse(set_count=stored)

    async def ListTargets(self, request: bases_pb2.ListTargetsRequest, _context: Any) -> bases_pb2.ListTargetsResponse:
        """Targets of a unit and those below it."""
        cursor, size = page_cursor(request), page_size(request.page_size)
        after = (int(cursor[0]), int(cursor[1]), str(cursor[2])) if cursor else (0, 0, "")
        async with self.database.connection() as connection:
            rows = await outside.list_targets(
                connection, self._units(request.unit), school_year=request.school_year, after=after, limit=size + 1
            )
        response = bases_pb2.ListTargetsResponse()
        for row in rows[:size]:
            response.targets.add(
                unit=str(row.unit_id),
                school_year=row.school_year,
                indicator=row.indicator,
                value=row.value,
                source=row.source,
                set_time=convert.timestamp(row.set_time),
            )
        if len(rows) > size:
            last = rows[size - 1]
            response.next_page_token = page_token(request, [last.unit_id, last.school_year, last.indicator])
        return response

    def _below(self, unit: str, ref: str, field: str) -> int:
        tree, today = self.scopes.tree, self.clock.today()
        return bases.below(tree, resolved(tree, unit, today=today, day=today), ref, today=today, field=field)

    def _units(self, ref: str) -> list[int]:
        tree, today = self.scopes.tree, self.clock.today()
        return sorted(tree.subtree(resolved(tree, ref, today=today, day=today), today))
