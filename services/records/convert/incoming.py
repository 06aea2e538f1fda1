"""Rows as sources send them, into what the store takes.

Reading a batch and making its column tuples are the hot path: values are taken by one `attrgetter` a type, in slices
between which the loop may do other work, and no object is made per record. Refuses row by row what the interface's
rules cannot say: no record, no school, a key twice, a date that the calendar does not have.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from hashlib import blake2b
from operator import attrgetter
from typing import Any, Final

from google.protobuf.message import Message
from iocedu.records.v1 import records_pb2, resources_pb2

from services.records.domain import problems
from services.records.domain.names import search_name, sort_name
from services.records.domain.objects import BY_FIELD, Column, Kind, ObjectSpec
from services.records.domain.problems import Problem

SLICE: Final = 500  # rows between two looks at the loop
MOST_ROW_BYTES: Final = 200_000  # so that a change fits an event
DELETED_HASH: Final = 0

Entry = tuple[int, str, int, int, int]  # school, key, version, content hash, index in the batch
Values = tuple[object, ...]
School = Callable[[str], int | Problem]  # finds the school behind a reference


@dataclass(slots=True)
class Batch:
    """A request taken apart: what is wrong with it already, and the rest by type."""

    request_id: str
    source: str
    backfill: bool
    digest: bytes
    rows: list[resources_pb2.Row]
    problems: dict[int, Problem] = field(default_factory=dict)
    entries: dict[ObjectSpec, list[Entry]] = field(default_factory=dict)

    @property
    def school_ids(self) -> set[int]:
        """The schools that are touched."""
        return {entry[0] for entries in self.entries.values() for entry in entries}


class RowRefused(Exception):  # noqa: N818 (says what became of the row)
    """A row that cannot be stored."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.reason)
        self.problem = problem


async def read_batch(request: records_pb2.ApplyRowsRequest, *, school: School) -> Batch:
    """Take a request apart."""
    batch = Batch(request.request_id, request.source, request.backfill, b"", list(request.rows))
    seen: dict[tuple[str, int, str], int] = {}
    by_field: dict[str, list[Entry]] = {}
    for start in range(0, len(batch.rows), SLICE):
        for index, row in enumerate(batch.rows[start : start + SLICE], start):
            found = _entry(row, index, school=school, seen=seen)
            if isinstance(found, Problem):
                batch.problems[index] = found
            else:
                name, entry = found
                by_field.setdefault(name, []).append(entry)
        await asyncio.sleep(0)
    batch.entries = {spec: sorted(by_field[name]) for name, spec in BY_FIELD.items() if name in by_field}
    batch.digest = blake2b(request.SerializeToString(deterministic=True), digest_size=16).digest()
    return batch


def _entry(
    row: resources_pb2.Row, index: int, *, school: School, seen: dict[tuple[str, int, str], int]
) -> tuple[str, Entry] | Problem:
    name = row.WhichOneof("record")
    if name is None:
        return problems.no_record()
    school_id = school(row.school)
    if isinstance(school_id, Problem):
        return school_id
    key = row.key
    first = seen.setdefault((name, school_id, key), index)
    if first != index:
        return problems.duplicate_key(key, first)
    if row.deleted:
        return name, (school_id, key, row.version, DELETED_HASH, index)
    content = getattr(row, name).SerializeToString(deterministic=True)
    if len(content) > MOST_ROW_BYTES:
        return problems.row_too_large(len(content), MOST_ROW_BYTES)
    return name, (school_id, key, row.version, _hash(content), index)


def _hash(content: bytes) -> int:
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "big", signed=True)


async def column_values(spec: ObjectSpec, entries: Sequence[Entry], *, batch: Batch, now: datetime) -> list[Values]:
    """Make the column tuples of rows of one type, in the store's order; rows with problems are noted and left out."""
    values_of, empty = _reader(spec), _empty(spec)
    made: list[Values] = []
    rows, source = batch.rows, batch.source
    for start in range(0, len(entries), SLICE):
        for school_id, key, version, content_hash, index in entries[start : start + SLICE]:
            row = rows[index]
            deleted = row.deleted
            try:
                values = empty if deleted else values_of(getattr(row, spec.field))
            except RowRefused as refused:
                batch.problems[index] = refused.problem
                continue
            made.append((school_id, key, version, version, source, content_hash, deleted, now, *values))
        await asyncio.sleep(0)
    return made


@cache
def _reader(spec: ObjectSpec) -> Callable[[Any], Values]:
    """A function that takes a record's values in the order of its columns, names folded for search and order."""
    plain = [column.name for column in spec.columns if column.kind in _PLAIN]
    assert [column.name for column in spec.columns[: len(plain)]] == plain, "plain columns come first"
    take = attrgetter(*plain)
    others = tuple(_TAKERS[column.kind](spec, column) for column in spec.columns[len(plain) :])

    def values(record: Any) -> Values:
        further = json.dumps(dict(record.further), ensure_ascii=False) if record.further else None
        return (*take(record), *[taker(record) for taker in others], further)

    if not spec.name:
        return values
    name_of, person = attrgetter(spec.name), spec.person

    def named(record: Any) -> Values:
        name = name_of(record)
        return (*values(record), search_name(name), sort_name(name, person=person))

    return named


_PLAIN: Final = frozenset({Kind.TEXT, Kind.INTEGER, Kind.FLAG})
_EMPTY_VALUES: Final[dict[Kind, object]] = {Kind.TEXT: "", Kind.INTEGER: 0, Kind.FLAG: False, Kind.TEXTS: []}


@cache
def _empty(spec: ObjectSpec) -> Values:
    """What remains of a deleted record: nothing."""
    names = ("", "") if spec.name else ()
    return (*(_EMPTY_VALUES.get(column.kind) for column in spec.columns), None, *names)


def _take_date(spec: ObjectSpec, column: Column) -> Callable[[Any], object]:
    get, path = attrgetter(column.name), f"{spec.field}.{column.name}"

    def take(record: Any) -> date | None:
        text = get(record)
        try:
            return date.fromisoformat(text) if text else None
        except ValueError:
            raise RowRefused(problems.invalid_date(path, text)) from None

    return take


def _take_choice(_spec: ObjectSpec, column: Column) -> Callable[[Any], object]:
    name = column.name
    return lambda record: getattr(record, name) if record.HasField(name) else None


def _take_texts(_spec: ObjectSpec, column: Column) -> Callable[[Any], object]:
    get = attrgetter(column.name)
    return lambda record: list(get(record))


def _take_items(_spec: ObjectSpec, column: Column) -> Callable[[Any], object]:
    get = attrgetter(column.name)

    def take(record: Any) -> str | None:
        items = [_fields(item) for item in get(record)]
        return json.dumps(items, ensure_ascii=False) if items else None

    return take


_TAKERS: Final[dict[Kind, Callable[[ObjectSpec, Column], Callable[[Any], object]]]] = {
    Kind.DATE: _take_date,
    Kind.CHOICE: _take_choice,
    Kind.TEXTS: _take_texts,
    Kind.ITEMS: _take_items,
}


def _fields(item: Message) -> dict[str, object]:
    return {descriptor.name: value for descriptor, value in item.ListFields()}
