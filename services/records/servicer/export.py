"""ExportService: whole copies."""

from collections.abc import AsyncIterator
from typing import Any

from iocedu.records.v1 import export_pb2, export_pb2_grpc, records_pb2

from chassis.clock import Clock
from chassis.scopes import Scopes
from chassis.streams import envelope
from services.records.convert.outgoing import record_of
from services.records.domain.objects import KEY
from services.records.servicer.places import aliases, resolve_unit
from services.records.servicer.reading import reading_of
from services.records.usecases.exporting import Exports, Place
from services.records.usecases.lookups import Lookups


class ExportServicer(export_pb2_grpc.ExportServiceServicer):
    """Answers ExportService."""

    def __init__(self, exports: Exports, scopes: Scopes, clock: Clock, *, lookups: Lookups) -> None:
        self._exports = exports
        self._scopes = scopes
        self._clock = clock
        self._lookups = lookups

    async def ExportRecords(
        self, request: export_pb2.ExportRecordsRequest, _context: Any
    ) -> AsyncIterator[export_pb2.ExportRecordsResponse]:
        """Send the records below a unit as they are at one moment, masked."""
        unit_id = resolve_unit(self._scopes.tree, request.unit, self._clock.today())
        async for response in envelope(
            export_pb2.ExportRecordsResponse, self._records(unit_id, request), position=request.after or "0"
        ):
            yield response

    async def _records(
        self, unit_id: int, request: export_pb2.ExportRecordsRequest
    ) -> AsyncIterator[tuple[str, records_pb2.Record | None]]:
        today, tree = self._clock.today(), self._scopes.tree
        alias = aliases(tree, today)
        pages = self._exports.copy(tree.subtree(unit_id, today), request.types, after=Place.read(request.after))
        async for position, page in pages:
            if page is None:
                yield str(position), None
                continue
            await self._lookups.note(
                reading_of(
                    "ExportRecords",
                    at=self._clock.now(),
                    unit_id=page.school_id,
                    collection=page.spec.collection,
                    count=len(page.records),
                )
            )
            for stored in page.records:
                place = Place(position, page.school_id, page.spec.number, stored[KEY])
                yield str(place), record_of(page.spec, stored, position=stored[-1], alias=alias, mask=True)
