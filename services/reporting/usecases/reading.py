"""What a report says: the draft as counted this moment while its school is at it, else the version asked for."""

from dataclasses import dataclass

from chassis.database import Database
from services.reporting.convert.forms import form_message, form_of
from services.reporting.domain.forms import Form, cells_of
from services.reporting.domain.reports import AT_SCHOOL, Content, Report
from services.reporting.store import reports
from services.reporting.usecases.filling import Counts, Filler
from services.reporting.usecases.forms import get_form
from services.reporting.usecases.reports import draft, get_version


@dataclass(frozen=True)
class Reading:
    """Reads reports with their forms."""

    database: Database
    filler: Filler

    async def form(self, report: Report) -> Form:
        """The form of a report, in the version of its campaign."""
        async with self.database.connection() as connection:
            row = await get_form(connection, report.form, report.form_version)
        return form_of(form_message(row))

    async def counts(self, report: Report, form: Form) -> Counts:
        """What the records give now for the counted cells."""
        return await self.filler.count(cells_of(form), school_id=report.school_id, school_year=report.school_year)

    async def content(self, report: Report, form: Form, version: int = 0) -> Content:
        """A version's cells; 0: the one that stands, or the draft while the school is at it."""
        if not version and report.state in AT_SCHOOL:
            return await self.draft(report, form)
        async with self.database.connection() as connection:
            return await get_version(connection, report, version or report.version)

    async def draft(self, report: Report, form: Form) -> Content:
        """The cells as they would be confirmed now."""
        counts = await self.counts(report, form)
        async with self.database.connection() as connection:
            return await draft(connection, report, form, counts)

    async def newest_approved(self, report: Report) -> int:
        """Number of the newest version that was approved; 0: none was."""
        async with self.database.connection() as connection:
            heads = await reports.versions_of(connection, report.report_id)
        return max((head.version for head in heads if head.approve_time is not None), default=0)
