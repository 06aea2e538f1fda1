"""Rows that came into a sandbox, as far as they are judged: which record, which version, what became of it."""

import re
from collections.abc import Iterator
from typing import Final

from google.protobuf.message import Message
from iocedu.records.v1.resources_pb2 import Row

from services.sync.convert.profiles import is_classed
from services.sync.convert.rows import Checked, Noted
from services.sync.domain.conformance import Shown

MOST_SHOWN: Final = 20_000  # Rows of one batch that are judged.
_ID: Final = re.compile(r"(?<!\d)(\d{12}|\d{9})(?!\d)")
_WORDS: Final = re.compile(r"[^\W\d_]{2}")


def shown(part: Checked, sent: list[tuple[int, Row]]) -> list[Shown]:
    """The rows of an answered part; `sent` are those that went to records, each with its index."""
    told = {one.index: one for one in part.noted}
    found = [_sent(row, part.states[index - part.first], told.get(index), index) for index, row in sent]
    gone = {index for index, _ in sent}
    found += [_refused(one) for one in part.noted if one.index not in gone]
    return sorted(found, key=lambda one: one.index)[:MOST_SHOWN]


def _sent(row: Row, state: int, noted: Noted | None, index: int) -> Shown:
    record = row.WhichOneof("record") or ""
    problem = noted.problem if noted else None
    return Shown(
        index,
        record,
        row.key,
        row.version,
        row.deleted,
        state,
        problem.reason if problem else "",
        problem.field if problem else "",
        next(_texts_with_id(getattr(row, record), record), "") if record else "",
    )


def _refused(noted: Noted) -> Shown:
    problem = noted.problem
    return Shown(noted.index, "", noted.key, 0, False, noted.state, problem.reason, problem.field)


def _texts_with_id(message: Message, inside: str) -> Iterator[str]:
    """The fields not meant for personal data whose text, in words, holds what looks like a personal id."""
    for descriptor, value in message.ListFields():
        if is_classed(descriptor) or descriptor.name == "further":
            continue
        path = f"{inside}.{descriptor.name}"
        for item in value if descriptor.is_repeated else (value,):
            if isinstance(item, Message):
                yield from _texts_with_id(item, path)
            elif isinstance(item, str) and _ID.search(item) and _WORDS.search(item):
                yield path
