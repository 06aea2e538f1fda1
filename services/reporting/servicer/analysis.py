"""gRPC in: figures compared, followed through time and explained."""

import asyncio
from dataclasses import dataclass
from datetime import date
from typing import Any

from iocedu.reporting.v1 import analysis_pb2, analysis_pb2_grpc

from chassis.clock import Clock
from chassis.paging import page_cursor, page_size, page_token
from chassis.scopes import Scopes
from services.reporting import convert
from services.reporting.convert.analysis import COMPARISONS, INTERVALS, RANKINGS
from services.reporting.domain.catalogue import Indicator
from services.reporting.domain.figures import Figure
from services.reporting.servicer.places import language
from services.reporting.usecases.analysing import Analysed, Analyses, Analysis, PeriodAsked, PeriodFigures
from services.reporting.usecases.comparing import cell_of
from services.reporting.usecases.explaining import Explanations
from services.reporting.usecases.querying import Question
from services.reporting.usecases.series import SeriesQuestions


@dataclass(frozen=True)
class AnalysisServicer(analysis_pb2_grpc.AnalysisServiceServicer):
    """Answers iocedu.reporting.v1.AnalysisService."""

    analyses: Analyses
    series: SeriesQuestions
    explanations: Explanations
    scopes: Scopes
    clock: Clock

    async def AnalyseIndicators(
        self, request: analysis_pb2.AnalyseIndicatorsRequest, _context: Any
    ) -> analysis_pb2.AnalyseIndicatorsResponse:
        """Several indicators and periods, each figure beside what it is compared with."""
        analysis = Analysis(
            question=Question(
                unit=request.unit,
                indicators=tuple(request.indicators),
                breakdown=request.breakdown,
                dimensions=tuple(request.dimensions),
                hierarchy_as_of=request.hierarchy_as_of,
            ),
            periods=tuple(PeriodAsked(one.school_year, one.as_of) for one in request.periods),
            compare_with=frozenset(COMPARISONS[one] for one in request.compare_with),
            follow_successions=request.follow_successions,
            allow_estimates=request.allow_estimates,
            ranking=RANKINGS[request.ranking],
            limit=request.limit,
        )
        found = await self.analyses.ask(analysis, tree=self.scopes.tree, today=self.clock.today())
        return await analysed_message(found)

    async def GetIndicatorSeries(
        self, request: analysis_pb2.GetIndicatorSeriesRequest, _context: Any
    ) -> analysis_pb2.GetIndicatorSeriesResponse:
        """One indicator of a unit through time."""
        found = await self.series.ask(
            request.unit,
            request.indicator,
            interval=INTERVALS[request.interval],
            first=request.first_day,
            last=request.last_day,
            tree=self.scopes.tree,
            today=self.clock.today(),
        )
        response = analysis_pb2.GetIndicatorSeriesResponse(
            indicator=request.indicator,
            unit_id=found.unit,
            unit_name=found.name,
            hierarchy_as_of=found.hierarchy.isoformat(),
            known_from=_iso(found.known_from),
        )
        for point in found.points:
            response.points.add(
                day=point.day.isoformat(),
                school_year=point.school_year,
                value=point.value,
                numerator=point.numerator,
                denominator=point.denominator,
            )
        return response

    async def ExplainIndicator(
        self, request: analysis_pb2.ExplainIndicatorRequest, _context: Any
    ) -> analysis_pb2.ExplainIndicatorResponse:
        """One figure with the schools behind it, a page of them."""
        question = Question(
            unit=request.unit,
            indicators=(request.indicator,),
            school_year=request.school_year,
            dimensions=tuple(request.dimensions),
            hierarchy_as_of=request.hierarchy_as_of,
        )
        cursor = page_cursor(request)
        start = int(cursor[0]) if cursor else 0
        end = start + page_size(request.page_size)
        found = await self.explanations.explain(
            question, tuple(request.dimension_values), tree=self.scopes.tree, today=self.clock.today()
        )
        english = language() == "en"
        response = analysis_pb2.ExplainIndicatorResponse(
            indicator=convert.indicator_message(found.indicator, school_year=found.school_year),
            formula=found.formula[english],
            filters=[one[english] for one in found.filters],
            hierarchy_as_of=found.hierarchy.isoformat(),
            data_time=convert.timestamp(found.data_time),
            next_page_token=page_token(request, [end]) if end < len(found.contributions) else "",
        )
        convert.fill_figure(response.figure, found.figure, {found.figure.unit_id: found.name})
        ratio, scale = found.indicator.is_ratio, found.indicator.scale
        for one in found.contributions[start:end]:
            message = response.contributions.add(
                unit_id=one.school,
                unit_name=one.name,
                numerator=one.numerator if ratio else round(one.numerator * scale, 9),
                denominator=one.denominator if ratio else None,
                reporting=one.reporting,
                expected=one.expected,
            )
            if one.last_report is not None:
                message.last_report_time.FromDatetime(one.last_report)
        return response


async def analysed_message(found: Analysed) -> analysis_pb2.AnalyseIndicatorsResponse:
    """An answer, in slices between which the loop runs."""
    response = analysis_pb2.AnalyseIndicatorsResponse(
        hierarchy=analysis_pb2.HierarchyUsed(
            as_of=found.day.isoformat(),
            version=found.version,
            successions_followed=found.followed,
            mapped_school_count=len(found.remapped.mapped),
            estimated_school_count=len(found.remapped.estimated),
            unplaced_school_count=len(found.remapped.unplaced),
        )
    )
    english = language() == "en"
    for period in found.periods:
        await _add_period(response.periods.add(), period, found, english=english)
    return response


async def _add_period(
    answer: analysis_pb2.PeriodAnswer, period: PeriodFigures, found: Analysed, *, english: bool
) -> None:
    answer.period.school_year = period.school_year
    answer.period.as_of = _iso(period.as_of)
    answer.known_from = _iso(period.known_from)
    if period.data_time is not None:
        answer.data_time.FromDatetime(period.data_time)
    for start in range(0, len(period.figures), convert.SLICE):
        for figure in period.figures[start : start + convert.SLICE]:
            _compared(answer.figures.add(), figure, period, found.indicators[figure.indicator], found)
        await asyncio.sleep(0)
    for one in period.sums:
        answer.additions.add(indicator=one.indicator, adds_up=one.adds_up, reason=one.en if english else one.vi)


def _compared(
    message: analysis_pb2.ComparedFigure,
    figure: Figure,
    period: PeriodFigures,
    indicator: Indicator,
    found: Analysed,
) -> None:
    convert.fill_figure(message.figure, figure, found.names)
    cell = cell_of(figure)
    if (last_year := period.last_year.get(cell)) is not None:
        message.last_year = last_year
    if (same_day := period.same_day.get(cell)) is not None:
        message.same_day_last_year = same_day
    target = period.targets.get((figure.unit_id, period.school_year, figure.indicator))
    if target is not None and not figure.dimension_values:
        message.target, message.target_source = target.value, target.source
    if (standing := period.standings.get(cell)) is not None:
        message.rank, message.ranked_count = standing.rank, standing.ranked
        message.percentile, message.median = standing.percentile, standing.median
    if figure.value is not None:
        message.threshold = indicator.passed(figure.value, period.school_year)
    if (oldest := period.oldest_report.get(figure.unit_id)) is not None:
        message.oldest_report_time.FromDatetime(oldest)


def _iso(day: date | None) -> str:
    return day.isoformat() if day else ""
