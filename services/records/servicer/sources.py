"""SourcesService: collections handed over to a source, and what was."""

from typing import Any

from iocedu.records.v1 import sources_pb2, sources_pb2_grpc

from chassis.clock import Clock
from chassis.database import Database
from chassis.identity import caller
from chassis.paging import page_cursor, page_size, page_token
from chassis.scopes import Scopes
from services.records.convert.sources import draft_of, hand_over_of
from services.records.servicer.asking import asked_of
from services.records.servicer.places import aliases, schools_below, subtree_of
from services.records.store.sources import hand_overs_page
from services.records.usecases.sources import hand_over


class SourcesServicer(sources_pb2_grpc.SourcesServiceServicer):
    """Answers SourcesService."""

    def __init__(self, database: Database, scopes: Scopes, clock: Clock) -> None:
        self._database = database
        self._scopes = scopes
        self._clock = clock

    async def HandOver(self, request: sources_pb2.HandOverRequest, _context: Any) -> sources_pb2.HandOverResponse:
        """Hand collections of every school below a unit over."""
        counted = await hand_over(
            self._database,
            self._clock,
            draft_of(request, now=self._clock.now()),
            schools=schools_below(self._scopes.tree, request.unit, self._clock.today()),
            by=caller().actor or caller().subject,
            asked=asked_of(request),
        )
        return sources_pb2.HandOverResponse(
            school_count=counted.schools,
            handed_over_count=counted.changed,
            unchanged_count=counted.places - counted.changed,
        )

    async def ListHandOvers(
        self, request: sources_pb2.ListHandOversRequest, _context: Any
    ) -> sources_pb2.ListHandOversResponse:
        """Give a page of the hand-overs in the schools below a unit."""
        today, tree = self._clock.today(), self._scopes.tree
        most = page_size(request.page_size, default=100, maximum=1000)
        cursor = page_cursor(request)
        async with self._database.connection() as connection:
            found = await hand_overs_page(
                connection,
                subtree_of(tree, request.unit, today),
                in_force_at=self._clock.now() if request.in_force else None,
                after=(cursor[0], cursor[1]) if cursor else None,
                most=most + 1,
            )
        page = found[:most]
        alias = aliases(tree, today)
        response = sources_pb2.ListHandOversResponse(
            hand_overs=[hand_over_of(one, school=alias(one.school_id)) for one in page]
        )
        if len(found) > most:
            response.next_page_token = page_token(request, (page[-1].school_id, page[-1].hand_over_id))
        return response
