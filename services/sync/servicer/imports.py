"""ImportsService: files in, followed, confirmed, given back."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import PurePath
from typing import Any, Final

from google.api import httpbody_pb2
from iocedu.sync.v1 import imports_pb2, imports_pb2_grpc

from chassis.access import unknown_unit
from chassis.disclosures import written_down
from chassis.errors import Fault, Kind
from chassis.files import name_file
from chassis.identity import caller
from chassis.paging import page_cursor, page_size, page_token
from chassis.request import current_request
from chassis.streams import envelope
from services.sync.convert.imports import import_message
from services.sync.convert.sheets.refused import FileRefusedError
from services.sync.domain.connections import KINDS as SCHOOLS
from services.sync.domain.imports import DEFAULT_SOURCE, Import, Order
from services.sync.store import imports
from services.sync.usecases import refusals
from services.sync.usecases.imports import reporting, templates, uploading
from services.sync.usecases.imports.office import Office
from services.sync.usecases.partner_connections import own_source

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
WATCH_SECONDS: Final = 0.5
FIRST_YEAR: Final = 1990


class ImportsServicer(imports_pb2_grpc.ImportsServiceServicer):
    """Answers `iocedu.sync.v1.ImportsService`."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def CreateImport(
        self, request_iterator: AsyncIterator[imports_pb2.CreateImportRequest], _context: Any
    ) -> imports_pb2.CreateImportResponse:
        """Take a file in parts."""
        first = await anext(request_iterator)
        unit_id = self._unit_id(first.unit)
        if first.school_year < FIRST_YEAR:
            raise refusals.invalid(
                "school_year",
                vi="Thiếu năm học. Hãy ghi năm đầu của năm học, ví dụ school_year=2026 cho năm học 2026-2027.",
                en="The school year is missing: give its first year, e.g. school_year=2026 for 2026-2027.",
            )
        if first.complete and (not first.collection or not self._is_school(unit_id)):
            raise refusals.not_one_school()
        order = Order(
            unit_id=unit_id,
            subject=caller().subject,
            source=first.source or await own_source(self._office.intake, caller().subject) or DEFAULT_SOURCE,
            file_name=PurePath(first.file_name.replace("\\", "/")).name[:255],
            school_year=first.school_year,
            collection=first.collection,
            stage=first.stage,
            complete=first.complete,
            backfill=first.backfill,
            request_id=first.request_id,
            validate_only=first.validate_only,
        )
        one = await uploading.create_import(self._office, order, parts=_parts(first, request_iterator))
        return imports_pb2.CreateImportResponse(**{"import": import_message(one, language=_language())})

    async def GetImport(self, request: imports_pb2.GetImportRequest, _context: Any) -> imports_pb2.GetImportResponse:
        """Get an import."""
        one = await self._import(request.unit, request.import_id)
        return imports_pb2.GetImportResponse(**{"import": import_message(one, language=_language())})

    async def ListImports(
        self, request: imports_pb2.ListImportsRequest, _context: Any
    ) -> imports_pb2.ListImportsResponse:
        """List imports, newest first."""
        unit_id, size, cursor = self._unit_id(request.unit), page_size(request.page_size, 50), page_cursor(request)
        async with self._office.intake.database.connection() as reads:
            found = await imports.listed(
                reads,
                self._office.intake.places_below(unit_id),
                states=list(request.states),
                before=cursor[0] if cursor else None,
                most=size + 1,
            )
        response = imports_pb2.ListImportsResponse(
            imports=[import_message(one, language=_language()) for one in found[:size]]
        )
        if len(found) > size:
            response.next_page_token = page_token(request, [found[size - 1].import_id])
        return response

    async def WatchImport(
        self, request: imports_pb2.WatchImportRequest, _context: Any
    ) -> AsyncIterator[imports_pb2.WatchImportResponse]:
        """Send an import whenever it changes, until it has ended."""
        await self._import(request.unit, request.import_id)
        async for response in envelope(imports_pb2.WatchImportResponse, self._changes(request), position="0"):
            yield response

    async def _changes(self, request: imports_pb2.WatchImportRequest) -> AsyncIterator[tuple[str, imports_pb2.Import]]:
        position, before = 0, b""
        while True:
            one = await self._import(request.unit, request.import_id)
            message = import_message(one, language=_language())
            if (told := message.SerializeToString(deterministic=True)) != before:
                position, before = position + 1, told
                yield str(position), message
            if one.state.ended:
                return
            await asyncio.sleep(WATCH_SECONDS)

    async def ConfirmImport(
        self, request: imports_pb2.ConfirmImportRequest, _context: Any
    ) -> imports_pb2.ConfirmImportResponse:
        """Let an import go on."""
        one = await self._import(request.unit, request.import_id)
        one = await uploading.confirm_import(self._office, one, by=caller(), reason=request.decision_reason.strip())
        return imports_pb2.ConfirmImportResponse(**{"import": import_message(one, language=_language())})

    async def CancelImport(
        self, request: imports_pb2.CancelImportRequest, _context: Any
    ) -> imports_pb2.CancelImportResponse:
        """Stop an import."""
        one = await self._import(request.unit, request.import_id)
        one = await uploading.cancel_import(self._office, one, by=caller(), reason=request.decision_reason.strip())
        return imports_pb2.CancelImportResponse(**{"import": import_message(one, language=_language())})

    async def ListImportProblems(
        self, request: imports_pb2.ListImportProblemsRequest, _context: Any
    ) -> imports_pb2.ListImportProblemsResponse:
        """List rows that were not stored."""
        one, cursor = await self._import(request.unit, request.import_id), page_cursor(request)
        own = one.order.subject == caller().subject
        found, after = await reporting.problems(
            self._office,
            one,
            kind=(request.reason, request.field),
            after=(cursor[0], cursor[1]) if cursor else None,
            most=page_size(request.page_size, 100),
            language=_language(),
            own=own,
        )
        response = imports_pb2.ListImportProblemsResponse(problems=found, masked=not own)
        if cursor is None:
            response.kinds.extend(await reporting.kinds(self._office, one))
        if after is not None:
            response.next_page_token = page_token(request, after)
        return response

    async def GetImportReport(
        self, request: imports_pb2.GetImportReportRequest, context: Any
    ) -> imports_pb2.GetImportReportResponse:
        """Give the file back with what is wrong."""
        one = await self._import(request.unit, request.import_id)
        try:
            content = await reporting.report(
                self._office,
                one,
                language=_language(),
                purpose=request.purpose,
                own=one.order.subject == caller().subject,
            )
        except FileRefusedError as refused:
            raise _file_fault(refused) from None
        await name_file(context, f"loi-{one.import_id}.xlsx")
        return imports_pb2.GetImportReportResponse(content=_workbook(content))

    async def GetTemplate(
        self, request: imports_pb2.GetTemplateRequest, context: Any
    ) -> imports_pb2.GetTemplateResponse:
        """Give a workbook to fill in."""
        unit_id = self._unit_id(request.unit)
        unit = self._office.intake.scopes.tree.unit(unit_id)
        if unit is None or not self._is_school(unit_id):
            raise refusals.not_one_school()
        if not request.filled:
            written_down()  # A blank one shows nobody.
        try:
            content = await templates.template(
                self._office,
                str(unit_id),
                name=unit.name,
                collection=request.collection,
                school_year=request.school_year,
                stage=request.stage,
                filled=request.filled,
                purpose=request.purpose,
            )
        except FileRefusedError as refused:
            raise _file_fault(refused) from None
        await name_file(context, f"mau-{request.collection}-{request.school_year}-{unit_id}.xlsx")
        return imports_pb2.GetTemplateResponse(content=_workbook(content))

    async def _import(self, unit: str, import_id: int) -> Import:
        unit_id = self._unit_id(unit)
        async with self._office.intake.database.connection() as reads:
            one = await imports.get(reads, import_id)
        if one is None or one.order.unit_id not in self._office.intake.places_below(unit_id):
            raise refusals.unknown_import(import_id)
        return one

    def _unit_id(self, unit: str) -> int:
        intake = self._office.intake
        unit_id = intake.scopes.tree.resolve(unit, intake.clock.today())
        if unit_id is None:
            raise unknown_unit(unit)
        return unit_id

    def _is_school(self, unit_id: int) -> bool:
        unit = self._office.intake.scopes.tree.unit(unit_id)
        return unit is not None and unit.kind in SCHOOLS


async def _parts(
    first: imports_pb2.CreateImportRequest, others: AsyncIterator[imports_pb2.CreateImportRequest]
) -> AsyncIterator[bytes]:
    yield first.content.data
    async for message in others:
        yield message.content.data


def _file_fault(refused: FileRefusedError) -> Fault:
    text = refused.text
    return Fault(Kind.INVALID, refused.reason, vi=text.vi, en=text.en, metadata=refused.metadata)


def _workbook(content: bytes) -> httpbody_pb2.HttpBody:
    return httpbody_pb2.HttpBody(content_type=XLSX, data=content)


def _language() -> str:
    request = current_request()
    return request.language if request else "vi"
