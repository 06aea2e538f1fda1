"""ReportsService: reports listed, read, entered and led through their life; versions compared, schools added up."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from iocedu.reporting.v1 import report_sums_pb2, reports_pb2, reports_pb2_grpc
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database
from chassis.identity import caller
from chassis.paging import page_cursor, page_size, page_token
from services.reporting.convert.forms import form_message, form_of
from services.reporting.convert.reports import (
    difference_message,
    entered,
    missing_message,
    report_answer,
    report_message,
    states_of,
    sum_messages,
)
from services.reporting.domain.forms import cells_of
from services.reporting.domain.reports import Report, State, differing
from services.reporting.servicer.places import UnitsToday
from services.reporting.store import campaigns, reports
from services.reporting.usecases.asking import once
from services.reporting.usecases.campaigns import get_campaign
from services.reporting.usecases.forms import get_form
from services.reporting.usecases.reading import Reading
from services.reporting.usecases.reports import Steps, get_report, hold_report

MOST_MISSING = 100
ADDED = (State.CONFIRMED, State.REVIEWED, State.APPROVED)

Step = Callable[[AsyncConnection, Report], Awaitable[Report]]


@dataclass(frozen=True)
class ReportsServicer(reports_pb2_grpc.ReportsServiceServicer):
    """Answers iocedu.reporting.v1.ReportsService."""

    database: Database
    units: UnitsToday
    reading: Reading
    steps: Steps

    async def ListReports(
        self, request: reports_pb2.ListReportsRequest, _context: Any
    ) -> reports_pb2.ListReportsResponse:
        """Reports below a unit, by id."""
        size, cursor = page_size(request.page_size), page_cursor(request)
        async with self.database.connection() as connection:
            found = await reports.reports_page(
                connection,
                below=self.units.below(request.unit),
                now=self.units.clock.now(),
                campaign_id=request.campaign_id,
                states=states_of(request.states),
                late=request.late,
                after=int(cursor[0]) if cursor else 0,
                limit=size + 1,
            )
        response = reports_pb2.ListReportsResponse(
            reports=[report_message(one, self.units.name) for one in found[:size]]
        )
        if len(found) > size:
            response.next_page_token = page_token(request, [found[size - 1].report_id])
        return response

    async def GetReport(self, request: reports_pb2.GetReportRequest, _context: Any) -> reports_pb2.GetReportResponse:
        """A report with its cells, findings, steps and versions."""
        report = await self._report(request.unit, request.report_id)
        form = await self.reading.form(report)
        content = await self.reading.content(report, form, request.version)
        async with self.database.connection() as connection:
            steps = await reports.steps_of(connection, report.report_id)
            versions = await reports.versions_of(connection, report.report_id)
        shown = report_message(report, self.units.name)
        return report_answer(shown, cells_of(form), content, steps=steps, versions=versions)

    async def EnterCells(self, request: reports_pb2.EnterCellsRequest, _context: Any) -> reports_pb2.EnterCellsResponse:
        """Enter cells, all or none."""
        by = caller().subject
        cells = cells_of(await self.reading.form(await self._report(request.unit, request.report_id)))

        async def enter(connection: AsyncConnection, report: Report) -> Report:
            return await self.steps.enter(connection, report, cells, entered(request), by=by)

        report = await self._taken(request, enter)
        return reports_pb2.EnterCellsResponse(report=report_message(report, self.units.name))

    async def ConfirmReport(
        self, request: reports_pb2.ConfirmReportRequest, _context: Any
    ) -> reports_pb2.ConfirmReportResponse:
        """Confirm a report for its school, as it is counted now."""
        by = caller().subject
        seen = await self._report(request.unit, request.report_id)
        form = await self.reading.form(seen)
        counts = await self.reading.counts(seen, form)  # Before the report is held: counting takes connections too.

        async def confirm(connection: AsyncConnection, report: Report) -> Report:
            return await self.steps.confirm(connection, report, form, counts, by=by)

        report = await self._taken(request, confirm)
        return reports_pb2.ConfirmReportResponse(report=report_message(report, self.units.name))

    async def ReviewReport(
        self, request: reports_pb2.ReviewReportRequest, _context: Any
    ) -> reports_pb2.ReviewReportResponse:
        """Mark a report as reviewed."""
        by = caller().subject

        async def review(connection: AsyncConnection, report: Report) -> Report:
            return await self.steps.review(connection, report, by=by)

        report = await self._taken(request, review)
        return reports_pb2.ReviewReportResponse(report=report_message(report, self.units.name))

    async def ApproveReport(
        self, request: reports_pb2.ApproveReportRequest, _context: Any
    ) -> reports_pb2.ApproveReportResponse:
        """Approve a report: its version is frozen, its lock asked for."""
        by = caller().subject
        form = await self.reading.form(await self._report(request.unit, request.report_id))

        async def approve(connection: AsyncConnection, report: Report) -> Report:
            return await self.steps.approve(connection, report, form, by=by)

        report = await self._taken(request, approve)
        return reports_pb2.ApproveReportResponse(report=report_message(report, self.units.name))

    async def ReturnReport(
        self, request: reports_pb2.ReturnReportRequest, _context: Any
    ) -> reports_pb2.ReturnReportResponse:
        """Send a report back to its school."""
        by = caller().subject

        async def send_back(connection: AsyncConnection, report: Report) -> Report:
            return await self.steps.send_back(connection, report, by=by, reason=request.reason.strip())

        report = await self._taken(request, send_back)
        return reports_pb2.ReturnReportResponse(report=report_message(report, self.units.name))

    async def ReopenReport(
        self, request: reports_pb2.ReopenReportRequest, _context: Any
    ) -> reports_pb2.ReopenReportResponse:
        """Open an approved report again."""
        by = caller().subject
        form = await self.reading.form(await self._report(request.unit, request.report_id))

        async def reopen(connection: AsyncConnection, report: Report) -> Report:
            return await self.steps.reopen(connection, report, form, by=by, reason=request.reason.strip())

        report = await self._taken(request, reopen)
        return reports_pb2.ReopenReportResponse(report=report_message(report, self.units.name))

    async def RelockReport(
        self, request: reports_pb2.RelockReportRequest, _context: Any
    ) -> reports_pb2.RelockReportResponse:
        """Ask records anew for what it refused."""
        by = caller().subject
        form = await self.reading.form(await self._report(request.unit, request.report_id))

        async def relock(connection: AsyncConnection, report: Report) -> Report:
            return await self.steps.relock(connection, report, form, by=by)

        report = await self._taken(request, relock)
        return reports_pb2.RelockReportResponse(report=report_message(report, self.units.name))

    async def CompareVersions(
        self, request: report_sums_pb2.CompareVersionsRequest, _context: Any
    ) -> report_sums_pb2.CompareVersionsResponse:
        """Two versions cell by cell; what the records give now is what the school would confirm now."""
        report = await self._report(request.unit, request.report_id)
        form = await self.reading.form(report)
        number = request.from_version or await self.reading.newest_approved(report) or report.version
        one = await self.reading.content(report, form, number or 1)
        version = request.to_version
        other = await (self.reading.content(report, form, version) if version else self.reading.draft(report, form))
        differences = [difference_message(*found) for found in differing(one.values, other.values)]
        return report_sums_pb2.CompareVersionsResponse(
            from_version=one.version,
            to_version=version,
            differences=differences,
            unchanged_count=len(one.values.keys() | other.values.keys()) - len(differences),
        )

    async def AggregateReports(
        self, request: report_sums_pb2.AggregateReportsRequest, _context: Any
    ) -> report_sums_pb2.AggregateReportsResponse:
        """The sum of the schools' reports, and whose are missing."""
        below = self.units.below(request.unit)
        least = State(request.least_state) if request.least_state else State.CONFIRMED
        wanted = [state for state in ADDED if state >= least]
        async with self.database.connection() as connection:
            campaign = await get_campaign(connection, request.campaign_id, below=below)
            form = form_of(form_message(await get_form(connection, campaign.form, campaign.form_version)))
            schools = await campaigns.states_of(
                connection, request.campaign_id, below=below, now=self.units.clock.now()
            )
            sums, data_time = await reports.sums(
                connection, request.campaign_id, schools=[school for school, _, _ in schools], states=wanted
            )
        missing = sorted(
            (self.units.name(school), school, state) for school, state, _ in schools if state not in wanted
        )
        response = report_sums_pb2.AggregateReportsResponse(
            cells=sum_messages(cells_of(form), sums),
            school_count=len(schools) - len(missing),
            expected_school_count=len(schools),
            missing=[missing_message(school, name, state) for name, school, state in missing[:MOST_MISSING]],
        )
        if data_time is not None:
            response.data_time.FromDatetime(data_time)
        return response

    async def _report(self, unit: str, report_id: int) -> Report:
        async with self.database.connection() as connection:
            return await get_report(connection, report_id, below=self.units.below(unit), now=self.units.clock.now())

    async def _taken(self, request: Any, step: Step) -> Report:
        """Take a step on the report a request names, once a request id; the report after it."""
        below, now = self.units.below(request.unit), self.units.clock.now()
        async with self.database.transaction() as connection:

            async def take() -> int:
                report = await hold_report(connection, request.report_id, below=below, etag=request.etag, now=now)
                return (await step(connection, report)).report_id

            await once(connection, request, request_id=request.request_id, subject=caller().subject, work=take)
            return await get_report(connection, request.report_id, below=below, now=now)
