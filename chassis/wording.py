"""Sentences for people: instants by the clock on the wall in Vietnamese, patterns in words of both languages.

Texts are written with the instants that programs read; here they become what staff read. What a text says of values as
they were sent stays as it is: only whole UTC instants are told anew.
"""

import re
from datetime import datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

VIETNAM: Final = ZoneInfo("Asia/Ho_Chi_Minh")
_INSTANT: Final = re.compile(r"\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|\+00:00)")
_LITERAL: Final = re.compile(r"[\w-]+")


class Words(NamedTuple):
    """The same in Vietnamese and in English."""

    vi: str
    en: str


_PATTERNS: Final = {
    r"\S": Words("có chữ, không chỉ dấu cách", "something other than blanks"),
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}": Words(
        "ngày dạng năm-tháng-ngày, ví dụ 2026-09-05", "a day as year-month-day, for example 2026-09-05"
    ),
    r"(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}": Words(
        "ngày dạng năm-tháng-ngày, ví dụ 2015-09-30", "a day as year-month-day, for example 2015-09-30"
    ),
    r"([01][0-9]|2[0-3]):[0-5][0-9]": Words(
        "giờ dạng giờ:phút, ví dụ 07:30", "a time as hours:minutes, for example 07:30"
    ),
    r"[0-9]{4}-(0[1-9]|1[0-2])": Words(
        "tháng dạng năm-tháng, ví dụ 2026-09", "a month as year-month, for example 2026-09"
    ),
    r"0[1-5]": Words("mã từ 01 đến 05", "a code from 01 to 05"),
    r"0[1-9]|1[0-8]": Words("mã từ 01 đến 18", "a code from 01 to 18"),
    r"[012]": Words("0, 1 hoặc 2", "0, 1 or 2"),
    r"[12]": Words("1 hoặc 2", "1 or 2"),
    r"[PKM]": Words("P, K hoặc M", "P, K or M"),
    r"[0-9]{2}": Words("hai chữ số", "two digits"),
    r"[0-9]{6}": Words("sáu chữ số", "six digits"),
    r"[A-Za-z0-9][A-Za-z0-9_.-]*": Words(
        "chữ không dấu, chữ số, dấu . _ -; bắt đầu bằng chữ hoặc số",
        "letters A to Z, digits and the signs . _ -; a letter or digit first",
    ),
    r"[0-9]{0,18}": Words("nhiều nhất 18 chữ số, hoặc để trống", "at most 18 digits, or empty"),
    r"[0-9A-Za-z]{3}": Words("ba chữ cái không dấu hoặc chữ số", "three letters A to Z or digits"),
    r"[0-9]+(\.[0-9]+\.[1-9][0-9]?\.[\s\S]{1,64})?": Words(
        "mã đã được trả về trước đó", "what an answer before has given"
    ),
    r"[^@\s<>]+@[^@\s<>]+": Words(
        "địa chỉ thư điện tử, ví dụ ten@don-vi.vn", "an e-mail address, for example name@unit.vn"
    ),
    r"\+[0-9]{8,15}": Words(
        "số điện thoại quốc tế: dấu + rồi 8 đến 15 chữ số", "an international telephone number: + and 8 to 15 digits"
    ),
    r"[A-Z][A-Za-z]*": Words("chữ cái không dấu, bắt đầu bằng chữ hoa", "letters A to Z, a capital one first"),
    r"[^\x00]*": Words("không chứa ký tự U+0000", "without the character U+0000"),
    r"[a-z0-9][a-z0-9-]*": Words(
        "chữ thường không dấu, chữ số, dấu gạch nối; bắt đầu bằng chữ hoặc số",
        "small letters a to z, digits and hyphens; a letter or digit first",
    ),
    r"[a-z0-9][a-z0-9_.-]*": Words(
        "chữ thường không dấu, chữ số, dấu . _ -; bắt đầu bằng chữ hoặc số",
        "small letters a to z, digits and the signs . _ -; a letter or digit first",
    ),
    r"[a-z][a-z0-9_]*": Words(
        "chữ thường không dấu, chữ số, dấu _; bắt đầu bằng chữ", "small letters a to z, digits and _; a letter first"
    ),
    r"[a-z][a-z0-9_]{0,39}": Words(
        "chữ thường không dấu, chữ số, dấu _; bắt đầu bằng chữ, nhiều nhất 40 ký tự",
        "small letters a to z, digits and _; a letter first, at most 40 characters",
    ),
    r"[a-z][a-z0-9_]{0,59}": Words(
        "chữ thường không dấu, chữ số, dấu _; bắt đầu bằng chữ, nhiều nhất 60 ký tự",
        "small letters a to z, digits and _; a letter first, at most 60 characters",
    ),
    r"[a-z][a-z0-9_]{2,58}": Words(
        "chữ thường không dấu, chữ số, dấu _; bắt đầu bằng chữ, từ 3 đến 59 ký tự",
        "small letters a to z, digits and _; a letter first, 3 to 59 characters",
    ),
    r"[a-z][a-z_]*": Words(
        "chữ thường không dấu, dấu _; bắt đầu bằng chữ", "small letters a to z and _; a letter first"
    ),
}


def in_vietnamese(text: str) -> str:
    """A Vietnamese sentence with its instants as `09:30 ngày 20/11/2026`, by the time of Viet Nam."""
    return _INSTANT.sub(_told, text) if "T" in text else text


def pattern_in_words(pattern: str) -> Words | None:
    """What a pattern asks for; None: there are no words for it."""
    inner = pattern.removeprefix("^").removesuffix("$")
    may_be_empty = inner.endswith("?") and inner not in _PATTERNS
    inner = inner.removesuffix("?") if may_be_empty else inner
    if inner not in _PATTERNS and inner.startswith("(") and inner.endswith(")"):
        inner = inner[1:-1]
    words = _PATTERNS.get(inner) or _one_of(_alternatives(inner))
    return Words(f"{words.vi}, hoặc để trống", f"{words.en}, or empty") if words and may_be_empty else words


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


def _one_of(parts: list[str]) -> Words | None:
    named = [one for one in parts if _LITERAL.fullmatch(one)]
    others = [words for one in parts if not _LITERAL.fullmatch(one) and (words := _PATTERNS.get(one))]
    if len(named) + len(others) < len(parts):
        return None
    listed = ", ".join(named)
    if not others:
        return Words(f"một trong: {listed}", f"one of: {listed}")
    first = [Words(listed, listed)] if named else []
    vi, en = zip(*first, *others, strict=True)
    return Words(" hoặc ".join(vi), " or ".join(en))


def _told(found: re.Match[str]) -> str:
    moment = datetime.fromisoformat(found[0]).astimezone(VIETNAM)
    return f"{moment:%H:%M} ngày {moment:%d/%m/%Y}"
