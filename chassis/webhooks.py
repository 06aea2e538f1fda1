"""Signed requests to addresses that people name: which may be called, how they are signed, how long one may take.

The scheme is that of Standard Webhooks. The name is resolved here and the connection goes to the address that was
checked, so that a name that leads elsewhere a moment later reaches nothing inside. Refuses whatever hides an inner
address, follows no redirect, and has one deadline for all of it, however slowly a receiver drips.
"""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import ipaddress
import secrets
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpx

DEADLINE_SECONDS: Final = 10.0  # From resolving the name to the status of the answer.
DRAIN_SECONDS: Final = 1.0  # What an answer says beside its status is read so long, to use the connection again,
MOST_READ: Final = 64_000  # and so far; nobody needs it.
PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32
TOLERANCE_SECONDS: Final = 300  # A receiver refuses what is older.
ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_NAT64_LOCAL: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")  # IPv4 in its oldest disguise; also `::` and `::1`.


class AddressRefusedError(Exception):
    """The address is not one that may be called; the message says why, in English, free of what is inside."""


class NotDeliveredError(Exception):
    """No status came: the name, the connection or the time did not hold. It may be tried again.

    `reason` says which, for programs: UNKNOWN_NAME, CERTIFICATE, UNREACHABLE or NO_ANSWER.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request goes: the checked address in the place of the name."""

    url: httpx.URL
    host: str
    name: str


def new_secret() -> str:
    """A secret that nobody can guess."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signature(secret: str, *, message_id: str, timestamp: int, body: bytes) -> str:
    """What stands in the header `webhook-signature`: HMAC-SHA256 over id, timestamp and body.

    A secret without the prefix, as older subscribers have, is the key as it stands.
    """
    key = base64.b64decode(secret.removeprefix(PREFIX)) if secret.startswith(PREFIX) else secret.encode()
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def verified(secret: str, *, message_id: str, timestamp: int, body: bytes, given: str, now: float) -> bool:
    """Whether a receiver may trust what it got: one of the signatures is right, and it is not old."""
    if abs(now - timestamp) > TOLERANCE_SECONDS:
        return False
    expected = signature(secret, message_id=message_id, timestamp=timestamp, body=body)
    return any(hmac.compare_digest(expected, one) for one in given.split(" "))


def is_public(address: str) -> bool:
    """Whether an IP address lies outside of every private, local and reserved network, and hides none that does."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found in _NAT64_LOCAL:
            return False
        return _global(found) if (inner := _hidden(found)) is None else all(map(_global, inner))
    return _global(found)


def _hidden(address: ipaddress.IPv6Address) -> tuple[ipaddress.IPv4Address, ...] | None:
    """The IPv4 addresses that an IPv6 address stands for; None: it stands for itself."""
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    if address in _NAT64 or address in _COMPATIBLE:
        return (ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF),)
    return None


def _global(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_global and not (address.is_multicast or address.is_reserved)


async def checked_place(url: str, *, private_allowed: bool) -> Place:
    """Where a URL leads. Raises AddressRefusedError where it may not, NotDeliveredError for a name nobody knows.

    `private_allowed` is for trials on one machine: http and addresses inside.
    """
    schemes = ("https", "http") if private_allowed else ("https",)
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise AddressRefusedError("the host or the port is none") from None
    if parts.scheme not in schemes or not parts.hostname or parts.username or parts.password:
        raise AddressRefusedError(f"an address by {' or '.join(schemes)} without a user name is needed")
    try:
        found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise AddressRefusedError("the host is none") from None
    except OSError as error:
        raise NotDeliveredError(f"the name cannot be resolved: {error}", reason="UNKNOWN_NAME") from error
    addresses = [str(entry[4][0]) for entry in found]
    # All of them: a name that also leads inside is not to be trusted.
    if not private_allowed and not all(is_public(address) for address in addresses):
        raise AddressRefusedError("the name leads to an address that is not public")
    inner = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
    query = f"?{parts.query}" if parts.query else ""
    pinned = httpx.URL(f"{parts.scheme}://{inner}:{port}{parts.path or '/'}{query}")
    return Place(pinned, parts.netloc, parts.hostname)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one receiver; a repeat carries the same id, a new time and so a new signature."""

    message_id: str
    url: str
    secret: str
    body: bytes


async def post(client: httpx.AsyncClient, delivery: Delivery, *, private_allowed: bool) -> int:
    """Send one signed request and return the status of the answer.

    Raises AddressRefusedError, and NotDeliveredError where no status came in time.
    """
    timestamp = int(time.time())
    signed = signature(delivery.secret, message_id=delivery.message_id, timestamp=timestamp, body=delivery.body)
    headers = {
        "content-type": "application/json",
        "user-agent": "iocedu-webhook/1",
        ID: delivery.message_id,
        TIMESTAMP: str(timestamp),
        SIGNATURE: signed,
    }
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            place = await checked_place(delivery.url, private_allowed=private_allowed)
            async with client.stream(
                "POST",
                place.url,
                content=delivery.body,
                headers={"host": place.host, **headers},
                timeout=DEADLINE_SECONDS,
                follow_redirects=False,
                extensions={"sni_hostname": place.name},
            ) as answer:
                await _drain(answer)
                return answer.status_code
    except TimeoutError as error:
        raise NotDeliveredError(f"no answer within {DEADLINE_SECONDS:g} s", reason="NO_ANSWER") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NotDeliveredError(f"{type(error).__name__}: {error}", reason=_reason(error)) from error


def _reason(error: BaseException | None) -> str:
    """What did not hold, by what lies at the bottom of it."""
    if isinstance(error, httpx.TimeoutException):
        return "NO_ANSWER"
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return "CERTIFICATE"
        error = error.__cause__ or error.__context__
    return "UNREACHABLE"


async def _drain(answer: httpx.Response) -> None:
    """Read what little follows the status; a body that is long, slow or broken changes nothing any more."""
    read = 0
    with contextlib.suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(DRAIN_SECONDS):
            async for part in answer.aiter_raw():
                read += len(part)
                if read > MOST_READ:
                    return
