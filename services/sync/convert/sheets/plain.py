"""CSV as schools save it: any usual separator and encoding, read as a stream."""

import codecs
import csv
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from services.sync.convert.sheets import refused
from services.sync.domain.sheets import Cell, Row
from services.sync.domain.words import Text

MOST_FIELD: Final = 1_000_000  # Letters of one field.
SAMPLE: Final = 1 << 16
PART: Final = 1 << 20
_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
# Windows-1258 is what Vietnamese Excel saves as CSV where it is not told otherwise.
_LEGACY: Final = "cp1258"
FEWEST_LETTERS: Final = 3  # Letters beyond ASCII that are no accident in UTF-8.
_ENCODING: Final = Text("bảng mã không phải UTF-8 hay Windows-1258", "its encoding is neither UTF-8 nor Windows-1258")


def rows(path: Path) -> Iterator[Row]:
    """The rows of a file, blank ones left out; raises FileRefusedError."""
    csv.field_size_limit(MOST_FIELD)
    with path.open(encoding=_encoding(path), newline="") as content:
        try:
            sample = content.read(SAMPLE)
            content.seek(0)
            reader = csv.reader(content, delimiter=_separator(sample))
        except UnicodeError as error:
            raise refused.unreadable(_ENCODING) from error
        if "\0" in sample:
            raise refused.unreadable(Text("tệp nhị phân, không phải CSV", "it is binary, not CSV"))
        try:
            for number, fields in enumerate(reader, 1):
                cells = {place: Cell(value) for place, value in enumerate(map(_plain, fields)) if value}
                if cells:
                    yield Row(number, cells)
        except (csv.Error, UnicodeError) as error:
            raise refused.unreadable(
                Text(f"dòng {reader.line_num} không phải CSV hợp lệ", f"line {reader.line_num} is no valid CSV")
            ) from error


def _plain(value: str) -> str:
    return unicodedata.normalize("NFC", value).strip()


def _encoding(path: Path) -> str:
    with path.open("rb") as content:
        head = content.read(4)
        for mark, name in _MARKS:
            if head.startswith(mark):
                return name
        content.seek(0)
        return _by_content(content)


def _by_content(content: IO[bytes]) -> str:
    """UTF-8, or what Windows writes; refused where it begins as the one and is not: names would be garbled."""
    decoder, beyond = codecs.getincrementaldecoder("utf-8")(), 0
    try:
        while part := content.read(PART):
            beyond += sum(letter > "\x7f" for letter in decoder.decode(part))
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        beyond += sum(byte >= 0xC0 for byte in bytes(error.object[: error.start]))
        if beyond >= FEWEST_LETTERS:
            raise refused.unreadable(_ENCODING) from error
        return _LEGACY
    return "utf-8"


def _separator(sample: str) -> str:
    """The separator that most of the first lines have most of, quoted ones left aside."""
    lines = [line for line in sample.splitlines()[:50] if line.strip()]
    counts = {sign: sorted(line.count(sign) for line in lines) for sign in ";\t,|"}
    best = max(counts, key=lambda sign: (counts[sign][len(lines) // 2] if lines else 0, sum(counts[sign])))
    return best if any(counts[best]) else ","
