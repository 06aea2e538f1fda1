"""gRPC in: comparing with destinations."""

from typing import Any

from iocedu.sync.v1 import reconciliation_pb2, reconciliation_pb2_grpc

from chassis.paging import page_cursor, page_size, page_token
from services.sync.convert import pushes as convert
from services.sync.domain.comparing import Match
from services.sync.domain.pushes import Reconciliation
from services.sync.servicer.destinations import Scene
from services.sync.store import reconciliations as store
from services.sync.usecases import reconciling
from services.sync.usecases.pushing import Pushing
from services.sync.usecases.refusals import unknown_reconciliation


class ReconciliationServicer(reconciliation_pb2_grpc.ReconciliationServiceServicer):
    """Answers `iocedu.sync.v1.ReconciliationService`."""

    def __init__(self, pushing: Pushing, *, department: str) -> None:
        self._pushing = pushing
        self._scene = Scene(pushing)
        self._department = department

    async def Reconcile(
        self, request: reconciliation_pb2.ReconcileRequest, _context: Any
    ) -> reconciliation_pb2.ReconcileResponse:
        """Compare."""
        destination, unit_id = await self._scene.destination(request.destination), self._scene.unit_id(request.unit)
        asked = request.match
        match = Match(asked.ignore_tones, asked.ignore_spaces, asked.ignore_case)
        found = await reconciling.reconcile(
            self._pushing, destination, unit_id=unit_id, department=self._department, match=match
        )
        return reconciliation_pb2.ReconcileResponse(reconciliation=convert.reconciliation(found))

    async def ListReconciliations(
        self, request: reconciliation_pb2.ListReconciliationsRequest, _context: Any
    ) -> reconciliation_pb2.ListReconciliationsResponse:
        """List comparisons, newest first."""
        size, cursor = page_size(request.page_size), page_cursor(request)
        destination, unit_id = await self._scene.destination(request.destination), self._scene.unit_id(request.unit)
        async with self._pushing.database.connection() as reads:
            found = await store.reconciliations(
                reads, destination.code, unit_id, before=cursor[0] if cursor else 0, most=size + 1
            )
        response = reconciliation_pb2.ListReconciliationsResponse(
            reconciliations=[convert.reconciliation(one) for one in found[:size]]
        )
        if len(found) > size:
            response.next_page_token = page_token(request, [found[size - 1].reconciliation_id])
        return response

    async def ListDifferences(
        self, request: reconciliation_pb2.ListDifferencesRequest, _context: Any
    ) -> reconciliation_pb2.ListDifferencesResponse:
        """List what a comparison found in the schools below a unit."""
        size, among = page_size(request.page_size), self._scene.schools(request.unit)
        await self._known(request.reconciliation_id)
        async with self._pushing.database.connection() as reads:
            found = await store.differences(
                reads,
                request.reconciliation_id,
                among,
                kind=request.kind,
                after=page_cursor(request),
                most=size + 1,
            )
        tree = self._pushing.scopes.tree
        response = reconciliation_pb2.ListDifferencesResponse(
            differences=[convert.difference(one, tree) for one in found[:size]]
        )
        if len(found) > size:
            last = found[size - 1]
            response.next_page_token = page_token(request, [last.school_id, last.type, last.kind, last.record_id])
        return response

    async def RepairDifferences(
        self, request: reconciliation_pb2.RepairDifferencesRequest, _context: Any
    ) -> reconciliation_pb2.RepairDifferencesResponse:
        """Push again what differs."""
        among = self._scene.schools(request.unit)
        repeated = await reconciling.repair(self._pushing, request.reconciliation_id, among)
        return reconciliation_pb2.RepairDifferencesResponse(repeated_count=repeated)

    async def _known(self, reconciliation_id: int) -> Reconciliation:
        async with self._pushing.database.connection() as reads:
            found = await store.reconciliation(reads, reconciliation_id)
        if found is None:
            raise unknown_reconciliation(reconciliation_id)
        return found
