"""Calls to records, the only service sync asks."""

from typing import Final

import grpc
from iocedu.records.v1 import records_pb2, records_pb2_grpc

APPLY_SECONDS: Final = 60.0


class Records:
    """Stores rows. A call that is cut is repeated by the channel; its request id makes that harmless."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: records_pb2_grpc.RecordsServiceAsyncStub = records_pb2_grpc.RecordsServiceStub(channel)

    async def apply(self, request: records_pb2.ApplyRowsRequest) -> records_pb2.ApplyRowsResponse:
        """Store rows in one transaction; raises what records answers as `Fault`."""
        return await self._stub.ApplyRows(request, timeout=APPLY_SECONDS)
