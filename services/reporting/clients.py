"""gRPC out: records' change feed, read page by page. Refuses nothing; faults of records come through."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import grpc
from iocedu.records.v1 import records_pb2, records_pb2_grpc, resources_pb2

EVERY_UNIT = "0"
PAGE = 5000
SECONDS = 60.0


@dataclass(frozen=True)
class ChangeFeed:
    """The feed: for each record its newest change, in order of position."""

    channel: grpc.aio.Channel

    async def pages(
        self, types: tuple[resources_pb2.ObjectType.ValueType, ...], *, after: int = 0
    ) -> AsyncIterator[records_pb2.ListChangesResponse]:
        """Pages of changes of these types from a position on, until there are no more for now."""
        stub = records_pb2_grpc.RecordsServiceStub(self.channel)
        caught_up = False
        while not caught_up:
            page = await stub.ListChanges(
                records_pb2.ListChangesRequest(unit=EVERY_UNIT, after=after, types=types, page_size=PAGE),
                timeout=SECONDS,
            )
            yield page
            after, caught_up = page.position, page.caught_up
