"""Values as senders write them, into ours: dates, numbers, flags, school years. Refuses what it would have to guess.

Every reader takes a JSON value that is neither null nor an empty text and returns ours, or raises `Unreadable` with the
form that is wanted.
"""

import re
import unicodedata
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Final

from services.sync.domain.words import Text

Reader = Callable[[object], object]
INT32: Final = 2**31
INT64: Final = 2**63
MOST_VERSION: Final = 2**62  # of a row, as its proto says

_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ][0-9:.]+(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII)
_VIETNAMESE = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,15}(?:[.,]\d{1,15})?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_YEARS = re.compile(r"(\d{4})(?:\s*[-–/]\s*(\d{4}))?", re.ASCII)
DAY_FORM: Final = Text(
    "một ngày có thật trong lịch, dạng dd/mm/yyyy hoặc YYYY-MM-DD, ví dụ 30/09/2015",
    "a day of the calendar as dd/mm/yyyy or YYYY-MM-DD, e.g. 30/09/2015",
)
YEAR_FORM: Final = Text(
    "năm học từ 1990-1991 đến 2100-2101, ví dụ 2026-2027", "a school year from 1990-1991 to 2100-2101, e.g. 2026-2027"
)
FLAG_FORM: Final = Text("1 (có) hoặc 0 (không)", "1 (yes) or 0 (no)")
_WHOLE: Final = Text("một số nguyên", "a whole number")
_NUMBER_FORM: Final = Text("một số, ví dụ 8.5", "a number, e.g. 8.5")
_NUMBERS: Final = Text("một danh sách số, ví dụ [8, 8.5]", "a list of numbers, e.g. [8, 8.5]")
_SINGLE: Final = Text("một giá trị đơn, không phải danh sách hay đối tượng", "a single value, not a list or an object")
_TWO_DIGITS: Final = {str(digit): f"0{digit}" for digit in range(1, 10)}
_YES: Final = frozenset({"1", "true", "có", "x"})
_NO: Final = frozenset({"0", "false", "không"})


class Unreadable(ValueError):  # noqa: N818 (says what the value is)
    """A value that is not of its type; `wanted` says the form to write."""

    def __init__(self, wanted: Text) -> None:
        super().__init__(wanted.en)
        self.wanted = wanted


def text(value: object) -> str:
    """A code or a short text; numbers and truth values as they are usually written."""
    if value.__class__ is str:
        return value.strip()
    if value is True or value is False:
        return "1" if value else "0"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < INT64 else repr(value)
    raise Unreadable(_SINGLE)


def two_digits(value: object) -> str:
    """A code of two digits, whose leading zero some software drops."""
    said = value.strip() if value.__class__ is str else text(value)
    return _TWO_DIGITS.get(said, said)


def name(value: object) -> str:
    """A name: one form of each letter (NFC), single spaces."""
    said = text(value)
    return " ".join((said if said.isascii() else unicodedata.normalize("NFC", said)).split())


def one_above(version: int) -> int:
    """The next version; the highest there is where a version before took a higher one."""
    return min(version + 1, MOST_VERSION)


def hidden_sign(text: str) -> str:
    """The first sign of a text that formats and is not seen itself, as a zero-width space; empty: there is none."""
    return next((sign for sign in text if unicodedata.category(sign) == "Cf"), "")


def day(value: object) -> str:
    """A date as ISO 8601, from `dd/mm/yyyy` or ISO 8601."""
    if not isinstance(value, str):
        raise Unreadable(DAY_FORM)
    return _day(value)


@lru_cache(maxsize=65536)
def _day(value: str) -> str:
    said = value.strip()
    if match := _VIETNAMESE.fullmatch(said):
        dd, mm, yyyy = match.groups()
    elif match := _ISO.fullmatch(said):
        yyyy, mm, dd = match.groups()
    else:
        raise Unreadable(DAY_FORM)
    try:
        return date(int(yyyy), int(mm), int(dd)).isoformat()
    except ValueError:
        raise Unreadable(DAY_FORM) from None


@lru_cache(maxsize=65536)
def is_day(value: str) -> bool:
    """Whether an ISO date stands in the calendar; the empty one is not known, and so does."""
    try:
        return not value or bool(date.fromisoformat(value))
    except ValueError:
        return False


def is_written_day(value: str) -> bool:
    """Whether it reads as a date."""
    try:
        return bool(_day(value))
    except Unreadable:
        return False


def integer(value: object) -> int:
    """A whole number."""
    if value.__class__ is int:
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < INT64:
        return int(value)
    if isinstance(value, str) and _INTEGER.fullmatch(said := value.strip()):
        return int(said)
    raise Unreadable(_WHOLE)


def decimal(value: object) -> float:
    """A number, with a decimal point or comma."""
    if value.__class__ is float:
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise Unreadable(_NUMBER_FORM) from None
    if isinstance(value, str) and _NUMBER.fullmatch(said := value.strip()):
        return float(said.replace(",", "."))
    raise Unreadable(_NUMBER_FORM)


def decimals(value: object) -> list[float]:
    """Numbers in a list, or in a text separated by semicolons or blanks."""
    if not isinstance(value, list | str):
        raise Unreadable(_NUMBERS)
    parts = re.split(r"[;\s]+", value) if isinstance(value, str) else value
    try:
        return [decimal(part) for part in parts if part not in (None, "")]
    except Unreadable:
        raise Unreadable(_NUMBERS) from None


def flag(value: object) -> bool:
    """A truth value."""
    if value is True or value is False:
        return bool(value)
    if isinstance(value, str | int):
        said = str(value).strip().casefold()
        if said in _YES:
            return True
        if said in _NO:
            return False
    raise Unreadable(FLAG_FORM)


def school_year(value: object) -> int:
    """The first calendar year of a school year, from `2026-2027`, `2026` or 2026."""
    if isinstance(value, int | str) and (match := _YEARS.fullmatch(str(value).strip())):
        first, second = match.groups()
        if second is None or int(second) == int(first) + 1:
            return int(first)
    raise Unreadable(YEAR_FORM)


def texts(value: object) -> list[str]:
    """Codes in a list, or in a text separated by commas or semicolons."""
    if isinstance(value, list):
        return [text(item) for item in value if item not in (None, "")]
    return [part.strip() for part in re.split(r"[,;]", text(value)) if part.strip()]


READERS: Final[dict[str, Reader]] = {
    "text": text,
    "two_digits": two_digits,
    "name": name,
    "date": day,
    "integer": integer,
    "decimal": decimal,
    "decimals": decimals,
    "flag": flag,
    "school_year": school_year,
    "texts": texts,
}
