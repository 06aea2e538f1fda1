"""Rows checked one by one: rules, calendar, school. The hot path: a good row costs one native check and a few look-ups.

What is wrong with a row stays with that row; its neighbours go on.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import protovalidate
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from iocedu.records.v1.resources_pb2 import Row

from services.sync.convert.profiles import is_classed
from services.sync.domain import problems
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
class Refused:
    """A row that does not go to records, or came back from it."""

    index: int
    key: str
    school_id: int  # 0: not known.
    problem: Problem
    content: str


@dataclass(slots=True)
class Checked:
    """Rows of a batch in order: what goes to records, and what does not."""

    count: int = 0
    rows: list[Row] = field(default_factory=list)
    indexes: list[int] = field(default_factory=list)
    school_ids: list[int] = field(default_factory=list)  # Beside `rows`.
    refused: list[Refused] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Check:
    """How rows are checked: by whose school, in whose words, and how a refused one is kept."""

    school: FindSchool
    label: Callable[[str], str]
    careful: bool = False  # Whether a text may hold NUL, which no store keeps.


def check(rows: Iterable[Row], check: Check, into: Checked) -> None:
    """Check rows and add them; `into.count` numbers them on."""
    violations_of = protovalidate.collect_violations
    for row in rows:
        index = into.count
        into.count += 1
        school_id: int | Problem = 0
        problem = _broken(row, found, check) if (found := violations_of(row)) else None
        if problem is None:
            problem = _not_said_by_rules(row, careful=check.careful, label=check.label)
        if problem is None:
            school_id = check.school(row.school)
            if isinstance(school_id, int):
                into.rows.append(row)
                into.indexes.append(index)
                into.school_ids.append(school_id)
                continue
            problem, school_id = school_id, 0
        else:
            school_id = check.school(row.school)
        known = school_id if isinstance(school_id, int) else 0
        into.refused.append(Refused(index, _clean(row.key), known, problem, content_of(row)))


async def check_all(rows: Sequence[Row], how: Check, into: Checked) -> None:
    """Check many rows, letting the loop turn in between."""
    for start in range(0, len(rows), SLICE):
        check(rows[start : start + SLICE], how, into)
        await asyncio.sleep(0)


def make(raw: Raw, profile: Profile) -> Row:
    """Make a row from a JSON object; raises `RowRefusedError`."""
    fields = profile.read(raw)
    try:
        return Row(**fields)
    except (TypeError, ValueError):
        raise RowRefusedError(_unfit(fields, profile), key=str(fields.get("key", ""))[:64]) from None


def content_of(row: Row) -> str:
    """A row as JSON, to be kept with its problem."""
    return _clean(MessageToJson(row, preserving_proto_field_name=True, indent=None, ensure_ascii=False)[:MOST_CONTENT])


def _broken(row: Row, found: Sequence[Any], how: Check) -> Problem | None:
    """The problem of a row that breaks rules; what a deleted record holds does not matter."""
    violations = []
    for item in found:
        elements = item.proto.field.elements
        if row.deleted and len(elements) > 1:
            continue
        leaf = elements[-1].field_name if elements else ""
        path = "".join(_steps(elements))
        value = item.field_value
        shown = isinstance(value, str | int | float) and value != "" and not _personal(row, elements)
        violations.append(Violation(path, leaf, str(item.proto.rule_id), str(value) if shown else ""))
    return explain(violations, label=how.label) if violations else None


def _not_said_by_rules(row: Row, *, careful: bool, label: Callable[[str], str]) -> Problem | None:
    name = row.WhichOneof("record")
    if name is None:
        return problems.no_record(_RECORDS)
    date_field = _DATES.get(name)
    if date_field is not None and not is_day(getattr(getattr(row, name), date_field)) and not row.deleted:
        path = f"{name}.{date_field}"
        return problems.invalid_date(path, label=label(path) or f"{date_field} ({FIELDS[date_field][0]})")
    if careful and (path := _with_nul(row, "")):
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
        if message is None or element.field_name == "further":
            return True
        descriptor = message.fields_by_name[element.field_name]
        if is_classed(descriptor):
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
    tried = [(name, {name: {inner: value}}, inner) for inner, value in record.items()]
    tried += [("", {outer: value}, outer) for outer, value in fields.items() if outer != name]
    for inside, part, leaf in tried:
        try:
            Row(**part)
        except (TypeError, ValueError):
            path = f"{inside}.{leaf}" if inside else leaf
            called, wanted = FIELDS.get(leaf, ("", "giá trị theo mô tả của trường này"))
            return problems.unreadable(path, label=profile.label(path) or f"{leaf} ({called})", wanted=wanted)
    return problems.unreadable("record", label="Bản ghi", wanted="đúng mô tả của loại bản ghi")


def _clean(text: str) -> str:
    """A text that PostgreSQL keeps."""
    return text.replace("\0", "\ufffd") if "\0" in text else text
