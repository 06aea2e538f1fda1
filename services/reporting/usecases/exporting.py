"""Exports as jobs: slice by slice, with progress, stopped once cancelled, taken over when a replica dies.

An export outlives its caller: whether that person still may see the unit is asked again when it runs. Refuses a file
that no message could carry.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog

from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import Fault
from chassis.scopes import Scopes
from services.reporting.convert.extracts import Drawn, csv_files
from services.reporting.convert.extracts import xlsx_of as extract_xlsx
from services.reporting.convert.forms import form_message, form_of
from services.reporting.convert.pivots import asked_of, csv_of, xlsx_of
from services.reporting.convert.tables import table, zipped
from services.reporting.convert.workbooks import About, SchoolPage, many_reports
from services.reporting.domain.catalogue import Catalogue
from services.reporting.domain.exports import READERS, Export, ExportState
from services.reporting.domain.forms import Form, Key
from services.reporting.domain.reports import Campaign, State
from services.reporting.store import asked, campaigns, exports, pivots, reports
from services.reporting.usecases.campaigns import get_campaign
from services.reporting.usecases.extracting import PUPILS, Extracts
from services.reporting.usecases.forms import get_form
from services.reporting.usecases.pivots import Pivots, told
from services.reporting.usecases.reading import Reading
from services.reporting.usecases.telling import Teller

LEASE = timedelta(seconds=60)
RENEWALS = 3  # Of a lease while its work goes on.
SCHOOLS_AT_ONCE = 50
MOST_ATTEMPTS = 3
MOST_BYTES = 15_000_000
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
    pivots: Pivots
    extracts: Extracts
    teller: Teller

    async def look(self) -> int:
        """Run an export that waits; says whether there was one."""
        async with self.database.transaction() as connection:
            now = self.clock.now()
            export = await exports.claim_export(connection, now=now, lease_until=now + LEASE)
        if export is None:
            return 0
        try:
            async with self._held(export):
                failure = "EXPORT_FAILED" if export.attempts > MOST_ATTEMPTS else await self._run(export)
        except Fault as fault:
            log.warning("export failed", action="exporting.failed", export=export.export_id, reason=fault.reason)
            failure = fault.reason
        if failure:
            await self._end(export, ExportState.FAILED, failure=failure)
        return 1

    @asynccontextmanager
    async def _held(self, export: Export) -> AsyncIterator[None]:
        """Keep other replicas from the export for as long as it takes."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(LEASE.total_seconds() / RENEWALS)
                async with self.database.transaction() as connection:
                    if not await exports.renew(connection, export, lease_until=self.clock.now() + LEASE):
                        return

        renewing = asyncio.create_task(renew(), name="export lease")
        try:
            yield
        finally:
            renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await renewing

    async def prune(self) -> int:
        """Forget files that are past their time, and requests nobody repeats any more."""
        async with self.database.transaction() as connection:
            await asked.forget_answers(connection, days=ASKED_KEPT_DAYS)
            await self.extracts.forget_cuts(connection)
            await exports.prune(connection, before=self.clock.now() - timedelta(days=self.kept_days))
        return 0

    async def _run(self, export: Export) -> str:
        """Do an export; the reason why it could not be done, or nothing."""
        tree, today = self.scopes.tree, self.clock.today()
        if not tree.may(export.created_by, READERS, export.unit_id, today):
            return "NO_GRANT"
        if export.extract_id is not None:
            return await self._run_extract(export, export.extract_id)
        if export.pivot_id is not None:
            return await self._run_pivot(export, export.pivot_id)
        if export.campaign_id is None:
            return "EXPORT_FAILED"
        return await self._run_campaign(export, export.campaign_id, below=tree.subtree(export.unit_id, today))

    async def _run_pivot(self, export: Export, pivot_id: int) -> str:
        async with self.database.connection() as connection:
            pivot = await self.pivots.seen(connection, pivot_id, unit_id=export.unit_id, subject=export.created_by)
        found = await self.pivots.answer(pivot.kept, unit_id=export.unit_id)
        dimensions = self.catalogue.named(asked_of(pivot.kept).dimensions)
        lines = await asyncio.to_thread(told, found)
        name = f"pivot-{pivot_id}-{export.unit_id}-{self.clock.today().isoformat()}"
        if export.format == "csv":
            table_ = await asyncio.to_thread(csv_of, lines, dimensions, language=export.language)
            content, name = zipped({f"{name}.csv": table_}), f"{name}.csv.zip"
        else:
            title = f"{pivot.kept.name} – {self._name(export.unit_id)}"
            content = await asyncio.to_thread(xlsx_of, lines, dimensions, title=title, language=export.language)
            name = f"{name}.xlsx"
        return await self._done(export, content, name, total=1)

    async def _run_extract(self, export: Export, extract_id: int) -> str:
        async with self.database.connection() as connection:
            extract = await self.extracts.find(connection, extract_id, unit_id=export.unit_id)
        counted = self.catalogue.find(PUPILS)
        if counted is None or not self.extracts.may(extract):
            return "NO_GRANT"
        cut = await self.extracts.given(extract.wanted)
        drawn = Drawn(extract, cut, counted, self.clock.now(), self._name)
        name = f"extract-{extract_id}-{self.clock.today().isoformat()}"
        if export.format == "csv":
            files = await asyncio.to_thread(csv_files, drawn, name)
            content, name = await asyncio.to_thread(zipped, files), f"{name}.csv.zip"
        else:
            content, name = await asyncio.to_thread(extract_xlsx, drawn), f"{name}.xlsx"
        return await self._done(export, content, name, total=drawn.total)

    async def _run_campaign(self, export: Export, campaign_id: int, *, below: frozenset[int]) -> str:
        async with self.database.connection() as connection:
            campaign = await get_campaign(connection, campaign_id, below=below)
            form = form_of(form_message(await get_form(connection, campaign.form, campaign.form_version)))
            states = await campaigns.states_of(connection, campaign_id, below=below, now=self.clock.now())
        named = sorted((self._name(school), school, state) for school, state, _ in states)
        pages: list[SchoolPage] = []
        for start in range(0, len(named), SCHOOLS_AT_ONCE):
            part = named[start : start + SCHOOLS_AT_ONCE]
            if not await self._advance(export, done=start, total=len(named)):
                return ""
            pages += await self._pages(campaign_id, part)
        sums = _sums(pages)
        content, name = await asyncio.to_thread(self._file, export, campaign, form, pages, sums)
        return await self._done(export, content, name, total=len(named))

    async def _done(self, export: Export, content: bytes, name: str, *, total: int) -> str:
        if len(content) > MOST_BYTES:
            return "EXPORT_TOO_LARGE"
        if await self._advance(export, done=total, total=total):
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
            content = table(form, pages, school_year=campaign.school_year)
            return zipped({f"{name}.csv": content}), f"{name}.csv.zip"
        about = About(self._name(export.unit_id), campaign.school_year, export.language, self.clock.now())
        return many_reports(form, pages, sums, about=about, catalogue=self.catalogue), f"{name}.xlsx"

    async def _advance(self, export: Export, *, done: int, total: int) -> bool:
        async with self.database.transaction() as connection:
            return await exports.advance(connection, export, done=done, total=total)

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
            ended = await exports.end_export(
                connection,
                export.export_id,
                state,
                now=self.clock.now(),
                attempts=export.attempts,
                content=content,
                file_name=file_name,
                failure=failure,
            )
            if ended and export.extract_id is not None:
                extract = await self.extracts.find(connection, export.extract_id, unit_id=export.unit_id)
                await self.teller.extract(connection, "ready" if state is ExportState.DONE else "failed", extract)
            if ended and export.scheduled and export.pivot_id is not None:
                pivot = await pivots.find_pivot(connection, export.pivot_id)
                if pivot is not None:
                    await self.teller.sent(connection, pivot, export, done=state is ExportState.DONE)

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
