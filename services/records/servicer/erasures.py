"""ErasuresService: what is left of whom a request is about, and restrictions lifted. Every call is written down."""

from typing import Any

from iocedu.records.v1 import erasures_pb2, erasures_pb2_grpc

from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import Fault, Kind
from chassis.identity import caller
from chassis.scopes import Scopes
from services.records.convert.erasing import add_remain, confirmation
from services.records.convert.rules import load_erasure_rules
from services.records.domain.data_requests import DEEDS, DataRequest
from services.records.servicer.places import resolve_unit
from services.records.servicer.reading import reading_of
from services.records.store.data_requests import data_request_of
from services.records.usecases.data_requests import unknown_data_request
from services.records.usecases.erasing import lift_restriction
from services.records.usecases.lookups import Lookups
from services.records.usecases.remains import remains_of


class ErasuresServicer(erasures_pb2_grpc.ErasuresServiceServicer):
    """Answers ErasuresService."""

    def __init__(self, database: Database, scopes: Scopes, clock: Clock, *, lookups: Lookups) -> None:
        self._database = database
        self._scopes = scopes
        self._clock = clock
        self._lookups = lookups

    async def GetRemains(
        self, request: erasures_pb2.GetRemainsRequest, _context: Any
    ) -> erasures_pb2.GetRemainsResponse:
        """Tell what is left."""
        school_id, number = self._school(request.school), request.data_request_id
        async with self._database.connection() as connection:
            held = await data_request_of(connection, school_id=school_id, data_request_id=number)
            if held is None:
                raise unknown_data_request(number)
            if held.kind not in DEEDS:
                raise _not_an_erasure(held)
            found = await remains_of(
                connection, load_erasure_rules(), held, now=self._clock.now(), today=self._clock.today()
            )
        response = erasures_pb2.GetRemainsResponse(complete=found.complete)
        for remain in found.remains:
            add_remain(response, remain)
        response.confirmations.extend(confirmation(*one) for one in found.confirmations)
        if found.deed_time is not None:
            response.deed_time.FromDatetime(found.deed_time)
        await self._note("GetRemains", school_id, number, count=len(found.remains))
        return response

    async def LiftRestriction(
        self, request: erasures_pb2.LiftRestrictionRequest, _context: Any
    ) -> erasures_pb2.LiftRestrictionResponse:
        """Let records be used again."""
        school_id, number = self._school(request.school), request.data_request_id
        lifted = await lift_restriction(
            self._database,
            self._clock,
            school_id=school_id,
            data_request_id=number,
            by=caller().subject,
            reason=request.reason.strip(),
        )
        await self._note("LiftRestriction", school_id, number, count=len(lifted))
        return erasures_pb2.LiftRestrictionResponse(lifted_count=len(lifted))

    async def _note(self, method: str, school_id: int, number: int, *, count: int) -> None:
        await self._lookups.note(
            reading_of(
                method,
                at=self._clock.now(),
                unit_id=school_id,
                collection="data_requests",
                key=str(number),
                count=count,
            )
        )

    def _school(self, ref: str) -> int:
        return resolve_unit(self._scopes.tree, ref, self._clock.today())


def _not_an_erasure(held: DataRequest) -> Fault:
    return Fault(
        Kind.PRECONDITION,
        "NOT_AN_ERASURE",
        vi=f"Yêu cầu số {held.data_request_id} là yêu cầu sửa dữ liệu: không có gì phải xóa hay hạn chế.",
        en=f"Request {held.data_request_id} asks for a correction: nothing is erased or restricted by it.",
        metadata={"data_request_id": str(held.data_request_id), "kind": held.kind.value},
    )
