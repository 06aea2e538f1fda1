"""Rows in this interface's own names: JSON as proto JSON has it, `snake_case` or `lowerCamelCase`, into fields.

The shapes come from the protos' descriptors, so that a field exists once. Refuses names the shape does not have, and
values of another type than the field's; ranges and patterns are the rules' matter.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from services.sync.domain import problems
from services.sync.domain.fields import DATES
from services.sync.domain.problems import Called, RowRefusedError
from services.sync.domain.profiles import Fields, Fits, Raw, Shown
from services.sync.domain.values import INT32, INT64, Unreadable, decimal, integer, is_written_day
from services.sync.domain.words import Text, is_code, nearest, shortened

STRING, INT_32, INT_64, BOOL, DOUBLE, MESSAGE, STRINGS_BY_STRING = range(7)
_LIMITS: Final = {INT_32: INT32, INT_64: INT64}
_LIST: Final = Text("một danh sách [...]", "a list [...]")
_STRING: Final = Text("một chuỗi trong dấu nháy kép", "a text in double quotes")
_OBJECT: Final = Text("một đối tượng {...}", "an object {...}")
_BOOL: Final = Text("true hoặc false", "true or false")
_WITHIN: Final = Text("một số nguyên trong phạm vi cho phép", "a whole number within bounds")
_STRINGS: Final = Text('các cặp "tên": "giá trị", giá trị là chuỗi', 'pairs of "name": "value", all values texts')


@dataclass(frozen=True, slots=True)
class Member:
    """One field of a message."""

    name: str
    type: int
    repeated: bool = False
    classed: bool = False  # Whether it is personal data.
    shape: "Shape | None" = None


@dataclass(frozen=True, slots=True)
class Shape:
    """A message: its fields by both of their names."""

    members: Mapping[str, Member] = field(default_factory=dict)
    one_of: frozenset[str] = frozenset()  # At most one of these may be given.


class OwnProfile:
    """The profile whose names are those of the protos."""

    def __init__(self, name: str, shape: Shape) -> None:
        self.name = name
        self._shape = shape
        self.shown: Shown = _shown(shape)

    def read(self, raw: Raw) -> Fields:
        """Make the fields of a row; raises `RowRefusedError`."""
        key, school = raw.get("key"), raw.get("school")
        try:
            return _read(self._shape, raw, "")
        except RowRefusedError as refused:
            refused.key = shortened(key) if isinstance(key, str) else ""
            refused.school = school if isinstance(school, str) else ""
            raise

    def unverified(self, raw: Raw) -> list[str]:  # noqa: ARG002 (whatever the row: what is no name of ours is refused)
        """None: the specification's codes are told in its own names only."""
        return []

    def called(self, path: str, raw: Raw) -> Called:  # noqa: ARG002 (whatever the row: the names are ours)
        """The path itself, with what people call it."""
        return problems.own(path)


def _read(shape: Shape, raw: Raw, inside: str) -> Fields:
    fields: Fields = {}
    members = shape.members
    for name, value in raw.items():
        member = members.get(name)
        if member is None:
            known = sorted({one.name for one in members.values()})
            near = nearest(name, known)
            problem = problems.unknown_field(name, known, inside=inside)
            raise RowRefusedError(problem, path=(name,), meant=f"{inside}{near}" if near else "")
        if value is None:
            continue
        if member.type == STRING and value.__class__ is str:
            fields[member.name] = value
            continue
        path = f"{inside}{member.name}"
        try:
            fields[member.name] = _list(member, value, path) if member.repeated else _one(member, value, path)
        except RowRefusedError as refused:
            refused.path = (name,) if member.repeated else (name, *refused.path)
            raise
    given = shape.one_of.intersection(fields)
    if shape.one_of and len(given) != 1:
        raise RowRefusedError(problems.no_record(sorted(shape.one_of)))
    return fields


def _list(member: Member, value: object, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise RowRefusedError(problems.unreadable(problems.own(path), wanted=_LIST))
    return [_one(member, item, f"{path}[{index}]") for index, item in enumerate(value)]


def _one(member: Member, value: object, path: str) -> object:
    if member.type == MESSAGE and isinstance(value, dict) and member.shape is not None:
        return _read(member.shape, value, f"{path}.")
    try:
        return _single(member.type, value)
    except Unreadable as cause:
        raise RowRefusedError(problems.unreadable(problems.own(path), wanted=cause.wanted)) from None


def _single(kind: int, value: object) -> object:
    if kind == STRING:
        if isinstance(value, str):
            return value
        raise Unreadable(_STRING)
    if kind == MESSAGE:
        raise Unreadable(_OBJECT)
    if kind == BOOL:
        if isinstance(value, bool):
            return value
        raise Unreadable(_BOOL)
    if kind == DOUBLE:
        return decimal(value)
    if kind == STRINGS_BY_STRING:
        return _map(value)
    return _integer(value, _LIMITS[kind])


def _integer(value: object, limit: int) -> int:
    number = integer(value)
    if isinstance(value, bool) or not -limit <= number < limit:
        raise Unreadable(_WITHIN)
    return number


def _map(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise Unreadable(_OBJECT)
    if not all(isinstance(one, str) for one in value.values()):
        raise Unreadable(_STRINGS)
    return value


def _shown(shape: Shape) -> Shown:
    shown: dict[str, Shown | Fits] = {}
    for name, member in shape.members.items():
        if member.shape is not None:
            shown[name] = _shown(member.shape)
        elif not member.classed and member.type != STRINGS_BY_STRING:
            shown[name] = is_written_day if member.name in DATES else is_code
    return shown
