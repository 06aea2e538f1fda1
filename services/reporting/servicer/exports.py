"""ExportsService: one report as a file at once, a unit's reports as a job."""

import asyncio
from dataclasses import dataclass
from typing import Any

from iocedu.reporting.v1 import exports_pb2, exports_pb2_grpc
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.access import caller_may
from chassis.database import Database
from chassis.errors import Fault, Kind
from chassis.files import name_file
from chassis.identity import caller
from services.reporting.convert.exports import export_message, file_of
from services.reporting.convert.tables import CSV, ZIP, table
from services.reporting.convert.workbooks import XLSX, About, SchoolPage, one_report
from services.reporting.domain.exports import Export, ExportState
from services.reporting.domain.extracts import APPROVING
from services.reporting.servicer.places import UnitsToday, language
from services.reporting.store import exports
from services.reporting.store.exports import Begun
from services.reporting.usecases.asking import once
from services.reporting.usecases.campaigns import get_campaign
from services.reporting.usecases.exporting import Exporter
from services.reporting.usecases.reading import Reading
from services.reporting.usecases.reports import get_report

DEFAULT = "xlsx"


@dataclass(frozen=True)
class ExportsServicer(exports_pb2_grpc.ExportsServiceServicer):
    """Answers iocedu.reporting.v1.ExportsService."""

    database: Database
    units: UnitsToday
    reading: Reading
    exporter: Exporter

    async def DownloadReport(
        self, request: exports_pb2.DownloadReportRequest, context: Any
    ) -> exports_pb2.DownloadReportResponse:
        """One report as a file."""
        now = self.units.clock.now()
        async with self.database.connection() as connection:
            report = await get_report(connection, request.report_id, below=self.units.below(request.unit), now=now)
        form = await self.reading.form(report)
        content = await self.reading.content(report, form, request.version)
        school = self.units.name(report.school_id)
        name = f"{form.code}-{report.school_year}-{report.school_id}"
        if request.format == "csv":
            page = SchoolPage(report.school_id, school, report.state, content)
            file = await asyncio.to_thread(table, form, [page], school_year=report.school_year)
            await name_file(context, f"{name}.csv")
            return exports_pb2.DownloadReportResponse(content=file_of(file, CSV), file_name=f"{name}.csv")
        about = About(school, report.school_year, language(), now)
        file = await asyncio.to_thread(
            one_report, form, content, about=about, state=report.state, catalogue=self.exporter.catalogue
        )
        await name_file(context, f"{name}.xlsx")
        return exports_pb2.DownloadReportResponse(content=file_of(file, XLSX), file_name=f"{name}.xlsx")

    async def StartExport(
        self, request: exports_pb2.StartExportRequest, _context: Any
    ) -> exports_pb2.StartExportResponse:
        """Begin an export, once a request id."""
        unit_id, by = self.units.resolve(request.unit), caller().subject
        begun = Begun(unit_id, request.format or DEFAULT, by, language(), campaign_id=request.campaign_id)
        async with self.database.transaction() as connection:
            await get_campaign(connection, request.campaign_id, below=self.units.below(request.unit))

            async def begin() -> int:
                return await exports.add_export(connection, begun, now=self.units.clock.now())

            export_id, _ = await once(connection, request, request_id=request.request_id, subject=by, work=begin)
            export = await exports.find_export(connection, export_id, unit_id=unit_id)
        if export is None:
            raise _unknown(export_id)
        return exports_pb2.StartExportResponse(export=export_message(export))

    async def GetExport(self, request: exports_pb2.GetExportRequest, _context: Any) -> exports_pb2.GetExportResponse:
        """How far an export is."""
        return exports_pb2.GetExportResponse(export=export_message(await self._export(request)))

    async def CancelExport(
        self, request: exports_pb2.CancelExportRequest, _context: Any
    ) -> exports_pb2.CancelExportResponse:
        """Cancel an export; one that has ended stays as it is."""
        export = await self._export(request)
        async with self.database.transaction() as connection:
            await exports.end_export(connection, export.export_id, ExportState.CANCELLED, now=self.units.clock.now())
        return exports_pb2.CancelExportResponse(export=export_message(await self._export(request)))

    async def DownloadExport(
        self, request: exports_pb2.DownloadExportRequest, context: Any
    ) -> exports_pb2.DownloadExportResponse:
        """The file of an export that is done; that of an extract for research is given as such alone."""
        export = await self._export(request)
        if export.extract_id is not None:
            raise _unknown(export.export_id)
        async with self.database.connection() as connection:
            file = await done_content(connection, export)
        kind = ZIP if export.format == "csv" else XLSX
        await name_file(context, export.file_name)
        return exports_pb2.DownloadExportResponse(content=file_of(file, kind), file_name=export.file_name)

    async def _export(self, request: Any) -> Export:
        unit_id = self.units.resolve(request.unit)
        async with self.database.connection() as connection:
            export = await exports.find_export(connection, request.export_id, unit_id=unit_id)
        if export is None or not self._may_see(export):
            raise _unknown(request.export_id)
        return export

    def _may_see(self, export: Export) -> bool:
        """A pivot may be somebody's own: so are its files. An extract is also of who may decide on it."""
        if export.created_by == caller().subject or (export.pivot_id is None and export.extract_id is None):
            return True
        tree, today = self.units.scopes.tree, self.units.clock.today()
        return export.extract_id is not None and caller_may(tree, APPROVING, export.unit_id, today)


async def done_content(connection: AsyncConnection, export: Export) -> bytes:
    """The file of an export; raises EXPORT_NOT_DONE."""
    if export.state is not ExportState.DONE:
        state = export.state.name.lower()
        raise Fault(
            Kind.PRECONDITION,
            "EXPORT_NOT_DONE",
            vi="Tệp chưa có: việc xuất còn đang chạy, đã hủy hoặc không thành công.",
            en=f"There is no file: the export is {state}.",
            metadata={"export_id": str(export.export_id), "state": state},
        )
    return await exports.content_of(connection, export.export_id)


def _unknown(export_id: int) -> Fault:
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_EXPORT",
        vi=f"Đơn vị này không có lần xuất số {export_id}; tệp cũ được xóa sau vài ngày.",
        en=f"This unit has no export {export_id}; files are deleted after some days.",
        metadata={"export_id": str(export_id)},
    )
