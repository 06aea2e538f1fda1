"""The envelope of a stream: a reader always knows whether it ended, broke or merely waits, and where to resume."""

import asyncio

import pytest

from chassis.errors import Fault, Kind, from_status
from chassis.request import Request, set_request
from chassis.streams import envelope
from tests.support.toy import toy_pb2


async def _numbers(count, *, then=None):
    for number in range(1, count + 1):
        yield str(number), toy_pb2.LookResponse(count=number)
    if isinstance(then, asyncio.Event):
        await then.wait()
    elif then is not None:
        raise then


def _wrapped(items, **options):
    return envelope(toy_pb2.WatchResponse, items, position="0", **options)


async def _all(stream):
    return [response async for response in stream]


async def test_a_whole_stream_beats_gives_its_items_and_ends():
    """The first beat says that the stream is open, the end where to resume."""
    responses = await _all(_wrapped(_numbers(2)))
    assert [response.WhichOneof("event") for response in responses] == ["heartbeat", "item", "item", "end"]
    assert responses[0].heartbeat.position == "0"
    assert [response.item.count for response in responses[1:3]] == [1, 2]
    assert responses[3].end.position == "2"


async def test_what_is_a_response_already_goes_as_it_is():
    """A method may send what the envelope does not know, and its position counts as any other."""

    async def ready():
        yield "7", toy_pb2.WatchResponse(item=toy_pb2.LookResponse(count=7))

    _, given, end = await _all(_wrapped(ready()))
    assert (given.item.count, end.end.position) == (7, "7")


async def test_a_waiting_stream_beats_with_the_position_reached():
    """A reader that is cut off after a beat resumes there."""
    released = asyncio.Event()
    stream = _wrapped(_numbers(1, then=released), heartbeat_seconds=0.01)
    responses = [await anext(stream) for _ in range(4)]
    assert [response.WhichOneof("event") for response in responses] == ["heartbeat", "item", "heartbeat", "heartbeat"]
    assert responses[3].heartbeat.position == "1"
    released.set()
    assert (await _all(stream))[-1].end.position == "1"


async def test_a_right_taken_back_ends_the_stream_where_its_reader_stands():
    """Whoever may no longer see what comes gets neither it nor another beat, and resumes after what was given."""
    taken_back = False

    def decide():
        if taken_back:
            raise Fault(Kind.DENIED, "NO_GRANT", vi="Không còn quyền.", en="No longer allowed.")

    set_request(Request("toy", None, "en", decide=decide))
    stream = _wrapped(_numbers(3))
    given = [await anext(stream) for _ in range(2)]
    taken_back = True
    (last,) = await _all(stream)

    assert [response.WhichOneof("event") for response in given] == ["heartbeat", "item"]
    assert (from_status(last.error.status).reason, last.error.position) == ("NO_GRANT", "1")


async def test_a_fault_ends_the_stream_with_its_reason():
    """Over REST the status was sent long before."""
    fault = Fault(Kind.NOT_FOUND, "GONE", vi="Không còn.", en="It is gone.")
    *_, last = await _all(_wrapped(_numbers(1, then=fault)))
    assert last.error.position == "1"
    heard = from_status(last.error.status)
    assert (heard.kind, heard.reason, heard.vi) == (Kind.NOT_FOUND, "GONE", "Không còn.")


async def test_an_unexpected_failure_tells_nothing_of_the_inside():
    """The same rule as for statuses."""
    *_, last = await _all(_wrapped(_numbers(1, then=RuntimeError("secret of the house"))))
    assert from_status(last.error.status).reason == "INTERNAL"
    assert "secret" not in str(last)


async def test_a_stopping_server_says_goodbye_with_the_position():
    """A reader resumes elsewhere instead of waiting for a dead connection."""
    stopping = asyncio.Event()
    set_request(Request("toy.v1.ToyService/Watch", None, "en", stopping))
    stream = _wrapped(_numbers(1, then=asyncio.Event()), heartbeat_seconds=10)
    assert [(await anext(stream)).WhichOneof("event") for _ in range(2)] == ["heartbeat", "item"]
    stopping.set()
    (last,) = await _all(stream)
    heard = from_status(last.error.status)
    assert (heard.kind, heard.reason, last.error.position) == (Kind.UNAVAILABLE, "UNAVAILABLE", "1")


async def test_a_reader_that_leaves_ends_the_source():
    """Nothing goes on working for nobody."""
    closed = asyncio.Event()

    async def source():
        try:
            yield "1", toy_pb2.LookResponse()
            await asyncio.Event().wait()
        finally:
            closed.set()

    stream = _wrapped(source())
    assert [(await anext(stream)).WhichOneof("event") for _ in range(2)] == ["heartbeat", "item"]
    await stream.aclose()
    assert closed.is_set()


@pytest.fixture(autouse=True)
def _no_request():
    """Each test runs outside of a request, unless it says so."""
    set_request(Request("", None, "vi"))
