"""Traces, metrics and logs of a process, and the one list of metric names.

Spans are named `package.Service/Method`, `publish <event>` and `handle <event>`; W3C `traceparent` travels in gRPC
metadata and NATS headers. Metrics on the Prometheus page:

| name | labels | meaning |
|---|---|---|
| `iocedu_requests_total` | method, code | calls answered |
| `iocedu_requests_duration_seconds` | method | how long answers took (histogram) |
| `iocedu_outbox_lag_rows` | | committed events not yet published |
| `iocedu_outbox_lag_seconds` | | age of the oldest of them |
| `iocedu_consumer_lag` | consumer | events waiting in the stream |
| `iocedu_dead_letters_total` | consumer | events given up |
| `iocedu_rows_total` | state | rows by what became of them |

What a service measures of its own matter stands in docs/operate.md, with these.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from opentelemetry import metrics as otel_metrics
from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.metrics import Counter, Histogram, MeterProvider
from opentelemetry.metrics import _Gauge as Gauge
from opentelemetry.sdk.metrics import MeterProvider as SdkMeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from chassis.logs import set_up_logs
from chassis.settings import ServiceSettings, SettingsError

SCOPE = "iocedu"
TRACEPARENT = "traceparent"
FLUSH_SECONDS = 2.0  # A collector that is away must not hold up the end of the process.
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Metrics:
    """The instruments; recording costs some microseconds."""

    requests: Counter
    duration: Histogram
    outbox_lag_rows: Gauge
    outbox_lag_seconds: Gauge
    consumer_lag: Gauge
    dead_letters: Counter
    rows: Counter


@cache
def gauge(name: str, description: str) -> Gauge:
    """A gauge of one service, which names it and says what it is."""
    return otel_metrics.get_meter(SCOPE).create_gauge(name, description=description)


@cache
def counter(name: str, description: str) -> Counter:
    """A counter of one service; Prometheus adds `_total` to its name."""
    return otel_metrics.get_meter(SCOPE).create_counter(name, description=description)


@cache
def metrics() -> Metrics:
    """The instruments of this process."""
    meter = otel_metrics.get_meter(SCOPE)
    return Metrics(
        requests=meter.create_counter("iocedu_requests", description="Calls answered."),
        duration=meter.create_histogram(
            "iocedu_requests_duration",
            unit="s",
            description="How long answers took.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        ),
        outbox_lag_rows=meter.create_gauge("iocedu_outbox_lag_rows", description="Events not yet published."),
        outbox_lag_seconds=meter.create_gauge(
            "iocedu_outbox_lag_seconds", description="Age of the oldest event not yet published."
        ),
        consumer_lag=meter.create_gauge("iocedu_consumer_lag", description="Events waiting for a consumer."),
        dead_letters=meter.create_counter("iocedu_dead_letters", description="Events given up."),
        rows=meter.create_counter("iocedu_rows", description="Rows by what became of them."),
    )


def setup(service: str, settings: ServiceSettings, *, serves: bool) -> Callable[[], None]:
    """Start traces, metrics and logs of this process; call what is returned last of all, to flush.

    What only runs once has no page of metrics: the port is that of the service it runs beside.
    """
    set_up_logs(service, settings.log_level)
    resource = Resource.create({"service.name": service, "service.namespace": SCOPE})
    provider = TracerProvider(
        # Without an endpoint nothing is recorded, but trace ids are still made, logged and passed on.
        sampler=ParentBased(TraceIdRatioBased(settings.trace_ratio)) if settings.otlp_endpoint else ALWAYS_OFF,
        resource=resource,
        shutdown_on_exit=False,  # It would wait for a collector that is away; see `shutdown`.
    )
    if settings.otlp_endpoint:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (  # noqa: PLC0415 (40 ms only where wanted)
            OTLPSpanExporter,
        )

        exporter = OTLPSpanExporter(
            endpoint=settings.otlp_endpoint, insecure=not settings.otlp_endpoint.startswith("https")
        )
        provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
    trace.set_tracer_provider(provider)
    stop_page = _serve_metrics(settings.metrics_listen, resource) if serves and settings.metrics_listen else None

    def shutdown() -> None:
        flushing = threading.Thread(target=provider.shutdown, name="flush", daemon=True)
        flushing.start()
        flushing.join(FLUSH_SECONDS)
        if stop_page:
            stop_page()

    return shutdown


def ensure_trace_ids() -> None:
    """Give a process without telemetry (a test, a script) trace ids; does nothing where `setup` ran."""
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        trace.set_tracer_provider(TracerProvider(sampler=ALWAYS_OFF))


def tracing() -> bool:
    """Whether the running span is recorded; work done only for traces is skipped where it is not."""
    return trace.get_current_span().is_recording()


def trace_id() -> str:
    """The running trace's id in hex; empty outside of one."""
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.trace_id else ""


def traceparent(of: Span | None = None) -> str:
    """A span, by default the running one, as W3C `traceparent`; empty outside of one."""
    context = (of or trace.get_current_span()).get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}" if context.is_valid else ""


def remote_context(header: str | None) -> SpanContext | None:
    """Read a W3C `traceparent`; None when it is missing or malformed."""
    if not header or len(header) < 55 or header[2] != "-" or header[35] != "-" or header[52] != "-":
        return None
    try:
        context = SpanContext(
            int(header[3:35], 16),
            int(header[36:52], 16),
            is_remote=True,
            trace_flags=TraceFlags(int(header[53:55], 16)),
        )
    except ValueError:
        return None
    return context if context.is_valid else None


def start_span(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: str | None = None,
    links: Sequence[str] = (),
    attributes: Mapping[str, Any] | None = None,
) -> Span:
    """Start a span below `parent` (a traceparent) or below the running one; the caller ends it."""
    remote = remote_context(parent)
    context = trace.set_span_in_context(NonRecordingSpan(remote), Context()) if remote else None
    linked = [Link(one) for one in map(remote_context, links) if one]
    return _tracer().start_span(name, context=context, kind=kind, links=linked, attributes=attributes)


@cache
def _tracer() -> trace.Tracer:
    """Looked up once: the look-up costs more than a span. Before `setup` this is a proxy that finds its way later."""
    return trace.get_tracer(SCOPE)


def make_current(span: Span) -> object:
    """Let the span be the running one in this task."""
    return attach(trace.set_span_in_context(span))


@contextmanager
def span(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: str | None = None,
    links: Sequence[str] = (),
    attributes: Mapping[str, Any] | None = None,
) -> Iterator[Span]:
    """A span around a block; an exception marks it as failed."""
    started = start_span(name, kind=kind, parent=parent, links=links, attributes=attributes)
    token = attach(trace.set_span_in_context(started))
    try:
        yield started
    except Exception as error:
        mark_failed(started, type(error).__name__)
        raise
    finally:
        detach(token)
        started.end()


@contextmanager
def statement_span(name: str) -> Iterator[None]:
    """A span for work done past SQLAlchemy (COPY), only where the running span is recorded."""
    if not tracing():
        yield
        return
    with span(name, kind=SpanKind.CLIENT, attributes={"db.system": "postgresql"}):
        yield


@contextmanager
def publish_span(event: str, *, parent: str = "") -> Iterator[str]:
    """The span of publishing an event, below the transaction that wrote it; yields the traceparent to send along."""
    with span(f"publish {event}", kind=SpanKind.PRODUCER, parent=parent, attributes={"messaging.system": "nats"}):
        yield traceparent()


@contextmanager
def handle_span(event: str, traceparents: Sequence[str]) -> Iterator[Span]:
    """The span of handling events: below the first one's publication, linked with all."""
    parent = next((one for one in traceparents if one), None)
    attributes = {"messaging.system": "nats", "messaging.batch.message_count": len(traceparents)}
    with span(
        f"handle {event}",
        kind=SpanKind.CONSUMER,
        parent=parent,
        links=list(dict.fromkeys(traceparents)),
        attributes=attributes,
    ) as started:
        yield started


def mark_failed(failed: Span, reason: str) -> None:
    """Show the span as failed, by a stable reason free of personal data."""
    if failed.is_recording():
        failed.set_attribute("error.type", reason)
        failed.set_status(Status(StatusCode.ERROR, reason))


def _serve_metrics(listen: str, resource: Resource) -> Callable[[], None]:
    import prometheus_client  # noqa: PLC0415 (only where wanted)
    from opentelemetry.exporter.prometheus import PrometheusMetricReader  # noqa: PLC0415 (the same)

    provider: MeterProvider = SdkMeterProvider(
        metric_readers=[PrometheusMetricReader(scope_info_enabled=False)], resource=resource
    )
    otel_metrics.set_meter_provider(provider)
    host, _, port = listen.rpartition(":")
    try:
        server, thread = prometheus_client.start_http_server(int(port), addr=host or "127.0.0.1")
    except OSError as error:
        raise SettingsError(f"cannot listen on {listen} for metrics: {error.strerror}") from error

    def stop() -> None:
        server.shutdown()
        thread.join(timeout=1)

    return stop
