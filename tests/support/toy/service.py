"""The toy's servicer: says who called, and does what it is asked to test the chassis around it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from chassis.disclosures import Note, Shown, written_down
from chassis.errors import Fault, FieldViolation, Kind
from chassis.identity import caller
from chassis.request import current_request
from chassis.scopes import Scopes
from chassis.server import App, Check, Worker
from chassis.streams import envelope
from tests.support.toy import toy_pb2, toy_pb2_grpc

NAME = "toy.v1.ToyService"


class ToyServicer(toy_pb2_grpc.ToyServiceServicer):  # type: ignore[misc]  # compiled when the tests start
    """Answers every method; `friend` is a channel to another toy."""

    def __init__(self, friend: Any = None) -> None:
        self.friend = friend
        self.calls = 0
        self.cancelled = asyncio.Event()

    async def _answer(self, act: str, **fields: Any) -> Any:
        self.calls += 1
        if act == "refuse":
            raise Fault(
                Kind.PRECONDITION,
                "NOT_NOW",
                vi="Chưa thể làm lúc này.",
                en="Not now.",
                metadata={"thing": "door"},
                violations=[FieldViolation("act", "NOT_NOW", "chưa được", "not yet")],
                retry_after=timedelta(seconds=7),
            )
        if act == "fail":
            raise RuntimeError("secret of the house")
        if act == "wait":
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        if act.startswith("ask friend"):
            stub = toy_pb2_grpc.ToyServiceStub(self.friend)
            return await stub.LookAtOwn(toy_pb2.LookRequest(act=act.removeprefix("ask friend").strip()), timeout=30)
        who = caller()
        request = current_request()
        left = request.seconds_left() if request else None
        return toy_pb2.LookResponse(
            subject=who.subject, service=who.service or "", actor=who.actor or "", seconds_left=left or 0, **fields
        )

    async def Look(self, request: Any, context: Any) -> Any:
        """One unit."""
        return await self._answer(request.act)

    async def LookInside(self, request: Any, context: Any) -> Any:
        """A unit named further in."""
        return await self._answer("")

    async def LookAtMany(self, request: Any, context: Any) -> Any:
        """Several units."""
        return await self._answer("")

    async def LookAtPeople(self, request: Any, context: Any) -> Any:
        """Two people."""
        if request.act == "write":
            written_down()
        await self._answer(request.act)
        people = [toy_pb2.Inner(unit="a"), toy_pb2.Inner(unit="b")]
        return toy_pb2.PeopleResponse(people=people, masked=not request.purpose)

    async def WatchPeople(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """Two people, one after the other."""
        for _ in range(2):
            yield toy_pb2.PeopleResponse(people=[toy_pb2.Inner(unit="a")])

    async def LookAnywhere(self, request: Any, context: Any) -> Any:
        """No unit."""
        return await self._answer(request.act)

    async def LookAtOwn(self, request: Any, context: Any) -> Any:
        """What concerns only the caller."""
        return await self._answer(request.act)

    async def LookAsService(self, request: Any, context: Any) -> Any:
        """What only a service may."""
        return await self._answer(request.act)

    async def LookAway(self, request: Any, context: Any) -> Any:
        """What nobody may."""
        return await self._answer(request.act)

    async def Collect(self, request_iterator: AsyncIterator[Any], context: Any) -> Any:
        """A stream in."""
        texts = [message.unit async for message in request_iterator]
        return await self._answer("", texts=texts)

    async def Talk(self, request_iterator: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        """Streams both ways."""
        async for message in request_iterator:
            yield toy_pb2.LookResponse(texts=[message.WhichOneof("event")], subject=caller().subject)

    def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """A stream out, in its envelope."""
        return envelope(toy_pb2.WatchResponse, self._items(request), position=request.unit, heartbeat_seconds=0.05)

    async def _items(self, request: Any) -> AsyncIterator[tuple[str, Any]]:
        for number in range(request.count):
            yield str(number), toy_pb2.LookResponse(count=number)
        if request.act:
            await self._answer(request.act)


async def _nothing(_shown: Shown) -> None:
    """Where a test does not ask what was written down."""


def toy_app(
    servicer: ToyServicer,
    scopes: Scopes | None = None,
    *,
    workers: list[Worker] | None = None,
    note: Note | None = None,
    checks: list[Check] | None = None,
) -> App:
    """The toy assembled."""
    return App(
        servicers=[(toy_pb2_grpc.add_ToyServiceServicer_to_server, servicer)],
        service_names=[NAME],
        workers=workers or [],
        checks=checks or [],
        scopes=scopes,
        note=note or _nothing,
    )
