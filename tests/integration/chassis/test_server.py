"""A server behind the real chain: what every call meets, whatever the service."""

import asyncio
import json
import os
import signal
import sys
from contextlib import AsyncExitStack

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from chassis.clients import fault_of, open_channel
from chassis.errors import Fault, Kind, from_status
from chassis.scopes import ScopeAlias, ScopeEdge, ScopeGrant, Scopes, ScopeTree, ScopeUnit
from chassis.server import Check, ListenError, Worker, serving
from chassis.testing import Keys, client, serve_app
from tests.support.toy import toy_pb2, toy_pb2_grpc
from tests.support.toy.service import NAME, ToyServicer, toy_app
from tests.support.waiting import poll_until

TREE = ScopeTree(
    [
        ScopeUnit(1, aliases=(ScopeAlias("toy:one"),)),
        ScopeUnit(2, aliases=(ScopeAlias("toy:two"),), edges=(ScopeEdge(1),)),
        ScopeUnit(3, aliases=(ScopeAlias("toy:three"),)),
    ],
    [ScopeGrant(1, "an", "keeper", 1)],
)
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture(scope="module")
def own_keys(tmp_path_factory):
    """An issuer and the services of these tests."""
    return Keys.create(tmp_path_factory.mktemp("keys"), ["toy", "friend", "stranger"])


@pytest.fixture
async def toy(own_keys):
    """A toy server: (address, servicer)."""
    servicer = ToyServicer()
    async with serve_app("toy", toy_app(servicer, Scopes.of(TREE)), own_keys) as address:
        yield address, servicer


def _look(unit="", **fields):
    return toy_pb2.LookRequest(unit=unit, **fields)


async def _refusal(awaitable):
    with pytest.raises(Fault) as refused:
        await awaitable
    return refused.value


async def _stream(*messages):
    for message in messages:
        yield message


async def test_a_call_that_may_pass_reaches_the_servicer(toy, own_keys):
    """And the servicer knows who calls, by which service, until when."""
    address, _ = toy
    async with client(address, own_keys.token("an")) as channel:
        answer = await toy_pb2_grpc.ToyServiceStub(channel).Look(_look("toy:two"), timeout=60)
    assert (answer.subject, answer.service) == ("an", "")
    assert 0 < answer.seconds_left < 60


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (lambda keys: None, "NO_TOKEN"),
        (lambda keys: "rubbish", "INVALID_TOKEN"),
        (lambda keys: keys.token("an", seconds=-1), "TOKEN_EXPIRED"),
        (lambda keys: keys.token("an", aud="elsewhere"), "INVALID_TOKEN"),
    ],
)
@pytest.mark.parametrize("method", ["Look", "LookAtOwn", "LookAway"])
async def test_without_a_good_token_no_method_answers(toy, own_keys, token, reason, method):
    """Before access, and before the request is even looked at."""
    address, servicer = toy
    async with client(address, token(own_keys)) as channel:
        fault = await _refusal(getattr(toy_pb2_grpc.ToyServiceStub(channel), method)(_look("x" * 99)))
    assert (fault.kind, fault.reason, fault.domain) == (Kind.UNAUTHENTICATED, reason, "toy.iocedu")
    assert servicer.calls == 0


async def test_a_wrong_field_is_refused_before_access(toy, own_keys):
    """The exact field is named, and the servicer never runs."""
    address, servicer = toy
    async with client(address, own_keys.token("nobody")) as channel:
        fault = await _refusal(toy_pb2_grpc.ToyServiceStub(channel).Look(_look("x" * 99, count=-1)))
    assert (fault.kind, fault.reason) == (Kind.INVALID, "INVALID_FIELD")
    assert [violation.field for violation in fault.violations] == ["unit", "count"]
    assert servicer.calls == 0


@pytest.mark.parametrize(
    ("subject", "method", "unit", "kind", "reason"),
    [
        ("an", "Look", "toy:three", Kind.DENIED, "NO_GRANT"),
        ("an", "Look", "toy:none", Kind.NOT_FOUND, "UNKNOWN_UNIT"),
        ("nobody", "Look", "toy:one", Kind.DENIED, "NO_GRANT"),
        ("an", "LookAsService", "", Kind.DENIED, "NOT_ALLOWED"),
        ("an", "LookAway", "", Kind.DENIED, "NOT_ALLOWED"),
        ("nobody", "Watch", "toy:one", Kind.DENIED, "NO_GRANT"),
    ],
)
async def test_access_is_enforced(toy, own_keys, subject, method, unit, kind, reason):
    """By the option, the grants and the unit that is named; deny by default."""
    address, servicer = toy
    async with client(address, own_keys.token(subject)) as channel:
        call = getattr(toy_pb2_grpc.ToyServiceStub(channel), method)(_look(unit))
        fault = await _refusal(call if method != "Watch" else anext(call))
    assert (fault.kind, fault.reason) == (kind, reason)
    assert servicer.calls == 0


async def test_a_service_shows_its_own_token_beside_the_callers(toy, own_keys):
    """It passes where it is named, and the caller stays the caller."""
    address, _ = toy
    friend, stranger = (own_keys.identity(name).token() for name in ("friend", "stranger"))
    async with client(address, own_keys.token("nobody"), service_token=friend) as channel:
        answer = await toy_pb2_grpc.ToyServiceStub(channel).LookAsService(_look())
    assert (answer.subject, answer.service) == ("nobody", "friend")
    async with client(address, own_keys.token("nobody"), service_token=stranger) as channel:
        assert (await _refusal(toy_pb2_grpc.ToyServiceStub(channel).LookAsService(_look()))).reason == "NOT_ALLOWED"


async def test_a_person_cannot_pose_as_a_service(toy, own_keys):
    """A person's token in the service's header is refused."""
    address, _ = toy
    async with client(address, own_keys.token("an"), service_token=own_keys.token("friend")) as channel:
        assert (await _refusal(toy_pb2_grpc.ToyServiceStub(channel).LookAsService(_look()))).reason == "INVALID_TOKEN"


async def test_a_job_acts_under_its_services_token_for_somebody(toy, own_keys):
    """The actor is known; the right is the service's."""
    address, _ = toy
    token = own_keys.identity("friend").token(act="an")
    async with client(address, token, service_token=own_keys.identity("friend").token()) as channel:
        answer = await toy_pb2_grpc.ToyServiceStub(channel).LookAsService(_look())
    assert (answer.subject, answer.service, answer.actor) == ("service:friend", "friend", "an")


async def test_a_fault_arrives_whole(toy, own_keys):
    """Reason, metadata, violations, time to retry after, trace id, and the sentence in the caller's language."""
    address, _ = toy
    for language, sentence in (("vi", "Chưa thể làm lúc này."), ("en", "Not now.")):
        async with client(address, own_keys.token("an"), language=language) as channel:
            fault = await _refusal(toy_pb2_grpc.ToyServiceStub(channel).LookAtOwn(_look(act="refuse")))
        assert (fault.kind, fault.reason, fault.domain) == (Kind.PRECONDITION, "NOT_NOW", "toy.iocedu")
        assert fault.metadata["thing"] == "door"
        assert len(fault.metadata["trace_id"]) == 32
        assert fault.violations[0].field == "act"
        assert fault.retry_after is not None
        assert fault.retry_after.total_seconds() == 7
        assert fault.text(language) == sentence


async def test_an_unexpected_failure_leaves_as_internal_with_its_trace_id_alone(toy, own_keys):
    """Nothing of the inside reaches the caller; the operator finds the rest by the id."""
    address, _ = toy
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    async with open_channel(address) as channel:
        stub = toy_pb2_grpc.ToyServiceStub(channel)
        metadata = [("authorization", f"Bearer {own_keys.token('an')}"), *headers.items()]
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.LookAtOwn(_look(act="fail"), metadata=metadata, timeout=30)
    fault = fault_of(refused.value)
    assert (fault.kind, fault.reason, dict(fault.metadata)) == (Kind.INTERNAL, "INTERNAL", {"trace_id": trace})
    assert "secret" not in str(refused.value)


async def test_a_request_stream_is_decided_on_its_first_message(toy, own_keys):
    """The servicer gets the whole stream, the first message included, or nothing."""
    address, servicer = toy
    async with client(address, own_keys.token("an")) as channel:
        stub = toy_pb2_grpc.ToyServiceStub(channel)
        answer = await stub.Collect(_stream(_look("toy:one"), _look(""), _look("toy:one")))
        assert answer.texts == ["toy:one", "", "toy:one"]
        before = servicer.calls
        assert (await _refusal(stub.Collect(_stream(_look("toy:three"), _look("toy:one"))))).reason == "NO_GRANT"
        assert (await _refusal(stub.Collect(_stream()))).reason == "INVALID_FIELD"
        assert (await _refusal(stub.Collect(_stream(_look("x" * 99))))).reason == "INVALID_FIELD"
    assert servicer.calls == before


async def test_a_later_message_cannot_reach_a_foreign_unit(toy, own_keys):
    """Nor break the rules of its fields."""
    address, _ = toy
    async with client(address, own_keys.token("an")) as channel:
        stub = toy_pb2_grpc.ToyServiceStub(channel)
        for second, reason in ((_look("toy:three"), "NO_GRANT"), (_look("x" * 99), "INVALID_FIELD")):
            assert (await _refusal(stub.Collect(_stream(_look("toy:one"), second)))).reason == reason
        answer = await stub.Collect(_stream(_look("toy:one"), _look("toy:two")))
        assert answer.texts == ["toy:one", "toy:two"]


async def test_streams_both_ways_are_guarded_by_their_opening_message(toy, own_keys):
    """Later messages, which name no unit, pass."""
    address, _ = toy
    async with client(address, own_keys.token("an")) as channel:
        stub = toy_pb2_grpc.ToyServiceStub(channel)
        opening = toy_pb2.TalkRequest(open=toy_pb2.Inner(unit="toy:two"))
        answers = [answer async for answer in stub.Talk(_stream(opening, toy_pb2.TalkRequest(text="hello")))]
        assert [(answer.texts[0], answer.subject) for answer in answers] == [("open", "an"), ("text", "an")]
        foreign = toy_pb2.TalkRequest(open=toy_pb2.Inner(unit="toy:three"))
        assert (await _refusal(anext(stub.Talk(_stream(foreign))))).reason == "NO_GRANT"
        headless = toy_pb2.TalkRequest(text="hello")
        assert (await _refusal(anext(stub.Talk(_stream(headless))))).reason == "NO_GRANT"


async def test_a_watched_stream_beats_and_ends(toy, own_keys):
    """Through the real chain, written as a plain method that returns its envelope."""
    address, _ = toy
    async with client(address, own_keys.token("an")) as channel:
        stream = toy_pb2_grpc.ToyServiceStub(channel).Watch(_look("toy:one", count=2))
        events = [response.WhichOneof("event") async for response in stream]
    assert events == ["heartbeat", "item", "item", "end"]


async def test_a_stream_ends_with_its_token(toy, own_keys):
    """What was proved until then is not proved afterwards: the reader comes back with a new token."""
    address, _ = toy
    async with client(address, own_keys.token("an", seconds=2)) as channel:
        stream = toy_pb2_grpc.ToyServiceStub(channel).Watch(_look("toy:one", count=1, act="wait"))
        *before, last = [response async for response in stream]
    assert {response.WhichOneof("event") for response in before} == {"heartbeat", "item"}
    assert (from_status(last.error.status).reason, last.error.position) == ("TOKEN_EXPIRED", "0")


async def test_a_call_without_time_for_the_work_is_refused(toy, own_keys):
    """Less than 20 ms is no time."""
    address, servicer = toy
    async with client(address, own_keys.token("an")) as channel:
        stub = toy_pb2_grpc.ToyServiceStub(channel)
        await stub.Look(_look("toy:one"))
        calls = servicer.calls
        fault = await _refusal(stub.Look(_look("toy:one"), timeout=0.015))
    assert (fault.kind, fault.reason) == (Kind.DEADLINE, "TOO_LATE_DEADLINE")
    assert servicer.calls == calls


async def test_work_ends_with_the_deadline_and_says_so(toy, own_keys):
    """The servicer is cancelled a little early, so that the caller hears a reason and not silence."""
    address, servicer = toy
    async with client(address, own_keys.token("an")) as channel:
        fault = await _refusal(toy_pb2_grpc.ToyServiceStub(channel).LookAtOwn(_look(act="wait"), timeout=0.3))
    assert (fault.kind, fault.reason) == (Kind.DEADLINE, "TOO_LATE_DEADLINE")
    await asyncio.wait_for(servicer.cancelled.wait(), 60)


async def test_a_caller_that_leaves_cancels_the_work(toy, own_keys):
    """Nothing goes on for nobody."""
    address, servicer = toy
    async with client(address, own_keys.token("an")) as channel:
        call = asyncio.ensure_future(toy_pb2_grpc.ToyServiceStub(channel).LookAtOwn(_look(act="wait")))
        await poll_until(lambda: servicer.calls)
        call.cancel()
        await asyncio.wait_for(servicer.cancelled.wait(), 60)


async def test_a_message_of_16_mb_passes_and_a_larger_one_does_not(toy, own_keys):
    """The same limit as in Envoy and in clients."""
    address, _ = toy
    async with client(address, own_keys.token("an")) as channel:
        stub = toy_pb2_grpc.ToyServiceStub(channel)
        opening = toy_pb2.TalkRequest(open=toy_pb2.Inner(unit="toy:one"))
        fits = toy_pb2.TalkRequest(text="x" * (16 * 1024 * 1024 - 16))
        assert len([answer async for answer in stub.Talk(_stream(opening, fits), timeout=30)]) == 2
        huge = toy_pb2.TalkRequest(text="x" * (16 * 1024 * 1024))
        fault = await _refusal(_last(stub.Talk(_stream(opening, huge), timeout=30)))
    assert fault.kind is Kind.EXHAUSTED


async def _last(stream):
    return [answer async for answer in stream][-1]


async def test_health_and_reflection_need_no_token(toy):
    """Probes and grpcurl come without one; each service is named."""
    address, _ = toy
    async with open_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for name in ("", NAME):
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=30)
            assert answer.status == SERVING
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Check(health_pb2.HealthCheckRequest(service="toy.v1.None"), timeout=30)
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND

    def described():
        with grpc.insecure_channel(address) as channel:
            return list(ProtoReflectionDescriptorDatabase(channel).get_services())

    assert NAME in await asyncio.to_thread(described)


async def test_an_unknown_method_is_unimplemented(toy, own_keys):
    """As gRPC has it."""
    address, _ = toy
    async with client(address, own_keys.token("an")) as channel:
        fault = await _refusal(channel.unary_unary("/toy.v1.ToyService/Nothing", None, None)(b""))
    assert fault.kind is Kind.UNIMPLEMENTED


async def test_a_server_is_ready_only_while_every_dependency_answers(own_keys, tmp_path, monkeypatch):
    """SERVING, with the ready file written, once all answer; NOT_SERVING again when one is lost."""
    monkeypatch.setattr("chassis.health.CHECK_SECONDS", 0.05)
    there = False

    async def ping():
        if not there:
            raise ConnectionError("not there")

    ready_file = tmp_path / "ready"
    settings = own_keys.settings("toy", ready_file=ready_file)
    app = toy_app(ToyServicer(), Scopes.of(TREE), checks=[Check("thing", ping)])
    with pytest.raises(TimeoutError, match="not there"):
        async with serving("toy", app, settings, ready_within=0.3):
            pytest.fail("it must not be ready")
    assert not ready_file.exists()
    there = True
    async with serving("toy", app, settings) as address, open_channel(address) as channel:
        assert ready_file.read_text() == f"{address}\n"
        stub = health_pb2_grpc.HealthStub(channel)

        async def reaches(status):
            async def reached():
                return (await stub.Check(health_pb2.HealthCheckRequest(service=NAME), timeout=1)).status == status

            await poll_until(reached)

        await reaches(SERVING)
        there = False
        await reaches(NOT_SERVING)
        there = True
        await reaches(SERVING)
    assert not ready_file.exists()


async def test_without_a_tree_a_server_is_not_ready(own_keys):
    """Access cannot be decided, so nothing is promised."""
    app = toy_app(ToyServicer(), Scopes(None))
    with pytest.raises(TimeoutError, match="no tree of units yet"):
        async with serving("toy", app, own_keys.settings("toy"), ready_within=0.3):
            pytest.fail("it must not be ready")


async def test_workers_stop_before_the_last_call_and_drains_after_it(own_keys):
    """Consumers stop pulling first, calls under way are answered, then the outbox drains."""
    told: list[str] = []

    def worker(name, *, drains=False):
        async def run(stop):
            await stop.wait()
            told.append(name)

        return Worker(name, run, drains=drains)

    class Slow(ToyServicer):
        async def LookAtOwn(self, request, context):
            """Answers only after the consumers were told to stop."""
            told.append("called")
            await poll_until(lambda: "consumer" in told)
            told.append("answered")
            return toy_pb2.LookResponse()

    app = toy_app(Slow(), Scopes.of(TREE), workers=[worker("outbox", drains=True), worker("consumer")])
    async with AsyncExitStack() as server, AsyncExitStack() as caller:
        address = await server.enter_async_context(serve_app("toy", app, own_keys))
        channel = await caller.enter_async_context(client(address, own_keys.token("an")))
        call = asyncio.ensure_future(toy_pb2_grpc.ToyServiceStub(channel).LookAtOwn(_look()))
        await poll_until(lambda: "called" in told)
        await server.aclose()
        await call
    assert told == ["called", "consumer", "answered", "outbox"]


async def test_two_servers_never_share_a_port(toy, own_keys):
    """The second one is refused with one clear line."""
    address, _ = toy
    with pytest.raises(ListenError, match=f"cannot listen on {address}"):
        async with serving("toy", toy_app(ToyServicer(), Scopes.of(TREE)), own_keys.settings("toy", listen=address)):
            pytest.fail("the port is taken")


@pytest.fixture
async def processes():
    """Toys started by a test; whatever becomes of the test, none outlives it."""
    started: list[asyncio.subprocess.Process] = []
    yield started
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _process(processes, own_keys, tmp_path, **changes):
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "IOCEDU_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "IOCEDU_NATS_URL": "nats://127.0.0.1:1",
        "IOCEDU_JWKS": own_keys.jwks,
        "IOCEDU_ISSUER": "https://issuer.test",
        "IOCEDU_SERVICE_KEY_FILE": str(own_keys.key_file("toy")),
        "IOCEDU_READY_FILE": str(tmp_path / "ready"),
    } | changes
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.toy",
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    processes.append(process)
    return process


async def _ready(path, process):
    def ready():
        assert process.returncode is None
        return path.exists()

    await poll_until(ready)
    return path.read_text().strip()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_process_serves_and_stops_cleanly_on_a_signal(processes, own_keys, tmp_path, number):
    """Ready by file, answers, ends with status 0 and takes the file away."""
    process = await _process(processes, own_keys, tmp_path)
    address = await _ready(tmp_path / "ready", process)
    async with client(address, own_keys.token("an")) as channel:
        assert (await toy_pb2_grpc.ToyServiceStub(channel).LookAtOwn(_look())).subject == "an"
    process.send_signal(number)
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, errors.decode()
    assert not (tmp_path / "ready").exists()
    assert output.decode().count('"action": "server.stopped"') == 1


async def test_a_worker_that_dies_stops_the_process_with_a_reason(processes, own_keys, tmp_path):
    """Half a service is none: the platform starts it anew."""
    process = await _process(processes, own_keys, tmp_path, TOY_WORKER="dies")
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert '"action": "worker.died"' in output.decode()
    died = next(line for line in map(json.loads, output.decode().splitlines()) if line["action"] == "worker.died")
    assert [cause.split(" at ")[0] for cause in died["exception"]] == ["RuntimeError"], "the class and the place"
    assert "service.py" in died["exception"][0] or "__main__.py" in died["exception"][0]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"IOCEDU_LISTEM": "x"}, "toy: IOCEDU_LISTEM is not a setting of this service (did you mean IOCEDU_LISTEN?)\n"),
        ({"IOCEDU_ISSUER": ""}, "toy: IOCEDU_ISSUER is missing\n"),
        ({"IOCEDU_SERVICE_KEY_FILE": "/none.pem", "TOY_FRIEND": "x"}, "toy: /none.pem: No such file or directory\n"),
    ],
)
async def test_a_process_with_wrong_settings_says_one_line(processes, own_keys, tmp_path, changes, line):
    """Status 2 and no traceback."""
    process = await _process(processes, own_keys, tmp_path, **changes)
    _, errors = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, errors.decode()) == (2, line)
