"""Rows checked one by one: rules, calendar, school. The hot path: a good row costs one native check and a few look-ups.

What is wrong with a row stays with that row; its neighbours go on.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import protovalidate
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from iocedu.records.v1.resources_pb2 import Row

from services.sync.convert.profiles import is_classed
from services.sync.domain import problems
from services.sync.domain.batches import RowState
from services.sync.domain.explain import FIELDS, Violation, explain
from services.sync.domain.problems import Problem, RowRefusedError
from services.sync.domain.profiles import Fields, Profile, Raw
from services.sync.domain.values import is_day

SLICE: Final = 500  # Rows between two looks at the loop.
MOST_CONTENT: Final = 100_000  # Letters of a refused row that are kept.
_DATES: Final = {"pupil": "birth_date", "staff_member": "birth_date", "attendance_register": "day"}
_RECORDS: Final = tuple(one.name for one in Row.DESCRIPTOR.oneofs_by_name["record"].fields)

FindSchool = Callable[[str], "int | Problem"]


@dataclass(frozen=True, slots=True)
class Unread:
    """A row that could not be made from what came."""

    problem: Problem
    key: str = ""
    school: str = ""  # As it says itself, if it does.


@dataclass(frozen=True, slots=True)
class Noted:
    """A row with a problem: refused or held, and so kept, or stale."""

    index: int
    state: RowState
    key: str
    school_id: int  # 0: not known.
    problem: Problem
    content: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """How rows are checked: by whose school, in whose words, and what is kept of a refused one."""

    school: FindSchool
    content: Callable[[int], str]  # The row at an index as it came.
    label: Callable[[str], str]
    careful: bool = False  # Whether a text may hold NUL, which no store keeps.


@dataclass(slots=True)
class Checked:
    """Rows of a batch, or of a slice of one, in order: what goes to records, and what became of each."""

    how: Check
    first: int = 0  # Index of the first row in the batch.
    rows: list[Row] = field(default_factory=list)  # What goes to records,
    indexes: list[int] = field(default_factory=list)  # where each stands in the batch,
    school_ids: list[int] = field(default_factory=list)  # and its school.
    states: bytearray = field(default_factory=bytearray)
    noted: list[Noted] = field(default_factory=list)
    counts: Counter[tuple[int, int]] = field(default_factory=Counter)  # Once answered: rows by school and state.

    def add(self, rows: Iterable[Row | Unread]) -> None:
        """Check rows and add them."""
        violations_of, how = protovalidate.collect_violations, self.how
        find = how.school
        for row in rows:
            index = self.first + len(self.states)
            self.states.append(RowState.REJECTED)
            if isinstance(row, Unread):
                known = find(row.school) if row.school else 0
                self.refuse(index, row.problem, key=row.key, school_id=known if isinstance(known, int) else 0)
                continue
            problem = _broken(row, found, how) if (found := violations_of(row)) else None
            problem = problem or _unruly(row, how)
            school = find(row.school)
            if isinstance(school, Problem):
                self.refuse(index, problem or school, key=row.key, school_id=0)
            elif problem is not None:
                self.refuse(index, problem, key=row.key, school_id=school)
            else:
                self.rows.append(row)
                self.indexes.append(index)
                self.school_ids.append(school)

    async def add_all(self, rows: Sequence[Row | Unread]) -> None:
        """Check many rows, letting the loop turn in between."""
        for start in range(0, len(rows), SLICE):
            self.add(rows[start : start + SLICE])
            await asyncio.sleep(0)

    def refuse(self, index: int, problem: Problem, *, key: str, school_id: int) -> None:
        """Keep a row aside that does not go to records."""
        self.noted.append(Noted(index, RowState.REJECTED, cleaned(key), school_id, problem, self._content(index)))

    def answer(self, states: Sequence[int], told: Iterable[tuple[int, Problem]]) -> None:
        """Take what records says: a state for each row sent, problems by place among these; let go of the rows."""
        self.counts.update((noted.school_id, RowState.REJECTED) for noted in self.noted if noted.school_id)
        self.counts.update(zip(self.school_ids, states, strict=True))
        for index, state in zip(self.indexes, states, strict=True):
            self.states[index - self.first] = state
        for place, problem in told:
            state, index = RowState(states[place]), self.indexes[place]
            kept = self._content(index) if state in (RowState.REJECTED, RowState.HELD) else ""
            key = cleaned(self.rows[place].key)
            self.noted.append(Noted(index, state, key, self.school_ids[place], problem, kept))
        self.rows, self.indexes, self.school_ids = [], [], []

    def _content(self, index: int) -> str:
        return cleaned(self.how.content(index)[:MOST_CONTENT])


def make(raw: Raw, profile: Profile) -> Row | Unread:
    """Make a row from a JSON object."""
    try:
        fields = profile.read(raw)
    except RowRefusedError as refused:
        return Unread(refused.problem, refused.key, refused.school)
    try:
        return Row(**fields)
    except (TypeError, ValueError):
        key, school = str(fields.get("key", "")), str(fields.get("school", ""))
        return Unread(_unfit(fields, profile), problems.shortened(key), school)


def content_of(row: Row) -> str:
    """A row as JSON in our own names, as profile `iocedu` has it."""
    return MessageToJson(row, preserving_proto_field_name=True, indent=None, ensure_ascii=False)


def cleaned(text: str) -> str:
    """A text that PostgreSQL keeps."""
    return text.replace("\0", "\ufffd") if "\0" in text else text


def _broken(row: Row, found: Sequence[Any], how: Check) -> Problem | None:
    """The problem of a row that breaks rules; what a deleted record holds does not matter."""
    violations = []
    for item in found:
        elements = item.proto.field.elements
        if row.deleted and len(elements) > 1:
            continue
        value = item.field_value
        shown = isinstance(value, str | int | float) and value != "" and not _personal(row, elements)
        leaf = elements[-1].field_name if elements else ""
        rule = str(item.proto.rule_id)
        violations.append(Violation("".join(_steps(elements)), leaf, rule, str(value) if shown else ""))
    return explain(violations, label=how.label) if violations else None


def _unruly(row: Row, how: Check) -> Problem | None:
    """What rules cannot say: no record, no day of the calendar, a sign that cannot be stored."""
    name = row.WhichOneof("record")
    if name is None:
        return problems.no_record(_RECORDS)
    date_field = _DATES.get(name)
    if date_field is not None and not is_day(getattr(getattr(row, name), date_field)) and not row.deleted:
        path = f"{name}.{date_field}"
        return problems.invalid_date(path, label=how.label(path) or f"{date_field} ({FIELDS[date_field][0]})")
    if how.careful and (path := _with_nul(row, "")):
        return problems.forbidden_character(path)
    return None


def _steps(elements: Any) -> Iterator[str]:
    for position, element in enumerate(elements):
        yield f"{'.' if position else ''}{element.field_name}"
        subscript = getattr(element.subscript, "value", element.subscript)
        if isinstance(subscript, str):
            yield f'["{problems.shortened(subscript)}"]'
        elif subscript is not None:
            yield f"[{subscript}]"


def _personal(row: Row, elements: Any) -> bool:
    """Whether the value at a path is personal data, or may be."""
    message: Any = row.DESCRIPTOR
    for element in elements:
        descriptor = message.fields_by_name[element.field_name]
        if descriptor.name == "further" or is_classed(descriptor):
            return True
        message = descriptor.message_type
    return False


def _with_nul(message: Message, inside: str) -> str:
    """The path of a text that holds NUL; empty: none does."""
    for descriptor, value in message.ListFields():
        path = f"{inside}{descriptor.name}"
        for item in value if descriptor.is_repeated else (value,):
            if isinstance(item, str):
                other = value[item] if isinstance(value, Mapping) else ""
                if "\0" in item or "\0" in other:
                    return path
            elif isinstance(item, Message) and (found := _with_nul(item, f"{path}.")):
                return found
    return ""


def _unfit(fields: Fields, profile: Profile) -> Problem:
    """Which field of a row the message does not take: a number out of range, a text that is no Unicode."""
    name, record = next(((name, one) for name, one in fields.items() if isinstance(one, dict)), ("", {}))
    tried: list[tuple[str, str, Fields]] = [(name, inner, {name: {inner: value}}) for inner, value in record.items()]
    tried += [("", outer, {outer: value}) for outer, value in fields.items() if outer != name]
    for inside, leaf, part in tried:
        try:
            Row(**part)
        except (TypeError, ValueError):
            path = f"{inside}.{leaf}" if inside else leaf
            called, wanted = FIELDS.get(leaf, ("", "giá trị theo mô tả của trường này"))
            return problems.unreadable(path, label=profile.label(path) or f"{leaf} ({called})", wanted=wanted)
    return problems.unreadable("record", label="Bản ghi", wanted="đúng mô tả của loại bản ghi")
