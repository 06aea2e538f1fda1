"""Exports as jobs: slice by slice, with progress, stopped once cancelled, taken over when a replica dies.

An export outlives its caller: whether that person still may see the unit is asked again when it runs. Refuses a file
that no message could carry.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import structlog

from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import Fault
from chassis.scopes import Scopes
from services.reporting.convert.forms import form_message, form_of
from services.reporting.convert.tables import table, zipped
from services.reporting.convert.workbooks import About, SchoolPage, many_reports
from services.reporting.domain.catalogue import Catalogue
from services.reporting.domain.exports import Export, ExportState
from services.reporting.domain.forms import Form, Key
from services.reporting.domain.reports import Campaign, State
from services.reporting.store import asked, campaigns, exports, reports
from services.reporting.usecases.campaigns import get_campaign
from services.reporting.usecases.forms import get_form
from services.reporting.usecases.reading import Reading

LEASE = timedelta(seconds=60)
SCHOOLS_AT_ONCE = 50
MOST_ATTEMPTS = 3
MOST_BYTES = 15_000_000
READERS = ("administrator", "director", "officer", "auditor")
ASKED_KEPT_DAYS = 30

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Exporter:
    """Runs exports."""

    database: Database
    reading: Reading
    catalogue: Catalogue
    scopes: Scopes
    clock: Clock
    kept_days: int

    async def look(self) -> int:
        """Run an export that waits; says whether there was one."""
        async with self.database.transaction() as connection:
            now = self.clock.now()
            export = await exports.claim_export(connection, now=now, lease_until=now + LEASE)
        if export is None:
            return 0
        try:
            failure = "EXPORT_FAILED" if export.attempts > MOST_ATTEMPTS else await self._run(export)
        except Fault as fault:
            log.warning("export failed", action="exporting.failed", export=export.export_id, reason=fault.reason)
            failure = fault.reason
        if failure:
            await self._end(export, ExportState.FAILED, failure=failure)
        return 1

    async def prune(self) -> int:
        """Forget files that are past their time, and requests nobody repeats any more."""
        async with self.database.transaction() as connection:
            await asked.forget_answers(connection, days=ASKED_KEPT_DAYS)
            await exports.prune(connection, before=self.clock.now() - timedelta(days=self.kept_days))
        return 0

    async def _run(self, export: Export) -> str:
        """Do an export; the reason why it could not be done, or nothing."""
        tree, today = self.scopes.tree, self.clock.today()
        if not tree.may(export.created_by, READERS, export.unit_id, today):
            return "NO_GRANT"
        below = tree.subtree(export.unit_id, today)
        async with self.database.connection() as connection:
            campaign = await get_campaign(connection, export.campaign_id, below=below)
            form = form_of(form_message(await get_form(connection, campaign.form, campaign.form_version)))
            states = await campaigns.states_of(connection, export.campaign_id, below=below, now=self.clock.now())
        named = sorted((self._name(school), school, state) for school, state, _ in states)
        pages: list[SchoolPage] = []
        for start in range(0, len(named), SCHOOLS_AT_ONCE):
            part = named[start : start + SCHOOLS_AT_ONCE]
            if not await self._advance(export, done=start, total=len(named)):
                return ""
            pages += await self._pages(export.campaign_id, part)
        sums = _sums(pages)
        content, name = await asyncio.to_thread(self._file, export, campaign, form, pages, sums)
        if len(content) > MOST_BYTES:
            return "EXPORT_TOO_LARGE"
        if await self._advance(export, done=len(named), total=len(named)):
            await self._end(export, ExportState.DONE, content=content, file_name=name)
        return ""

    async def _pages(self, campaign_id: int, part: list[tuple[str, int, State]]) -> list[SchoolPage]:
        async with self.database.connection() as connection:
            standing = await reports.versions_that_stand(
                connection, campaign_id, schools=[school for _, school, _ in part]
            )
        contents = {school: (state, content) for school, state, content in standing}
        pages = []
        for name, school, known in part:
            state, content = contents.get(school, (known, None))
            pages.append(SchoolPage(school, name, state, content))
        return pages

    def _file(
        self,
        export: Export,
        campaign: Campaign,
        form: Form,
        pages: list[SchoolPage],
        sums: dict[Key, tuple[float, int]],
    ) -> tuple[bytes, str]:
        name = f"{form.code}-{campaign.school_year}-{export.unit_id}"
        if export.format == "csv":
            return zipped(f"{name}.csv", table(form, pages, school_year=campaign.school_year)), f"{name}.csv.zip"
        about = About(self._name(export.unit_id), campaign.school_year, export.language, self.clock.now())
        return many_reports(form, pages, sums, about=about, catalogue=self.catalogue), f"{name}.xlsx"

    async def _advance(self, export: Export, *, done: int, total: int) -> bool:
        lease = self.clock.now() + LEASE
        async with self.database.transaction() as connection:
            return await exports.advance(connection, export.export_id, done=done, total=total, lease_until=lease)

    async def _end(
        self,
        export: Export,
        state: ExportState,
        *,
        content: bytes | None = None,
        file_name: str = "",
        failure: str = "",
    ) -> None:
        async with self.database.transaction() as connection:
            await exports.end_export(
                connection,
                export.export_id,
                state,
                now=self.clock.now(),
                content=content,
                file_name=file_name,
                failure=failure,
            )

    def _name(self, unit_id: int) -> str:
        unit = self.scopes.tree.unit(unit_id)
        return unit.name if unit else f"#{unit_id}"


def _sums(pages: list[SchoolPage]) -> dict[Key, tuple[float, int]]:
    sums: dict[Key, tuple[float, int]] = {}
    for page in pages:
        for key, value in page.content.values.items() if page.content else ():
            if value.value is not None:
                total, count = sums.get(key, (0.0, 0))
                sums[key] = total + value.value, count + 1
    return sums
