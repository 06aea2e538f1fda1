"""QuarantineService: rows corrected, taken once more, and what would be gone confirmed or rejected."""

import asyncio
from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from iocedu.records.v1.resources_pb2 import RowProblem
from iocedu.sync.v1 import quarantine_pb2, quarantine_pb2_grpc

from chassis.access import unknown_unit
from chassis.errors import Fault, Kind
from chassis.identity import caller
from chassis.paging import page_cursor, page_size, page_token
from chassis.request import current_request
from services.sync.convert.answers import row_problem
from services.sync.convert.full import disappearance
from services.sync.convert.sheets.specification import Sheets
from services.sync.domain.batches import RowState
from services.sync.domain.full import Decision, Declaration, FullState
from services.sync.store import declarations, quarantine
from services.sync.usecases import refusals
from services.sync.usecases.disappearing import shown_records
from services.sync.usecases.full import asked_about, confirm, disappearing, reject
from services.sync.usecases.intake import Intake
from services.sync.usecases.partner_connections import own_source
from services.sync.usecases.replaying import MOST_REPLAYED, Asker, correct, replay
from services.sync.usecases.settling import unit_name

MOST_LISTED: Final = 50  # Declarations of a page: of each that waits records is asked what it holds,
COUNTED_AT_ONCE: Final = 8  # of so many at once.
SHOWN: Final = 50  # Records of a page,
MOST_SHOWN: Final = 200  # and the most of one, as many as records shows at once.


class QuarantineServicer(quarantine_pb2_grpc.QuarantineServiceServicer):
    """Answers `iocedu.sync.v1.QuarantineService`."""

    def __init__(self, intake: Intake, sheets: Sheets) -> None:
        self._intake = intake
        self._sheets = sheets

    async def CorrectQuarantinedRow(
        self, request: quarantine_pb2.CorrectQuarantinedRowRequest, _context: Any
    ) -> quarantine_pb2.CorrectQuarantinedRowResponse:
        """Correct a row and take it once more."""
        places, row_id = self._places(request.unit), request.quarantined_row_id
        source = await own_source(self._intake, caller().subject)
        async with self._intake.database.connection() as reads:
            rows = await quarantine.wanted(reads, places, ids=[row_id], source=source, most=1)
        if not rows:
            raise refusals.unknown_quarantined_row(row_id)
        done = await correct(
            self._intake, rows[0], request.values, sheets=self._sheets, asker=self._asker(request.unit)
        )
        frame = current_request()
        problem = row_problem(done.noted, frame.language if frame else "vi") if done.noted else RowProblem()
        return quarantine_pb2.CorrectQuarantinedRowResponse(state=done.state.value, problem=problem)  # type: ignore[arg-type]  # the enum's number

    async def ReplayQuarantinedRows(
        self, request: quarantine_pb2.ReplayQuarantinedRowsRequest, _context: Any
    ) -> quarantine_pb2.ReplayQuarantinedRowsResponse:
        """Take rows once more, the oldest first; a partner its own."""
        source = await own_source(self._intake, caller().subject)
        async with self._intake.database.connection() as reads:
            rows = await quarantine.wanted(
                reads,
                self._places(request.unit),
                ids=list(request.quarantined_row_ids),
                reason=request.reason,
                field=request.field,
                batch_id=request.batch_id,
                source=source,
                after=request.after_row_id,
                most=MOST_REPLAYED + 1,
            )
        done = await replay(self._intake, rows[:MOST_REPLAYED], asker=self._asker(request.unit))
        states = [one.state for one in done]
        return quarantine_pb2.ReplayQuarantinedRowsResponse(
            replayed_count=len(done),
            accepted_count=states.count(RowState.ACCEPTED),
            settled_count=states.count(RowState.UNCHANGED) + states.count(RowState.STALE),
            remaining_count=states.count(RowState.REJECTED) + states.count(RowState.HELD),
            last_row_id=max((one.row_id for one in done), default=0),
            more=len(rows) > MOST_REPLAYED,
        )

    async def ConfirmDisappearance(
        self, request: quarantine_pb2.ConfirmDisappearanceRequest, _context: Any
    ) -> quarantine_pb2.ConfirmDisappearanceResponse:
        """Confirm that what a declaration of everything lacks is gone."""
        full = await confirm(
            self._intake,
            self._schools(request.unit, request.school),
            source=request.source,
            declaration_id=request.declaration_id,
            decision=self._decision(request.decision_reason),
        )
        return quarantine_pb2.ConfirmDisappearanceResponse(full=full)

    async def RejectDisappearance(
        self, request: quarantine_pb2.RejectDisappearanceRequest, _context: Any
    ) -> quarantine_pb2.RejectDisappearanceResponse:
        """Say that what a declaration of everything lacks is not gone."""
        full = await reject(
            self._intake,
            self._schools(request.unit, request.school),
            source=request.source,
            declaration_id=request.declaration_id,
            decision=self._decision(request.decision_reason),
        )
        return quarantine_pb2.RejectDisappearanceResponse(full=full)

    async def ListDisappearances(
        self, request: quarantine_pb2.ListDisappearancesRequest, _context: Any
    ) -> quarantine_pb2.ListDisappearancesResponse:
        """List what a person is asked about."""
        size, cursor = page_size(request.page_size, MOST_LISTED, MOST_LISTED), page_cursor(request)
        after = (datetime.fromisoformat(cursor[0]), *cursor[1:]) if cursor else None
        async with self._intake.database.connection() as reads:
            found = await declarations.asking(
                reads, self._places(request.unit), decided=request.decided, after=after, most=size + 1
            )
        tree, gate = self._intake.scopes.tree, asyncio.Semaphore(COUNTED_AT_ONCE)

        async def counted(one: Declaration) -> quarantine_pb2.Disappearance:
            told = disappearance(one, name=unit_name(tree, one.full_of.school_id))
            if one.state is not FullState.HELD:
                return told
            async with gate:  # What came since does not go any more.
                try:
                    now = await disappearing(self._intake, one)
                except Fault as fault:
                    if fault.kind not in (Kind.UNAVAILABLE, Kind.DEADLINE):
                        raise
                    return told  # While records is away, the numbers are those of the question.
            told.disappeared_count, told.held_count = len(now.keys), now.held
            return told

        told = await asyncio.gather(*(counted(one) for one in found[:size]))
        response = quarantine_pb2.ListDisappearancesResponse(disappearances=told)
        if len(found) > size:
            one, of = found[size - 1], found[size - 1].full_of
            last = (one.create_time.isoformat(), of.school_id, one.source, of.declaration_id)
            response.next_page_token = page_token(request, last)
        return response

    async def ListDisappearingRecords(
        self, request: quarantine_pb2.ListDisappearingRecordsRequest, _context: Any
    ) -> quarantine_pb2.ListDisappearingRecordsResponse:
        """List what confirming would delete now."""
        size, cursor = min(request.page_size or SHOWN, MOST_SHOWN), page_cursor(request)
        schools = self._schools(request.unit, request.school)
        known = await asked_about(self._intake, schools, source=request.source, declaration_id=request.declaration_id)
        found = await disappearing(self._intake, known)
        after = cursor[0] if cursor else ""
        keys = [key for key in found.keys if key > after][: size + 1]
        response = quarantine_pb2.ListDisappearingRecordsResponse(
            disappearing_count=len(found.keys),
            held_count=found.held,
            state=found.known.state.value,  # type: ignore[arg-type]  # the number is the enum's
            records=await shown_records(self._intake, found.known.full_of, keys[:size], purpose=request.purpose),
        )
        if len(keys) > size:
            response.next_page_token = page_token(request, [keys[size - 1]])
        return response

    def _decision(self, reason: str) -> Decision:
        return Decision(caller().subject, reason.strip(), self._intake.clock.now())

    def _asker(self, unit: str) -> Asker:
        return Asker(caller().subject, self._unit_id(unit))

    def _schools(self, unit: str, school: str) -> Collection[int]:
        """A school below a unit; where it is not named all of them."""
        places = self._places(unit)
        return places & {self._unit_id(school)} if school else places

    def _places(self, unit: str) -> frozenset[int]:
        return self._intake.places_below(self._unit_id(unit))

    def _unit_id(self, unit: str) -> int:
        unit_id = self._intake.scopes.tree.resolve(unit, self._intake.clock.today())
        if unit_id is None:
            raise unknown_unit(unit)
        return unit_id
