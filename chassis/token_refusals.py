"""Why a token is refused, by the claim that is wrong and what to write there, in both languages."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import jwt

from chassis.errors import Fault, Kind

_FORGED: Final = (
    "signature",
    "Mã truy cập không hợp lệ: sai chữ ký, sai nơi cấp hoặc không dành cho hệ thống này.",
    "The token is not valid: its signature, its issuer or its audience is not ours.",
)
# By cause the field of the token, and the sentences that say what to do.
_CAUSES: Final[Mapping[str, tuple[str, str, str]]] = MappingProxyType(
    {
        "ImmatureSignatureError": (
            "iat",
            "`iat` (lúc ký) hoặc `nbf` của mã truy cập ở tương lai. Hãy chỉnh đúng giờ máy ký (NTP) rồi ký lại.",
            (
                "`iat` (the time of signing) or `nbf` of the token is in the future. Set the clock that signs "
                "(NTP) and sign again."
            ),
        ),
        "InvalidIssuedAtError": (
            "iat",
            "`iat` của mã truy cập phải là số giây từ 01/01/1970 (UTC). Hãy ghi một số nguyên rồi ký lại.",
            "`iat` of the token has to be seconds since 1970-01-01 (UTC). Write a whole number and sign again.",
        ),
        "InvalidAudienceError": (
            "aud",
            "`aud` của mã truy cập không phải hệ thống này. Hãy ghi đúng `aud` mà trung tâm cho biết rồi ký lại.",
            "`aud` of the token is not this centre. Write the `aud` that the centre tells and sign again.",
        ),
        "InvalidIssuerError": (
            "iss",
            "`iss` của mã truy cập không phải nơi cấp mà hệ thống này tin. Hãy ghi đúng `iss` rồi ký lại.",
            "`iss` of the token is not an issuer that this centre trusts. Write the right `iss` and sign again.",
        ),
        "unknown_key": (
            "kid",
            (
                "Khóa (`kid`) ký mã truy cập không có hiệu lực: chưa đăng ký, đã thu hồi, hết hạn. Hãy ký bằng khóa "
                "còn hiệu lực."
            ),
            (
                "The key (`kid`) that signed the token is not in force: not registered, revoked or out of its time. "
                "Sign with one that is."
            ),
        ),
        "subject_of_another_key": (
            "sub",
            "Khóa (`kid`) ký mã truy cập không phải của `sub`. Hãy ký bằng khóa của chính mình.",
            "The key (`kid`) that signed the token is not of its `sub`. Sign with a key of your own.",
        ),
    }
)


def invalid_token(cause: str) -> Fault:
    """What is said to a token that proves nothing here; causes are names of ours or of the library's errors."""
    field, vi, en = _CAUSES.get(cause, _FORGED)
    return _fault(cause, field, vi=vi, en=en)


def invalid_claims(error: jwt.InvalidTokenError) -> Fault:
    """The same for what the library found."""
    if isinstance(error, jwt.MissingRequiredClaimError):
        return _fault(
            "MissingRequiredClaimError",
            error.claim,
            vi=f"Mã truy cập thiếu `{error.claim}`. Hãy ghi đủ iss, sub, aud, iat, exp rồi ký lại.",
            en=f"The token lacks `{error.claim}`. Write iss, sub, aud, iat and exp and sign again.",
        )
    return invalid_token(type(error).__name__)


def lives_too_long(*, most: int, seconds: int) -> Fault:
    """What is said to a token whose end is too far from its beginning, in seconds."""
    return _fault(
        "lives_too_long",
        "exp",
        vi=f"Mã truy cập sống quá lâu: `exp` trừ `iat` là {seconds} giây, tối đa {most}. Hãy ghi `exp` không quá `iat` "
        f"cộng {most} và ký mã mới khi cần.",
        en=f"The token lives too long: `exp` less `iat` is {seconds} seconds, at most {most} are allowed. Write `exp` "
        f"as `iat` and {most} at most, and sign a new one when it is needed.",
    )


def _fault(cause: str, field: str, *, vi: str, en: str) -> Fault:
    return Fault(Kind.UNAUTHENTICATED, "INVALID_TOKEN", vi=vi, en=en, metadata={"cause": cause, "field": field})
