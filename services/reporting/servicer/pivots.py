"""PivotsService: analyses kept under a name, run, exported and sent by a schedule."""

from dataclasses import dataclass
from typing import Any

from iocedu.reporting.v1 import pivots_pb2, pivots_pb2_grpc
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database
from chassis.identity import caller
from chassis.paging import page_cursor, page_size, page_token
from services.reporting.convert.exports import export_message
from services.reporting.convert.pivots import kept_of, pivot_message
from services.reporting.domain.pivots import Pivot
from services.reporting.servicer.analysis import analysed_message
from services.reporting.servicer.places import UnitsToday, language
from services.reporting.store import exports, pivots
from services.reporting.store.exports import Begun
from services.reporting.usecases.asking import once
from services.reporting.usecases.pivots import Pivots, above, unknown_pivot

DEFAULT = "xlsx"


@dataclass(frozen=True)
class PivotsServicer(pivots_pb2_grpc.PivotsServiceServicer):
    """Answers iocedu.reporting.v1.PivotsService."""

    database: Database
    units: UnitsToday
    pivots: Pivots

    async def CreatePivot(
        self, request: pivots_pb2.CreatePivotRequest, _context: Any
    ) -> pivots_pb2.CreatePivotResponse:
        """Keep a pivot, once a request id."""
        unit_id, by, kept = self.units.resolve(request.unit), caller().subject, kept_of(request.content)
        await self.pivots.answer(kept, unit_id=unit_id)  # What cannot be answered is not kept.
        async with self.database.transaction() as connection:

            async def create() -> int:
                return await self.pivots.create(connection, kept, unit_id=unit_id, owner=by, language=language())

            pivot_id, _ = await once(connection, request, request_id=request.request_id, subject=by, work=create)
            return pivots_pb2.CreatePivotResponse(pivot=await self._message(connection, pivot_id))

    async def ListPivots(self, request: pivots_pb2.ListPivotsRequest, _context: Any) -> pivots_pb2.ListPivotsResponse:
        """Pivots of the caller and shared ones, by name."""
        unit_id, size, cursor = self.units.resolve(request.unit), page_size(request.page_size), page_cursor(request)
        async with self.database.connection() as connection:
            found = await pivots.pivots_page(
                connection,
                unit_id=unit_id,
                above=above(self.units.scopes.tree, unit_id, self.units.clock),
                owner=caller().subject,
                after=(str(cursor[0]), int(cursor[1])) if cursor else ("", 0),
                limit=size + 1,
            )
        response = pivots_pb2.ListPivotsResponse(pivots=[self._told(one) for one in found[:size]])
        if len(found) > size:
            last = found[size - 1]
            response.next_page_token = page_token(request, [last.kept.name, last.pivot_id])
        return response

    async def UpdatePivot(
        self, request: pivots_pb2.UpdatePivotRequest, _context: Any
    ) -> pivots_pb2.UpdatePivotResponse:
        """Put another content in place of what the etag names."""
        unit_id, kept = self.units.resolve(request.unit), kept_of(request.content)
        await self.pivots.answer(kept, unit_id=unit_id)
        async with self.database.transaction() as connection:
            await self.pivots.change(
                connection, request.pivot_id, kept, unit_id=unit_id, owner=caller().subject, etag=request.etag
            )
            return pivots_pb2.UpdatePivotResponse(pivot=await self._message(connection, request.pivot_id))

    async def DeletePivot(
        self, request: pivots_pb2.DeletePivotRequest, _context: Any
    ) -> pivots_pb2.DeletePivotResponse:
        """Forget what the etag names."""
        unit_id = self.units.resolve(request.unit)
        async with self.database.transaction() as connection:
            await self.pivots.forget(
                connection, request.pivot_id, unit_id=unit_id, owner=caller().subject, etag=request.etag
            )
        return pivots_pb2.DeletePivotResponse()

    async def RunPivot(self, request: pivots_pb2.RunPivotRequest, _context: Any) -> pivots_pb2.RunPivotResponse:
        """Answer a pivot for a unit."""
        unit_id = self.units.resolve(request.unit)
        async with self.database.connection() as connection:
            pivot = await self.pivots.seen(connection, request.pivot_id, unit_id=unit_id, subject=caller().subject)
        found = await self.pivots.answer(pivot.kept, unit_id=unit_id)
        return pivots_pb2.RunPivotResponse(pivot=self._told(pivot), answer=await analysed_message(found))

    async def ExportPivot(
        self, request: pivots_pb2.ExportPivotRequest, _context: Any
    ) -> pivots_pb2.ExportPivotResponse:
        """Begin an export, once a request id."""
        unit_id, by = self.units.resolve(request.unit), caller().subject
        begun = Begun(unit_id, request.format or DEFAULT, by, language(), pivot_id=request.pivot_id)
        async with self.database.transaction() as connection:
            await self.pivots.seen(connection, request.pivot_id, unit_id=unit_id, subject=by)

            async def begin() -> int:
                return await exports.add_export(connection, begun, now=self.units.clock.now())

            export_id, _ = await once(connection, request, request_id=request.request_id, subject=by, work=begin)
            export = await exports.find_export(connection, export_id, unit_id=unit_id)
        if export is None:
            raise unknown_pivot(request.pivot_id)
        return pivots_pb2.ExportPivotResponse(export=export_message(export))

    async def _message(self, connection: AsyncConnection, pivot_id: int) -> pivots_pb2.Pivot:
        pivot = await pivots.find_pivot(connection, pivot_id)
        if pivot is None:
            raise unknown_pivot(pivot_id)
        return self._told(pivot)

    def _told(self, pivot: Pivot) -> pivots_pb2.Pivot:
        abandoned = self.pivots.is_abandoned(pivot)
        return pivot_message(pivot, subject=caller().subject, abandoned=abandoned, name=self.units.name)
