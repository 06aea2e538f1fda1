"""gRPC in: how far schools are connected."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from typing import Any, Final

from google.api import httpbody_pb2
from iocedu.sync.v1 import coverage_pb2, coverage_pb2_grpc

from chassis.access import unknown_unit
from chassis.files import name_file
from chassis.paging import page_cursor, page_size, page_token
from chassis.request import current_request
from chassis.scope_tree import EVERY_UNIT
from chassis.streams import envelope
from services.sync.convert import coverage as convert
from services.sync.convert.coverage_files import CSV, XLSX, About, table, workbook
from services.sync.domain.connections import KINDS
from services.sync.domain.coverage import held
from services.sync.domain.coverage_rules import SchoolKind, levels_of
from services.sync.domain.coverage_sums import Standing, Sums, count
from services.sync.domain.coverage_words import KINDS as KIND_NAMES
from services.sync.domain.coverage_words import LEVELS, NO_LEVEL, NO_SOURCE
from services.sync.domain.words import same
from services.sync.store import coverage as store
from services.sync.store.coverage import Wanted
from services.sync.usecases import coverage as usecases
from services.sync.usecases import refusals
from services.sync.usecases.coverage import Coverage

MOST_LISTED: Final = 5_000
MOST_EXPORTED: Final = 50_000
MOST_TOLD: Final = 500  # Schools in one message of a stream.
WATCH_SECONDS: Final = 1.0
BY_COMMUNE, BY_KIND, BY_LEVEL, BY_SOURCE = (
    coverage_pb2.COVERAGE_BREAKDOWN_COMMUNE,
    coverage_pb2.COVERAGE_BREAKDOWN_KIND,
    coverage_pb2.COVERAGE_BREAKDOWN_LEVEL,
    coverage_pb2.COVERAGE_BREAKDOWN_SOURCE,
)


class CoverageServicer(coverage_pb2_grpc.CoverageServiceServicer):
    """Answers `iocedu.sync.v1.CoverageService`."""

    def __init__(self, judge: Coverage) -> None:
        self._judge = judge
        self._places: convert.Places | None = None

    async def SummarizeCoverage(
        self, request: coverage_pb2.SummarizeCoverageRequest, _context: Any
    ) -> coverage_pb2.SummarizeCoverageResponse:
        """Sum up."""
        unit_id, rules = self._unit_id(request.unit), self._judge.today()
        async with self._judge.database.connection() as reads:
            position = await store.position(reads)
        total, parts = await self._counted(unit_id, request.filter, request.breakdown)
        return coverage_pb2.SummarizeCoverageResponse(
            total=convert.sums(total),
            parts=convert.parts(parts),
            rules=convert.day_rules(rules, rules.expectations, language=_language()),
            position=str(position),
        )

    async def ListCoverage(
        self, request: coverage_pb2.ListCoverageRequest, _context: Any
    ) -> coverage_pb2.ListCoverageResponse:
        """List schools."""
        size, cursor = page_size(request.page_size, maximum=MOST_LISTED), page_cursor(request)
        wanted = self._wanted(self._unit_id(request.unit), request.filter)
        async with self._judge.database.connection() as reads:
            found = await store.listed(reads, wanted, order=request.order, after=cursor, most=size + 1)
        places, language = self._places_today(), _language()
        response = coverage_pb2.ListCoverageResponse()
        for place, (one, _) in enumerate(found[:size], 1):
            convert.fill(response.schools.add(), one, places, language=language)
            if place % MOST_TOLD == 0:
                await asyncio.sleep(0)
        if len(found) > size:
            response.next_page_token = page_token(request, found[size - 1][1])  # type: ignore[arg-type]  # numbers
        return response

    async def GetSchoolCoverage(
        self, request: coverage_pb2.GetSchoolCoverageRequest, _context: Any
    ) -> coverage_pb2.GetSchoolCoverageResponse:
        """Get a school."""
        judge, school_id = self._judge, self._unit_id(request.school)
        rules, now, language = judge.today(), judge.clock.now(), _language()
        async with judge.database.connection() as reads:
            known = await store.school(reads, school_id)
            if known is None:
                raise refusals.no_school(request.school)
            (facts,) = await usecases.facts_of(judge, reads, [known], rules)
        days = usecases.school_days(judge, rules.day)
        found = list(held(facts, rules, days(school_id), now))
        collections = [convert.held_collection(one, language=language) for one in found]
        return coverage_pb2.GetSchoolCoverageResponse(
            school=convert.school(known, self._places_today(), language=language),
            collections=collections,
            rules=convert.day_rules(rules, rules.expected(facts.kind, facts.levels), language=language, awaited=found),
        )

    async def ExportCoverage(
        self, request: coverage_pb2.ExportCoverageRequest, context: Any
    ) -> coverage_pb2.ExportCoverageResponse:
        """Give the list as a file."""
        judge, unit_id, language = self._judge, self._unit_id(request.unit), _language()
        wanted = self._wanted(unit_id, request.filter)
        async with judge.database.connection() as reads:
            found = await store.listed(reads, wanted, most=MOST_EXPORTED, whole=True)
        places = self._places_today()
        schools: list[coverage_pb2.SchoolCoverage] = []
        for start in range(0, len(found), MOST_TOLD):
            part = found[start : start + MOST_TOLD]
            schools += [convert.school(one, places, language=language) for one, _ in part]
            await asyncio.sleep(0)
        name = f"ket-noi-{judge.clock.today():%Y-%m-%d}-{unit_id}"
        if request.format == "csv":
            content, kind = await asyncio.to_thread(table, schools, language=language), CSV
        else:
            total, parts = await self._counted(unit_id, request.filter, BY_COMMUNE)
            about = About(self._name(unit_id), language, judge.clock.now())
            content = await asyncio.to_thread(workbook, schools, convert.sums(total), convert.parts(parts), about=about)
            kind = XLSX
        file_name = f"{name}.{request.format or 'xlsx'}"
        await name_file(context, file_name)
        return coverage_pb2.ExportCoverageResponse(
            content=httpbody_pb2.HttpBody(content_type=kind, data=content), file_name=file_name
        )

    async def WatchCoverage(
        self, request: coverage_pb2.WatchCoverageRequest, _context: Any
    ) -> AsyncIterator[coverage_pb2.WatchCoverageResponse]:
        """Follow schools."""
        unit_id, position = self._unit_id(request.unit), request.position or "0"
        changes = self._changes(unit_id, after=int(position))
        async for response in envelope(coverage_pb2.WatchCoverageResponse, changes, position=position):
            yield response

    async def _changes(self, unit_id: int, *, after: int) -> AsyncIterator[tuple[str, coverage_pb2.CoverageUpdate]]:
        language = _language()
        while True:
            async with self._judge.database.connection() as reads:
                found = await store.changed(reads, self._schools(unit_id), after=after, most=MOST_TOLD)
            if found:
                after, places = found[-1].position, self._places_today()
                told = [convert.school(one, places, language=language) for one in found]
                yield str(after), coverage_pb2.CoverageUpdate(schools=told, position=str(after))
            if len(found) < MOST_TOLD:
                await asyncio.sleep(WATCH_SECONDS)

    async def _counted(
        self, unit_id: int, wanted: coverage_pb2.CoverageFilter, breakdown: int
    ) -> tuple[Sums, list[tuple[str, str, Sums]]]:
        async with self._judge.database.connection() as reads:
            rows = await store.states(reads, self._wanted(unit_id, wanted))
        total, parts = count((Standing(*row) for row in rows), part=self._part(unit_id, breakdown))
        if not breakdown:
            return total, []
        return total, [(key, self._part_name(key, breakdown), one) for key, one in parts.items()]

    def _part(self, unit_id: int, breakdown: int) -> Callable[[Standing], str]:
        tree, day = self._judge.scopes.tree, self._judge.clock.today()
        inside = tree.subtree(unit_id, day)

        def commune(one: Standing) -> str:
            above = tree.ancestors(one.school_id, day)
            found = (
                each for each in above if each in inside and (unit := tree.unit(each)) and unit.kind == convert.COMMUNE
            )
            return str(next(found, unit_id))

        def level(one: Standing) -> str:
            unit = tree.unit(one.school_id)
            return next(iter(levels_of(unit.labels) if unit else ()), "")

        parts: dict[int, Callable[[Standing], str]] = {
            BY_COMMUNE: commune,
            BY_KIND: lambda one: str(int(self._kind(one.school_id))),
            BY_LEVEL: level,
            BY_SOURCE: lambda one: one.source,
        }
        return parts.get(breakdown, lambda _: "")

    def _part_name(self, key: str, breakdown: int) -> str:
        language = _language()
        if breakdown == BY_COMMUNE:
            return self._name(int(key))
        if breakdown == BY_KIND:
            return KIND_NAMES[SchoolKind(int(key))].told(language)
        if breakdown == BY_LEVEL:
            return (LEVELS.get(key) or same(key) if key else NO_LEVEL).told(language)
        return key or NO_SOURCE.told(language)

    def _wanted(self, unit_id: int, asked: coverage_pb2.CoverageFilter) -> Wanted:
        schools: Collection[int] = self._schools(unit_id)
        if kinds := {int(kind) for kind in asked.kinds if kind}:
            schools = [one for one in schools if int(self._kind(one)) in kinds]
        if levels := set(asked.levels):
            tree = self._judge.scopes.tree
            schools = [
                one for one in schools if (unit := tree.unit(one)) and not levels.isdisjoint(levels_of(unit.labels))
            ]
        return Wanted(schools, [state for state in asked.states if state], asked.sources, asked.include_optional)

    def _schools(self, unit_id: int) -> list[int]:
        """The schools below a unit."""
        tree = self._judge.scopes.tree
        below = (tree.unit(one) for one in tree.subtree(unit_id, self._judge.clock.today()))
        return [unit.unit_id for unit in below if unit is not None and unit.kind in KINDS]

    def _kind(self, school_id: int) -> SchoolKind:
        unit = self._judge.scopes.tree.unit(school_id)
        return self._judge.rules.kind_of(unit.kind if unit else "", levels_of(unit.labels) if unit else ())

    def _places_today(self) -> convert.Places:
        judge, tree, day = self._judge, self._judge.scopes.tree, self._judge.clock.today()
        if self._places is None or not self._places.holds(tree, day):
            self._places = convert.Places(tree, judge.rules, day)
        return self._places

    def _name(self, unit_id: int) -> str:
        unit = self._judge.scopes.tree.unit(unit_id)
        if unit is None:
            return ("Every unit" if _language() == "en" else "Mọi đơn vị") if unit_id == EVERY_UNIT else f"#{unit_id}"
        return unit.name

    def _unit_id(self, unit: str) -> int:
        unit_id = self._judge.scopes.tree.resolve(unit, self._judge.clock.today())
        if unit_id is None:
            raise unknown_unit(unit)
        return unit_id


def _language() -> str:
    request = current_request()
    return "en" if request is not None and request.language == "en" else "vi"
