"""TransfersService: pupils handed over from school to school. Every call is written down."""

from collections.abc import Sequence
from datetime import date
from hashlib import blake2b
from typing import Any

from iocedu.records.v1 import transfers_pb2, transfers_pb2_grpc

from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import FieldViolation
from chassis.identity import caller
from chassis.paging import page_cursor, page_size, page_token
from chassis.scopes import Scopes
from chassis.validation import invalid
from services.records.convert.transfers import action_of, side_of, states_of, transfer_message
from services.records.domain.objects import SCHOOL_KINDS
from services.records.domain.transfers import Side, Transfer
from services.records.servicer.calendar import unit_and_above
from services.records.servicer.places import records_below, resolve_unit
from services.records.servicer.reading import reading_of
from services.records.store.transfers import shown_transfer, transfers_page
from services.records.usecases.locks import Asked
from services.records.usecases.lookups import Lookups
from services.records.usecases.transfers import (
    Deciding,
    Opening,
    Stepping,
    decide_transfer,
    open_transfer,
    step_transfer,
    unknown_transfer,
)

PROVINCE = "province"


class TransfersServicer(transfers_pb2_grpc.TransfersServiceServicer):
    """Answers TransfersService."""

    def __init__(self, database: Database, scopes: Scopes, clock: Clock, *, lookups: Lookups) -> None:
        self._database = database
        self._scopes = scopes
        self._clock = clock
        self._lookups = lookups

    async def OpenTransfer(
        self, request: transfers_pb2.OpenTransferRequest, _context: Any
    ) -> transfers_pb2.OpenTransferResponse:
        """Open a transfer."""
        side = side_of(request)
        school_id, other_id = self._school(request.school, "school"), self._school(request.other_school, "other_school")
        if school_id == other_id:
            raise _no_transfer("other_school", "Hai trường trùng nhau.", "Both schools are one.")
        releasing, receiving = (school_id, other_id) if side is Side.RELEASING else (other_id, school_id)
        kept = await open_transfer(
            self._database,
            self._clock,
            Opening(
                releasing,
                receiving,
                request.pupil_key,
                side,
                self._province(releasing) != self._province(receiving),
                request.note.strip(),
            ),
            above=self._above,
            by=caller().subject,
            asked=Asked(
                request.request_id, blake2b(request.SerializeToString(deterministic=True), digest_size=16).digest()
            ),
        )
        return transfers_pb2.OpenTransferResponse(transfer=await self._told("OpenTransfer", kept, school_id))

    async def StepTransfer(
        self, request: transfers_pb2.StepTransferRequest, _context: Any
    ) -> transfers_pb2.StepTransferResponse:
        """Take a school's step."""
        school_id = resolve_unit(self._scopes.tree, request.school, self._clock.today())
        kept = await step_transfer(
            self._database,
            self._clock,
            Stepping(request.transfer_id, school_id, action_of(request), request.receiving_key, request.note.strip()),
            above=self._above,
            by=caller().subject,
        )
        return transfers_pb2.StepTransferResponse(transfer=await self._told("StepTransfer", kept, school_id))

    async def DecideTransfer(
        self, request: transfers_pb2.DecideTransferRequest, _context: Any
    ) -> transfers_pb2.DecideTransferResponse:
        """Decide for a school whose clock is over."""
        today, tree = self._clock.today(), self._scopes.tree
        unit_id = resolve_unit(tree, request.unit, today)
        kept = await decide_transfer(
            self._database,
            self._clock,
            Deciding(
                request.transfer_id,
                unit_id,
                records_below(tree, unit_id, today),
                request.placed,
                request.note.strip(),
            ),
            above=self._above,
            name=self._name,
            by=caller().subject,
        )
        return transfers_pb2.DecideTransferResponse(transfer=await self._told("DecideTransfer", kept, unit_id))

    async def GetTransfer(
        self, request: transfers_pb2.GetTransferRequest, _context: Any
    ) -> transfers_pb2.GetTransferResponse:
        """Give a transfer that a school has a part in."""
        school_id = resolve_unit(self._scopes.tree, request.school, self._clock.today())
        async with self._database.connection() as connection:
            found = await shown_transfer(connection, request.transfer_id)
        if found is None or found.side_of(school_id) is None:
            raise unknown_transfer(request.transfer_id)
        return transfers_pb2.GetTransferResponse(transfer=await self._told("GetTransfer", found, school_id))

    async def ListTransfers(
        self, request: transfers_pb2.ListTransfersRequest, _context: Any
    ) -> transfers_pb2.ListTransfersResponse:
        """Give a page of transfers."""
        today, tree = self._clock.today(), self._scopes.tree
        unit_id = resolve_unit(tree, request.unit, today)
        most = page_size(request.page_size, default=100, maximum=1000)
        cursor = page_cursor(request)
        async with self._database.connection() as connection:
            found = await transfers_page(
                connection,
                schools=records_below(tree, unit_id, today),
                states=states_of(request),
                late_on=today if request.late_only else None,
                after=(date.fromisoformat(cursor[0]), cursor[1]) if cursor else None,
                most=most + 1,
            )
        response = transfers_pb2.ListTransfersResponse(
            transfers=[transfer_message(one, name=self._name, today=today) for one in found[:most]]
        )
        if len(found) > most:
            last = found[most - 1]
            due = last.due_date or date.max
            response.next_page_token = page_token(request, (due.isoformat(), last.transfer_id))
        await self._note("ListTransfers", unit_id, count=len(response.transfers))
        return response

    def _school(self, ref: str, field: str) -> int:
        tree = self._scopes.tree
        unit_id = resolve_unit(tree, ref, self._clock.today())
        unit = tree.unit(unit_id)
        if unit is None or unit.kind not in SCHOOL_KINDS:
            raise _no_transfer(field, f"{ref} không phải là trường.", f"{ref} is no school.")
        return unit_id

    def _above(self, unit_id: int) -> Sequence[int]:
        return unit_and_above(self._scopes.tree, unit_id, self._clock.today())

    def _province(self, school_id: int) -> int:
        """The province a school lies in; 0: none is known."""
        tree = self._scopes.tree
        above = tree.above(school_id, self._clock.today())
        return next((one for one in above if (unit := tree.unit(one)) and unit.kind == PROVINCE), 0)

    def _name(self, unit_id: int) -> str:
        unit = self._scopes.tree.unit(unit_id)
        return unit.name if unit else ""

    async def _told(self, method: str, kept: Transfer, unit_id: int) -> transfers_pb2.Transfer:
        await self._note(method, unit_id, key=str(kept.transfer_id), count=1)
        return transfer_message(kept, name=self._name, today=self._clock.today())

    async def _note(self, method: str, unit_id: int, *, key: str = "", count: int) -> None:
        now = self._clock.now()
        await self._lookups.note(
            reading_of(method, at=now, unit_id=unit_id, collection="transfers", key=key, count=count)
        )


def _no_transfer(field: str, vi: str, en: str) -> Exception:
    return invalid([FieldViolation(field, "NO_TRANSFER_BETWEEN", vi, en)])
