"""gRPC in: the records behind a figure."""

from dataclasses import dataclass
from typing import Any

from iocedu.reporting.v1 import figure_records_pb2, figure_records_pb2_grpc

from chassis.clock import Clock
from chassis.paging import page_cursor, page_size, page_token
from chassis.scopes import Scopes
from services.reporting.usecases.querying import Question
from services.reporting.usecases.recorded import FigureRecords

PAGE, MOST = 50, 200


@dataclass(frozen=True)
class FigureRecordsServicer(figure_records_pb2_grpc.FigureRecordsServiceServicer):
    """Answers iocedu.reporting.v1.FigureRecordsService."""

    figures: FigureRecords
    scopes: Scopes
    clock: Clock

    async def ListFigureRecords(
        self, request: figure_records_pb2.ListFigureRecordsRequest, _context: Any
    ) -> figure_records_pb2.ListFigureRecordsResponse:
        """A page of the records that a figure counts."""
        question = Question(
            unit=request.unit,
            indicators=(request.indicator,),
            school_year=request.school_year,
            dimensions=tuple(request.dimensions),
        )
        cursor = page_cursor(request)
        found = await self.figures.page(
            question,
            tuple(request.dimension_values),
            denominator=request.term == figure_records_pb2.FIGURE_TERM_DENOMINATOR,
            purpose=request.purpose,
            after=(int(cursor[0]), str(cursor[1])) if cursor else (0, ""),
            limit=page_size(request.page_size, default=PAGE, maximum=MOST),
            tree=self.scopes.tree,
            today=self.clock.today(),
        )
        response = figure_records_pb2.ListFigureRecordsResponse(
            collection=found.collection,
            record_count=found.count,
            next_page_token=page_token(request, list(found.after)) if found.after else "",
        )
        for record, name in found.records:
            response.records.add(record=record, school_name=name)
        return response
