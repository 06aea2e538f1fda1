"""Channels to other services: the caller's token and trace go along, this service shows its own, faults come back as
`Fault`.

Refuses a unary call without a deadline. gRPC itself retries UNAVAILABLE with backoff: every command is idempotent.
"""

import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import grpc
from google.rpc import status_pb2
from opentelemetry.trace import Span, SpanKind

from chassis import telemetry
from chassis.errors import STATUS_KEY, Fault, Kind, from_status
from chassis.identity import SERVICE_HEADER, ServiceIdentity, caller_or_none
from chassis.request import current_request

MOST_MESSAGE_BYTES = 16 * 1024 * 1024
_SERVICE_CONFIG = json.dumps(
    {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 5,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "1s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ],
    }
)
OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.service_config", _SERVICE_CONFIG),
    ("grpc.max_send_message_length", MOST_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MOST_MESSAGE_BYTES),
    ("grpc.per_rpc_retry_buffer_size", MOST_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.use_local_subchannel_pool", 1),
)
Metadata = Callable[[], list[tuple[str, str]]]


async def channel(address: str, *, service_identity: ServiceIdentity) -> grpc.aio.Channel:
    """A channel to `host:port` (by DNS, calls spread over what it names). Close it, or enter it in a stack."""
    return ServiceChannel(open_channel(address), metadata=lambda: _metadata(service_identity))


def open_channel(address: str) -> grpc.aio.Channel:
    """A bare channel with our options, without identity or traces."""
    target = address if "://" in address or address.startswith("unix:") else f"dns:///{address}"
    return grpc.aio.insecure_channel(target, options=OPTIONS)


class ServiceChannel(grpc.aio.Channel):
    """Gives stubs calls that carry identity and trace, and raise `Fault`. Leaner than four kinds of interceptors.

    Unary answers are awaited, streamed answers iterated; the call objects of grpc.aio stay inside.
    """

    def __init__(self, inner: grpc.aio.Channel, *, metadata: Metadata, default_seconds: float | None = None) -> None:
        self._inner = inner
        self._metadata = metadata
        self._default_seconds = default_seconds  # For scripts and tests; services say each deadline.

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self._inner.__aexit__(exc_type, exc_val, exc_tb)

    async def close(self, grace: float | None = None) -> None:
        """Close, letting calls under way end within `grace` seconds."""
        await self._inner.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:  # noqa: FBT001, FBT002 (grpc's own)
        """The state of the connection."""
        return self._inner.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Until the state is another."""
        await self._inner.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Until the channel is connected."""
        await self._inner.channel_ready()

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """A method with one request and one answer."""
        return self._one(method, self._inner.unary_unary(method, *args, **kwargs))

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """A method with a stream of requests and one answer."""
        return self._one(method, self._inner.stream_unary(method, *args, **kwargs))

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """A method with one request and a stream of answers."""
        return self._many(method, self._inner.unary_stream(method, *args, **kwargs))

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """A method with streams both ways."""
        return self._many(method, self._inner.stream_stream(method, *args, **kwargs))

    def _one(self, method: str, inner: Any) -> Any:
        name = method.lstrip("/")

        async def call(request: Any, *, timeout: float | None = None, metadata: Any = ()) -> Any:  # noqa: ASYNC109 (gRPC's)
            left = _seconds(self._default_seconds if timeout is None else timeout)
            if left is None:
                raise ValueError(f"{name} is called without a deadline")
            with telemetry.span(name, kind=SpanKind.CLIENT) as span:
                sent = [*_trace(span), *self._metadata(), *metadata]
                try:
                    return await inner(request, timeout=left, metadata=sent)
                except grpc.aio.AioRpcError as error:
                    raise fault_of(error) from error

        return call

    def _many(self, method: str, inner: Any) -> Any:
        name = method.lstrip("/")

        async def call(
            request: Any,
            *,
            timeout: float | None = None,  # noqa: ASYNC109 (gRPC's)
            metadata: Any = (),
        ) -> AsyncIterator[Any]:
            span = telemetry.start_span(name, kind=SpanKind.CLIENT)
            sent = [*_trace(span), *self._metadata(), *metadata]
            running = inner(request, timeout=_seconds(timeout), metadata=sent)
            try:
                async for item in running:
                    yield item
            except grpc.aio.AioRpcError as error:
                telemetry.mark_failed(span, error.code().name)
                raise fault_of(error) from error
            finally:
                running.cancel()
                span.end()

        return call


def fault_of(error: grpc.aio.AioRpcError) -> Fault:
    """The fault another service answered with; what carries no details gets its status code as reason."""
    trailing: Any = error.trailing_metadata()  # Iterates over pairs, whatever its stub says.
    for key, value in trailing or ():
        if key == STATUS_KEY and isinstance(value, bytes):
            return from_status(status_pb2.Status.FromString(value))
    code = error.code()
    text = error.details() or code.name
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return Fault(
            Kind.DEADLINE,
            "TOO_LATE_DEADLINE",
            vi="Một dịch vụ bên trong không trả lời kịp thời hạn. Vui lòng thử lại.",
            en="A service inside did not answer within the deadline. Please try again.",
        )
    if code is grpc.StatusCode.UNAVAILABLE:
        return Fault(
            Kind.UNAVAILABLE,
            "UNAVAILABLE",
            vi="Một dịch vụ bên trong tạm thời không kết nối được. Vui lòng thử lại sau giây lát.",
            en="A service inside cannot be reached at the moment. Please try again shortly.",
            retry_after=timedelta(seconds=1),
        )
    kind = next((one for one in Kind if one.value is code), Kind.INTERNAL)
    return Fault(kind, kind.name, vi=text, en=text)


def _seconds(timeout: float | None) -> float | None:
    """The call's own deadline, cut to what the running request has left."""
    request = current_request()
    left = request.seconds_left() if request else None
    if left is None:
        return timeout
    return max(left if timeout is None else min(left, timeout), 0.0)


def _metadata(identity: ServiceIdentity) -> list[tuple[str, str]]:
    own = identity.token()
    known = caller_or_none()
    # A job has no caller's token: it acts under the service's own, saying for whom (`act`).
    token = known.token if known and known.token else identity.token((known.actor or known.subject) if known else None)
    sent = [("authorization", f"Bearer {token}"), (SERVICE_HEADER, f"Bearer {own}")]
    if request := current_request():
        sent.append(("accept-language", request.language))
    return sent


def _trace(span: Span) -> list[tuple[str, str]]:
    header = telemetry.traceparent(span)
    return [(telemetry.TRACEPARENT, header)] if header else []
