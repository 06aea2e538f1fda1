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
from struct import Struct
from typing import Any, Final

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from iocedu.records.v1 import records_pb2, resources_pb2

from chassis.errors import FieldViolation
from chassis.validation import invalid
from services.records.convert.collections import collection_of
from services.records.domain import problems
from services.records.domain.edits import Edit, edit_id
from services.records.domain.full_copies import FullCopy
from services.records.domain.history import Brought
from services.records.domain.names import stored_names
from services.records.domain.objects import BY_FIELD, Column, Kind, ObjectSpec
from services.records.domain.problems import Problem
from services.records.domain.versions import DELETED_HASH

SLICE: Final = 500  # rows between two looks at the loop
MOST_ROW_BYTES: Final = 200_000  # so that a change fits an event
_number: Final = Struct(">q").unpack

Identity = tuple[int, str]  # school and key
Entry = tuple[int, str, int, int, int]  # school, key, version, content hash, index in the batch
Values = tuple[object, ...]
School = Callable[[str], int | Problem]  # finds the school behind a reference


@dataclass(slots=True)
class Batch:
    """A request taken apart: what is wrong with it already, and the rest by type.

    A row that names a previous key is two: itself, and a tombstone of that key behind the rows sent. Where the record
    went on to a third key in the same batch, only the last row is stored; those it followed share its fate.
    """

    request_id: str
    source: str
    backfill: bool
    digest: bytes
    rows: list[resources_pb2.Row]
    count: int  # how many of the rows were sent
    trace: str = ""  # the trace it belongs to, as `traceparent`
    validate_only: bool = False
    atomic: bool = False
    edit: Edit | None = None  # makes its row a correction by hand
    brought: Brought | None = None  # where its rows came from
    full_copy: FullCopy | None = None  # what its source has told completely
    problems: dict[int, Problem] = field(default_factory=dict)
    entries: dict[ObjectSpec, list[Entry]] = field(default_factory=dict)
    renamed: dict[int, int] = field(default_factory=dict)  # index of each tombstone's row, and of the row it came with
    followed: dict[int, int] = field(default_factory=dict)  # a row whose key another row changes again, and that row

    def last(self, index: int) -> int:
        """The row under whose key a record goes on that this row renamed: itself, unless others follow."""
        while (following := self.followed.get(index)) is not None:
            index = following
        return index

    def keys_before(self, index: int) -> list[str]:
        """The keys that a row's record had before, by this batch; the nearest first."""
        former = [self.rows[index].previous_key] if self.rows[index].previous_key else []
        return former + [self.rows[one].previous_key for one in reversed(self.followed) if self.last(one) == index]

    @property
    def school_ids(self) -> set[int]:
        """The schools that are touched."""
        touched = {entry[0] for entries in self.entries.values() for entry in entries}
        return touched | {self.full_copy.school_id} if self.full_copy else touched


class RowRefused(Exception):  # noqa: N818 (says what became of the row)
    """A row that cannot be stored."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.reason)
        self.problem = problem


async def read_batch(
    request: records_pb2.ApplyRowsRequest, *, school: School, trace: str = "", caller: str = ""
) -> Batch:
    """Take a request of a caller apart."""
    rows = list(request.rows)
    batch = Batch(request.request_id, request.source, request.backfill, b"", rows, len(rows), trace)
    batch.validate_only, batch.atomic = request.validate_only, request.atomic
    request.ClearField("validate_only")  # What is only looked at is the same request as what is stored after it.
    batch.brought = Brought(request.brought.unit_id, tuple(request.brought.batch_ids), caller)
    request.ClearField("brought")  # An old replica of sync may repeat the request without it.
    found: dict[str, dict[Identity, Entry]] = {name: {} for name in BY_FIELD}
    _refuse_circles(batch, school=school)
    for start in range(0, batch.count, SLICE):
        _read_slice(batch, start, school=school, found=found)
        await asyncio.sleep(0)
    batch.entries = {spec: sorted(found[name].values()) for name, spec in BY_FIELD.items() if found[name]}
    if request.HasField("full_copy"):
        batch.full_copy = _full_copy(request, school=school)
    if request.HasField("edit"):
        batch.request_id, batch.digest = edit_id(request.request_id), request.edit.digest
        batch.edit = Edit(request.edit.etag, request.edit.reason, caller)
    else:
        batch.digest = blake2b(request.SerializeToString(deterministic=True), digest_size=16).digest()
    return batch


def _full_copy(request: records_pb2.ApplyRowsRequest, *, school: School) -> FullCopy:
    told = request.full_copy
    school_id = school(told.school)
    if isinstance(school_id, Problem):
        violation = FieldViolation("full_copy.school", school_id.reason, school_id.message, f"no school {told.school}")
        raise invalid([violation])
    collection = collection_of(told.collection).collection
    awaited = frozenset(told.awaited_keys)
    return FullCopy(school_id, collection, told.school_year, request.source, told.version, awaited)


def _read_slice(batch: Batch, start: int, *, school: School, found: dict[str, dict[Identity, Entry]]) -> None:
    for index, row in enumerate(batch.rows[start : min(start + SLICE, batch.count)], start):
        name = row.WhichOneof("record")
        if name is None or index in batch.problems:
            batch.problems.setdefault(index, problems.no_record())
            continue
        school_id = school(row.school)
        if isinstance(school_id, Problem):
            batch.problems[index] = school_id
            continue
        key = row.key
        identity = (school_id, key)
        known = found[name]
        previous = row.previous_key
        if identity in known or previous:
            if _is_between(batch, row, school_id, known):
                batch.followed[index] = batch.renamed[known[identity][-1]]
                _end_previous(batch, row, name, index=index, school_id=school_id, known=known)
                continue
            problem = _named_twice(batch, row, school_id, known)
            if problem is not None:
                batch.problems[index] = problem
                continue
        content = b"" if row.deleted else getattr(row, name).SerializeToString(deterministic=True)
        if b"\0" in content or len(content) > MOST_ROW_BYTES or "\0" in key + previous:
            problem = _unfit(row, name, len(content))
            if problem is not None:
                batch.problems[index] = problem
                continue
        content_hash = DELETED_HASH if row.deleted else _number(blake2b(content, digest_size=8).digest())[0]
        known[identity] = (school_id, key, row.version, content_hash, index)
        if previous:
            _end_previous(batch, row, name, index=index, school_id=school_id, known=known)


def _named_twice(batch: Batch, row: resources_pb2.Row, school_id: int, known: dict[Identity, Entry]) -> Problem | None:
    """What is wrong with a row whose key, or previous key, the batch has named already."""
    if (entry := known.get((school_id, row.key))) is not None:
        first = entry[-1]
        return problems.duplicate_key(row.key, batch.renamed.get(first, first))
    previous = row.previous_key
    if previous and (previous == row.key or not _goes_on(batch, row, known.get((school_id, previous)))):
        return problems.previous_key_in_use(previous)
    return None


def _refuse_circles(batch: Batch, *, school: School) -> None:
    """Refuse all rows of keys that go round: who reads the feed could not tell records that swap keys from one that is
    renamed twice.
    """
    previous: dict[tuple[str, int, str], tuple[str, int]] = {}
    for index, row in enumerate(batch.rows):
        if row.previous_key and row.previous_key != row.key and (name := row.WhichOneof("record")):
            school_id = school(row.school)
            if not isinstance(school_id, Problem):
                previous.setdefault((name, school_id, row.key), (row.previous_key, index))
    while previous:
        place, (before, index) = previous.popitem()
        path = {place: index}
        while (place := (place[0], place[1], before)) in previous:
            before, index = previous.pop(place)
            path[place] = index
        if place in path:
            named = list(path)
            circle = named[named.index(place) :]
            keys = [batch.rows[path[one]].key for one in circle]
            batch.problems.update((path[one], problems.key_cycle(keys)) for one in circle)


def _goes_on(batch: Batch, row: resources_pb2.Row, before: Entry | None) -> bool:
    """Whether nothing speaks against ending a previous key: no row has it, or one that took it up no later."""
    if before is None:
        return True
    version, index = before[2], before[-1]
    return index < batch.count and bool(batch.rows[index].previous_key) and version <= row.version


def _is_between(batch: Batch, row: resources_pb2.Row, school_id: int, known: dict[Identity, Entry]) -> bool:
    """Whether a row gives a record the key that an earlier row of the batch has changed already."""
    ended = known.get((school_id, row.key))
    if ended is None or not row.previous_key or ended[-1] not in batch.renamed or row.version > ended[2]:
        return False
    before = known.get((school_id, row.previous_key))
    if not _goes_on(batch, row, before):
        return False
    # A circle of keys is no record that goes on.
    return before is None or batch.last(before[-1]) != batch.last(batch.renamed[ended[-1]])


def _end_previous(
    batch: Batch, row: resources_pb2.Row, name: str, *, index: int, school_id: int, known: dict[Identity, Entry]
) -> None:
    """Add the tombstone of the key that a row had before, and note which row of the batch it follows."""
    before = known.get((school_id, row.previous_key))
    if before is not None:
        batch.followed[before[-1]] = index
    place = len(batch.rows)
    tombstone = resources_pb2.Row(school=row.school, key=row.previous_key, version=row.version, deleted=True)
    getattr(tombstone, name).SetInParent()
    batch.rows.append(tombstone)
    batch.renamed[place] = index
    known[school_id, row.previous_key] = (school_id, row.previous_key, row.version, DELETED_HASH, place)


def _unfit(row: resources_pb2.Row, name: str, size: int) -> Problem | None:
    """Look closer at a row that is very long or holds a zero byte, which may stand in a number but not in a text."""
    if size > MOST_ROW_BYTES:
        return problems.row_too_large(size, MOST_ROW_BYTES)
    for name_of_key in ("key", "previous_key"):
        if "\0" in getattr(row, name_of_key):
            return problems.zero_byte(name_of_key)
    return problems.zero_byte(name) if _has_zero_text(getattr(row, name)) else None


def _has_zero_text(message: Message) -> bool:
    """Whether a text anywhere in a message holds a zero byte, which the database cannot keep.

    Marks are numbers with zero bytes, so that each result comes here; its text form is made much faster than JSON.
    """
    return "\\000" in str(message) and "\\u0000" in MessageToJson(message)


async def column_values(spec: ObjectSpec, entries: Sequence[Entry], *, batch: Batch, now: datetime) -> list[Values]:
    """Make the column tuples of rows of one type, in the store's order; rows with problems are noted and left out."""
    values_of, empty = _reader(spec), _empty(spec)
    made: list[Values] = []
    rows, source, request_id = batch.rows, batch.source, batch.request_id
    for start in range(0, len(entries), SLICE):
        for school_id, key, version, content_hash, index in entries[start : start + SLICE]:
            row = rows[index]
            deleted = row.deleted
            try:
                values = empty if deleted else values_of(getattr(row, spec.field))
            except RowRefused as refused:
                batch.problems[index] = refused.problem
                continue
            made.append((school_id, key, version, version, source, content_hash, deleted, now, request_id, *values))
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
        return (*values(record), *stored_names(name_of(record), person=person))

    return named


_PLAIN: Final = frozenset({Kind.TEXT, Kind.INTEGER, Kind.FLAG, Kind.DECIMAL})
_EMPTY_VALUES: Final[dict[Kind, object]] = {
    Kind.TEXT: "",
    Kind.INTEGER: 0,
    Kind.FLAG: False,
    Kind.DECIMAL: 0.0,
    Kind.TEXTS: [],
}


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


def _take_said(_spec: ObjectSpec, column: Column) -> Callable[[Any], object]:
    get = attrgetter(column.name)
    return lambda record: get(record) or None


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
    Kind.SAID: _take_said,
    Kind.DATE: _take_date,
    Kind.CHOICE: _take_choice,
    Kind.TEXTS: _take_texts,
    Kind.ITEMS: _take_items,
}


def _fields(item: Message) -> dict[str, object]:
    return {
        descriptor.name: list(value) if descriptor.is_repeated else value for descriptor, value in item.ListFields()
    }
