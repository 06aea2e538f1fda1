"""Calls to records for sandboxes: it makes their units and alone can empty them."""

from typing import Final

import grpc
from iocedu.records.v1 import sandboxes_pb2, sandboxes_pb2_grpc

SECONDS: Final = 30.0


class Sandboxes:
    """Makes and empties sandboxes; raises what records answers as `Fault`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: sandboxes_pb2_grpc.SandboxesServiceAsyncStub = sandboxes_pb2_grpc.SandboxesServiceStub(channel)

    async def open(self, partner_id: str) -> sandboxes_pb2.OpenSandboxResponse:
        """The sandbox of a partner, made unless there is one."""
        return await self._stub.OpenSandbox(sandboxes_pb2.OpenSandboxRequest(subject=partner_id), timeout=SECONDS)

    async def reset(self, partner_id: str) -> int:
        """Remove all records of a partner's sandbox; returns how many that were."""
        request = sandboxes_pb2.ResetSandboxRequest(subject=partner_id)
        return int((await self._stub.ResetSandbox(request, timeout=SECONDS)).removed_count)
