"""One trace through processes, with SQL below; numbers on the Prometheus page; logs that carry the trace."""

import asyncio
import json
import os
import socket
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import httpx
import pytest
import sqlalchemy as sa
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.trace import SpanKind, StatusCode

from chassis import telemetry
from chassis.database import copy_rows
from chassis.errors import Fault
from chassis.scopes import Scopes, ScopeTree
from chassis.testing import Keys, client, recorded_spans, serve_app, span_tree
from tests.support.toy import toy_pb2, toy_pb2_grpc
from tests.support.toy.service import ToyServicer, toy_app
from tests.support.waiting import poll_until

LOOK = "toy.v1.ToyService/LookAtOwn"


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Takes what processes send by OTLP."""

    def __init__(self):
        self.spans = []  # (service, span)

    async def Export(self, request, context):
        """Keep all spans with their service's name."""
        for resource in request.resource_spans:
            attributes = {item.key: item.value.string_value for item in resource.resource.attributes}
            self.spans += [(attributes["service.name"], span) for scope in resource.scope_spans for span in scope.spans]
        return trace_service_pb2.ExportTraceServiceResponse()


@pytest.fixture(scope="module")
def own_keys(tmp_path_factory):
    """An issuer and two services."""
    return Keys.create(tmp_path_factory.mktemp("keys"), ["toy", "friend"])


@pytest.fixture
async def collector():
    """(endpoint, collector)."""
    server = grpc.aio.server()
    servicer = Collector()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"http://127.0.0.1:{port}", servicer
    await server.stop(0)


@asynccontextmanager
async def _toy(own_keys, folder, **changes):
    """A toy as a process: (address, process)."""
    folder.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "IOCEDU_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "IOCEDU_NATS_URL": "nats://127.0.0.1:1",
        "IOCEDU_JWKS": own_keys.jwks,
        "IOCEDU_ISSUER": "https://issuer.test",
        "IOCEDU_SERVICE_KEY_FILE": str(own_keys.key_file("toy")),
        "IOCEDU_READY_FILE": str(folder / "ready"),
    } | changes
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.support.toy", env=environment, stdout=log, stderr=log
        )
    try:
        await poll_until(lambda: (folder / "ready").exists() or process.returncode is not None)
        yield (folder / "ready").read_text().strip()
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), 60)


def _log_lines(folder):
    return [json.loads(line) for line in (folder / "log").read_text().splitlines() if line.startswith("{")]


async def test_one_trace_runs_through_two_processes(own_keys, collector, tmp_path):
    """The caller's trace id is kept, each hop has its client and its server span, and the logs carry the same id."""
    endpoint, collected = collector
    trace = "0af7651916cd43dd8448eb211c80319c"
    async with AsyncExitStack() as stack:
        inner = await stack.enter_async_context(_toy(own_keys, tmp_path / "inner", IOCEDU_OTLP_ENDPOINT=endpoint))
        outer = await stack.enter_async_context(
            _toy(own_keys, tmp_path / "outer", IOCEDU_OTLP_ENDPOINT=endpoint, TOY_FRIEND=inner)
        )
        headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
        async with client(outer, own_keys.token("an"), headers=headers) as channel:
            with pytest.raises(Fault) as refused:
                await toy_pb2_grpc.ToyServiceStub(channel).LookAtOwn(toy_pb2.LookRequest(act="ask friend refuse"))
        assert refused.value.metadata["trace_id"] == trace
        await poll_until(lambda: len(collected.spans) >= 3)
    spans = {span.span_id: span for _, span in collected.spans}
    assert len(spans) == 3
    assert {span.trace_id.hex() for span in spans.values()} == {trace}
    first = next(span for span in spans.values() if span.parent_span_id.hex() == "b7ad6b7169203331")
    second = next(span for span in spans.values() if span.parent_span_id == first.span_id)
    third = next(span for span in spans.values() if span.parent_span_id == second.span_id)
    # OTLP counts kinds from 1: server 2, client 3.
    assert [(span.name, span.kind) for span in (first, second, third)] == [(LOOK, 2), (LOOK, 3), (LOOK, 2)]
    refused_line = next(line for line in _log_lines(tmp_path / "inner") if line.get("action") == "rpc.refused")
    assert (refused_line["trace_id"], refused_line["service"], refused_line["reason"]) == (trace, "toy", "NOT_NOW")
    assert refused_line["span_id"] == third.span_id.hex()


async def test_the_page_of_numbers_counts_calls_by_method_and_code(own_keys, free_port, tmp_path):
    """With the names that dashboards and alerts are written against."""
    listen = f"127.0.0.1:{free_port}"
    async with _toy(own_keys, tmp_path / "toy", IOCEDU_METRICS_LISTEN=listen) as address:
        async with client(address, own_keys.token("an")) as channel:
            stub = toy_pb2_grpc.ToyServiceStub(channel)
            await stub.LookAtOwn(toy_pb2.LookRequest())
            with pytest.raises(Fault):
                await stub.LookAtOwn(toy_pb2.LookRequest(act="refuse"))
        async with httpx.AsyncClient() as http:
            page = (await http.get(f"http://{listen}/metrics")).text
    assert f'iocedu_requests_total{{code="OK",method="{LOOK}"}} 1.0' in page
    assert f'iocedu_requests_total{{code="FAILED_PRECONDITION",method="{LOOK}"}} 1.0' in page
    assert f'iocedu_requests_duration_seconds_count{{method="{LOOK}"}} 2.0' in page


async def test_a_port_for_numbers_that_is_taken_is_one_clear_line(own_keys, tmp_path):
    """Like every other setting a process cannot run with."""
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(FileNotFoundError):
            async with _toy(own_keys, tmp_path / "toy", IOCEDU_METRICS_LISTEN=f"127.0.0.1:{port}"):
                pytest.fail("it must not be ready")
    said = (tmp_path / "toy" / "log").read_text()
    assert said == f"toy: cannot listen on 127.0.0.1:{port} for metrics: Address already in use\n"


async def test_a_collector_that_is_away_does_not_hold_up_the_end(own_keys, free_port, tmp_path):
    """Traces are lost, the process is not late."""
    endpoint = f"http://127.0.0.1:{free_port}"
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(_toy(own_keys, tmp_path / "toy", IOCEDU_OTLP_ENDPOINT=endpoint))
        async with client(address, own_keys.token("an")) as channel:
            await toy_pb2_grpc.ToyServiceStub(channel).LookAtOwn(toy_pb2.LookRequest())
        began = time.monotonic()
        await stack.aclose()
        assert time.monotonic() - began < 20


async def test_statements_and_copies_lie_below_the_call_that_runs_them(own_keys, database_factory):
    """With their text but without their values; what runs outside of any trace leaves no span."""
    database = await database_factory("chassis")

    class Storing(ToyServicer):
        async def LookAtOwn(self, request, context):
            """Writes and reads."""
            async with database.transaction() as connection:
                await connection.execute(sa.text("CREATE TEMP TABLE thing (name text) ON COMMIT DROP"))
                await copy_rows(connection, "thing", ["name"], [("a",), ("b",)])
                await connection.execute(sa.text("SELECT name FROM thing WHERE name = :name"), {"name": "hidden"})
            return toy_pb2.LookResponse()

    async with (
        serve_app("toy", toy_app(Storing(), Scopes.of(ScopeTree([]))), own_keys) as address,
        client(address, own_keys.token("an")) as channel,
    ):
        with recorded_spans() as spans:
            await toy_pb2_grpc.ToyServiceStub(channel).LookAtOwn(toy_pb2.LookRequest())
            await database.ping()
    assert span_tree(spans) == [LOOK, f"  {LOOK}", "    CREATE thing", "    COPY thing", "    SELECT thing"]
    assert "hidden" not in "".join(str(span.attributes) for span in spans)


async def test_a_failing_statement_is_seen_as_failed(own_keys, database_factory):
    """By its kind, without its values."""
    database = await database_factory("chassis")
    with recorded_spans() as spans, pytest.raises(sa.exc.ProgrammingError), telemetry.span("work"):
        async with database.connection() as connection:
            await connection.execute(sa.text("SELECT nothing FROM nowhere"))
    failed = next(span for span in spans if span.name == "SELECT nowhere")
    assert failed.status.status_code is StatusCode.ERROR


def test_events_join_the_trace_they_come_from():
    """A publication lies below the transaction, its handling below the publication, other publications are linked."""
    with recorded_spans() as spans:
        with telemetry.span("write"):
            stored = telemetry.traceparent()
        with telemetry.publish_span("things-changed", parent=stored) as first:
            pass
        with telemetry.publish_span("things-changed") as second:
            pass
        with telemetry.handle_span("things-changed", [first, second]):
            pass
    assert span_tree(spans) == [
        "write",
        "  publish things-changed",
        "    handle things-changed",
        "publish things-changed",
    ]
    handled = next(span for span in spans if span.kind is SpanKind.CONSUMER)
    linked = {f"{link.context.span_id:016x}" for link in handled.links}
    assert linked == {first[36:52], second[36:52]}


@pytest.mark.parametrize(
    "header",
    [None, "", "rubbish", "00-" + "0" * 32 + "-" + "1" * 16 + "-01", "00-" + "g" * 32 + "-" + "1" * 16 + "-01"],
)
def test_a_malformed_traceparent_begins_a_new_trace(header):
    """A caller's mistake is no reason to refuse a call."""
    assert telemetry.remote_context(header) is None


@pytest.fixture
def free_port():
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
