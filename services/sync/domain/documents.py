"""Documents that arrive in parts, into rows: NDJSON line by line as it comes, JSON once it is whole.

Holds no more than one line of NDJSON besides what has just arrived. Refuses a JSON document as a whole when it is
broken, so that none of it is applied; a broken line of NDJSON is one refused row.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from services.sync.domain.words import Text

BOM: Final = b"\xef\xbb\xbf"
MOST_LINE_BYTES: Final = 1_000_000
_ROWS = re.compile(r'\s*\{\s*"([^"\\]*)"\s*:\s*\[', re.DOTALL)
_SPACE = re.compile(r"\s*", re.DOTALL)
_NOT_UTF_8: Final = Text("không phải UTF-8", "it is not UTF-8")
_FORM: Final = Text('tài liệu phải có dạng {"rows": [...]}', 'it must have the form {"rows": [...]}')
_NOT_JSON: Final = Text("JSON không hợp lệ", "it is not valid JSON")
_NO_COMMA: Final = Text("thiếu dấu phẩy hoặc dấu đóng ngoặc ]", "a comma or the closing ] is missing")
_MORE: Final = Text('sau danh sách "rows" chỉ được có dấu }', 'only } may follow the list "rows"')
_PACKED: Final = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"\x28\xb5\x2f\xfd": "zstd"}
LONGEST_SIGN: Final = 4
_TYPES: Final = {
    "application/json": "json",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/x-jsonlines": "ndjson",
}


class BrokenDocumentError(Exception):
    """A JSON document that is none, or not of the form `{"rows": [...]}`; `why` and `place` say where it breaks.

    The place is a letter from 0, of a document that is not UTF-8 a byte; `rows` counts what could be read before it.
    """

    def __init__(self, why: Text, place: int, *, rows: int = 0) -> None:
        super().__init__(why.en)
        self.why = why
        self.place = place
        self.rows = rows


@dataclass(frozen=True, slots=True)
class Line:
    """A line with its number from 1; without content when it was too long to be kept."""

    number: int
    content: bytes | None


class Lines:
    """Cuts parts into lines. Blank lines are not rows and are left out, but counted."""

    def __init__(self) -> None:
        self._begins = True
        self._rest = bytearray()
        self._number = 0
        self._dropping = False

    def feed(self, part: bytes) -> Iterator[Line]:
        """Take a part and give the lines that are complete with it."""
        if self._begins:
            part = bytes(self._rest) + part
            self._rest.clear()
            if len(part) < len(BOM) and BOM.startswith(part):
                self._rest += part
                return
            part = part.removeprefix(BOM)
            self._begins = False
        first, *others = part.split(b"\n")
        for content in others:
            yield from self._line(first)
            first = content
        self._keep(first)

    def end(self) -> Iterator[Line]:
        """Give the last line, when the document does not end with a line break."""
        if self._rest or self._dropping:
            yield from self._line(b"")

    def _keep(self, piece: bytes) -> None:
        if not self._dropping:
            self._rest += piece
            if len(self._rest) > MOST_LINE_BYTES:
                self._rest.clear()
                self._dropping = True

    def _line(self, last: bytes) -> Iterator[Line]:
        self._number += 1
        if self._rest or self._dropping:
            self._keep(last)
            content = None if self._dropping else bytes(self._rest)
            self._rest.clear()
            self._dropping = False
        else:
            content = None if len(last) > MOST_LINE_BYTES else last
        if content is None:
            yield Line(self._number, None)
        elif content.strip():
            yield Line(self._number, content)


def rows_of(content: bytes) -> Iterator[Any]:
    """The elements of `{"rows": [...]}` one after the other; raises `BrokenDocumentError` where it breaks.

    Callers take all of them before they use any, and let the loop turn in between.
    """
    try:
        text = content.removeprefix(BOM).decode()
    except UnicodeDecodeError as error:
        raise BrokenDocumentError(_NOT_UTF_8, error.start) from None
    start = _ROWS.match(text)
    if start is None or start[1] != "rows":
        raise BrokenDocumentError(_FORM, 0)
    place, count = _skip(text, start.end()), 0
    if text[place : place + 1] != "]":
        while True:
            try:
                row, place = _DECODER.raw_decode(text, place)
            except (ValueError, RecursionError) as error:
                raise BrokenDocumentError(_NOT_JSON, getattr(error, "pos", place), rows=count) from None
            yield row
            count += 1
            place = _skip(text, place)
            sign = text[place : place + 1]
            if sign == "]":
                break
            if sign != ",":
                raise BrokenDocumentError(_NO_COMMA, place, rows=count)
            place = _skip(text, place + 1)
    if text[place + 1 :].split() != ["}"]:
        raise BrokenDocumentError(_MORE, place + 1, rows=count)


def kind_of(content_type: str) -> str:
    """`json` or `ndjson` by the content type; empty when it is neither, or not in UTF-8."""
    media, _, parameters = content_type.partition(";")
    told = (part.partition("=") for part in parameters.split(";"))
    charset = next((value for name, _, value in told if name.strip().lower() == "charset"), "utf-8")
    if charset.strip().strip('"').lower() not in ("utf-8", "utf8"):
        return ""
    return _TYPES.get(media.strip().lower(), "")


def packed_as(head: bytes) -> str:
    """What a document is compressed with, by its first bytes; empty: it is not."""
    return next((name for sign, name in _PACKED.items() if head.startswith(sign)), "")


def _skip(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place


def _no_constant(name: str) -> Any:
    raise ValueError(name)


_DECODER: Final = json.JSONDecoder(parse_constant=_no_constant)
