"""DeliveriesService: what became of messages, and another try of what was given up."""

from typing import Any
from uuid import UUID

from iocedu.notify.v1 import deliveries_pb2, deliveries_pb2_grpc

from chassis.paging import page_cursor, page_size, page_token
from services.notify.convert.channels import channel_number, dispatch_message, state_number
from services.notify.servicer.frame import Frame
from services.notify.store import dispatches

MOST_LISTED = 200


class DeliveriesServicer(deliveries_pb2_grpc.DeliveriesServiceServicer):
    """Serves `iocedu.notify.v1.DeliveriesService`."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    async def ListDispatches(
        self, request: deliveries_pb2.ListDispatchesRequest, _context: Any
    ) -> deliveries_pb2.ListDispatchesResponse:
        """List messages, the newest first."""
        size = page_size(request.page_size, default=50, maximum=MOST_LISTED)
        cursor = page_cursor(request)
        async with self._frame.database.connection() as connection:
            found = await dispatches.list_dispatches(
                connection,
                states=request.states,
                subject=request.subject,
                below=int(cursor[0]) if cursor else None,
                limit=size + 1,
            )
        response = deliveries_pb2.ListDispatchesResponse(dispatches=map(dispatch_message, found[:size]))
        if len(found) > size:
            response.next_page_token = page_token(request, [found[size - 1].sequence])
        return response

    async def CountDispatches(
        self, _request: deliveries_pb2.CountDispatchesRequest, _context: Any
    ) -> deliveries_pb2.CountDispatchesResponse:
        """Count messages by channel and state."""
        async with self._frame.database.connection() as connection:
            counts = await dispatches.count_dispatches(connection)
        return deliveries_pb2.CountDispatchesResponse(
            counts=[
                deliveries_pb2.DispatchCount(channel=channel_number(channel), state=state_number(way), count=count)
                for channel, way, count in counts
            ]
        )

    async def ReplayDispatches(
        self, request: deliveries_pb2.ReplayDispatchesRequest, _context: Any
    ) -> deliveries_pb2.ReplayDispatchesResponse:
        """Put given-up messages back into the queue; ids that are none name nothing."""
        ids = [UUID(one) for one in request.dispatch_ids if _is_id(one)]
        if request.dispatch_ids and not ids:
            return deliveries_pb2.ReplayDispatchesResponse()
        async with self._frame.database.transaction() as connection:
            count = await dispatches.replay(connection, ids, self._frame.clock.now())
        return deliveries_pb2.ReplayDispatchesResponse(replayed_count=count)


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
