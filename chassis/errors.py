"""The one way to refuse: a fault with a stable reason and a sentence for people, and its shape on the wire.

Whatever is not a `Fault` leaves the process as INTERNAL with a trace id and nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from chassis.wording import in_vietnamese

MOST_VIOLATIONS = 20
MOST_BYTES = 4096  # Larger details are lost in HTTP/2 metadata on the way.
MOST_TEXT = 1500  # Bytes of a message; of what is said beside it in English, a third of it.
STATUS_KEY = "grpc-status-details-bin"


class Kind(Enum):
    """What went wrong, as one gRPC status code."""

    INVALID = grpc.StatusCode.INVALID_ARGUMENT
    NOT_FOUND = grpc.StatusCode.NOT_FOUND
    DENIED = grpc.StatusCode.PERMISSION_DENIED
    UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
    CONFLICT = grpc.StatusCode.ABORTED
    EXISTS = grpc.StatusCode.ALREADY_EXISTS
    PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
    EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
    UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
    TOO_LATE = grpc.StatusCode.OUT_OF_RANGE
    DEADLINE = grpc.StatusCode.DEADLINE_EXCEEDED
    UNIMPLEMENTED = grpc.StatusCode.UNIMPLEMENTED
    INTERNAL = grpc.StatusCode.INTERNAL

    @property
    def number(self) -> int:
        """The code as `google.rpc.Status.code` carries it."""
        return int(self.value.value[0])


@dataclass(frozen=True)
class FieldViolation:
    """One field that cannot be taken, by its path in the request."""

    field: str
    reason: str
    vi: str
    en: str


class Fault(Exception):  # noqa: N818 (a fault is what we call it on the wire, in logs and in the docs)
    """A refusal the caller can act on. `reason` is stable UPPER_SNAKE_CASE; `vi` and `en` are sentences for people."""

    def __init__(
        self,
        kind: Kind,
        reason: str,
        *,
        vi: str,
        en: str,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[FieldViolation] = (),
        retry_after: timedelta | None = None,
        domain: str | None = None,
    ) -> None:
        super().__init__(kind, reason, en)
        self.kind = kind
        self.reason = reason
        self.vi = vi
        self.en = en
        self.metadata: Mapping[str, str] = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_after = retry_after
        self.domain = domain

    def __str__(self) -> str:
        """The sentence and what it is about, for logs."""
        return f"{self.reason}: {self.en}"

    def text(self, language: str) -> str:
        """The sentence in `vi` or `en`."""
        return self.en if language == "en" else in_vietnamese(self.vi)


def language_of(accept_language: str) -> str:
    """The language to answer in: `en` where the caller prefers it to Vietnamese, else `vi`."""
    best, chosen = 0.0, "vi"
    for part in accept_language.split(","):
        tag, _, quality = part.strip().partition(";q=")
        primary = tag.partition("-")[0].lower()
        if primary not in ("vi", "en"):
            continue
        try:
            weight = float(quality or 1)
        except ValueError:
            continue
        if weight > best:
            best, chosen = weight, primary
    return chosen


def to_status(fault: Fault, *, domain: str, language: str, trace_id: str = "") -> status_pb2.Status:
    """Render a fault as `google.rpc.Status`, cut to 20 violations and 4 kB."""
    metadata = {key: value[:256] for key, value in fault.metadata.items()}
    if trace_id:
        metadata["trace_id"] = trace_id
    info = error_details_pb2.ErrorInfo(reason=fault.reason, domain=fault.domain or domain, metadata=metadata)
    text = error_details_pb2.LocalizedMessage(locale=language, message=_shortened(fault.text(language), MOST_TEXT))
    details: list[any_pb2.Any] = [_pack(info), _pack(text)]
    if fault.retry_after is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromTimedelta(fault.retry_after)
        details.append(_pack(retry))
    status = status_pb2.Status(code=fault.kind.number, message=_shortened(fault.en, MOST_TEXT // 3), details=details)
    if fault.violations:
        room = MOST_BYTES - status.ByteSize() - 64
        status.details.append(_pack(_bad_request(fault.violations, room=room, language=language)))
    return status


def _shortened(text: str, most: int) -> str:
    """A text of at most so many bytes, cut between words."""
    encoded = text.encode()
    if len(encoded) <= most:
        return text
    return f"{encoded[: most - 3].decode(errors='ignore').rsplit(' ', 1)[0]}…"


def from_status(status: status_pb2.Status) -> Fault:
    """Read a fault back from the wire; what carries no `ErrorInfo` gets its code as reason."""
    kind = _KIND_BY_NUMBER.get(status.code, Kind.INTERNAL)
    fault = Fault(kind, kind.name, vi=status.message, en=status.message)
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        text = error_details_pb2.LocalizedMessage()
        retry = error_details_pb2.RetryInfo()
        bad = error_details_pb2.BadRequest()
        if detail.Unpack(info):
            fault.reason, fault.domain, fault.metadata = info.reason, info.domain, dict(info.metadata)
        elif detail.Unpack(text) and text.locale == "vi":
            fault.vi = text.message
        elif detail.Unpack(retry):
            fault.retry_after = retry.retry_delay.ToTimedelta()
        elif detail.Unpack(bad):
            fault.violations = tuple(
                FieldViolation(
                    item.field, item.reason, item.localized_message.message or item.description, item.description
                )
                for item in bad.field_violations
            )
    fault.args = (fault.kind, fault.reason, fault.en)
    return fault


def unexpected() -> Fault:
    """What a caller hears of an exception nobody foresaw."""
    return Fault(
        Kind.INTERNAL,
        "INTERNAL",
        vi="Hệ thống gặp lỗi ngoài dự kiến. Vui lòng thử lại; nếu vẫn lỗi, hãy gửi mã trace_id cho bộ phận vận hành.",
        en="Something unexpected went wrong. Please try again; if it persists, give the trace_id to your operator.",
    )


def _pack(message: error_details_pb2.ErrorInfo | object) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)  # type: ignore[arg-type]  # each caller hands in a message
    return packed


def _bad_request(violations: Sequence[FieldViolation], *, room: int, language: str) -> error_details_pb2.BadRequest:
    bad = error_details_pb2.BadRequest()
    for violation in violations[:MOST_VIOLATIONS]:
        item = error_details_pb2.BadRequest.FieldViolation(
            field=violation.field[:200],
            description=violation.en[:300],
            reason=violation.reason,
            localized_message=error_details_pb2.LocalizedMessage(
                locale=language, message=(violation.en if language == "en" else in_vietnamese(violation.vi))[:300]
            ),
        )
        room -= item.ByteSize() + 4
        if room < 0:
            break
        bad.field_violations.append(item)
    return bad


_KIND_BY_NUMBER = {kind.number: kind for kind in Kind}
