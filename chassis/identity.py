"""Who calls: verifies tokens (ES256 or RS256, against a JWKS or, of who signs for oneself, against the keyring), and
makes this service's own short-lived tokens.

Refuses unsigned, expired and foreign tokens, and a service's or a subject's own key that signs for anybody else. What a
caller may do is not decided here but in `chassis.access`.
"""

import asyncio
import json
import time
import urllib.request
from collections.abc import Collection, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from chassis.errors import Fault, Kind
from chassis.keyring import LEEWAY_SECONDS, LONGEST_SELF_SIGNED, SELF_SIGNED, Keyring
from chassis.token_refusals import invalid_claims, invalid_token, lives_too_long

ALGORITHMS = ("ES256", "RS256")
SERVICE_PREFIX = "service:"
SERVICE_HEADER = "x-iocedu-service"
TOKEN_SECONDS = 300
MOST_CACHED = 4096
# A JWKS by URL is read again this often, so that withdrawn keys stop working; a file is looked at every second.
REFRESH_SECONDS = 300.0
# But no sooner than this after the last attempt, however many unknown keys are shown or attempts fail.
RELOAD_SECONDS = 5.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Caller:
    """Who stands behind the running request, and which service shows it to us."""

    subject: str
    service: str | None = None
    token: str = ""
    actor: str | None = None  # For whom a service works, by the `act` claim of its own token.
    roles: frozenset[str] | None = None  # The only roles it may act in, whatever it holds; None: no such bound.

    def among(self, roles: Collection[str]) -> frozenset[str]:
        """Those of the roles that it may act in."""
        return frozenset(roles) if self.roles is None else self.roles.intersection(roles)


_caller: ContextVar[Caller] = ContextVar("caller")


def caller() -> Caller:
    """The caller of the running request; RuntimeError outside of one."""
    try:
        return _caller.get()
    except LookupError:
        raise RuntimeError("there is no caller outside of a request") from None


def caller_or_none() -> Caller | None:
    """The caller of the running request, or None outside of one."""
    return _caller.get(None)


def set_caller(value: Caller) -> None:
    """Bind the caller to the running task; for the interceptors, and for jobs that act for a stored principal."""
    _caller.set(value)


@dataclass(frozen=True)
class Verified:
    """What a good token says."""

    subject: str
    actor: str | None
    expires: float  # Seconds since the epoch.
    kid: str = ""  # The subject's own key it is signed with; empty: the issuer's or a service's.
    roles: frozenset[str] | None = None  # The only roles it may act in; None: no such bound.

    def check_expiry(self) -> None:
        """Raise TOKEN_EXPIRED once its time is over."""
        if self.expires <= time.time():
            raise _expired()

    @property
    def service(self) -> str | None:
        """The service's name when the token is a service's own."""
        return self.subject.removeprefix(SERVICE_PREFIX) if self.subject.startswith(SERVICE_PREFIX) else None


@dataclass(frozen=True)
class _Key:
    key: Any
    service: bool


class Verifier:
    """Verifies tokens against a JWKS in a file (read again when it changes) or at a URL (read again now and then), and
    those that subjects signed themselves against a keyring.
    """

    def __init__(
        self, *, jwks: str, issuer: str, audience: str, longest_life: int = 86_400, keyring: Keyring | None = None
    ) -> None:
        self._source = jwks
        self._by_url = jwks.startswith(("http://", "https://"))
        self._issuer = issuer
        self._audience = audience
        self._longest_life = longest_life  # Seconds from `iat` to `exp`.
        self._keyring = keyring or Keyring()
        self._keys: dict[str, _Key] = {}
        self._cache: dict[str, Verified] = {}
        self._stamp: tuple[int, int] = (0, 0)
        self._tried = float("-inf")  # When the keys were last asked for, on the monotonic clock.
        self._lock = asyncio.Lock()

    async def verify(self, token: str) -> Verified:
        """What the token says; raises INVALID_TOKEN or TOKEN_EXPIRED. One seen before costs a look-up."""
        await self._refresh()
        known = self._cache.get(token)
        if known is None:
            known = await self._verify_anew(token)
            if len(self._cache) >= MOST_CACHED:
                self._cache.pop(next(iter(self._cache)))
            self._cache[token] = known
        try:
            self.check(known)
        except Fault:
            self._cache.pop(token, None)
            raise
        return known

    def check(self, verified: Verified) -> None:
        """Raise once a token that was good proves nothing any more: its time is over, its key or subject withdrawn."""
        verified.check_expiry()
        for named in (verified.subject, verified.actor):
            if named:
                self._keyring.refuse_suspended(named)
        if verified.kid and self._keyring.find(verified.subject, verified.kid) is None:
            raise invalid_token("unknown_key")

    async def _verify_anew(self, token: str) -> Verified:
        try:
            kid = str(jwt.get_unverified_header(token).get("kid", ""))
            said = jwt.decode(token, options={"verify_signature": False})
            if said.get("iss") == SELF_SIGNED:
                return await self._self_signed(token, subject=str(said.get("sub", "")), kid=kid)
            key = self._keys.get(kid) or await self._look_for(kid)
            if key is None:
                raise invalid_token("unknown_key") if self._keys else _no_keys()
            claims = jwt.decode(
                token,
                key.key,
                algorithms=ALGORITHMS,
                audience=self._audience,
                issuer=self._issuer,
                options={"require": ["exp", "iat", "sub", "iss", "aud"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise _expired() from error
        except jwt.InvalidTokenError as error:
            raise invalid_claims(error) from error
        if claims["exp"] - claims["iat"] > self._longest_life:
            raise lives_too_long(most=self._longest_life, seconds=claims["exp"] - claims["iat"])
        subject = str(claims["sub"])
        named = subject.removeprefix(SERVICE_PREFIX) if subject.startswith(SERVICE_PREFIX) else None
        if (named is not None and named != kid) or (named is None and key.service):
            raise invalid_token("subject_of_another_key")
        act = claims.get("act")
        actor = str(act["sub"]) if isinstance(act, dict) and "sub" in act else None
        return Verified(subject=subject, actor=actor, expires=float(claims["exp"]))

    async def _self_signed(self, token: str, *, subject: str, kid: str) -> Verified:
        """What a token says that its subject signed; the subject's own keys are the only ones tried."""
        bound = await self._keyring.look_for(subject, kid)
        self._keyring.refuse_suspended(subject)  # After the look: who may go on has keys again.
        if bound is None:
            foreign = self._keyring.is_anothers(subject, kid)
            raise invalid_token("subject_of_another_key" if foreign else "unknown_key")
        claims = jwt.decode(
            token,
            bound.key,
            algorithms=ALGORITHMS,
            audience=self._audience,
            issuer=SELF_SIGNED,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iat", "sub", "iss", "aud"]},
        )
        if claims["exp"] - claims["iat"] > LONGEST_SELF_SIGNED:
            raise lives_too_long(most=LONGEST_SELF_SIGNED, seconds=claims["exp"] - claims["iat"])
        return Verified(subject=subject, actor=None, expires=float(claims["exp"]), kid=kid, roles=bound.roles)

    def narrowed(self, subject: str) -> Mapping[int, frozenset[str] | None] | None:
        """The kinds of things that a subject's grants are for, by unit; None: nothing narrows them."""
        return self._keyring.narrowed(subject)

    async def ping(self) -> None:
        """Raise as long as there are no keys to verify with; for readiness."""
        await self._refresh()
        if not self._keys:
            raise LookupError(f"no keys from {self._source}")

    async def _refresh(self) -> None:
        """Look whether the keys changed, when it is time to; costs a glance at the clock when it is not."""
        pause = (REFRESH_SECONDS if self._keys else RELOAD_SECONDS) if self._by_url else 1.0
        if time.monotonic() - self._tried >= pause:
            await self._load()

    async def _look_for(self, kid: str) -> _Key | None:
        if time.monotonic() - self._tried >= (RELOAD_SECONDS if self._by_url else 0.0):
            await self._load()
        return self._keys.get(kid)

    async def _load(self) -> None:
        """Read the keys again; keeps the old ones when that fails."""
        asked = time.monotonic()
        async with self._lock:
            if self._tried > asked:
                return  # Another call has read them while this one waited.
            self._tried = asked
            try:
                if self._by_url:
                    text = await asyncio.to_thread(_fetch, self._source)
                else:
                    info = Path(self._source).stat()  # noqa: ASYNC240 (a local file; a thread would cost more)
                    if (info.st_mtime_ns, info.st_size) == self._stamp:
                        return
                    text = Path(self._source).read_text(encoding="utf-8")  # noqa: ASYNC240 (the same)
                    self._stamp = (info.st_mtime_ns, info.st_size)
                keys = _parse(text)
            except (OSError, HTTPException, ValueError, TypeError, KeyError, jwt.PyJWTError) as error:
                log.warning("keys not loaded", action="identity.jwks_failed", source=self._source, error=str(error))
                return
            self._keys = keys
            self._cache.clear()


class ServiceIdentity:
    """This service's own proof of who it is: tokens of five minutes, signed with its key, made anew before they end."""

    def __init__(self, service: str, key_file: Path, *, issuer: str, audience: str = "iocedu") -> None:
        key = load_pem_private_key(key_file.read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{key_file} does not hold an ES256 private key")
        self.service = service
        self._key = key
        self._issuer = issuer
        self._audience = audience
        self._made: dict[str, tuple[str, float]] = {}

    def token(self, act: str | None = None) -> str:
        """A token of this service; with `act`, one that says for whom the service works."""
        now = time.time()
        token, until = self._made.get(act or "", ("", 0.0))
        if until <= now:
            if len(self._made) >= MOST_CACHED:
                self._made.clear()
            claims: dict[str, Any] = {
                "iss": self._issuer,
                "aud": self._audience,
                "sub": f"{SERVICE_PREFIX}{self.service}",
                "iat": int(now),
                "exp": int(now) + TOKEN_SECONDS,
            }
            if act:
                claims["act"] = {"sub": act}
            token = jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": self.service})
            # A minute before it ends, so that a call that leaves now still arrives with a good token.
            self._made[act or ""] = (token, now + TOKEN_SECONDS - 60)
        return token


def public_jwk(private_key: ec.EllipticCurvePrivateKey, *, kid: str, service: bool) -> dict[str, Any]:
    """The public half as a JWK. A key marked as a service's may sign for that service (its `kid`) and nobody else."""
    jwk: dict[str, Any] = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(private_key.public_key()))
    jwk |= {"kid": kid, "alg": "ES256", "use": "sig"}
    return jwk | {"service": True} if service else jwk


def _parse(text: str) -> dict[str, _Key]:
    keys: dict[str, _Key] = {}
    for item in json.loads(text)["keys"]:
        if item.get("kty") in ("EC", "RSA"):
            keys[str(item.get("kid", ""))] = _Key(key=jwt.PyJWK(item).key, service=bool(item.get("service")))
    return keys


def _fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 (the scheme was checked to be http or https)
        text: bytes = answer.read(1 << 20)
    return text.decode()


def no_token() -> Fault:
    """What is said to a request that shows no token."""
    return Fault(
        Kind.UNAUTHENTICATED,
        "NO_TOKEN",
        vi="Yêu cầu chưa kèm mã truy cập. Hãy gửi tiêu đề `authorization: Bearer <mã>`.",
        en="The request shows no token. Send the header `authorization: Bearer <token>`.",
    )


def _expired() -> Fault:
    return Fault(
        Kind.UNAUTHENTICATED,
        "TOKEN_EXPIRED",
        vi="Mã truy cập đã hết hạn. Hãy lấy mã mới rồi gửi lại.",
        en="The token has expired. Get a new one and send the request again.",
    )


def _no_keys() -> Fault:
    return Fault(
        Kind.UNAVAILABLE,
        "UNAVAILABLE",
        vi="Hệ thống tạm thời chưa kiểm tra được mã truy cập. Vui lòng thử lại sau giây lát.",
        en="Tokens cannot be verified at the moment. Please try again shortly.",
    )
