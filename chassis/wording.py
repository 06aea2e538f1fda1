"""Sentences for people in Vietnamese: instants by the clock on the wall, patterns in words.

Texts are written with the instants that programs read; here they become what staff read. What a text says of values as
they were sent stays as it is: only whole UTC instants are told anew.
"""

import re
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

VIETNAM: Final = ZoneInfo("Asia/Ho_Chi_Minh")
_INSTANT: Final = re.compile(r"\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|\+00:00)")
_LITERAL: Final = re.compile(r"[\w-]+")
_PATTERNS: Final = {
    r"\S": "có chữ, không chỉ dấu cách",
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}": "ngày dạng năm-tháng-ngày, ví dụ 2026-09-05",
    r"(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}": "ngày dạng năm-tháng-ngày, ví dụ 2015-09-30",
    r"([01][0-9]|2[0-3]):[0-5][0-9]": "giờ dạng giờ:phút, ví dụ 07:30",
    r"[0-9]{4}-(0[1-9]|1[0-2])": "tháng dạng năm-tháng, ví dụ 2026-09",
    r"0[1-5]": "mã từ 01 đến 05",
    r"0[1-9]|1[0-8]": "mã từ 01 đến 18",
    r"[012]": "0, 1 hoặc 2",
    r"[12]": "1 hoặc 2",
    r"[PKM]": "P, K hoặc M",
    r"[0-9]{2}": "hai chữ số",
    r"[0-9]{6}": "sáu chữ số",
    r"[A-Za-z0-9][A-Za-z0-9_.-]*": "chữ không dấu, chữ số, dấu . _ -; bắt đầu bằng chữ hoặc số",
    r"[0-9]{0,18}": "nhiều nhất 18 chữ số, hoặc để trống",
    r"[0-9A-Za-z]{3}": "ba chữ cái không dấu hoặc chữ số",
    r"[0-9]+(\.[0-9]+\.[1-9][0-9]?\.[\s\S]{1,64})?": "mã đã được trả về trước đó",
    r"[^@\s<>]+@[^@\s<>]+": "địa chỉ thư điện tử, ví dụ ten@don-vi.vn",
    r"\+[0-9]{8,15}": "số điện thoại quốc tế: dấu + rồi 8 đến 15 chữ số",
    r"[A-Z][A-Za-z]*": "chữ cái không dấu, bắt đầu bằng chữ hoa",
    r"[^\x00]*": "không chứa ký tự U+0000",
    r"[a-z0-9][a-z0-9-]*": "chữ thường không dấu, chữ số, dấu gạch nối; bắt đầu bằng chữ hoặc số",
    r"[a-z0-9][a-z0-9_.-]*": "chữ thường không dấu, chữ số, dấu . _ -; bắt đầu bằng chữ hoặc số",
    r"[a-z][a-z0-9_]*": "chữ thường không dấu, chữ số, dấu _; bắt đầu bằng chữ",
    r"[a-z][a-z0-9_]{0,39}": "chữ thường không dấu, chữ số, dấu _; bắt đầu bằng chữ, nhiều nhất 40 ký tự",
    r"[a-z][a-z0-9_]{0,59}": "chữ thường không dấu, chữ số, dấu _; bắt đầu bằng chữ, nhiều nhất 60 ký tự",
    r"[a-z][a-z0-9_]{2,58}": "chữ thường không dấu, chữ số, dấu _; bắt đầu bằng chữ, từ 3 đến 59 ký tự",
    r"[a-z][a-z_]*": "chữ thường không dấu, dấu _; bắt đầu bằng chữ",
}


def in_vietnamese(text: str) -> str:
    """A Vietnamese sentence with its instants as `09:30 ngày 20/11/2026`, by the time of Viet Nam."""
    return _INSTANT.sub(_told, text) if "T" in text else text


def pattern_in_words(pattern: str) -> str:
    """What a pattern asks for, in Vietnamese; empty: there are no words for it."""
    inner = pattern.removeprefix("^").removesuffix("$")
    may_be_empty = inner.endswith("?") and inner not in _PATTERNS
    inner = inner.removesuffix("?") if may_be_empty else inner
    if inner not in _PATTERNS and inner.startswith("(") and inner.endswith(")"):
        inner = inner[1:-1]
    words = _PATTERNS.get(inner, "") or _one_of(_alternatives(inner))
    return f"{words}, hoặc để trống" if words and may_be_empty else words


def _alternatives(pattern: str) -> list[str]:
    """What a pattern lets choose from, outside of brackets."""
    parts, depth = [""], 0
    for letter in pattern:
        depth += (letter in "([") - (letter in ")]")
        if letter == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _one_of(parts: list[str]) -> str:
    named = [one for one in parts if _LITERAL.fullmatch(one)]
    others = [_PATTERNS.get(one, "") for one in parts if not _LITERAL.fullmatch(one)]
    if not all(others):
        return ""
    listed = ", ".join(named)
    return f"một trong: {listed}" if not others else " hoặc ".join([*([listed] if named else []), *others])


def _told(found: re.Match[str]) -> str:
    moment = datetime.fromisoformat(found[0]).astimezone(VIETNAM)
    return f"{moment:%H:%M} ngày {moment:%d/%m/%Y}"
