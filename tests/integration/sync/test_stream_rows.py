"""Streams: acknowledged means durable, at most eight under way, cut and resumed without harm."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
from iocedu.records.v1 import resources_pb2
from iocedu.sync.v1 import sync_pb2

from chassis.errors import Fault, from_status
from services.sync.domain.batches import Origin
from services.sync.usecases import streams
from services.sync.usecases.intake import Intake
from services.sync.usecases.settling import Ledger
from tests.integration.sync.world import ACCEPTED, PROVINCE, REJECTED, SCHOOL_A, UNCHANGED, VENDOR, World, pupil
from tests.support.waiting import poll_until


def opening(unit: str = SCHOOL_A) -> sync_pb2.StreamRowsRequest:
    """The first message."""
    return sync_pb2.StreamRowsRequest(open=sync_pb2.StreamOpen(unit=unit, source="vnedu"))


def batch(batch_id: str, *rows: resources_pb2.Row) -> sync_pb2.StreamRowsRequest:
    """A message with rows."""
    return sync_pb2.StreamRowsRequest(batch=sync_pb2.StreamBatch(batch_id=batch_id, rows=rows))


async def sending(messages: Iterable[sync_pb2.StreamRowsRequest]) -> AsyncIterator[sync_pb2.StreamRowsRequest]:
    """A client that sends and is done."""
    for message in messages:
        yield message


async def talk(here: World, *messages: sync_pb2.StreamRowsRequest) -> list[sync_pb2.StreamRowsResponse]:
    """Everything that comes back."""
    stub = await here.sync(language="en")
    return [response async for response in stub.StreamRows(sending(messages), timeout=60)]


def acks(responses: Iterable[sync_pb2.StreamRowsResponse]) -> dict[str, list[int]]:
    """States by batch id."""
    return {one.item.batch_id: list(one.item.outcome.states) for one in responses if one.WhichOneof("event") == "item"}


async def test_each_message_is_acknowledged_in_order_and_the_end_is_said(here: World) -> None:
    """Messages are batches of their own, though they are stored together."""
    messages = [batch(f"b{number}", pupil(f"HS{number}"), pupil(f"HX{number}")) for number in range(20)]
    messages[7].batch.rows[1].pupil.grade = "99"
    responses = await talk(here, opening(), *messages)
    assert list(acks(responses)) == [f"b{number}" for number in range(20)]
    assert acks(responses)["b7"] == [ACCEPTED, REJECTED]
    (problem,) = next(one.item.outcome.problems for one in responses if one.item.batch_id == "b7")
    assert problem.index == 1
    assert responses[-1].end.position == "b19"
    assert await here.count("pupil", of="records") == 39
    assert await here.count("batch") == 20


async def test_problems_of_a_message_are_counted_in_it_and_in_the_callers_language(here: World) -> None:
    """Though messages are stored together: `index` is the place in the message, also of the record's first row."""
    stub = await here.sync()
    messages = [
        opening(),
        batch("b1", pupil("HS1", sex="9")),
        batch("b2", pupil("HS2"), pupil("HS3"), pupil("HS3", 2)),
    ]
    vietnamese = [one async for one in stub.StreamRows(sending(messages), timeout=60)]
    english = await talk(here, *messages)
    for responses, said in ((vietnamese, "ở hàng có index 1 của"), (english, "in the row with index 1 of")):
        (problem,) = next(one.item.outcome.problems for one in responses if one.item.batch_id == "b2")
        assert (problem.index, problem.reason, problem.metadata["first_index"]) == (2, "DUPLICATE_KEY", "1")
        assert said in problem.message


async def test_a_record_in_two_messages_keeps_their_order(here: World) -> None:
    """An update right after its predecessor is no duplicate: the two go to records one after the other."""
    responses = await talk(here, opening(), batch("b1", pupil("HS1", 1)), batch("b2", pupil("HS1", 2, grade="07")))
    assert acks(responses) == {"b1": [ACCEPTED], "b2": [ACCEPTED]}
    assert (await here.record("HS1")).row.pupil.grade == "07"


async def test_a_cut_stream_is_resumed_under_the_same_ids(here: World) -> None:
    """What was acknowledged answers the same; what was not is taken now; each record is there once."""
    stub = await here.sync()
    held = asyncio.Event()

    async def cut() -> AsyncIterator[sync_pb2.StreamRowsRequest]:
        yield opening()
        yield batch("b1", pupil("HS1"))
        await held.wait()

    responses: Any = stub.StreamRows(cut(), timeout=60)
    async for response in responses:
        if response.WhichOneof("event") == "item":
            assert response.item.batch_id == "b1"
            break
    await responses.aclose()
    again = await talk(here, opening(), batch("b1", pupil("HS1")), batch("b2", pupil("HS2")))
    assert acks(again) == {"b1": [ACCEPTED], "b2": [ACCEPTED]}
    assert await here.count("pupil", of="records") == 2
    assert await here.count("batch") == 2


async def test_what_was_applied_but_not_acknowledged_comes_again_unharmed(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Died between records and the own commit: the rows are there once, whatever messages are sent together then."""

    async def die(*_args: object, **_kwargs: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "settle", die)
        responses = await talk(here, opening(), batch("b1", pupil("HS1")), batch("b2", pupil("HS2")))
    assert responses[-1].WhichOneof("event") == "error"
    assert await here.count("batch") == 0
    first = await talk(here, opening(), batch("b1", pupil("HS1")))
    second = await talk(here, opening(), batch("b2", pupil("HS2")))
    states = [*acks(first)["b1"], *acks(second)["b2"]]
    assert set(states) <= {ACCEPTED, UNCHANGED}
    assert await here.count("pupil", of="records") == 2


async def test_at_most_eight_messages_are_under_way(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender that is faster than the store is made to wait."""
    taken: list[int] = []
    release = asyncio.Event()
    take = streams.take

    async def slow(
        intake: Intake, origin: Origin, group: list[sync_pb2.StreamBatch], *, declare: streams.Declare
    ) -> list[sync_pb2.StreamAck]:
        taken.append(len(group))
        await release.wait()
        return await take(intake, origin, group, declare=declare)

    monkeypatch.setattr(streams, "take", slow)
    read = 0

    async def many() -> AsyncIterator[sync_pb2.StreamBatch]:
        nonlocal read
        for number in range(50):
            read += 1
            yield batch(f"b{number}", pupil(f"HS{number}")).batch

    acknowledged = streams.acknowledge(
        await here.intake(), here.origin(), many(), declare=lambda _batch, origin: origin
    )
    waiting = asyncio.ensure_future(anext(acknowledged))
    await poll_until(lambda: taken)
    for _ in range(100):
        await asyncio.sleep(0)
    assert taken == [8]
    assert read == 8
    release.set()
    first = await waiting
    rest = [one async for one in acknowledged]
    assert [first[0], *(batch_id for batch_id, _ in rest)] == [f"b{number}" for number in range(50)]


async def test_a_stream_out_of_turn_is_refused(here: World) -> None:
    """Opened once, then batches."""

    async def waiting() -> AsyncIterator[sync_pb2.StreamRowsRequest]:
        yield batch("b1", pupil("HS1"))
        await asyncio.Event().wait()  # A client that still writes may lose the status on its own side.

    stub = await here.sync(language="en")
    with pytest.raises(Fault) as refused:
        async for _ in stub.StreamRows(waiting(), timeout=60):
            pass
    assert refused.value.reason == "NO_GRANT", "who names no unit needs a grant on all"
    responses = await talk(here, opening(), batch("b1", pupil("HS1")), opening(PROVINCE))
    assert acks(responses) == {"b1": [ACCEPTED]}
    assert responses[-1].WhichOneof("event") == "error"


async def test_the_right_is_asked_again_in_mid_stream(here: World) -> None:
    """A grant that is revoked ends a stream that is open: what comes after is not taken."""
    revoked = asyncio.Event()

    async def long() -> AsyncIterator[sync_pb2.StreamRowsRequest]:
        yield opening()
        yield batch("b1", pupil("HS1"))
        await revoked.wait()
        yield batch("b2", pupil("HS2"))
        await asyncio.Event().wait()

    stub = await here.sync(language="en")
    heard: list[sync_pb2.StreamRowsResponse] = []
    async for response in stub.StreamRows(long(), timeout=20):
        heard.append(response)
        if response.WhichOneof("event") == "item" and not revoked.is_set():
            await here.revoke(VENDOR)
            revoked.set()
    assert acks(heard) == {"b1": [ACCEPTED]}
    assert from_status(heard[-1].error.status).reason == "NO_GRANT"
    assert await here.count("pupil", of="records") == 1


async def test_another_content_under_a_used_id_ends_the_stream(here: World) -> None:
    """With the reason in the error; what was acknowledged before stays."""
    await talk(here, opening(), batch("b1", pupil("HS1")))
    responses = await talk(here, opening(), batch("b1", pupil("HS2")))
    fault = from_status(responses[-1].error.status)
    assert (fault.reason, fault.domain) == ("BATCH_ID_REUSED", "sync.iocedu"), "as a status would say it"
    assert await here.count("pupil", of="records") == 1
