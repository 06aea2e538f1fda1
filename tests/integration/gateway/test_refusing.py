"""What the edge turns away hears the same shape as from a service: reason, domain, a sentence, when to come back."""

import asyncio
import base64
import struct
import time

import grpc
import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from google.rpc import error_details_pb2, status_pb2

from chassis.errors import Fault, Kind
from chassis.testing import AUDIENCE, ISSUER, ISSUER_KID, client
from deploy.local.ports import free_port
from gateway.envoy.edge import Limits
from tests.integration.gateway.conftest import opened
from tests.integration.gateway.parrot import NAME, parrot_pb2, parrot_pb2_grpc

WHERE = "/v1/perches/low/words/hello"


def _reason(answer):
    return _detail(answer, "ErrorInfo")["reason"]


def _detail(answer, kind):
    return next(each for each in answer.json()["details"] if each["@type"] == f"type.googleapis.com/google.rpc.{kind}")


async def _refused_over_grpc(address, token, method="Say"):
    async with client(address, token) as channel:
        stub = channel.unary_unary(
            f"/{NAME}/{method}",
            request_serializer=parrot_pb2.SayRequest.SerializeToString,
            response_deserializer=parrot_pb2.SayResponse.FromString,
        )
        with pytest.raises(Fault) as refused:
            await stub(parrot_pb2.SayRequest(word="hello"), timeout=5)
    return refused.value


def _bearer(token):
    return {"authorization": f"Bearer {token}"}


def _forged(own_keys):
    now = int(time.time())
    body = {"iss": ISSUER, "aud": AUDIENCE, "sub": "an", "iat": now, "exp": now + 60}
    return jwt.encode(body, ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", headers={"kid": ISSUER_KID})


BAD_TOKENS = {
    "none": (lambda keys: None, "NO_TOKEN"),
    "expired": (lambda keys: keys.token("an", seconds=-60), "TOKEN_EXPIRED"),
    "forged": (_forged, "INVALID_TOKEN"),
    "other audience": (lambda keys: keys.token("an", aud="other"), "INVALID_TOKEN"),
    "other issuer": (lambda keys: keys.token("an", iss="https://other"), "INVALID_TOKEN"),
    "without an end": (lambda keys: keys.token("an", exp=None), "INVALID_TOKEN"),
    "no token at all": (lambda keys: "nonsense", "INVALID_TOKEN"),
}


@pytest.mark.parametrize("name", BAD_TOKENS)
async def test_a_bad_token_is_refused_alike_over_rest_and_grpc(door, own_keys, parrot, name):
    """401 and UNAUTHENTICATED with the reason the services would give; the service never hears of it."""
    make, reason = BAD_TOKENS[name]
    token = make(own_keys)
    parrot[1].heard.clear()
    async with httpx.AsyncClient(base_url=door.url, trust_env=False) as caller:
        answer = await caller.get(WHERE, headers=_bearer(token) if token else {})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["code"] == grpc.StatusCode.UNAUTHENTICATED.value[0]
    assert (_reason(answer), _detail(answer, "ErrorInfo")["domain"]) == (reason, "gateway.iocedu")
    fault = await _refused_over_grpc(door.address, token)
    assert (fault.kind, fault.reason) == (Kind.UNAUTHENTICATED, reason)
    assert parrot[1].heard == []


@pytest.mark.parametrize(
    ("asked", "locale", "text"),
    [
        ("", "vi", "Chưa đăng nhập: yêu cầu không có mã truy cập."),
        ("vi-VN,vi;q=0.9,en;q=0.8", "vi", "Chưa đăng nhập: yêu cầu không có mã truy cập."),
        ("en-GB,en;q=0.9", "en", "The request carries no token: send `authorization: Bearer <token>`."),
    ],
)
async def test_the_sentence_is_in_the_callers_language(door, asked, locale, text):
    """Vietnamese unless the caller prefers English."""
    async with httpx.AsyncClient(base_url=door.url, trust_env=False) as caller:
        answer = await caller.get(WHERE, headers={"accept-language": asked})
    assert _detail(answer, "LocalizedMessage") | {"@type": ""} == {"@type": "", "locale": locale, "message": text}


async def test_a_token_in_the_address_does_not_count(door, own_keys):
    """Addresses end up in logs and histories."""
    async with httpx.AsyncClient(base_url=door.url, trust_env=False) as caller:
        answer = await caller.get(WHERE, params={"access_token": own_keys.token("an")})
    assert (answer.status_code, _reason(answer)) == (401, "NO_TOKEN")


@pytest.mark.parametrize(
    "path", ["/v1/nothing", f"/{NAME}/Whisper", "/iocedu.chassis.v1.OperationsService/ListDeadLetters"]
)
async def test_what_is_not_open_is_not_found(rest, path):
    """Unknown addresses and methods for services only are the same to a stranger: 404."""
    answer = await rest.post(path, json={})
    assert answer.status_code == 404
    assert (answer.json()["code"], _reason(answer)) == (5, "UNKNOWN_METHOD")


@pytest.mark.parametrize("method", ["Whisper", "Nothing"])
async def test_what_is_not_open_is_unimplemented_over_grpc(door, own_keys, method):
    """Callers over gRPC hear it in their own words."""
    fault = await _refused_over_grpc(door.address, own_keys.token("an"), method)
    assert (fault.kind, fault.reason) == (Kind.UNIMPLEMENTED, "UNKNOWN_METHOD")


@pytest.mark.parametrize(
    ("verb", "path", "body", "said"),
    [
        ("GET", f"{WHERE}?tmes=3", None, "tmes"),
        ("GET", f"{WHERE}?times=three", None, "three"),
        ("POST", "/v1/perches/low:tell", b'{"word": ', "JSON"),
    ],
)
async def test_a_request_that_cannot_be_read_says_what_is_wrong(rest, verb, path, body, said):
    """An unknown parameter is an error, not something to pass over; the sentence names it."""
    answer = await rest.request(verb, path, content=body)
    assert answer.status_code == 400
    assert (answer.json()["code"], _reason(answer)) == (3, "INVALID_REQUEST")
    assert said in answer.json()["message"] or body
    told = _detail(answer, "LocalizedMessage")
    assert (told["locale"], "kiểm tra tên tham số" in told["message"]) == ("vi", True)
    assert said in told["message"] or body


async def test_a_document_over_the_limit_is_413(door, own_keys, parrot):
    """Refused by its announced length, before it is sent and before the service hears of it."""
    parrot[1].heard.clear()
    host, port = door.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = [
        "POST /v1/perches/low:tell HTTP/1.1",
        f"host: {door.address}",
        f"authorization: Bearer {own_keys.token('an')}",
        f"content-length: {17 * 1024 * 1024}",
        "content-type: application/json",
        "expect: 100-continue",
    ]
    writer.write("\r\n".join([*head, "", ""]).encode())
    status, _, rest = (await asyncio.wait_for(reader.read(), timeout=60)).partition(b"\r\n")
    writer.close()
    if status.endswith(b"100 Continue"):
        status, _, rest = rest.lstrip().partition(b"\r\n")
    assert status.split()[1] == b"413"
    assert b'"reason":"TOO_LARGE"' in rest
    assert parrot[1].heard == []


async def test_a_refusal_of_the_service_arrives_whole(rest):
    """Reason, metadata, violations and sentence pass the transcoder; 64-bit and names as everywhere."""
    answer = await rest.get("/v1/perches/low/words/refuse", headers={"accept-language": "vi"})
    assert answer.status_code == 400
    assert answer.json()["code"] == grpc.StatusCode.FAILED_PRECONDITION.value[0]
    info = _detail(answer, "ErrorInfo")
    assert (info["reason"], info["domain"], info["metadata"]["word"]) == ("NOT_NOW", "parrot.iocedu", "refuse")
    assert _detail(answer, "LocalizedMessage")["message"] == "Chưa thể nói lúc này."
    assert _detail(answer, "BadRequest")["field_violations"][0]["field"] == "word"


async def test_too_many_requests_are_exhaustion_per_caller(own_keys, parrot, tmp_path):
    """One caller's flood is 429 and RESOURCE_EXHAUSTED with a delay, and does not touch the next caller."""
    limits = Limits(requests_per_second=10, request_burst=10)
    async with (
        opened(own_keys, tmp_path, backend=parrot[0], limits=limits) as narrow,
        httpx.AsyncClient(base_url=narrow.url, trust_env=False) as caller,
    ):
        loud, quiet = own_keys.token("person:loud"), own_keys.token("person:quiet")
        answers = [await caller.get(WHERE, headers=_bearer(loud)) for _ in range(40)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused
        assert (refused[0].json()["code"], _reason(refused[0])) == (8, "RATE_LIMITED")
        assert _detail(refused[0], "RetryInfo")["retry_delay"] == "1s"
        assert refused[0].headers["retry-after"] == "1"
        assert (await caller.get(WHERE, headers=_bearer(quiet))).status_code == 200
        for _ in range(30):
            await caller.get(WHERE, headers=_bearer(loud))
        fault = await _refused_over_grpc(narrow.address, loud)
        assert (fault.kind, fault.reason) == (Kind.EXHAUSTED, "RATE_LIMITED")
        assert fault.retry_after is not None


async def test_a_service_that_is_too_slow_is_a_timeout(own_keys, parrot, tmp_path):
    """Nobody waits for ever: 504 and DEADLINE_EXCEEDED, over REST too, where a caller named no deadline."""
    async with (
        opened(own_keys, tmp_path, backend=parrot[0], limits=Limits(unary_seconds=1)) as hasty,
        httpx.AsyncClient(base_url=hasty.url, trust_env=False, timeout=10) as caller,
    ):
        answer = await caller.get("/v1/perches/low/words/slow", headers=_bearer(own_keys.token("an")))
        assert (answer.status_code, answer.json()["code"]) == (504, grpc.StatusCode.DEADLINE_EXCEEDED.value[0])


async def test_a_service_that_is_away_is_unavailable_and_health_says_so(own_keys, tmp_path):
    """503 and UNAVAILABLE with a delay; /healthz is down, /livez and the console still answer."""
    async with (
        opened(own_keys, tmp_path, backend=f"127.0.0.1:{free_port()}", wait=False) as lonely,
        httpx.AsyncClient(base_url=lonely.url, trust_env=False) as caller,
    ):
        answer = await caller.get(WHERE, headers=_bearer(own_keys.token("an")))
        assert (answer.status_code, answer.json()["code"], _reason(answer)) == (503, 14, "UNAVAILABLE")
        assert _detail(answer, "RetryInfo")["retry_delay"] == "2s"
        assert answer.headers["retry-after"] == "2"
        fault = await _refused_over_grpc(lonely.address, own_keys.token("an"))
        assert (fault.kind, fault.reason) == (Kind.UNAVAILABLE, "UNAVAILABLE")
        assert (await caller.get("/healthz")).status_code == 503
        assert (await caller.get("/livez")).status_code == 200
        assert (await caller.get("/")).status_code == 200


async def test_a_refusal_over_grpc_web_carries_its_details(door):
    """The status is in the headers, as gRPC-Web clients read it, with the same details."""
    async with httpx.AsyncClient(base_url=door.url, trust_env=False) as caller:
        answer = await caller.post(
            f"/{NAME}/Say",
            content=struct.pack(">BI", 0, 0),
            headers={"content-type": "application/grpc-web+proto", "x-grpc-web": "1"},
        )
    assert answer.headers["grpc-status"] == str(grpc.StatusCode.UNAUTHENTICATED.value[0])
    status = status_pb2.Status.FromString(_decoded(answer.headers["grpc-status-details-bin"]))
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.reason == "NO_TOKEN"


def _decoded(text):
    return base64.b64decode(text + "=" * (-len(text) % 4))


async def test_a_stub_without_the_chassis_reads_the_refusal_too(door):
    """Plain gRPC in any language: code and message are the status's own."""
    async with grpc.aio.insecure_channel(door.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await parrot_pb2_grpc.ParrotServiceStub(channel).Say(parrot_pb2.SayRequest(), timeout=5)
    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert "no token" in (refused.value.details() or "")
