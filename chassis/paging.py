"""Pages of a list: sizes within bounds, and opaque tokens that continue exactly the request they were given for.

Refuses a token that was altered or belongs to another request.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from google.protobuf.message import Message

from chassis.errors import Fault, FieldViolation, Kind

DIGEST_BYTES = 8


def page_size(requested: int, default: int = 100, maximum: int = 1000) -> int:
    """How many entries to return: the default for 0, never more than the maximum."""
    return min(requested, maximum) if requested > 0 else default


def page_token(request: Message, cursor: Sequence[str | int]) -> str:
    """A token that continues `request` after `cursor` (the sort key of the last entry returned)."""
    body = json.dumps(list(cursor), ensure_ascii=False, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_digest(request, body) + body).decode().rstrip("=")


def page_cursor(request: Message) -> list[Any] | None:
    """The cursor in `request.page_token`, None on the first page; raises INVALID_PAGE_TOKEN."""
    token: str = getattr(request, "page_token")  # noqa: B009 (a field every list request has, unknown to the type)
    if not token:
        return None
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError) as error:
        raise _invalid() from error
    digest, body = raw[:DIGEST_BYTES], raw[DIGEST_BYTES:]
    if digest != _digest(request, body):
        raise _invalid()
    cursor = json.loads(body)
    return list(cursor)


def _digest(request: Message, body: bytes) -> bytes:
    """Binds a cursor to everything asked for but the page itself."""
    bare = type(request)()
    bare.CopyFrom(request)
    for field in ("page_token", "page_size"):
        bare.ClearField(field)
    asked = request.DESCRIPTOR.full_name.encode() + bare.SerializeToString(deterministic=True)
    return hashlib.blake2b(asked + b"\0" + body, digest_size=DIGEST_BYTES).digest()


def _invalid() -> Fault:
    vi = "Mã trang không thuộc truy vấn này. Hãy bắt đầu lại từ trang đầu với cùng điều kiện lọc."
    en = "The page token does not belong to this request. Start again from the first page with the same filter."
    violation = FieldViolation("page_token", "INVALID_PAGE_TOKEN", vi, en)
    return Fault(Kind.INVALID, "INVALID_PAGE_TOKEN", vi=vi, en=en, violations=[violation])
