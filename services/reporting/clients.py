"""gRPC out to records: its change feed, its locks, and records shown to someone. Faults of records come through."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from iocedu.records.v1 import (
    held_records_pb2,
    held_records_pb2_grpc,
    locks_pb2,
    locks_pb2_grpc,
    records_pb2,
    records_pb2_grpc,
    resources_pb2,
)

from chassis.disclosures import written_down

EVERY_UNIT = "0"
PAGE = 5000
SECONDS = 60.0
LOCK_SECONDS = 10.0
SHOW_SECONDS = 10.0


@dataclass(frozen=True)
class ChangeFeed:
    """The feed: for each record its newest change, in order of position."""

    channel: grpc.aio.Channel

    async def pages(
        self, types: tuple[resources_pb2.ObjectType.ValueType, ...], *, after: int = 0
    ) -> AsyncIterator[records_pb2.ListChangesResponse]:
        """Pages of changes of these types from a position on, until there are no more for now."""
        stub = records_pb2_grpc.RecordsServiceStub(self.channel)
        caught_up = False
        while not caught_up:
            page = await stub.ListChanges(
                records_pb2.ListChangesRequest(unit=EVERY_UNIT, after=after, types=types, page_size=PAGE),
                timeout=SECONDS,
            )
            yield page
            after, caught_up = page.position, page.caught_up


@dataclass(frozen=True)
class SchoolLocks:
    """The locks of records: set and lifted on behalf of whoever the running task acts for."""

    channel: grpc.aio.Channel

    async def set(self, school_id: int, collections: Sequence[str], **what: Any) -> None:
        """Lock collections of a school: `school_year`, `period`, `reason`, `request_id` as in SetLocks."""
        request = locks_pb2.SetLocksRequest(unit=str(school_id), collections=collections, **what)
        await locks_pb2_grpc.LocksServiceStub(self.channel).SetLocks(request, timeout=LOCK_SECONDS)

    async def lift(self, school_id: int, collections: Sequence[str], **what: Any) -> None:
        """Lift the locks of collections of a school: the same as of `set`."""
        request = locks_pb2.LiftLocksRequest(unit=str(school_id), collections=collections, **what)
        await locks_pb2_grpc.LocksServiceStub(self.channel).LiftLocks(request, timeout=LOCK_SECONDS)


@dataclass(frozen=True)
class ShownRecords:
    """Records as the caller may see them; records writes each look down."""

    channel: grpc.aio.Channel

    async def show(
        self, collection: str, names: Sequence[tuple[int, str]], *, unit: str, purpose: str
    ) -> list[records_pb2.Record]:
        """The records of schools and keys that are there, in the order asked for."""
        request = held_records_pb2.ShowRecordsRequest(
            method="ListFigureRecords", unit=unit, purpose=purpose, collection=collection
        )
        for school, key in names:
            request.names.add(school=str(school), key=key)
        stub = held_records_pb2_grpc.HeldRecordsServiceStub(self.channel)
        answer = await stub.ShowRecords(request, timeout=SHOW_SECONDS)
        written_down()
        return [one.record for one in answer.shown]
