"""SandboxesService: made and emptied for whom sync says."""

from collections.abc import Callable
from typing import Any

from iocedu.records.v1 import sandboxes_pb2, sandboxes_pb2_grpc

from chassis.clock import Clock
from chassis.database import Database
from services.records.usecases.sandboxes import open_sandbox, reset_sandbox


class SandboxesServicer(sandboxes_pb2_grpc.SandboxesServiceServicer):
    """Answers SandboxesService."""

    def __init__(self, database: Database, clock: Clock, *, changed: Callable[[], None]) -> None:
        self._database = database
        self._clock = clock
        self._changed = changed

    async def OpenSandbox(
        self, request: sandboxes_pb2.OpenSandboxRequest, _context: Any
    ) -> sandboxes_pb2.OpenSandboxResponse:
        """Make a sandbox, or give the one that is there."""
        async with self._database.transaction() as connection:
            opened = await open_sandbox(connection, request.subject, today=self._clock.today(), now=self._clock.now())
        if opened.fresh:
            self._changed()
        return sandboxes_pb2.OpenSandboxResponse(
            unit_id=opened.root_id,
            schools=[
                sandboxes_pb2.SandboxSchool(unit_id=one.unit_id, alias=one.alias, name=one.name)
                for one in opened.schools
            ],
        )

    async def ResetSandbox(
        self, request: sandboxes_pb2.ResetSandboxRequest, _context: Any
    ) -> sandboxes_pb2.ResetSandboxResponse:
        """Empty a sandbox."""
        async with self._database.transaction() as connection:
            removed = await reset_sandbox(connection, request.subject)
        return sandboxes_pb2.ResetSandboxResponse(removed_count=removed)
