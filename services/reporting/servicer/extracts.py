"""ExtractsService: extracts for research, asked for, approved or refused by somebody else, and given to those two."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from iocedu.reporting.v1 import extracts_pb2, extracts_pb2_grpc
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database
from chassis.disclosures import Note, Shown, written_down
from chassis.errors import Fault, Kind
from chassis.files import name_file
from chassis.identity import caller
from chassis.paging import page_cursor, page_size, page_token
from chassis.telemetry import trace_id
from services.reporting.convert import dimension_message
from services.reporting.convert.exports import export_message, file_of
from services.reporting.convert.extracts import extract_message, wanted_of
from services.reporting.convert.tables import ZIP
from services.reporting.convert.workbooks import XLSX
from services.reporting.domain.extracts import COLUMNS, SETS, Extract
from services.reporting.servicer.exports import done_content
from services.reporting.servicer.places import UnitsToday, language
from services.reporting.store import exports
from services.reporting.store.extracts import extracts_page
from services.reporting.usecases.asking import once
from services.reporting.usecases.extracting import Extracts, not_requester


@dataclass(frozen=True)
class ExtractsServicer(extracts_pb2_grpc.ExtractsServiceServicer):
    """Answers iocedu.reporting.v1.ExtractsService."""

    database: Database
    units: UnitsToday
    extracts: Extracts
    note: Note

    async def RequestExtract(
        self, request: extracts_pb2.RequestExtractRequest, _context: Any
    ) -> extracts_pb2.RequestExtractResponse:
        """Note what is wanted, once a request id."""
        unit_id, by, today = self.units.resolve(request.unit), caller().subject, self.units.clock.today()
        year = request.school_year or self.units.scopes.tree.years(unit_id, today).of(today)
        wanted = wanted_of(request, unit_id=unit_id, school_year=year, language=language())
        self.extracts.check(wanted, unit=request.unit)
        async with self.database.transaction() as connection:

            async def ask() -> int:
                return await self.extracts.request(connection, wanted, by=by)

            extract_id, _ = await once(connection, request, request_id=request.request_id, subject=by, work=ask)
            found = await self.extracts.find(connection, extract_id, unit_id=unit_id)
            [message] = await _messages(connection, [found], unit_id=unit_id)
            return extracts_pb2.RequestExtractResponse(extract=message)

    async def ApproveExtract(
        self, request: extracts_pb2.ApproveExtractRequest, _context: Any
    ) -> extracts_pb2.ApproveExtractResponse:
        """Begin the export of what somebody else asked for."""
        unit_id = self.units.resolve(request.unit)
        async with self.database.transaction() as connection:
            found = await self.extracts.approve(connection, request.extract_id, unit_id=unit_id, by=caller().subject)
            [message] = await _messages(connection, [found], unit_id=unit_id)
            response = extracts_pb2.ApproveExtractResponse(extract=message)
        await self._write_down("ApproveExtract", found, count=0)
        return response

    async def RefuseExtract(
        self, request: extracts_pb2.RefuseExtractRequest, _context: Any
    ) -> extracts_pb2.RefuseExtractResponse:
        """Refuse what somebody else asked for."""
        unit_id, by = self.units.resolve(request.unit), caller().subject
        async with self.database.transaction() as connection:
            found = await self.extracts.refuse(
                connection, request.extract_id, unit_id=unit_id, by=by, reason=request.reason.strip()
            )
            [message] = await _messages(connection, [found], unit_id=unit_id)
            return extracts_pb2.RefuseExtractResponse(extract=message)

    async def WithdrawExtract(
        self, request: extracts_pb2.WithdrawExtractRequest, _context: Any
    ) -> extracts_pb2.WithdrawExtractResponse:
        """Withdraw what the caller asked for."""
        unit_id, by = self.units.resolve(request.unit), caller().subject
        async with self.database.transaction() as connection:
            found = await self.extracts.withdraw(connection, request.extract_id, unit_id=unit_id, by=by)
            [message] = await _messages(connection, [found], unit_id=unit_id)
            return extracts_pb2.WithdrawExtractResponse(extract=message)

    async def RestartExtract(
        self, request: extracts_pb2.RestartExtractRequest, _context: Any
    ) -> extracts_pb2.RestartExtractResponse:
        """Begin a failed export anew."""
        unit_id, by = self.units.resolve(request.unit), caller().subject
        async with self.database.transaction() as connection:
            found = await self.extracts.restart(connection, request.extract_id, unit_id=unit_id, by=by)
            [message] = await _messages(connection, [found], unit_id=unit_id)
            return extracts_pb2.RestartExtractResponse(extract=message)

    async def ListExtractColumns(
        self, request: extracts_pb2.ListExtractColumnsRequest, _context: Any
    ) -> extracts_pb2.ListExtractColumnsResponse:
        """What an extract can hold, in words."""
        cursor, known = page_cursor(request), self.extracts.questions.catalogue.named(COLUMNS)
        start = int(cursor[0]) if cursor else 0
        end = start + page_size(request.page_size)
        response = extracts_pb2.ListExtractColumnsResponse(columns=map(dimension_message, known[start:end]))
        if end < len(known):
            response.next_page_token = page_token(request, [end])
        else:
            response.sets.extend(extracts_pb2.ExtractColumnSet(columns=names) for names in SETS)
        return response

    async def ListExtracts(
        self, request: extracts_pb2.ListExtractsRequest, _context: Any
    ) -> extracts_pb2.ListExtractsResponse:
        """Extracts of a unit, newest first."""
        unit_id, size, cursor = self.units.resolve(request.unit), page_size(request.page_size), page_cursor(request)
        async with self.database.connection() as connection:
            before = int(cursor[0]) if cursor else 0
            found = await extracts_page(connection, unit_id=unit_id, before=before, limit=size + 1)
            messages = await _messages(connection, found[:size], unit_id=unit_id)
        token = page_token(request, [found[size - 1].extract_id]) if len(found) > size else ""
        return extracts_pb2.ListExtractsResponse(extracts=messages, next_page_token=token)

    async def DownloadExtract(
        self, request: extracts_pb2.DownloadExtractRequest, context: Any
    ) -> extracts_pb2.DownloadExtractResponse:
        """The file, for whoever asked for it or approved it."""
        unit_id = self.units.resolve(request.unit)
        async with self.database.connection() as connection:
            found = await self.extracts.find(connection, request.extract_id, unit_id=unit_id)
            if caller().subject not in {found.requested_by, found.approved_by}:
                raise not_requester(found.extract_id)
            export = await exports.find_export(connection, found.export_id or 0, unit_id=unit_id)
            if export is None:
                raise _not_approved(found.extract_id)
            content = await done_content(connection, export)
        await self._write_down("DownloadExtract", found, count=export.total_count)
        await name_file(context, export.file_name)
        kind = ZIP if export.format == "csv" else XLSX
        return extracts_pb2.DownloadExtractResponse(content=file_of(content, kind), file_name=export.file_name)

    async def _write_down(self, method: str, extract: Extract, *, count: int) -> None:
        await self.note(
            Shown(
                time=self.units.clock.now(),
                subject=caller().subject,
                method=method,
                unit_id=extract.wanted.unit_id,
                record_count=count,
                purpose=extract.wanted.purpose,
                unmasked=False,
                trace_id=trace_id(),
            )
        )
        written_down()


async def _messages(
    connection: AsyncConnection, found: Sequence[Extract], *, unit_id: int
) -> list[extracts_pb2.Extract]:
    """Extracts of a unit, each with its export as long as that is kept."""
    begun = [one.export_id for one in found if one.export_id is not None]
    told = {
        export_id: export_message(export)
        for export_id, export in (await exports.find_exports(connection, begun, unit_id=unit_id)).items()
    }
    return [extract_message(one, told.get(one.export_id or 0)) for one in found]


def _not_approved(extract_id: int) -> Fault:
    return Fault(
        Kind.PRECONDITION,
        "EXTRACT_NOT_APPROVED",
        vi="Chưa có tệp: trích xuất chưa được phê duyệt, hoặc tệp đã được xóa sau vài ngày.",
        en="There is no file: nobody has approved the extract, or the file was deleted after some days.",
        metadata={"extract_id": str(extract_id)},
    )
