"""UnitOperationsService: units changed from a day on, and what was changed."""

from collections.abc import Callable
from typing import Any

from iocedu.records.v1 import unit_operations_pb2, unit_operations_pb2_grpc

from chassis.access import unknown_unit
from chassis.clock import Clock
from chassis.database import Database
from chassis.identity import caller
from chassis.paging import page_cursor, page_size, page_token
from chassis.request import current_request
from chassis.scopes import Scopes
from services.records.convert.days import day_of
from services.records.store import unit_operations, units
from services.records.usecases.unit_operations import Operator, create_unit_operation


class UnitOperationsServicer(unit_operations_pb2_grpc.UnitOperationsServiceServicer):
    """Answers UnitOperationsService."""

    def __init__(self, database: Database, scopes: Scopes, clock: Clock, *, changed: Callable[[], None]) -> None:
        self._database = database
        self._scopes = scopes
        self._clock = clock
        self._changed = changed

    async def CreateUnitOperation(
        self, request: unit_operations_pb2.CreateUnitOperationRequest, _context: Any
    ) -> unit_operations_pb2.CreateUnitOperationResponse:
        """Change units, or say what would change."""
        day_of(request.operation.effective_date, field="operation.effective_date")
        today, subject, running = self._clock.today(), caller().subject, current_request()
        operator = Operator(
            subject=subject,
            grants=self._scopes.tree.grants_of(subject, today),
            language=running.language if running else "vi",
        )
        async with self._database.transaction() as connection:
            response = await create_unit_operation(
                connection, request, operator=operator, today=today, now=self._clock.now()
            )
        self._changed()
        return response

    async def ListUnitOperations(
        self, request: unit_operations_pb2.ListUnitOperationsRequest, _context: Any
    ) -> unit_operations_pb2.ListUnitOperationsResponse:
        """Give a page of the operations that touched a unit, or any below it."""
        most = page_size(request.page_size, default=100, maximum=1000)
        cursor = page_cursor(request)
        async with self._database.connection() as connection:
            unit_id = await units.resolve_unit(connection, request.unit, self._clock.today())
            if unit_id is None:
                raise unknown_unit(request.unit)
            found = await unit_operations.operations_of(
                connection,
                unit_id,
                recursive=request.recursive,
                before=cursor[0] if cursor else None,
                most=most + 1,
            )
        response = unit_operations_pb2.ListUnitOperationsResponse(
            operations=[unit_operations_pb2.UnitOperation.FromString(content) for _, content in found[:most]]
        )
        if len(found) > most:
            response.next_page_token = page_token(request, (found[most - 1][0],))
        return response
