"""Documents into rows, as their parts come: a line of NDJSON at a time, JSON once it is whole."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from iocedu.records.v1.resources_pb2 import Row
from pydantic_core import from_json

from services.sync.convert.rows import Same, Unread, make
from services.sync.domain import documents, problems
from services.sync.domain.documents import Line, Lines
from services.sync.domain.profiles import Profile, Raw

READ_AHEAD: Final = 100  # Rows read between two looks at the loop.


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row as it came, and what it was read into."""

    content: bytes
    row: Row | Unread | Same
    number: int  # Its line, or its place in the list, from 1.
    unverified: Sequence[str] = ()  # Fields whose codes no loaded catalogue has.
    veiled: bool = False  # Whether it is put over a record of which nothing may be shown.

    def raw(self) -> Raw:
        """The object it was read from, once more: for what is wrong with it."""
        found: Raw = from_json(self.content)
        return found


async def ndjson_rows(parts: AsyncIterator[bytes], profile: Profile) -> AsyncIterator[RawRow]:
    """The rows of an NDJSON document, one by one; blank lines are none."""
    lines, read = Lines(), 0
    async for part in parts:
        for line in lines.feed(part):
            yield read_line(line, profile)
            read += 1
            if read % READ_AHEAD == 0:
                await asyncio.sleep(0)
    for line in lines.end():
        yield read_line(line, profile)


def read_line(line: Line, profile: Profile) -> RawRow:
    """Read one line of NDJSON; whatever is wrong with it stays with it."""
    if line.content is None:
        return RawRow(b"", Unread(problems.line_too_long(documents.MOST_LINE_BYTES)), line.number)
    try:
        raw = from_json(line.content, allow_inf_nan=False)
    except ValueError as error:
        return RawRow(line.content, Unread(problems.not_json(_column(str(error)))), line.number)
    return _made(raw, line.content, line.number, profile)


def _made(raw: Any, content: bytes, number: int, profile: Profile) -> RawRow:
    if not isinstance(raw, dict):
        return RawRow(content, Unread(problems.not_an_object()), number)
    row = make(raw, profile)
    return RawRow(content, row, number, () if isinstance(row, Unread) else profile.unverified(raw))


async def json_rows(parts: AsyncIterator[bytes], profile: Profile) -> AsyncIterator[RawRow]:
    """The rows of a JSON document, all of them read before the first is given; raises `BrokenDocumentError`."""
    whole = b"".join([part async for part in parts])
    raws: list[RawRow] = []
    for raw in documents.rows_of(whole):
        raws.append(_of_json(raw, len(raws) + 1, profile))
        if len(raws) % READ_AHEAD == 0:
            await asyncio.sleep(0)
    for one in raws:
        yield one


def _of_json(raw: Any, number: int, profile: Profile) -> RawRow:
    return _made(raw, json.dumps(raw, ensure_ascii=False).encode(errors="replace"), number, profile)


def _column(error: str) -> int:
    """Where a parser stopped, from 1, without what it read; 0: it does not say."""
    column = error.rpartition(" at ")[2].rpartition("column ")[2]
    return int(column) if column.isdigit() else 0
