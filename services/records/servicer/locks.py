"""LocksService: parts of the year closed and opened again, and what is closed."""

from typing import Any

from iocedu.records.v1 import locks_pb2, locks_pb2_grpc

from chassis.clock import Clock
from chassis.database import Database
from chassis.identity import caller
from chassis.paging import page_cursor, page_size, page_token
from chassis.scopes import Scopes
from services.records.convert.locks import actor_of, draft_of, lock_of
from services.records.servicer.asking import asked_of
from services.records.servicer.places import aliases, schools_below, subtree_of
from services.records.store.locks import locks_page
from services.records.usecases.locks import lift_locks, set_locks


class LocksServicer(locks_pb2_grpc.LocksServiceServicer):
    """Answers LocksService."""

    def __init__(self, database: Database, scopes: Scopes, clock: Clock) -> None:
        self._database = database
        self._scopes = scopes
        self._clock = clock

    async def SetLocks(self, request: locks_pb2.SetLocksRequest, _context: Any) -> locks_pb2.SetLocksResponse:
        """Close a part of the year in every school below a unit."""
        counted = await set_locks(
            self._database,
            self._clock,
            draft_of(request),
            schools=schools_below(self._scopes.tree, request.unit, self._clock.today()),
            by=actor_of(caller()),
            asked=asked_of(request),
        )
        return locks_pb2.SetLocksResponse(
            school_count=counted.schools,
            locked_count=counted.changed,
            unchanged_count=counted.places - counted.changed,
        )

    async def LiftLocks(self, request: locks_pb2.LiftLocksRequest, _context: Any) -> locks_pb2.LiftLocksResponse:
        """Open a part of the year again in every school below a unit."""
        counted = await lift_locks(
            self._database,
            self._clock,
            draft_of(request),
            schools=schools_below(self._scopes.tree, request.unit, self._clock.today()),
            by=actor_of(caller()),
            asked=asked_of(request),
        )
        return locks_pb2.LiftLocksResponse(
            school_count=counted.schools,
            lifted_count=counted.changed,
            unchanged_count=counted.places - counted.changed,
        )

    async def ListLocks(self, request: locks_pb2.ListLocksRequest, _context: Any) -> locks_pb2.ListLocksResponse:
        """Give a page of the locks of the schools below a unit."""
        today, tree = self._clock.today(), self._scopes.tree
        most = page_size(request.page_size, default=100, maximum=1000)
        cursor = page_cursor(request)
        async with self._database.connection() as connection:
            found = await locks_page(
                connection,
                subtree_of(tree, request.unit, today),
                collections=request.collections,
                school_year=request.school_year,
                include_lifted=request.include_lifted,
                after=(cursor[0], cursor[1]) if cursor else None,
                most=most + 1,
            )
        page = found[:most]
        alias = aliases(tree, today)
        response = locks_pb2.ListLocksResponse(locks=[lock_of(lock, school=alias(lock.school_id)) for lock in page])
        if len(found) > most:
            response.next_page_token = page_token(request, (page[-1].school_id, page[-1].lock_id))
        return response
