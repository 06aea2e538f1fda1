"""Calls to records, the only service of the platform that sync asks."""

from collections.abc import Sequence
from typing import Final

import grpc
from iocedu.records.v1 import (
    access_log_pb2,
    access_log_pb2_grpc,
    held_records_pb2,
    held_records_pb2_grpc,
    holdings_pb2,
    holdings_pb2_grpc,
    records_pb2,
    records_pb2_grpc,
)

from chassis.disclosures import written_down

APPLY_SECONDS: Final = 60.0
ONE_SECONDS: Final = 10.0
FEED_PAGE: Final = 2000
HOLDINGS_PAGE: Final = 10_000


class Records:
    """Stores rows. A call that is cut is repeated by the channel; its request id makes that harmless."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: records_pb2_grpc.RecordsServiceAsyncStub = records_pb2_grpc.RecordsServiceStub(channel)
        self._held: held_records_pb2_grpc.HeldRecordsServiceAsyncStub = held_records_pb2_grpc.HeldRecordsServiceStub(
            channel
        )
        self._holdings: holdings_pb2_grpc.HoldingsServiceAsyncStub = holdings_pb2_grpc.HoldingsServiceStub(channel)
        self._access_log: access_log_pb2_grpc.AccessLogServiceAsyncStub = access_log_pb2_grpc.AccessLogServiceStub(
            channel
        )

    async def apply(self, request: records_pb2.ApplyRowsRequest) -> records_pb2.ApplyRowsResponse:
        """Store rows in one transaction; raises what records answers as `Fault`."""
        return await self._stub.ApplyRows(request, timeout=APPLY_SECONDS)

    async def begin_edit(self, request: records_pb2.BeginEditRequest) -> records_pb2.BeginEditResponse:
        """A record in full that is to be corrected; raises what records answers as `Fault`."""
        return await self._stub.BeginEdit(request, timeout=ONE_SECONDS)

    async def get(self, request: records_pb2.GetRecordRequest) -> records_pb2.GetRecordResponse:
        """A record as the caller may see it, which records writes down; raises what records answers as `Fault`."""
        found = await self._stub.GetRecord(request, timeout=ONE_SECONDS)
        written_down()
        return found

    async def changes(self, *, unit: str, types: Sequence[int], after: int) -> records_pb2.ListChangesResponse:
        """A page of the change feed, with the records in full; raises what records answers as `Fault`."""
        request = records_pb2.ListChangesRequest(unit=unit, after=after, page_size=FEED_PAGE)
        request.types.extend(types)  # type: ignore[arg-type]  # numbers of the enum
        return await self._stub.ListChanges(request, timeout=APPLY_SECONDS)

    async def held(self, request: held_records_pb2.ReadRecordsRequest) -> held_records_pb2.ReadRecordsResponse:
        """Records by school and key, in full, as of now; raises what records answers as `Fault`."""
        return await self._held.ReadRecords(request, timeout=APPLY_SECONDS)

    async def show(self, request: held_records_pb2.ShowRecordsRequest) -> held_records_pb2.ShowRecordsResponse:
        """Records as the caller may see them, which records writes down; raises what records answers as `Fault`."""
        shown = await self._held.ShowRecords(request, timeout=ONE_SECONDS)
        written_down()
        return shown

    async def holdings(self, *, school: str, collection: str, school_year: int, source: str = "") -> dict[str, int]:
        """Keys and versions of all that is held of a source in a school's year, without one of any; raises what records
        answers.
        """
        held: dict[str, int] = {}
        request = holdings_pb2.ListHoldingsRequest(
            school=school, collection=collection, school_year=school_year, source=source, page_size=HOLDINGS_PAGE
        )
        while True:
            page = await self._holdings.ListHoldings(request, timeout=APPLY_SECONDS)
            held |= {one.key: one.version for one in page.holdings}
            if not page.next_page_token:
                return held
            request.page_token = page.next_page_token

    async def note_access(self, request: access_log_pb2.NoteAccessRequest) -> bool:
        """Write down what is about to be shown to the caller; whether it may be in full. Raises `Fault`."""
        unmasked = (await self._access_log.NoteAccess(request, timeout=ONE_SECONDS)).unmasked
        written_down()
        return unmasked
