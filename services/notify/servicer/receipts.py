"""ReceiptsService: who got an announcement, who has done what it asks, and who has not."""

import asyncio
from typing import Any

from iocedu.notify.v1 import receipts_pb2, receipts_pb2_grpc

from chassis.paging import page_cursor, page_size, page_token
from services.notify.convert.announcements import counts_message, receipt_message
from services.notify.convert.workbook import MEDIA_TYPE, workbook
from services.notify.domain.announcements import Counts
from services.notify.servicer.frame import Frame
from services.notify.store import receipts as store
from services.notify.usecases.announcements import found, locked
from services.notify.usecases.sending import remind


class ReceiptsServicer(receipts_pb2_grpc.ReceiptsServiceServicer):
    """Serves `iocedu.notify.v1.ReceiptsService`."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    async def RemindRecipients(
        self, request: receipts_pb2.RemindRecipientsRequest, _context: Any
    ) -> receipts_pb2.RemindRecipientsResponse:
        """Remind those who still owe something."""
        units = self._frame.below(request.unit)
        async with self._frame.database.transaction() as connection:
            held = await locked(connection, request.announcement_id, units=units)
            reminded, lately = await remind(connection, held, now=self._frame.clock.now())
        self._frame.wake()
        return receipts_pb2.RemindRecipientsResponse(reminded_count=reminded, lately_count=lately)

    async def SummarizeReceipts(
        self, request: receipts_pb2.SummarizeReceiptsRequest, _context: Any
    ) -> receipts_pb2.SummarizeReceiptsResponse:
        """Say how far an announcement got, for all and for each unit directly below one."""
        tree, today, named = self._frame.tree, self._frame.today, self._frame.named()
        async with self._frame.database.connection() as connection:
            held = await found(connection, request.announcement_id, units=self._frame.below(request.unit))
            by_unit = await store.counts_by_unit(connection, held)
        top = self._frame.unit(request.below) if request.below else held.unit_id
        total, own = Counts(), by_unit.get(top, Counts())
        below: list[tuple[int, Counts]] = []
        counted = {top}
        for child in sorted(tree.children(top, today), key=named):
            units = tree.subtree(child, today) - counted
            counted |= units
            counts = sum((by_unit[unit_id] for unit_id in units & by_unit.keys()), Counts())
            if counts.units:
                below.append((child, counts))
                total += counts
        rest = Counts()
        if not request.below:
            # People told for a unit that has moved or ended since then still count.
            rest = sum((counts for unit_id, counts in by_unit.items() if unit_id not in counted), Counts())
        own += rest
        if own.units:
            below.insert(0, (top, own))
        return receipts_pb2.SummarizeReceiptsResponse(
            total=counts_message(top, total + own, named),
            units=[counts_message(unit_id, counts, named) for unit_id, counts in below],
        )

    async def ListReceipts(
        self, request: receipts_pb2.ListReceiptsRequest, _context: Any
    ) -> receipts_pb2.ListReceiptsResponse:
        """List who got an announcement and how far each of them is."""
        size = page_size(request.page_size, default=100)
        cursor = page_cursor(request)
        async with self._frame.database.connection() as connection:
            held = await found(connection, request.announcement_id, units=self._frame.below(request.unit))
            listed = await store.list_receipts(
                connection,
                held,
                unit_ids=self._frame.below(request.below) if request.below else None,
                outstanding_only=request.outstanding_only,
                after=(int(cursor[0]), str(cursor[1])) if cursor else None,
                limit=size + 1,
            )
        named = self._frame.named()
        response = receipts_pb2.ListReceiptsResponse(receipts=[receipt_message(one, named) for one in listed[:size]])
        if len(listed) > size:
            last = listed[size - 1]
            response.next_page_token = page_token(request, [last.unit_id, last.subject])
        return response

    async def ExportReceipts(
        self, request: receipts_pb2.ExportReceiptsRequest, _context: Any
    ) -> receipts_pb2.ExportReceiptsResponse:
        """Give all receipts and answers as a workbook."""
        async with self._frame.database.connection() as connection:
            held = await found(connection, request.announcement_id, units=self._frame.below(request.unit))
            listed = await store.list_receipts(connection, held)
        # Beside the loop: a workbook of a whole province takes seconds, in which others are served.
        content = await asyncio.to_thread(workbook, held, listed, self._frame.named())
        return receipts_pb2.ExportReceiptsResponse(
            name=f"van-ban-{held.announcement_id}.xlsx", media_type=MEDIA_TYPE, content=content
        )
