"""ExportService: whole copies."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

from iocedu.records.v1 import export_pb2, export_pb2_grpc, records_pb2

from chassis.clock import Clock
from chassis.identity import caller
from chassis.paging import page_size
from chassis.scopes import Scopes
from chassis.streams import envelope
from services.records.convert.outgoing import Alias, add_record, record_of
from services.records.domain.objects import KEY
from services.records.servicer.places import aliases, records_below, resolve_unit
from services.records.servicer.reading import reading_of
from services.records.usecases.exporting import PORTION, Exports, Page, Place, Portion
from services.records.usecases.lookups import Lookups

MOST_MESSAGE_BYTES: Final = (
    2 * 1024 * 1024
)  # With the record that goes beyond it, what a client takes by gRPC's defaults.


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
    ) -> AsyncIterator[tuple[str, export_pb2.ExportRecordsResponse | records_pb2.Record | None]]:
        today, tree = self._clock.today(), self._scopes.tree
        alias = aliases(tree, today)
        portions = self._exports.copy(
            records_below(tree, unit_id, today),
            request.types,
            subject=caller().subject,
            after=Place.read(request.after),
            note=self._note,
            most=page_size(request.page_size, default=PORTION, maximum=PORTION),
        )
        async with contextlib.aclosing(portions):
            async for position, portion in portions:
                if not portion:
                    yield str(position), None
                elif request.page_size:
                    async for response in _pages(portion, position, alias=alias):
                        yield response.page.position, response
                else:
                    for page in portion:
                        for stored in page.records:
                            record = record_of(page.spec, stored, position=stored[-1], alias=alias, mask=True)
                            yield _place(page, position, stored[KEY]), record

    async def _note(self, portion: Portion) -> None:
        await asyncio.gather(
            *(
                self._lookups.note(
                    reading_of(
                        "ExportRecords",
                        at=self._clock.now(),
                        unit_id=page.school_id,
                        collection=page.spec.collection,
                        count=len(page.records),
                    )
                )
                for page in portion
            )
        )


async def _pages(portion: Portion, position: int, *, alias: Alias) -> AsyncIterator[export_pb2.ExportRecordsResponse]:
    """A portion in one message, or in as many as it fills."""
    response, size = export_pb2.ExportRecordsResponse(), 0
    for page in portion:
        for stored in page.records:
            size += add_record(response.page.records, page.spec, stored, alias=alias).ByteSize()
            if size > MOST_MESSAGE_BYTES:
                response.page.position = _place(page, position, stored[KEY])
                yield response
                response, size = export_pb2.ExportRecordsResponse(), 0
        await asyncio.sleep(0)
    if size:
        response.page.position = _place(page, position, stored[KEY])
        yield response


def _place(page: Page, position: int, key: str) -> str:
    return str(Place(position, page.school_id, page.spec.number, key))
