"""gRPC in: questions for figures, figures as they change, and how each is counted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import asdict, dataclass
from typing import Any

from iocedu.reporting.v1 import reporting_pb2, reporting_pb2_grpc

from chassis.clock import Clock
from chassis.paging import page_cursor, page_size, page_token
from chassis.scope_tree import EVERY_UNIT
from chassis.scopes import Scopes
from chassis.streams import envelope
from services.reporting import convert
from services.reporting.domain.catalogue import DIMENSIONS
from services.reporting.usecases.querying import Answer, Question, Questions, check_watchable
from services.reporting.usecases.watching import Pulse


@dataclass(frozen=True)
class ReportingServicer(reporting_pb2_grpc.ReportingServiceServicer):
    """Answers iocedu.reporting.v1.ReportingService."""

    questions: Questions
    pulse: Pulse
    scopes: Scopes
    clock: Clock

    async def ListIndicators(
        self, request: reporting_pb2.ListIndicatorsRequest, _context: Any
    ) -> reporting_pb2.ListIndicatorsResponse:
        """The catalogue, in its order."""
        cursor = page_cursor(request)
        start = int(cursor[0]) if cursor else 0
        end = start + page_size(request.page_size)
        indicators = self.questions.catalogue.indicators
        today = self.clock.today()
        year = self.scopes.tree.years(EVERY_UNIT, today).of(today)
        response = reporting_pb2.ListIndicatorsResponse(
            indicators=[convert.indicator_message(one, school_year=year) for one in indicators[start:end]]
        )
        if end < len(indicators):
            response.next_page_token = page_token(request, [end])
        else:
            for one in self.questions.catalogue.unavailable:
                response.unavailable_indicators.add(**asdict(one))
            response.dimensions.extend(map(convert.dimension_message, self.questions.catalogue.named(DIMENSIONS)))
        return response

    async def QueryIndicators(
        self, request: reporting_pb2.QueryIndicatorsRequest, _context: Any
    ) -> reporting_pb2.QueryIndicatorsResponse:
        """Figures of a unit, whole or broken down."""
        question = Question(
            unit=request.unit,
            indicators=tuple(request.indicators),
            school_year=request.school_year,
            breakdown=request.breakdown,
            dimensions=tuple(request.dimensions),
            hierarchy_as_of=request.hierarchy_as_of,
        )
        answer = await self.questions.ask(question, tree=self.scopes.tree, today=self.clock.today())
        response = reporting_pb2.QueryIndicatorsResponse(
            hierarchy_as_of=answer.hierarchy_as_of.isoformat(),
            school_year=answer.school_year,
            data_time=convert.timestamp(answer.data_time),
        )
        for start in range(0, len(answer.figures), convert.SLICE):
            part = answer.figures[start : start + convert.SLICE]
            convert.add_figures(response, part, answer.names)
            await asyncio.sleep(0)
        return response

    async def WatchIndicators(
        self, request: reporting_pb2.WatchIndicatorsRequest, _context: Any
    ) -> AsyncIterator[reporting_pb2.WatchIndicatorsResponse]:
        """All figures of a unit, then those that change; resumes after a position without a gap."""
        question = Question(unit=request.unit, indicators=tuple(request.indicators), school_year=request.school_year)
        check_watchable(self.questions.catalogue, question.indicators)
        await self.pulse.check()
        updates = self._updates(question, position=request.position)
        async for response in envelope(reporting_pb2.WatchIndicatorsResponse, updates, position=request.position):
            yield response

    async def _updates(
        self, question: Question, *, position: str
    ) -> AsyncIterator[tuple[str, reporting_pb2.IndicatorsUpdate]]:
        # Closed with the stream, so that a reader who left is no longer counted among the watchers.
        async with aclosing(self.pulse.watch(question, position=position)) as updates:
            async for update in updates:
                yield update.position, _update(update.position, update.answer)


def _update(position: str, answer: Answer) -> reporting_pb2.IndicatorsUpdate:
    update = reporting_pb2.IndicatorsUpdate(position=position, data_time=convert.timestamp(answer.data_time))
    convert.add_figures(update, answer.figures, answer.names)
    return update
