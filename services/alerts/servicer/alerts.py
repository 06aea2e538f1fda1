"""Rules in force, and alerts to read, count, watch and take in hand."""

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from iocedu.alerts.v1 import alerts_pb2, alerts_pb2_grpc

from chassis.identity import caller
from chassis.paging import page_cursor, page_size, page_token
from chassis.streams import envelope
from services.alerts import store, usecases
from services.alerts.convert import (
    alert_message,
    count_message,
    group_message,
    instant,
    rule_message,
    states,
    whole_alert_message,
)
from services.alerts.domain import Alert, AlertFilter, summed
from services.alerts.domain.asked import grouped
from services.alerts.servicer.desk import Desk

WATCH_PAGE = 500
MOST_PAGE_BYTES: Final = 8 * 1024 * 1024  # A message holds at most 16 MB; one alert is far smaller than the rest.


class AlertsServicer(alerts_pb2_grpc.AlertsServiceServicer):
    """Serves `iocedu.alerts.v1.AlertsService`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def ListRules(self, request: alerts_pb2.ListRulesRequest, _context: Any) -> alerts_pb2.ListRulesResponse:
        """List the rules valid today, by code."""
        size = page_size(request.page_size)
        cursor = page_cursor(request)
        async with self._desk.database.connection() as connection:
            rules = await store.list_rules(
                connection, self._desk.clock.today(), after=str(cursor[0]) if cursor else "", limit=size + 1
            )
        response = alerts_pb2.ListRulesResponse(rules=map(rule_message, rules[:size]))
        if len(rules) > size:
            response.next_page_token = page_token(request, [rules[size - 1].code])
        return response

    async def ListAlerts(self, request: alerts_pb2.ListAlertsRequest, _context: Any) -> alerts_pb2.ListAlertsResponse:
        """List alerts below a unit, newest first."""
        size = page_size(request.page_size, default=50)
        cursor = page_cursor(request)
        wanted = replace(self._wanted(request), subject=request.subject)
        async with self._desk.database.connection() as connection:
            alerts = await store.list_alerts(
                connection, wanted, below=int(cursor[0]) if cursor else None, limit=size + 1
            )
        response = alerts_pb2.ListAlertsResponse(alerts=self._page(alerts[:size]))
        if len(response.alerts) < len(alerts):
            response.next_page_token = page_token(request, [response.alerts[-1].alert_id])
        return response

    async def ListAlertGroups(
        self, request: alerts_pb2.ListAlertGroupsRequest, _context: Any
    ) -> alerts_pb2.ListAlertGroupsResponse:
        """Group alerts below a unit by rule, the gravest first."""
        size, cursor = page_size(request.page_size), page_cursor(request)
        offset = int(cursor[0]) if cursor else 0
        async with self._desk.database.snapshot() as connection:
            groups = grouped(await store.group_alerts(connection, self._wanted(request)))
            rules = {rule.code: rule for rule in await store.list_rules(connection, self._desk.clock.today())}
        response = alerts_pb2.ListAlertGroupsResponse(
            groups=[
                group_message(group, rules.get(group.rule), self._desk.unit_name)
                for group in groups[offset : offset + size]
            ]
        )
        if len(groups) > offset + size:
            response.next_page_token = page_token(request, [offset + size])
        return response

    def _wanted(self, request: alerts_pb2.ListAlertsRequest | alerts_pb2.ListAlertGroupsRequest) -> AlertFilter:
        age = timedelta(hours=request.min_age_hours)
        return AlertFilter(
            unit_ids=self._desk.subtree(request.unit)(),
            min_severity=request.min_severity,
            rule=request.rule,
            families=frozenset(request.families),
            raised_before=self._desk.clock.now() - age if age else None,
            taken_by=request.taken_by,
            hidden_kinds=self._desk.hidden_kinds(request.unit),
            states=states(request.states) if request.states else AlertFilter().states,
        )

    async def CountAlerts(
        self, request: alerts_pb2.CountAlertsRequest, _context: Any
    ) -> alerts_pb2.CountAlertsResponse:
        """Count unresolved alerts below a unit by state and severity, and by units of a kind where that is asked."""
        below = self._desk.subtree(request.unit)()
        async with self._desk.database.connection() as connection:
            counts = await store.count_alerts(connection, below, hidden_kinds=self._desk.hidden_kinds(request.unit))
        place = self._place(request.breakdown, below) if request.breakdown else lambda _unit_id: 0
        return alerts_pb2.CountAlertsResponse(
            counts=map(count_message, summed(counts, place, by_family=request.by_family))
        )

    async def AcknowledgeAlert(
        self, request: alerts_pb2.AcknowledgeAlertRequest, _context: Any
    ) -> alerts_pb2.AcknowledgeAlertResponse:
        """Take an alert in hand."""
        below = self._desk.subtree(request.unit)()
        async with self._desk.database.transaction() as connection:
            alert = await usecases.acknowledge_alert(
                connection,
                request.alert_id,
                lies_below=below.__contains__,
                by=caller().subject,
                note=request.note,
                etag=request.etag,
                now=self._desk.clock.now(),
                unit_name=self._desk.unit_name,
                due=instant(request.due_time) if request.HasField("due_time") else None,
            )
        self._desk.tail.wake()
        return alerts_pb2.AcknowledgeAlertResponse(alert=whole_alert_message(alert, self._desk.unit_name))

    async def WatchAlerts(
        self, request: alerts_pb2.WatchAlertsRequest, _context: Any
    ) -> AsyncIterator[alerts_pb2.WatchAlertsResponse]:
        """Stream alerts below a unit as they change; what lies below and may be seen is asked anew for each page."""
        subtree = self._desk.subtree(request.unit)
        after = await self._desk.tail.start(request.after)

        async def page(position: int) -> list[tuple[int, alerts_pb2.Alert]]:
            async with self._desk.database.connection() as connection:
                alerts = await store.changed_after(
                    connection,
                    subtree(),
                    after=position,
                    limit=WATCH_PAGE,
                    hidden_kinds=self._desk.hidden_kinds(request.unit),
                )
            return [(message.position, message) for message in self._page(alerts)]

        stream = envelope(alerts_pb2.WatchAlertsResponse, self._desk.tail.follow(after, page), position=str(after))
        async for response in stream:
            yield response

    def _page(self, alerts: Iterable[Alert]) -> list[alerts_pb2.Alert]:
        """Messages of the first alerts, at least one, as many as a page holds."""
        messages: list[alerts_pb2.Alert] = []
        size = 0
        for alert in alerts:
            messages.append(alert_message(alert, self._desk.unit_name))
            size += messages[-1].ByteSize()
            if size > MOST_PAGE_BYTES:
                break
        return messages

    def _place(self, kind: str, below: frozenset[int]) -> Callable[[int], int]:
        """Gives the nearest unit of a kind, among those below, that a unit is or lies under; 0 where there is none."""
        tree, today = self._desk.scopes.tree, self._desk.clock.today()

        def place(unit_id: int) -> int:
            for one in (unit_id, *tree.ancestors(unit_id, today)):
                unit = tree.unit(one)
                if unit is not None and unit.kind == kind and one in below:
                    return one
            return 0

        return place
