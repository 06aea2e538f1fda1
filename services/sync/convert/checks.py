"""What is wrong with one row: broken rules, its school, its record. The hot path: good rows cost look-ups."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from typing import Any, Final

from google.protobuf.message import Message
from iocedu.records.v1.resources_pb2 import Row

from services.sync.convert.profiles import is_classed
from services.sync.convert.records import wrong_with
from services.sync.convert.rules import DayRules
from services.sync.domain import problems
from services.sync.domain.collections import COLLECTIONS
from services.sync.domain.explain import Violation, explain, explained
from services.sync.domain.problems import Called, Problem
from services.sync.domain.values import hidden_sign
from services.sync.domain.words import Text, shortened

FindSchool = Callable[[str], "int | str"]  # The school's id, or the reason why it is none.
_RECORDS: Final = tuple(one.name for one in Row.DESCRIPTOR.oneofs_by_name["record"].fields)
_PARENTS: Final = ("TEN_CHA", "TEN_ME", "TEN_NGUOI_DD")


def _names_of(message: Any) -> list[tuple[str, Callable[[Any], str]]]:
    """The names in a record, each with its path and how it is read."""
    found: list[tuple[str, Callable[[Any], str]]] = [
        (name, attrgetter(name)) for name in ("name", "full_name") if name in message.fields_by_name
    ]
    if message.name == "Pupil":
        found += [(f'further["{name}"]', partial(_further, name)) for name in _PARENTS]
    return found


def _further(name: str, record: Any) -> str:
    return str(record.further.get(name, ""))


_NAMES: Final = {one.name: _names_of(one.message_type) for one in Row.DESCRIPTOR.oneofs_by_name["record"].fields}


@dataclass(frozen=True, slots=True)
class Check:
    """How rows of a batch are checked, and in whose words their problems are told."""

    school: FindSchool
    named: Callable[[str], str]  # What people call a unit: its name with its code.
    unit: str  # The batch's unit, as people call it.
    content: Callable[[int], str]  # The row at an index as it came.
    called: Callable[[int, str], Called]  # What its sender calls the field at our path.
    place: Callable[[int, str], Text]  # Where it stands, for people, with the field that is told of; empty: the row.
    rules: DayRules
    document: bool = False  # Whether problems begin with where the row stands.
    careful: bool = False  # Whether a text may hold NUL, which no store keeps.
    records: frozenset[str] | None = None  # What its sender is connected for, by field of a row; None: all.
    # For programs: where the row at an index stands in its file, and the field that is wrong.
    located: Callable[[int, str], Mapping[str, str]] | None = None
    apart: bool = False  # Whether fields of one row stand apart, so that each problem says its place.
    # Rows that are put over records of which nothing may be shown, by index, with the fields that they say themselves.
    veiled: Mapping[int, Collection[str]] = field(default_factory=dict)

    def place_of(self, index: int) -> Callable[[str], Text] | None:
        """Where the fields of the row at an index stand, if they stand apart."""
        return partial(self.place, index) if self.apart else None


def problem_of(row: Row, found: Sequence[Any], how: Check, index: int, *, school: int | str) -> Problem | None:
    """What is wrong with a row, whose broken rules are given: the most important matter, the others beside it.

    `school` is what was found behind the school it names.
    """
    unruly = _unruly(row, how, index)
    if isinstance(school, str):
        unruly = [*unruly, _school_problem(row, school, how, index)]
    if found and (violations := _broken(row, found)):
        return explain(violations, called=partial(how.called, index), also=unruly, place=how.place_of(index))
    return unruly[0].beside(unruly[1:], place=how.place_of(index)) if unruly else None


def all_problems(row: Row, found: Sequence[Any], how: Check, index: int, *, school: int | str) -> list[Problem]:
    """Everything that is wrong, as `problem_of` finds it."""
    unruly = _unruly(row, how, index)
    if isinstance(school, str):
        unruly = [*unruly, _school_problem(row, school, how, index)]
    return [*explained(_broken(row, found), called=partial(how.called, index)), *unruly]


def _school_problem(row: Row, reason: str, how: Check, index: int) -> Problem:
    """What is wrong with the school a row names."""
    called = how.called(index, "school")
    school = called.written or row.school
    if reason == problems.UNKNOWN_SCHOOL:
        return problems.unknown_school(called, school)
    return problems.school_outside_unit(called, how.named(school), how.unit)


def _broken(row: Row, found: Sequence[Any]) -> list[Violation]:
    """The rules a row breaks; what a deleted record holds does not matter."""
    violations = []
    for item in found:
        elements = item.proto.field.elements
        if row.deleted and len(elements) > 1:
            continue
        value = item.field_value
        written = f"{value:g}" if isinstance(value, float) else str(value) if isinstance(value, str | int) else ""
        personal = _personal(row, elements)
        violations.append(Violation("".join(_steps(elements)), str(item.proto.rule_id), written, personal))
    return violations


def _unruly(row: Row, how: Check, index: int) -> Sequence[Problem]:
    """What rules cannot say: no record, what is wrong with the record itself, a sign that cannot be stored."""
    name = row.WhichOneof("record")
    if name is None:
        return [problems.no_record(_RECORDS)]
    if how.records is not None and name not in how.records:
        return [problems.collection_not_connected(COLLECTIONS[name])]
    record = getattr(row, name)
    found: Sequence[Problem] = ()
    if not row.deleted:
        found = wrong_with(name, record, how.rules, how.called, index)
        if hidden := _with_hidden(name, record):
            path, sign = hidden
            found = [*found, problems.hidden_character(how.called(index, path), sign)]
    # Marks are numbers with zero bytes: whether a text has one is seen much faster in the row's text form.
    if how.careful and "\\000" in str(row) and (path := _with_nul(row, "")):
        return [*found, problems.forbidden_character(how.called(index, path))]
    return found


def _with_hidden(name: str, record: Any) -> tuple[str, str] | None:
    """The path of a name with a sign that nobody sees, and the sign; None: there is none."""
    for path, read in _NAMES.get(name, ()):
        text = read(record)
        if not text.isprintable() and (sign := hidden_sign(text)):
            return f"{name}.{path}", sign
    return None


def _steps(elements: Any) -> Iterator[str]:
    for position, element in enumerate(elements):
        yield f"{'.' if position else ''}{element.field_name}"
        subscript = getattr(element.subscript, "value", element.subscript)
        if isinstance(subscript, str):
            yield f'["{shortened(subscript)}"]'
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
        if isinstance(value, Mapping):
            if name := next((name for name, text in value.items() if "\0" in name or "\0" in text), None):
                return f'{path}["{shortened(name)}"]'
            continue
        for place, item in enumerate(value if descriptor.is_repeated else (value,)):
            here = f"{path}[{place}]" if descriptor.is_repeated else path
            if isinstance(item, str) and "\0" in item:
                return here
            if isinstance(item, Message) and (found := _with_nul(item, f"{here}.")):
                return found
    return ""
