"""LocksService: parts of the year closed and opened again, and what is closed."""

from datetime import date
from hashlib import blake2b
from typing import Any

from iocedu.records.v1 import locks_pb2, locks_pb2_grpc

from chassis.access import unknown_unit
from chassis.clock import Clock
from chassis.database import Database
from chassis.identity import caller
from chassis.paging import page_cursor, page_size, page_token
from chassis.scope_tree import ScopeTree
from chassis.scopes import Scopes
from services.records.convert.locks import actor_of, draft_of, lock_of
from services.records.domain.objects import SCHOOL_KINDS
from services.records.store.locks import locks_page
from services.records.usecases.locks import Asked, lift_locks, set_locks


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
            schools=_schools(self._scopes.tree, request.unit, self._clock.today()),
            by=actor_of(caller()),
            asked=_asked(request),
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
            schools=_schools(self._scopes.tree, request.unit, self._clock.today()),
            by=actor_of(caller()),
            asked=_asked(request),
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
                _below(tree, request.unit, today),
                collections=request.collections,
                school_year=request.school_year,
                include_lifted=request.include_lifted,
                after=(cursor[0], cursor[1]) if cursor else None,
                most=most + 1,
            )
        page = found[:most]
        response = locks_pb2.ListLocksResponse(
            locks=[lock_of(lock, school=_alias(tree, lock.school_id, today)) for lock in page]
        )
        if len(found) > most:
            response.next_page_token = page_token(request, (page[-1].school_id, page[-1].lock_id))
        return response


def _below(tree: ScopeTree, ref: str, day: date) -> frozenset[int]:
    """A unit and all below it today."""
    unit_id = tree.resolve(ref, day)
    if unit_id is None:
        raise unknown_unit(ref)
    return tree.subtree(unit_id, day)


def _schools(tree: ScopeTree, ref: str, day: date) -> list[int]:
    """Those of them that send records."""
    found = (tree.unit(unit_id) for unit_id in _below(tree, ref, day))
    return [unit.unit_id for unit in found if unit is not None and unit.kind in SCHOOL_KINDS]


def _alias(tree: ScopeTree, school_id: int, day: date) -> str:
    return tree.alias(school_id, "moet", day) or tree.alias(school_id, "gso", day) or str(school_id)


def _asked(request: locks_pb2.SetLocksRequest | locks_pb2.LiftLocksRequest) -> Asked:
    content = request.DESCRIPTOR.full_name.encode() + request.SerializeToString(deterministic=True)
    return Asked(request.request_id, blake2b(content, digest_size=16).digest())
