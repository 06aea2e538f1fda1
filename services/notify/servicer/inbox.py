"""gRPC in: each caller's own inbox, to list, count, read, confirm and watch. Whose inbox it is, the token says."""

from collections.abc import AsyncIterator
from typing import Any

from iocedu.notify.v1 import notify_pb2, notify_pb2_grpc

from chassis.clock import Clock
from chassis.database import Database
from chassis.identity import caller
from chassis.paging import page_cursor, page_size, page_token
from chassis.streams import envelope
from chassis.tail import Tail
from services.notify import store, usecases
from services.notify.convert import alert_message, notice_message, states
from services.notify.domain import State

WATCH_PAGE = 500


class InboxServicer(notify_pb2_grpc.InboxServiceServicer):
    """Serves `iocedu.notify.v1.InboxService`."""

    def __init__(self, database: Database, *, clock: Clock, tail: Tail) -> None:
        self._database = database
        self._clock = clock
        self._tail = tail

    async def ListNotices(
        self, request: notify_pb2.ListNoticesRequest, _context: Any
    ) -> notify_pb2.ListNoticesResponse:
        """List the caller's notices, newest first."""
        size = page_size(request.page_size, default=50)
        cursor = page_cursor(request)
        async with self._database.connection() as connection:
            notices = await store.list_notices(
                connection,
                caller().subject,
                states(request.states),
                below=int(cursor[0]) if cursor else None,
                limit=size + 1,
            )
        response = notify_pb2.ListNoticesResponse(notices=map(notice_message, notices[:size]))
        if len(notices) > size:
            response.next_page_token = page_token(request, [notices[size - 1].notice_id])
        return response

    async def CountNotices(
        self, _request: notify_pb2.CountNoticesRequest, _context: Any
    ) -> notify_pb2.CountNoticesResponse:
        """Count the caller's notices by state."""
        async with self._database.connection() as connection:
            counts = await store.count_notices(connection, caller().subject)
        return notify_pb2.CountNoticesResponse(
            unread_count=counts.get(State.UNREAD, 0),
            read_count=counts.get(State.READ, 0),
            acknowledged_count=counts.get(State.ACKNOWLEDGED, 0),
        )

    async def ListNoticeAlerts(
        self, request: notify_pb2.ListNoticeAlertsRequest, _context: Any
    ) -> notify_pb2.ListNoticeAlertsResponse:
        """List the alerts that one of the caller's notices tells."""
        size, cursor = page_size(request.page_size, default=50), page_cursor(request)
        async with self._database.connection() as connection:
            alerts = await usecases.alerts_of_notice(
                connection,
                caller().subject,
                request.notice_id,
                below=int(cursor[0]) if cursor else None,
                limit=size + 1,
            )
        response = notify_pb2.ListNoticeAlertsResponse(alerts=map(alert_message, alerts[:size]))
        if len(alerts) > size:
            response.next_page_token = page_token(request, [alerts[size - 1].alert_id])
        return response

    async def ReadNotice(self, request: notify_pb2.ReadNoticeRequest, _context: Any) -> notify_pb2.ReadNoticeResponse:
        """Mark one of the caller's notices as read."""
        async with self._database.transaction() as connection:
            notice = await usecases.read_notice(connection, caller().subject, request.notice_id, now=self._clock.now())
        self._tail.wake()
        return notify_pb2.ReadNoticeResponse(notice=notice_message(notice))

    async def AcknowledgeNotice(
        self, request: notify_pb2.AcknowledgeNoticeRequest, _context: Any
    ) -> notify_pb2.AcknowledgeNoticeResponse:
        """Confirm one of the caller's notices."""
        async with self._database.transaction() as connection:
            notice = await usecases.acknowledge_notice(
                connection, caller().subject, request.notice_id, now=self._clock.now()
            )
        self._tail.wake()
        return notify_pb2.AcknowledgeNoticeResponse(notice=notice_message(notice))

    async def WatchInbox(
        self, request: notify_pb2.WatchInboxRequest, _context: Any
    ) -> AsyncIterator[notify_pb2.WatchInboxResponse]:
        """Stream the caller's notices as they come and change."""
        subject = caller().subject
        after = await self._tail.start(request.after)

        async def page(position: int) -> list[tuple[int, notify_pb2.Notice]]:
            async with self._database.connection() as connection:
                notices = await store.changed_after(connection, subject, after=position, limit=WATCH_PAGE)
            return [(notice.position, notice_message(notice)) for notice in notices]

        stream = envelope(notify_pb2.WatchInboxResponse, self._tail.follow(after, page), position=str(after))
        async for response in stream:
            yield response
