"""Sends signed requests to addresses that people name, and to no other.

The name is resolved here and the connection goes to the address that was checked, so that a name that leads elsewhere
a moment later reaches nothing inside. Redirects are not followed.
"""

import asyncio
import socket
import time
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

import httpx

from services.notify.domain.channels import Outcome, Result
from services.notify.domain.signing import is_public, signature

TIMEOUT_SECONDS = 10.0


class AddressRefused(Exception):  # noqa: N818 (a refusal, told to the person who named the address)
    """The address is not one that may be reached; the message says why, in English, free of what is inside."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a request goes: the checked address in the place of the name."""

    url: httpx.URL
    host: str
    name: str


class WebhookSender:
    """Sends; `private_allowed` is for trials on one machine only."""

    def __init__(self, client: httpx.AsyncClient, *, private_allowed: bool) -> None:
        self._client = client
        self._private_allowed = private_allowed

    async def check(self, url: str) -> None:
        """Raise AddressRefused for an address that may not be reached."""
        await self._place(url)

    async def send(self, message_id: UUID, *, url: str, secret: str, body: bytes) -> Result:
        """Send one request and say what came of it; a repeat carries the same id, a new time and so a new signature."""
        try:
            place = await self._place(url)
        except AddressRefused as refused:
            return Result(Outcome.REFUSED, str(refused))
        except OSError as error:
            return Result(Outcome.RETRY, f"the name cannot be resolved: {error}")
        timestamp = int(time.time())
        headers = {
            "host": place.host,
            "content-type": "application/json",
            "user-agent": "iocedu-webhook/1",
            "webhook-id": str(message_id),
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(secret, message_id=str(message_id), timestamp=timestamp, body=body),
        }
        try:
            answer = await self._client.post(
                place.url,
                content=body,
                headers=headers,
                timeout=TIMEOUT_SECONDS,
                follow_redirects=False,
                extensions={"sni_hostname": place.name},
            )
        except httpx.HTTPError as error:
            return Result(Outcome.RETRY, f"{type(error).__name__}: {error}")
        return _result(answer)

    async def _place(self, url: str) -> _Place:
        parts = urlsplit(url)
        schemes = ("https", "http") if self._private_allowed else ("https",)
        if parts.scheme not in schemes or not parts.hostname or parts.username or parts.password:
            raise AddressRefused(f"an address by {' or '.join(schemes)} without a user name is needed")
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            raise AddressRefused("the port is none") from None
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in found]
        if not self._private_allowed and not all(is_public(address) for address in addresses):
            raise AddressRefused("the name leads to an address that is not public")
        inner = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
        path = parts.path or "/"
        query = f"?{parts.query}" if parts.query else ""
        host = parts.netloc
        return _Place(httpx.URL(f"{parts.scheme}://{inner}:{port}{path}{query}"), host, parts.hostname)


def _result(answer: httpx.Response) -> Result:
    """What is over 500, too early or too much may change; what is gone or not understood will not."""
    said = f"{answer.status_code}"
    if answer.is_success:
        return Result(Outcome.ACCEPTED, said, answer.status_code)
    if answer.status_code >= 500 or answer.status_code in (408, 409, 425, 429):
        return Result(Outcome.RETRY, said, answer.status_code)
    return Result(Outcome.REFUSED, said, answer.status_code)
