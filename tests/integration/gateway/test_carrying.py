"""What passes the edge arrives as it was meant: REST, streams, documents, gRPC and gRPC-Web, with traces and a log."""

import asyncio
import json
import struct
import time

import grpc
import httpx
import pytest
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from chassis.testing import client
from tests.integration.gateway.conftest import opened
from tests.integration.gateway.parrot import NAME, parrot_pb2, parrot_pb2_grpc
from tests.support.collector import collecting
from tests.support.waiting import poll_until

MEGABYTE = 1024 * 1024


async def test_a_rest_question_is_answered_in_plain_json(rest):
    """Names as in the proto, 64-bit integers as strings, and fields that are empty are there too."""
    answer = await rest.get("/v1/perches/low/words/hello", params={"times": 3})
    assert answer.status_code == 200
    found = answer.json()
    assert 25 < found.pop("seconds_left") <= 30
    assert found == {
        "said_on": "low",
        "word": "hello",
        "times": "3",
        "loud": False,
        "subject": "person:an",
        "calling_service": "",
    }


@pytest.mark.parametrize("sent", ["moet:495", "moet%3A495"])
async def test_an_alias_in_a_path_arrives_whole(rest, sent):
    """Units are named by alias; escaped or not, the service sees the same."""
    assert (await rest.get(f"/v1/perches/{sent}/words/6%2F1")).json() | {"seconds_left": 0} == {
        "said_on": "moet:495",
        "word": "6/1",
        "times": "0",
        "loud": False,
        "subject": "person:an",
        "calling_service": "",
        "seconds_left": 0,
    }


async def test_a_body_is_read_into_the_request(rest):
    """What is in the path and what is in the body make one request."""
    answer = await rest.post("/v1/perches/gso:48:tell", json={"word": "xin chào", "times": "7"})
    assert (answer.json()["said_on"], answer.json()["word"], answer.json()["times"]) == ("gso:48", "xin chào", "7")


async def test_a_stream_arrives_line_by_line_as_it_is_sent(rest):
    """Nothing on the way holds a line back: the first is there while the service still waits to send the last."""
    async with rest.stream("GET", "/v1/perches/low/words:watch", params={"times": 3}) as answer:
        arrived = [(time.monotonic(), json.loads(line)) async for line in answer.aiter_lines()]
    assert [message.get("item", {}).get("times") for _, message in arrived] == ["0", "1", "2", None]
    assert arrived[-1][1] == {"end": {"position": "3"}}
    assert arrived[-1][0] - arrived[0][0] > 0.3


async def test_a_large_document_streams_through_in_parts(rest):
    """20 MB of NDJSON pass, though a message is at most 16 MB: the service gets it in parts, with what it is about."""
    line = b'{"key": "' + b"x" * 1000 + b'"}\n'
    document = line * (20 * MEGABYTE // len(line))
    answer = await rest.post(
        "/v1/perches/low/songs",
        params={"about.word": "spring"},
        content=document,
        headers={"content-type": "application/x-ndjson"},
    )
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert int(found["bytes"]) == len(document)
    assert found["parts"] > 10
    assert (found["word"], found["content_type"]) == ("spring", "application/x-ndjson")


async def test_grpc_passes_on_the_same_port(door, own_keys):
    """Unary and both ways, with deadline and caller."""
    async with client(door.address, own_keys.token("person:an")) as channel:
        stub = parrot_pb2_grpc.ParrotServiceStub(channel)
        answer = await stub.Say(parrot_pb2.SayRequest(perch="low", word="hello"))
        assert (answer.word, answer.subject) == ("hello", "person:an")
        assert 0 < answer.seconds_left <= 60
        said = [message.word async for message in stub.Talk(_words("a", "b"))]
        assert said == ["a", "b"]


async def _words(*words):
    for word in words:
        yield parrot_pb2.SayRequest(word=word)


async def test_grpc_web_is_answered_in_its_own_framing(rest):
    """A browser calls the typed interface without a proxy of its own: message frame, then trailers in the body."""
    message = parrot_pb2.SayRequest(perch="low", word="hello").SerializeToString()
    answer = await rest.post(
        f"/{NAME}/Say",
        content=struct.pack(">BI", 0, len(message)) + message,
        headers={"content-type": "application/grpc-web+proto", "x-grpc-web": "1"},
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/grpc-web+proto"
    kind, size = struct.unpack(">BI", answer.content[:5])
    assert kind == 0
    assert parrot_pb2.SayResponse.FromString(answer.content[5 : 5 + size]).word == "hello"
    assert b"grpc-status:0" in answer.content[5 + size :]


async def test_reflection_describes_every_open_service_through_the_one_port(door):
    """A client such as grpcurl needs no protos and no token to see what there is."""
    names = await asyncio.to_thread(_reflected, door.address)
    assert NAME in names
    assert "grpc.health.v1.Health" in names


def _reflected(address):
    with grpc.insecure_channel(address) as channel:
        return list(ProtoReflectionDescriptorDatabase(channel).get_services())


async def test_a_question_is_asked_again_when_the_service_was_away(rest, parrot):
    """A GET survives the restart of a replica; what changes something is sent once only."""
    parrot[1].heard.clear()
    assert (await rest.get("/v1/perches/low/words/gone")).status_code == 200
    assert parrot[1].heard == ["gone"] * 3
    parrot[1].heard.clear()
    assert (await rest.post("/v1/perches/low:tell", json={"word": "gone"})).status_code == 503
    assert parrot[1].heard == ["gone"]


async def test_a_service_token_from_outside_is_not_believed(rest, own_keys):
    """Who stands outside is no service, whatever he shows."""
    token = await _service_token(own_keys)
    answer = await rest.get("/v1/perches/low/words/hello", headers={"x-iocedu-service": f"Bearer {token}"})
    assert answer.json()["calling_service"] == ""


async def _service_token(own_keys):
    return own_keys.identity("friend").token()


async def test_the_log_says_who_asked_what_but_not_what_was_searched_for(rest, door):
    """One JSON line a request: subject, method, status, request id; never the query."""
    answer = await rest.get("/v1/perches/low/words/logged", params={"times": 42})

    def logged():
        return [line for line in door.lines() if line["request_id"] == answer.headers["x-request-id"]]

    await poll_until(logged)
    [line] = logged()
    assert line["subject"] == "person:an"
    assert (line["method"], line["path"]) == ("GET", "/v1/perches/low/words/logged")
    assert line["rpc"] == f"/{NAME}/Say"
    assert (line["status"], line["grpc_status"], line["backend"]) == (200, "OK", "parrot")
    assert "42" not in json.dumps({name: line[name] for name in ("path", "rpc")})


async def test_a_trace_begins_at_the_edge_and_goes_on_in_the_service(own_keys, parrot, tmp_path):
    """The edge's span carries the method's name, and joins the trace a caller brought along."""
    async with (
        collecting() as collector,
        opened(own_keys, tmp_path, backend=parrot[0], otlp=collector.address) as traced,
        httpx.AsyncClient(base_url=traced.url, trust_env=False) as caller,
    ):
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        headers = {
            "authorization": f"Bearer {own_keys.token('person:an')}",
            "traceparent": f"00-{trace}-00f067aa0ba902b7-01",
        }
        assert (await caller.get("/v1/perches/low/words/traced", headers=headers)).status_code == 200
        await poll_until(lambda: collector.trace(trace))
        [span] = [span for span in collector.trace(trace) if span.service == "gateway"]
        assert span.name == f"{NAME}/Say"
        assert span.parent_id == "00f067aa0ba902b7"
        await poll_until(lambda: any(line.get("trace_id") == trace for line in traced.lines()))
