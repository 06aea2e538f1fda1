"""What alerts say taken together: statistics of rules, and the caseload of a class."""

from datetime import timedelta
from typing import Any

from iocedu.alerts.v1 import alerts_pb2, insight_pb2, insight_pb2_grpc

from chassis.paging import page_cursor, page_size, page_token
from services.alerts import store, usecases
from services.alerts.convert import statistics_message
from services.alerts.convert.days import beginning_of
from services.alerts.servicer.desk import Desk

DAYS = 30


class InsightServicer(insight_pb2_grpc.InsightServiceServicer):
    """Serves `iocedu.alerts.v1.InsightService`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def ListRuleStatistics(
        self, request: insight_pb2.ListRuleStatisticsRequest, _context: Any
    ) -> insight_pb2.ListRuleStatisticsResponse:
        """Say how the rules did below a unit, noisiest first."""
        size, cursor = page_size(request.page_size), page_cursor(request)
        day = request.since or (self._desk.clock.today() - timedelta(days=DAYS)).isoformat()
        offset = int(cursor[0]) if cursor else 0
        async with self._desk.database.connection() as connection:
            rules = await store.rule_statistics(
                connection,
                self._desk.subtree(request.unit)(),
                since=beginning_of(day, field="since"),
                hidden_kinds=self._desk.hidden_kinds(request.unit),
                offset=offset,
                limit=size + 1,
            )
        response = insight_pb2.ListRuleStatisticsResponse(rules=map(statistics_message, rules[:size]))
        if len(rules) > size:
            response.next_page_token = page_token(request, [offset + size])
        return response

    async def ListCaseload(
        self, request: insight_pb2.ListCaseloadRequest, _context: Any
    ) -> insight_pb2.ListCaseloadResponse:
        """Rank the pupils of a class for whom signs are seen."""
        size, cursor = page_size(request.page_size), page_cursor(request)
        moment = self._desk.moment()
        unit_id = self._desk.unit_id(request.unit)
        async with self._desk.database.connection() as connection:
            year = request.school_year or moment.years(unit_id).of(moment.today)
            entries = await usecases.caseload(connection, unit_id, request.class_key, year)
        offset = int(cursor[0]) if cursor else 0
        response = insight_pb2.ListCaseloadResponse(
            entries=[
                insight_pb2.CaseloadEntry(
                    class_key=one.class_key,
                    rank=one.rank,
                    pupil_key=one.pupil_key,
                    reasons_vi=one.reasons_vi,
                    reasons_en=one.reasons_en,
                    alert_ids=[alert.alert_id for alert in one.alerts],
                    severity=alerts_pb2.Severity.ValueType(max((alert.severity for alert in one.alerts), default=0)),
                )
                for one in entries[offset : offset + size]
            ]
        )
        if len(entries) > offset + size:
            response.next_page_token = page_token(request, [offset + size])
        return response
