"""Calls from service to service: identity, deadline and language go along, faults come back, restarts are survived."""

import asyncio
import socket

import pytest

from chassis.clients import channel
from chassis.errors import Fault, Kind
from chassis.identity import Caller, set_caller
from chassis.scopes import Scopes, ScopeTree
from chassis.server import serving
from chassis.testing import Keys, client, serve_app
from tests.support.toy import toy_pb2, toy_pb2_grpc
from tests.support.toy.service import ToyServicer, toy_app

SCOPES = Scopes.of(ScopeTree([]))


@pytest.fixture(scope="module")
def own_keys(tmp_path_factory):
    """An issuer and two services."""
    return Keys.create(tmp_path_factory.mktemp("keys"), ["toy", "friend"])


@pytest.fixture
async def pair(own_keys):
    """A toy that asks another toy, as the service `friend`: the address of the first."""
    async with (
        serve_app("toy", toy_app(ToyServicer(), SCOPES), own_keys) as inner,
        await channel(inner, service_identity=own_keys.identity("friend")) as friend,
        serve_app("friend", toy_app(ToyServicer(friend), SCOPES), own_keys) as outer,
    ):
        yield outer


async def _ask(address, token, act, **options):
    async with client(address, token, language=options.pop("language", "en")) as opened:
        return await toy_pb2_grpc.ToyServiceStub(opened).LookAtOwn(toy_pb2.LookRequest(act=act), **options)


async def test_the_callers_token_and_the_services_own_go_along(pair, own_keys):
    """The service asked knows the person and the service between."""
    answer = await _ask(pair, own_keys.token("an"), "ask friend")
    assert (answer.subject, answer.service) == ("an", "friend")


async def test_the_deadline_shrinks_on_the_way(pair, own_keys):
    """The second service has less time than the first, whatever the first would allow it."""
    answer = await _ask(pair, own_keys.token("an"), "ask friend", timeout=20)
    assert 0 < answer.seconds_left < 20


async def test_a_fault_from_further_in_reaches_the_caller_as_it_was(pair, own_keys):
    """With the domain of the service that raised it, in the language the caller asked for."""
    with pytest.raises(Fault) as refused:
        await _ask(pair, own_keys.token("an"), "ask friend refuse", language="vi")
    fault = refused.value
    assert (fault.kind, fault.reason, fault.domain) == (Kind.PRECONDITION, "NOT_NOW", "toy.iocedu")
    assert fault.vi == "Chưa thể làm lúc này."
    assert fault.violations[0].field == "act"


async def test_a_failure_further_in_tells_nothing(pair, own_keys):
    """Two services down, INTERNAL is still all that is said."""
    with pytest.raises(Fault) as refused:
        await _ask(pair, own_keys.token("an"), "ask friend fail")
    assert (refused.value.kind, refused.value.reason) == (Kind.INTERNAL, "INTERNAL")
    assert "secret" not in refused.value.en


async def test_work_without_a_caller_goes_under_the_services_own_token(own_keys):
    """And says for whom when it is somebody's."""
    async with (
        serve_app("toy", toy_app(ToyServicer(), SCOPES), own_keys) as address,
        await channel(address, service_identity=own_keys.identity("friend")) as opened,
    ):
        stub = toy_pb2_grpc.ToyServiceStub(opened)

        async def work(caller=None):
            if caller:
                set_caller(caller)
            return await stub.LookAsService(toy_pb2.LookRequest(), timeout=5)

        answers = [
            await asyncio.create_task(work(caller))
            for caller in (None, Caller(subject="an"), Caller(subject="service:friend", actor="binh"))
        ]
    assert [(one.subject, one.service, one.actor) for one in answers] == [
        ("service:friend", "friend", ""),
        ("service:friend", "friend", "an"),
        ("service:friend", "friend", "binh"),
    ]


async def test_a_call_without_a_deadline_is_refused(own_keys):
    """A forgotten timeout is found by the first test, not by the first outage."""
    async with await channel("127.0.0.1:1", service_identity=own_keys.identity("friend")) as opened:
        with pytest.raises(ValueError, match="without a deadline"):
            await toy_pb2_grpc.ToyServiceStub(opened).LookAtOwn(toy_pb2.LookRequest())


async def test_a_service_that_is_away_is_unavailable(own_keys, free_port):
    """With the reason that says a retry may help."""
    async with await channel(f"127.0.0.1:{free_port}", service_identity=own_keys.identity("friend")) as opened:
        with pytest.raises(Fault) as refused:
            await toy_pb2_grpc.ToyServiceStub(opened).LookAtOwn(toy_pb2.LookRequest(), timeout=0.3)
    assert refused.value.kind in (Kind.UNAVAILABLE, Kind.DEADLINE)
    assert refused.value.reason in ("UNAVAILABLE", "TOO_LATE_DEADLINE")


async def test_a_service_that_restarts_is_found_again(own_keys, free_port):
    """A call made while it is away succeeds once it is back."""
    listen = f"127.0.0.1:{free_port}"
    async with await channel(listen, service_identity=own_keys.identity("friend")) as opened:
        stub = toy_pb2_grpc.ToyServiceStub(opened)
        call = asyncio.ensure_future(stub.LookAsService(toy_pb2.LookRequest(), timeout=10))
        settings = own_keys.settings("toy", listen=listen)
        async with serving("toy", toy_app(ToyServicer(), SCOPES), settings):
            assert (await call).service == "friend"


@pytest.fixture
def free_port():
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
