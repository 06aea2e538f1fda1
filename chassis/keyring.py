"""Keys of subjects who sign their own tokens: each verifies the tokens of its subject, and of nobody else.

One service publishes the whole set to a key-value bucket; every service looks at it each second and keeps what it has
while the broker is away. Refuses a key under another subject's name, and whoever is suspended, whatever token is shown.

Beside it the same service tells which kinds of things the grants of such subjects are for: of each, by unit. A subject
that is named there is narrowed to that; a grant that is not told of yet is for nothing.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt
import structlog
from nats.js.errors import KeyNotFoundError

from chassis.bus import Bus
from chassis.errors import Fault, Kind
from chassis.logs import said
from chassis.workers import Check, Worker

SELF_SIGNED = "iocedu:self-signed"  # The `iss` of tokens that their own subject has signed.
LONGEST_SELF_SIGNED = 300  # Seconds from `iat` to `exp`.
LEEWAY_SECONDS = 10.0  # How far another's clock may be ahead of ours.
BUCKET = "keyring"
ENTRY = "set"
NARROWED_ENTRY = "narrowed"
LOOK_SECONDS = 1.0
LOOK_AGAIN_SECONDS = 0.2  # But no sooner than this after the last look, however many unknown keys are shown.
MOST_BYTES = 900_000  # NATS carries 1 MB a message by default.

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BoundKey:
    """A public key with whose it is, and the roles it may act in."""

    key: Any
    subject: str
    roles: frozenset[str]


class Keyring:
    """The set in force. Hand it to the server by `App.keyring`, which runs its worker and asks its check."""

    def __init__(self, bus: Bus | None = None) -> None:
        self._bus = bus
        self._keys: dict[tuple[str, str], BoundKey] = {}
        self._suspended: frozenset[str] = frozenset()
        self._text = b""
        self._narrowed: dict[str, dict[int, frozenset[str] | None]] = {}
        self._narrowed_text = b""
        self._looked = bus is None
        self._looked_at = float("-inf")  # On the monotonic clock.
        self.worker = Worker("keyring", self._run)
        self.check = Check("keyring", self._ping)

    @property
    def follows(self) -> bool:
        """Whether there is a bucket to follow, and so a worker to run."""
        return self._bus is not None

    def find(self, subject: str, kid: str) -> BoundKey | None:
        """The key that a subject names, None when it is not in force or another's."""
        return self._keys.get((subject, kid))

    async def look_for(self, subject: str, kid: str) -> BoundKey | None:
        """The same, looking at what is published once more where it is not there, but not more often than is fair."""
        found = self.find(subject, kid)
        if found is None and self._bus is not None and time.monotonic() - self._looked_at >= LOOK_AGAIN_SECONDS:
            with contextlib.suppress(Exception):  # A broker that is away is no answer; the worker says so.
                await self.refresh()
            found = self.find(subject, kid)
        return found

    def is_anothers(self, subject: str, kid: str) -> bool:
        """Whether the key is in force for somebody else."""
        return any(named == kid and owner != subject for owner, named in self._keys)

    def refuse_suspended(self, subject: str) -> None:
        """Raise SUBJECT_SUSPENDED for who may do nothing for the time being."""
        if subject in self._suspended:
            raise Fault(
                Kind.DENIED,
                "SUBJECT_SUSPENDED",
                vi=f"“{subject}” đang bị tạm dừng. Hãy liên hệ sở đã đăng ký đối tác này.",
                en=f"“{subject}” is suspended. Ask the department that registered it.",
                metadata={"subject": subject},
            )

    def narrowed(self, subject: str) -> Mapping[int, frozenset[str] | None] | None:
        """The kinds of things that a subject's grants are for, by unit, of one None: all; None: it is not narrowed."""
        return self._narrowed.get(subject)

    def take_narrowed(self, text: bytes) -> None:
        """Let what is told of narrowed subjects take the place of the present; what cannot be read changes nothing."""
        if text == self._narrowed_text:
            return
        try:
            found = {str(subject): _by_unit(told) for subject, told in json.loads(text).items()}
        except (ValueError, TypeError, AttributeError) as error:
            log.warning("narrowed subjects not read", action="keyring.unreadable", error=str(error))
            return
        self._narrowed, self._narrowed_text = found, text
        log.info("narrowed subjects taken", action="keyring.narrowed", subjects=len(found))

    def take(self, text: bytes) -> None:
        """Let a published set take the place of the present one; one that cannot be read changes nothing."""
        if text == self._text:
            return
        try:
            told = json.loads(text)
            keys = {(str(one["sub"]), str(one["kid"])): _bound(one) for one in told["keys"]}
            suspended = frozenset(map(str, told["suspended"]))
        except (ValueError, TypeError, KeyError, jwt.PyJWTError) as error:
            log.warning("keyring not read", action="keyring.unreadable", error=str(error))
            return
        self._keys, self._suspended, self._text = keys, suspended, text
        log.info("keyring taken", action="keyring.taken", keys=len(keys), suspended=len(suspended))

    async def refresh(self) -> None:
        """Look once at what is published."""
        assert self._bus is not None, "this keyring follows no bucket"
        self._looked_at = time.monotonic()
        bucket = await self._bus.key_value(BUCKET)
        with contextlib.suppress(KeyNotFoundError):
            self.take_narrowed((await bucket.get(NARROWED_ENTRY)).value or b"")
        with contextlib.suppress(KeyNotFoundError):
            self.take((await bucket.get(ENTRY)).value or b"")
        self._looked = True

    async def _run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001 (a broker that is away is waited for, whatever it raises)
                log.warning("keyring not looked at", action="keyring.read_failed", error=said(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_SECONDS)

    async def _ping(self) -> None:
        if not self._looked:
            raise LookupError("the keyring was not looked at yet")


def described(keys: Iterable[Mapping[str, Any]], *, suspended: Sequence[str]) -> bytes:
    """A set as it is published: JWKs, each with `kid`, `sub` and `roles`, and who is suspended."""
    told = {"keys": list(keys), "suspended": sorted(suspended)}
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()


def narrowing(told: Mapping[str, Iterable[tuple[Collection[str] | None, Collection[int]]]]) -> bytes:
    """Narrowed subjects as they are published: of each the kinds, None for all, with the units they are for."""
    listed = {
        subject: [[None if kinds is None else sorted(kinds), sorted(units)] for kinds, units in parts]
        for subject, parts in told.items()
    }
    return json.dumps(listed, sort_keys=True, separators=(",", ":")).encode()


async def publish(bus: Bus, text: bytes, entry: str = ENTRY) -> bool:
    """Publish a set; False where it is there already. Who publishes sees to it that an older set never comes later."""
    if len(text) > MOST_BYTES:
        raise ValueError(f"{entry}: more is in force than one entry of the broker holds")
    bucket = await bus.key_value(BUCKET)
    with contextlib.suppress(KeyNotFoundError):
        if (await bucket.get(entry)).value == text:
            return False
    await bucket.put(entry, text)
    return True


def _by_unit(parts: Iterable[tuple[Iterable[str] | None, Iterable[int]]]) -> dict[int, frozenset[str] | None]:
    found: dict[int, frozenset[str] | None] = {}
    for kinds, units in parts:
        for unit_id in map(int, units):
            held = found.get(unit_id, frozenset())
            found[unit_id] = None if kinds is None or held is None else held | frozenset(map(str, kinds))
    return found


def _bound(item: Mapping[str, Any]) -> BoundKey:
    return BoundKey(jwt.PyJWK(dict(item)).key, str(item["sub"]), frozenset(map(str, item["roles"])))
