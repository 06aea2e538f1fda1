"""A receiver of OTLP traces that keeps spans in memory, so that a test can look at one trace as a tree."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc


@dataclass(frozen=True)
class SeenSpan:
    """A span as it was received; ids in lower-case hex."""

    trace_id: str
    span_id: str
    parent_id: str
    service: str
    name: str


@dataclass
class Collector:
    """All spans received so far."""

    address: str
    spans: list[SeenSpan] = field(default_factory=list)

    def trace(self, trace_id: str) -> list[SeenSpan]:
        """The spans of one trace."""
        return [span for span in self.spans if span.trace_id == trace_id]

    def lineage(self, trace_id: str, service: str, name: str) -> list[tuple[str, str]]:
        """(service, name) from the root down to the first span of that name; empty when it is not there yet."""
        by_id = {span.span_id: span for span in self.trace(trace_id)}
        found = next((span for span in by_id.values() if (span.service, span.name) == (service, name)), None)
        path: list[tuple[str, str]] = []
        while found is not None:
            path.append((found.service, found.name))
            found = by_id.get(found.parent_id)
        return path[::-1]


class _Receiver(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    async def Export(
        self, request: trace_service_pb2.ExportTraceServiceRequest, _context: object
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        """Keep every span."""
        for resource_spans in request.resource_spans:
            attributes = {item.key: item.value.string_value for item in resource_spans.resource.attributes}
            service = attributes.get("service.name", "")
            self._collector.spans.extend(
                SeenSpan(span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(), service, span.name)
                for scope in resource_spans.scope_spans
                for span in scope.spans
            )
        return trace_service_pb2.ExportTraceServiceResponse()


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """Receive on a free port until the block ends."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", 64 << 20)])
    collector = Collector(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(_Receiver(collector), server)
    await server.start()
    try:
        yield collector
    finally:
        await server.stop(1)
