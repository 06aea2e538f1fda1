"""HoldingsService: what is held of a source, and how it differs from what the source has."""

import asyncio
from typing import Any

from iocedu.records.v1 import holdings_pb2, holdings_pb2_grpc

from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import FieldViolation
from chassis.paging import page_cursor, page_size, page_token
from chassis.scopes import Scopes
from chassis.validation import invalid
from services.records.convert.collections import collection_of
from services.records.domain.holdings import compare
from services.records.domain.objects import ObjectSpec
from services.records.servicer.places import resolve_unit
from services.records.store.bulk import stored_versions
from services.records.store.holdings import holdings_page


class HoldingsServicer(holdings_pb2_grpc.HoldingsServiceServicer):
    """Answers HoldingsService."""

    def __init__(self, database: Database, scopes: Scopes, clock: Clock) -> None:
        self._database = database
        self._scopes = scopes
        self._clock = clock

    async def ListHoldings(
        self, request: holdings_pb2.ListHoldingsRequest, _context: Any
    ) -> holdings_pb2.ListHoldingsResponse:
        """Give a page of keys and versions."""
        spec, school_id = self._place(request)
        most = page_size(request.page_size, default=1000, maximum=10_000)
        cursor = page_cursor(request)
        async with self._database.connection() as connection:
            found = await holdings_page(
                connection,
                spec,
                school_id=school_id,
                school_year=request.school_year,
                source=request.source,
                after=cursor[0] if cursor else "",
                most=most + 1,
            )
        page = found[:most]
        response = holdings_pb2.ListHoldingsResponse(
            holdings=[holdings_pb2.Holding(key=key, version=version) for key, version in page]
        )
        if len(found) > most:
            response.next_page_token = page_token(request, (page[-1][0],))
        return response

    async def CompareHoldings(
        self, request: holdings_pb2.CompareHoldingsRequest, _context: Any
    ) -> holdings_pb2.CompareHoldingsResponse:
        """Say what a sender has that is not held so, and what is held that it has not, as of one moment."""
        spec, school_id = self._place(request)
        sent = {one.key: one.version for one in request.holdings}
        if len(sent) < len(request.holdings):
            raise invalid([_named_twice()])
        async with self._database.snapshot() as connection:
            present = await holdings_page(
                connection, spec, school_id=school_id, school_year=request.school_year, source=request.source
            )
            stored = await stored_versions(connection, spec, [(school_id, key) for key in sent])
        held = {key: one for (_, key), one in stored.items()}
        # Tens of thousands of keys would stop the loop for as many microseconds.
        found = await asyncio.to_thread(compare, sent, held, source=request.source, present=[key for key, _ in present])
        return holdings_pb2.CompareHoldingsResponse(
            same_count=found.same,
            missing_keys=found.missing,
            behind_keys=found.behind,
            ahead_keys=found.ahead,
            deleted_keys=found.deleted,
            surplus_keys=found.surplus,
            foreign_keys=found.foreign,
        )

    def _place(
        self, request: holdings_pb2.ListHoldingsRequest | holdings_pb2.CompareHoldingsRequest
    ) -> tuple[ObjectSpec, int]:
        school_id = resolve_unit(self._scopes.tree, request.school, self._clock.today())
        return collection_of(request.collection), school_id


def _named_twice() -> FieldViolation:
    return FieldViolation(
        "holdings",
        "INVALID_FIELD",
        "Có khóa được ghi nhiều lần. Mỗi bản ghi chỉ ghi một lần, với phiên bản mới nhất.",
        "A key is named more than once. Name each record once, with its newest version.",
    )
