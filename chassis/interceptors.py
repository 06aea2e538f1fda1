"""What every call passes before it reaches a servicer, in one lean chain for all four kinds of RPC.

Span, metrics and log → faults into statuses → deadline → identity → the request's own rules → access; and what an
answer may show of personal data is written down before it leaves. Health and reflection are exempt. A request stream is
decided on its first message, before the servicer runs, and again on a later message that names another unit; a servicer
reads the stream through the iterator it is given.
"""

import asyncio
import contextlib
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import grpc
import structlog
from google.protobuf.message import Message
from opentelemetry.trace import Span, SpanKind

from chassis import telemetry, validation
from chassis.access import Rule, decide, rule_of
from chassis.clock import Clock
from chassis.disclosures import (
    Note,
    Shown,
    begin_writing,
    count_of,
    is_envelope,
    is_unmasked,
    to_be_written,
    written_down,
)
from chassis.errors import STATUS_KEY, Fault, Kind, language_of, to_status, unexpected
from chassis.identity import SERVICE_HEADER, Caller, Verified, Verifier, no_token, set_caller
from chassis.request import RETURN_SECONDS, Request, set_request
from chassis.scope_tree import EVERY_UNIT
from chassis.scopes import Scopes
from chassis.token_refusals import invalid_token

EXEMPT = ("/grpc.health.v1.Health/", "/grpc.reflection.")

log = structlog.get_logger(__name__)

Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class _Method:
    """What is known of a method before any call."""

    name: str  # `package.Service/Method`
    rule: Rule | None
    attributes: Mapping[str, str]  # Of its spans.
    labels: Mapping[str, str]  # Of its metrics.

    @classmethod
    def of(cls, path: str) -> "_Method":
        name = path.lstrip("/")
        service, _, rpc = name.partition("/")
        attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": rpc}
        return cls(name, rule_of(path), attributes, {"method": name})


@dataclass(slots=True)
class _Call:
    """One call under way."""

    method: _Method
    context: Any
    headers: dict[str, Any]
    language: str
    span: Span
    started: float
    caller: Caller | None = None
    verified: Verified | None = None
    asked: Message | None = None  # What was decided on: the request, of a stream its first message.

    def end(self, code: str) -> None:
        instruments = telemetry.metrics()
        instruments.requests.add(1, {"method": self.method.name, "code": code})
        instruments.duration.record(time.perf_counter() - self.started, self.method.labels)
        self.span.end()
        log.debug("answered", action="rpc.answered", method=self.method.name, code=code)


class Chain(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # it stands before methods of every type
    """The chain of one server. Handlers are wrapped once and remembered, so that a call pays for no assembly."""

    def __init__(
        self,
        *,
        service: str,
        verifier: Verifier,
        scopes: Scopes | None,
        stopping: asyncio.Event,
        clock: Clock | None = None,
        note: Note | None = None,
    ) -> None:
        self._note = note
        self._domain = f"{service}.iocedu"
        self._verifier = verifier
        self._scopes = scopes
        self._stopping = stopping
        self._clock = clock or Clock()
        self._handlers: dict[str, Any] = {}

    async def intercept_service(self, continuation: Continuation, handler_call_details: Any) -> Any:
        """Give the wrapped handler of the method; None (UNIMPLEMENTED) where there is none."""
        method: str = handler_call_details.method
        handler = self._handlers.get(method)
        if handler is None:
            handler = await continuation(handler_call_details)
            if handler is not None:
                if not method.startswith(EXEMPT):
                    handler = self._wrap(handler, method)
                self._handlers[method] = handler
        return handler

    def _wrap(self, handler: Any, path: str) -> Any:
        method = _Method.of(path)
        coders = {
            "request_deserializer": handler.request_deserializer,
            "response_serializer": handler.response_serializer,
        }
        streamed = handler.request_streaming
        if streamed and handler.response_streaming:
            behaviour = self._answer_stream(handler.stream_stream, method, streamed=True)
            return grpc.stream_stream_rpc_method_handler(behaviour, **coders)
        if handler.response_streaming:
            behaviour = self._answer_stream(handler.unary_stream, method, streamed=False)
            return grpc.unary_stream_rpc_method_handler(behaviour, **coders)
        if streamed:
            behaviour = self._answer_one(handler.stream_unary, method, streamed=True)
            return grpc.stream_unary_rpc_method_handler(behaviour, **coders)
        return grpc.unary_unary_rpc_method_handler(
            self._answer_one(handler.unary_unary, method, streamed=False), **coders
        )

    def _answer_one(self, behaviour: Any, method: _Method, *, streamed: bool) -> Any:
        async def answer(request: Any, context: Any) -> Any:
            call = self._begin(method, context)
            limit = asyncio.timeout(None)
            try:
                # Within the shaved deadline, so that no work is done for an answer that comes too late.
                limit = asyncio.timeout(await self._admit(call))
                async with limit:
                    request = await self._let_pass(call, request, streamed=streamed)
                    response = await behaviour(request, context)
                    if to_be_written():
                        await self._write_down(call, response)
            except BaseException as error:  # noqa: BLE001 (rendered, or raised again, by _refuse)
                await self._refuse(call, too_late() if limit.expired() else error)
            call.end("OK")
            return response

        return answer

    def _answer_stream(self, behaviour: Any, method: _Method, *, streamed: bool) -> Any:
        async def generate(request: Any, context: Any) -> AsyncIterator[Any]:
            call = self._begin(method, context)
            try:
                await self._admit(call)
                request = await self._let_pass(call, request, streamed=streamed)
                async with contextlib.aclosing(behaviour(request, context)) as responses:
                    async for response in responses:
                        if to_be_written() and not is_envelope(response):
                            await self._write_down(call)
                        yield response
            except BaseException as error:  # noqa: BLE001 (rendered, or raised again, by _refuse)
                await self._refuse(call, error)
            call.end("OK")

        async def write(request: Any, context: Any) -> None:
            call = self._begin(method, context)
            try:
                await self._admit(call)
                request = await self._let_pass(call, request, streamed=streamed)
                if to_be_written():
                    await self._write_down(call)
                await behaviour(request, context)
            except BaseException as error:  # noqa: BLE001 (rendered, or raised again, by _refuse)
                await self._refuse(call, error)
            call.end("OK")

        return write if inspect.iscoroutinefunction(behaviour) else generate

    def _begin(self, method: _Method, context: Any) -> _Call:
        headers = dict(context.invocation_metadata() or ())
        parent = headers.get(telemetry.TRACEPARENT)
        span = telemetry.start_span(method.name, kind=SpanKind.SERVER, parent=parent, attributes=method.attributes)
        telemetry.make_current(span)
        language = language_of(headers.get("accept-language", ""))
        return _Call(method, context, headers, language, span, time.perf_counter())

    async def _admit(self, call: _Call) -> float | None:
        """Deadline and identity; returns the seconds left for the work."""
        left: float | None = call.context.time_remaining()
        if left is not None:
            left -= RETURN_SECONDS
            if left <= 0:
                raise too_late()
        deadline = None if left is None else time.monotonic() + left
        set_request(
            Request(call.method.name, deadline, call.language, self._stopping, lambda: self._decide_again(call))
        )
        token = _bearer(call.headers.get("authorization"))
        if token is None:
            raise no_token()
        call.verified = verified = await self._verifier.verify(token)
        service = verified.service
        shown = _bearer(call.headers.get(SERVICE_HEADER))
        if shown is not None and shown != token:
            service = (await self._verifier.verify(shown)).service
            if service is None:
                raise invalid_token("not_a_service")
        rule = call.method.rule
        # A service that the method names reads for what it computes; whom it shows that to, it writes down itself.
        if rule is not None and rule.reveals_personal_data and service not in rule.services:
            begin_writing()
        call.caller = Caller(verified.subject, service, token, verified.actor, verified.roles)
        set_caller(call.caller)
        return left

    async def _let_pass(self, call: _Call, request: Any, *, streamed: bool) -> Any:
        """The request's own rules, then access; of a stream, those of its first message, and then the whole stream."""
        if not streamed:
            validation.check(request)
            self._decide(call, request)
            call.asked = request
            return request
        source = aiter(request)
        try:
            first = await anext(source)
        except StopAsyncIteration:
            raise _empty_stream() from None
        validation.check(first)
        self._decide(call, first)
        call.asked = first
        return self._rest(call, first, source)

    async def _write_down(self, call: _Call, response: Message | None = None) -> None:
        """Note what is about to be shown, once for each unit that the request names."""
        rule, asked, who, tree, now = call.method.rule, call.asked, call.caller, self._tree(), self._clock.now()
        if self._note is None or rule is None or asked is None or who is None:
            raise TypeError(f"{call.method.name} reveals personal data, but nothing here writes that down")
        refs = rule.named_units(asked) if rule.named_units else []
        for unit_id in dict.fromkeys(tree.resolve(ref, self._clock.today()) for ref in refs or [str(EVERY_UNIT)]):
            await self._note(
                Shown(
                    time=now,
                    subject=who.subject,
                    method=rule.method.rpartition("/")[2],
                    unit_id=unit_id or EVERY_UNIT,
                    record_count=0 if response is None else count_of(response),
                    purpose=str(getattr(asked, "purpose", "")).strip(),
                    unmasked=response is not None and is_unmasked(response),
                    trace_id=telemetry.trace_id(),
                )
            )
        written_down()

    def _decide(self, call: _Call, request: Message | None) -> None:
        if call.caller is None or request is None:
            raise no_token()
        narrowed = self._verifier.narrowed(call.caller.subject)
        decide(call.method.rule, call.caller, request, tree=self._tree, day=self._clock.today(), narrowed=narrowed)

    def _decide_again(self, call: _Call) -> None:
        """Whether a stream may go on: its token's time and its caller's right may end while it runs."""
        if call.verified is not None:
            self._verifier.check(call.verified)
        self._decide(call, call.asked)

    def _tree(self) -> Any:
        if self._scopes is None:
            raise TypeError("this server was given no scopes, but a method's access needs them")
        return self._scopes.tree

    async def _rest(self, call: _Call, first: Message, source: AsyncIterator[Message]) -> AsyncIterator[Message]:
        yield first
        rule = call.method.rule
        read = rule.named_units if rule else None
        decided = set(read(first)) | {""} if read else set()
        async for message in source:
            validation.check(message)
            if read and not decided.issuperset(named := read(message)):
                self._decide(call, message)
                decided.update(named)
            yield message

    async def _refuse(self, call: _Call, error: BaseException) -> NoReturn:
        """Answer with the fault's status; what is none leaves as INTERNAL. Cancellation goes on its way."""
        if isinstance(error, asyncio.CancelledError | GeneratorExit) or not isinstance(error, Exception):
            telemetry.mark_failed(call.span, "CANCELLED")
            call.end("CANCELLED")
            raise error
        if isinstance(error, grpc.aio.AbortError):
            call.end("ABORTED")
            raise error
        fault = error if isinstance(error, Fault) else unexpected()
        telemetry.mark_failed(call.span, fault.reason)
        if fault.kind is Kind.INTERNAL:
            log.error("failed", action="rpc.failed", method=call.method.name, exc_info=error)
        else:
            log.info("refused", action="rpc.refused", method=call.method.name, reason=fault.reason, cause=fault.en)
        if fault.kind is Kind.INTERNAL:
            fault = unexpected()
        status = to_status(fault, domain=self._domain, language=call.language, trace_id=telemetry.trace_id())
        call.end(fault.kind.value.name)
        await call.context.abort(fault.kind.value, status.message, ((STATUS_KEY, status.SerializeToString()),))
        raise error


def too_late() -> Fault:
    """What is said to a call whose deadline leaves no time for the work."""
    return Fault(
        Kind.DEADLINE,
        "TOO_LATE_DEADLINE",
        vi="Thời hạn của yêu cầu không còn đủ để xử lý. Hãy gửi lại với thời hạn dài hơn.",
        en="The request's deadline leaves no time for the work. Send it again with a longer one.",
    )


def _empty_stream() -> Fault:
    return Fault(
        Kind.INVALID,
        "INVALID_FIELD",
        vi="Luồng dữ liệu kết thúc mà chưa gửi thông điệp nào.",
        en="The stream ended without a single message.",
    )


def _bearer(header: Any) -> str | None:
    if not isinstance(header, str) or header[:7].lower() != "bearer ":
        return None
    return header[7:].strip() or None
