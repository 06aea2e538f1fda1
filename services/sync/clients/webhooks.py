"""Deliveries to subscribers: signed, with an id that stays the same however often one is tried.

The signature is HMAC-SHA256 with the subscriber's secret over timestamp, full stop and body. Refuses addresses that are
not of the public internet, unless settings allow it, and calls the very address it has checked; follows no redirects.
"""

import asyncio
import hashlib
import hmac
import ipaddress
import socket
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from chassis.clock import Clock
from services.sync.domain.deliveries import Parcel, UnreachableError, Verdict

CALL_SECONDS: Final = 10.0
DELIVERY, TIMESTAMP, SIGNATURE = "IOCEdu-Delivery", "IOCEdu-Timestamp", "IOCEdu-Signature"


class Webhook:
    """The way to one subscriber."""

    def __init__(
        self, http: httpx.AsyncClient, clock: Clock, *, endpoint: str, secret: str, private_addresses: bool
    ) -> None:
        self._http = http
        self._clock = clock
        self._endpoint = endpoint
        self._secret = secret
        self._private = private_addresses

    async def push(self, parcel: Parcel) -> Sequence[Verdict]:
        """Deliver; an answer of the 200s takes all of it, anything else is tried again."""
        address = await checked_address(self._endpoint, private_addresses=self._private)
        stamp = str(int(self._clock.now().timestamp()))
        parts = urlsplit(self._endpoint)
        headers = {
            "content-type": "application/json",
            "host": parts.netloc,
            DELIVERY: str(parcel.package_id),
            TIMESTAMP: stamp,
            SIGNATURE: signature(self._secret, stamp, parcel.body),
        }
        pinned = httpx.URL(self._endpoint).copy_with(host=address)
        extensions: dict[str, Any] = {"sni_hostname": parts.hostname or ""}
        try:
            answer = await self._http.post(
                pinned,
                content=parcel.body,
                headers=headers,
                extensions=extensions,
                timeout=CALL_SECONDS,
                follow_redirects=False,
            )
        except httpx.TransportError as error:
            raise UnreachableError(
                "NO_CONNECTION",
                vi="Không kết nối được tới nơi nhận. Hệ thống tự gửi lại.",
                en="The subscriber cannot be reached. It is tried again.",
            ) from error
        if not answer.is_success:
            raise UnreachableError(
                f"HTTP_{answer.status_code}",
                vi=f"Nơi nhận trả lời {answer.status_code}, cần 2xx. Hệ thống tự gửi lại.",
                en=f"The subscriber answers {answer.status_code} where 2xx is needed. It is tried again.",
            )
        return [Verdict(one, taken=True) for one in parcel.record_ids]


def signature(secret: str, stamp: str, body: bytes) -> str:
    """The signature of a delivery, in lower-case hex."""
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


async def checked_address(endpoint: str, *, private_addresses: bool) -> str:
    """An address behind an endpoint that may be called; raises `UnreachableError` ADDRESS_REFUSED where none may."""
    parts = urlsplit(endpoint)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UnreachableError(
            "NO_CONNECTION",
            vi="Không tìm thấy địa chỉ của nơi nhận. Hệ thống tự gửi lại.",
            en="The subscriber's name cannot be resolved. It is tried again.",
        ) from error
    addresses = [str(one[4][0]) for one in found]
    # All of them: a name that also leads inside is not to be trusted.
    if private_addresses or all(_public(one) for one in addresses):
        return addresses[0]
    raise UnreachableError(
        "ADDRESS_REFUSED",
        vi="Địa chỉ của nơi nhận thuộc mạng nội bộ nên không được gọi.",
        en="The subscriber's address is not of the public internet and is not called.",
    )


def _public(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_global and not (mapped or parsed).is_multicast
