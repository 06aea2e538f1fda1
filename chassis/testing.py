"""What tests of services stand on: a clock that stands still, keys and tokens, a server in process with the real chain.

Nothing here fakes a service: servicers run behind the real interceptors, on a free port.
"""

import json
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from chassis import telemetry
from chassis.clients import ServiceChannel, open_channel
from chassis.clock import Clock
from chassis.identity import SERVICE_HEADER, ServiceIdentity, public_jwk
from chassis.server import App, serving
from chassis.settings import ServiceSettings

ISSUER = "https://issuer.test"
AUDIENCE = "iocedu"
ISSUER_KID = "issuer-1"


class FixedClock(Clock):
    """A clock that moves only when told to."""

    def __init__(self, instant: datetime | str = "2026-11-02T01:00:00+00:00") -> None:
        self._instant = self._aware(instant)

    def now(self) -> datetime:
        """The instant it was set to, in UTC."""
        return self._instant

    def advance(self, by: timedelta) -> None:
        """Move on."""
        self._instant += by

    def set(self, instant: datetime | str) -> None:
        """Move to an instant."""
        self._instant = self._aware(instant)

    @staticmethod
    def _aware(instant: datetime | str) -> datetime:
        value = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
        if value.tzinfo is None:
            raise ValueError("an instant carries its zone")
        return value.astimezone(UTC)


@dataclass(frozen=True)
class Keys:
    """An issuer and the services' keys, as files in one directory: `jwks.json` and `<service>.pem`."""

    directory: Path
    issuer_key: ec.EllipticCurvePrivateKey

    @classmethod
    def create(cls, directory: Path, services: Iterable[str]) -> "Keys":
        """Make keys for an issuer and each service."""
        issuer_key = ec.generate_private_key(ec.SECP256R1())
        published = [public_jwk(issuer_key, kid=ISSUER_KID, service=False)]
        for service in services:
            key = ec.generate_private_key(ec.SECP256R1())
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            (directory / f"{service}.pem").write_bytes(pem)
            published.append(public_jwk(key, kid=service, service=True))
        (directory / "jwks.json").write_text(json.dumps({"keys": published}), encoding="utf-8")
        return cls(directory, issuer_key)

    @property
    def jwks(self) -> str:
        """Path of the public keys."""
        return str(self.directory / "jwks.json")

    def key_file(self, service: str) -> Path:
        """Path of a service's private key."""
        return self.directory / f"{service}.pem"

    def identity(self, service: str) -> ServiceIdentity:
        """A service's identity."""
        return ServiceIdentity(service, self.key_file(service), issuer=ISSUER, audience=AUDIENCE)

    def token(self, subject: str, *, seconds: float = 300, **claims: Any) -> str:
        """A token of the issuer; claims given as None are left out."""
        now = int(time.time())
        body = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": int(now + seconds)} | claims
        body = {name: value for name, value in body.items() if value is not None}
        return jwt.encode(body, self.issuer_key, algorithm="ES256", headers={"kid": ISSUER_KID})

    def settings(self, service: str, **fields: Any) -> ServiceSettings:
        """Settings for a server in process; it opens no database and no broker by itself."""
        defaults: dict[str, Any] = {
            "database_url": "postgresql://nobody@127.0.0.1:1/none",
            "nats_url": "nats://127.0.0.1:1",
            "jwks": self.jwks,
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "service_key_file": self.key_file(service),
            "grace_seconds": 1.0,
        }
        return ServiceSettings(**(defaults | fields))


@asynccontextmanager
async def serve_app(service: str, app: App, keys: Keys, *, clock: Clock | None = None) -> AsyncIterator[str]:
    """Run an assembled service in process behind the real chain; yields its address once ready."""
    async with serving(service, app, keys.settings(service), clock=clock) as address:
        yield address


@asynccontextmanager
async def client(
    address: str,
    token: str | None = None,
    *,
    service_token: str | None = None,
    language: str = "en",
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[grpc.aio.Channel]:
    """A channel as a caller has it: shows the token, waits a minute, raises `chassis.errors.Fault`."""
    sent = {"accept-language": language, **(headers or {})}
    if token:
        sent["authorization"] = f"Bearer {token}"
    if service_token:
        sent[SERVICE_HEADER] = f"Bearer {service_token}"
    async with ServiceChannel(
        open_channel(address), metadata=lambda: list(sent.items()), default_seconds=60
    ) as channel:
        yield channel


class _Kept(SpanExporter):
    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans.extend(spans)
        return SpanExportResult.SUCCESS


@contextmanager
def recorded_spans() -> Iterator[list[ReadableSpan]]:
    """Record every span of this process within the block; the list fills as spans end."""
    kept = _Kept()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer(telemetry.SCOPE)
    usual = telemetry._tracer  # noqa: SLF001 (the one seam; the global provider can be set only once in a process)
    telemetry._tracer = lambda: tracer  # type: ignore[assignment]  # noqa: SLF001 (the same)
    try:
        yield kept.spans
    finally:
        telemetry._tracer = usual  # noqa: SLF001 (the same)
        provider.shutdown()


def span_tree(spans: Sequence[ReadableSpan]) -> list[str]:
    """Spans as indented names, children below their parents in order of their start: what a test compares."""
    ids = {span.context.span_id for span in spans if span.context}
    lines: list[str] = []

    def below(parent: int | None, depth: int) -> None:
        found = [span for span in spans if _parent_of(span, ids) == parent]
        for span in sorted(found, key=lambda one: one.start_time or 0):
            lines.append("  " * depth + span.name)
            if span.context:
                below(span.context.span_id, depth + 1)

    below(None, 0)
    return lines


def _parent_of(span: ReadableSpan, known: set[int]) -> int | None:
    return span.parent.span_id if span.parent and span.parent.span_id in known else None
