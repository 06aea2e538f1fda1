"""Signatures of webhooks, and which addresses they may lead to.

The scheme is that of Standard Webhooks: HMAC-SHA256 over id, timestamp and body. A receiver refuses what is older than
some minutes and knows repeats by the id, so that neither a captured request nor a second try does anything.
"""

import base64
import hashlib
import hmac
import ipaddress
import secrets

PREFIX = "whsec_"
TOLERANCE_SECONDS = 300
SECRET_BYTES = 32


def new_secret() -> str:
    """A secret that nobody can guess."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signature(secret: str, *, message_id: str, timestamp: int, body: bytes) -> str:
    """What stands in the header `webhook-signature`."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def verified(secret: str, *, message_id: str, timestamp: int, body: bytes, given: str, now: float) -> bool:
    """Whether a receiver may trust what it got: one of the signatures is right, and it is not old."""
    if abs(now - timestamp) > TOLERANCE_SECONDS:
        return False
    expected = signature(secret, message_id=message_id, timestamp=timestamp, body=body)
    return any(hmac.compare_digest(expected, one) for one in given.split(" "))


def is_public(address: str) -> bool:
    """Whether an IP address lies outside of every private, local and reserved network."""
    found: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is not None:
            found = inner
    return found.is_global and not found.is_multicast
