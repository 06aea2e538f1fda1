"""DataRequestsService: requests of people about their data, with their clocks. Every call is written down."""

from collections.abc import Callable
from datetime import date
from hashlib import blake2b
from typing import Any

from iocedu.records.v1 import data_requests_pb2, data_requests_pb2_grpc

from chassis.clock import Clock
from chassis.database import Database
from chassis.identity import caller
from chassis.paging import page_cursor, page_size, page_token
from chassis.scopes import Scopes
from services.records.convert.data_requests import data_request_of, filing_of, states_of
from services.records.domain.data_requests import DataRequest, completed, decided, extended
from services.records.servicer.places import records_below, resolve_unit
from services.records.servicer.reading import reading_of
from services.records.store.data_requests import data_requests_page
from services.records.usecases.data_requests import Named, change_data_request, file_data_request
from services.records.usecases.locks import Asked
from services.records.usecases.lookups import Lookups

_Change = (
    data_requests_pb2.DecideDataRequestRequest
    | data_requests_pb2.ExtendDataRequestRequest
    | data_requests_pb2.CompleteDataRequestRequest
)


class DataRequestsServicer(data_requests_pb2_grpc.DataRequestsServiceServicer):
    """Answers DataRequestsService."""

    def __init__(self, database: Database, scopes: Scopes, clock: Clock, *, lookups: Lookups) -> None:
        self._database = database
        self._scopes = scopes
        self._clock = clock
        self._lookups = lookups

    async def FileDataRequest(
        self, request: data_requests_pb2.FileDataRequestRequest, _context: Any
    ) -> data_requests_pb2.FileDataRequestResponse:
        """File a request."""
        school_id = resolve_unit(self._scopes.tree, request.school, self._clock.today())
        digest = blake2b(request.SerializeToString(deterministic=True), digest_size=16).digest()
        kept = await file_data_request(
            self._database,
            self._clock,
            filing_of(request, school_id=school_id, now=self._clock.now()),
            by=caller().subject,
            asked=Asked(request.request_id, digest),
        )
        told = await self._told("FileDataRequest", kept)
        return data_requests_pb2.FileDataRequestResponse(data_request=told)

    async def DecideDataRequest(
        self, request: data_requests_pb2.DecideDataRequestRequest, _context: Any
    ) -> data_requests_pb2.DecideDataRequestResponse:
        """Grant or refuse a request."""
        by, now, reason = caller().subject, self._clock.now(), request.reason.strip()
        told = await self._change(
            "DecideDataRequest",
            request,
            lambda held: decided(held, granted=request.granted, reason=reason, by=by, now=now),
        )
        return data_requests_pb2.DecideDataRequestResponse(data_request=told)

    async def ExtendDataRequest(
        self, request: data_requests_pb2.ExtendDataRequestRequest, _context: Any
    ) -> data_requests_pb2.ExtendDataRequestResponse:
        """Move a due date."""
        by, reason = caller().subject, request.reason.strip()
        told = await self._change("ExtendDataRequest", request, lambda held: extended(held, reason=reason, by=by))
        return data_requests_pb2.ExtendDataRequestResponse(data_request=told)

    async def CompleteDataRequest(
        self, request: data_requests_pb2.CompleteDataRequestRequest, _context: Any
    ) -> data_requests_pb2.CompleteDataRequestResponse:
        """Say that a request is done."""
        by, now, note = caller().subject, self._clock.now(), request.note.strip()
        told = await self._change(
            "CompleteDataRequest", request, lambda held: completed(held, note=note, by=by, now=now)
        )
        return data_requests_pb2.CompleteDataRequestResponse(data_request=told)

    async def ListDataRequests(
        self, request: data_requests_pb2.ListDataRequestsRequest, _context: Any
    ) -> data_requests_pb2.ListDataRequestsResponse:
        """Give a page of requests."""
        today, tree = self._clock.today(), self._scopes.tree
        unit_id = resolve_unit(tree, request.unit, today)
        most = page_size(request.page_size, default=100, maximum=1000)
        cursor = page_cursor(request)
        async with self._database.connection() as connection:
            found = await data_requests_page(
                connection,
                schools=records_below(tree, unit_id, today),
                states=states_of(request),
                overdue_on=today if request.overdue_only else None,
                after=(date.fromisoformat(cursor[0]), cursor[1], cursor[2]) if cursor else None,
                most=most + 1,
            )
        response = data_requests_pb2.ListDataRequestsResponse(
            data_requests=[data_request_of(one, today=today) for one in found[:most]]
        )
        if len(found) > most:
            last = found[most - 1]
            place = (last.due_date.isoformat(), last.school_id, last.data_request_id)
            response.next_page_token = page_token(request, place)
        await self._note("ListDataRequests", unit_id, count=len(response.data_requests))
        return response

    async def _change(
        self, method: str, request: _Change, change: Callable[[DataRequest], DataRequest]
    ) -> data_requests_pb2.DataRequest:
        school_id = resolve_unit(self._scopes.tree, request.school, self._clock.today())
        named = Named(school_id, request.data_request_id)
        return await self._told(method, await change_data_request(self._database, named, change))

    async def _told(self, method: str, kept: DataRequest) -> data_requests_pb2.DataRequest:
        await self._note(method, kept.school_id, key=str(kept.data_request_id), count=1)
        return data_request_of(kept, today=self._clock.today())

    async def _note(self, method: str, unit_id: int, *, key: str = "", count: int) -> None:
        now = self._clock.now()
        await self._lookups.note(
            reading_of(method, at=now, unit_id=unit_id, collection="data_requests", key=key, count=count)
        )
