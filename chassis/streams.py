"""The envelope of every server stream: items, heartbeats with a position to resume from, and an explicit end or error.

A stream that stops without `end` or `error` was cut; its reader resumes after the last position it saw.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, TypeVar

import structlog
from google.protobuf.message import Message
from iocedu.chassis.v1 import stream_pb2

from chassis import telemetry
from chassis.errors import Fault, Kind, to_status, unexpected
from chassis.request import ask_again, current_request

HEARTBEAT_SECONDS = 15.0

log = structlog.get_logger(__name__)

ResponseT = TypeVar("ResponseT", bound=Message)


async def envelope(
    response: type[ResponseT],
    items: AsyncIterator[tuple[str, Any]],
    *,
    position: str,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
) -> AsyncIterator[ResponseT]:
    """Wrap `(position after it, item)` pairs into responses with `item`, `heartbeat`, `end` and `error`.

    An item that is None moves the position; a heartbeat says so. One that is a response already goes as it is.

    Beats at once (so that a reader sees the stream is open) and whenever nothing came for `heartbeat_seconds`; ends
    when `items` does. A fault, the server's stop, or a right that was taken back becomes an `error` with the position
    to resume from.
    """
    request = current_request()
    stopping = request.stopping if request else None
    source = aiter(items)
    waiting: asyncio.Future[tuple[str, Any]] | None = None
    stop = asyncio.ensure_future(stopping.wait()) if stopping else None
    try:
        yield _build(response, heartbeat=stream_pb2.Heartbeat(position=position))
        while True:
            waiting = waiting or asyncio.ensure_future(_next(source))
            awaited: set[asyncio.Future[Any]] = {waiting, stop} if stop else {waiting}
            await asyncio.wait(awaited, timeout=heartbeat_seconds, return_when=asyncio.FIRST_COMPLETED)
            ask_again()
            if waiting.done():
                position, item = waiting.result()
                waiting = None
                yield _carrying(response, item, position=position)
            elif stop and stop.done():
                yield _build(response, error=_error(restarting(), response, position=position))
                return
            else:
                yield _build(response, heartbeat=stream_pb2.Heartbeat(position=position))
    except _Exhausted:
        yield _build(response, end=stream_pb2.End(position=position))
    except Fault as fault:
        yield _build(response, error=_error(fault, response, position=position))
    except Exception:
        log.exception("stream failed", action="rpc.failed", method=request.method if request else "")
        yield _build(response, error=_error(unexpected(), response, position=position))
    finally:
        for task in (waiting, stop):
            if task is not None and not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await task
        close = getattr(source, "aclose", None)
        if close is not None:
            await close()


class _Exhausted(Exception):  # noqa: N818 (a signal: a future cannot carry StopAsyncIteration)
    """The source has ended."""


async def _next(source: AsyncIterator[tuple[str, Any]]) -> tuple[str, Any]:
    try:
        return await anext(source)
    except StopAsyncIteration:
        raise _Exhausted from None


def restarting() -> Fault:
    """What a stream says when its server stops."""
    return Fault(
        Kind.UNAVAILABLE,
        "UNAVAILABLE",
        vi="Dịch vụ đang khởi động lại. Hãy kết nối lại từ vị trí đã nhận.",
        en="The service restarts. Connect again and resume after the last position.",
    )


def _carrying(response: type[ResponseT], item: Any, *, position: str) -> ResponseT:
    if isinstance(item, response):
        return item
    if item is None:
        return _build(response, heartbeat=stream_pb2.Heartbeat(position=position))
    return _build(response, item=item)


def _build(response: type[ResponseT], **fields: Any) -> ResponseT:
    return response(**fields)


def _error(fault: Fault, response: type[Message], *, position: str) -> stream_pb2.StreamError:
    request = current_request()
    status = to_status(
        fault,
        domain=_domain(response),
        language=request.language if request else "vi",
        trace_id=telemetry.trace_id(),
    )
    return stream_pb2.StreamError(status=status, position=position)


def _domain(response: type[Message]) -> str:
    """The domain the service's statuses have too: `<service>.iocedu`, by the package `[iocedu.]<service>.v1`."""
    return f"{response.DESCRIPTOR.file.package.split('.')[-2]}.{telemetry.SCOPE}"
