"""Rows by a table, the hot path: a look-up a field, into our names. Refuses what the table does not name.

What the specification names for an object and our typed core has no place for goes to `further` as it came.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from services.sync.domain.profiles import Fields, Raw
from services.sync.domain.specification import Checks, Unfit
from services.sync.domain.values import Reader, Unreadable, text
from services.sync.domain.words import Text

TEXT, FURTHER, VALUE, ROW, ITEMS, LATER, SKIP = range(7)
_LIST: Final = Text("một danh sách [...]", "a list [...]")
_OBJECTS: Final = Text("một danh sách các đối tượng {...}", "a list of objects {...}")


class Slot(NamedTuple):
    """What is done with one field of a sender; a tuple, because the hot path takes it apart."""

    how: int
    target: str = ""
    reader: Reader = text
    otherwise: str = ""  # Where a value goes, as text, that the reader cannot read.
    items: "Mapping[str, Slot]" = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ObjectTable:
    """How one type of record is read, and what its fields are called."""

    record: str
    key: tuple[str, ...]
    slots: Mapping[str, Slot]
    names: Mapping[str, tuple[str, ...]]  # By our field the sender's names that can say it, the better ones first.
    of_year: tuple[str, ...]  # Fields that name a record of the same school year.
    items_of_year: tuple[tuple[str, str], ...]
    derived: tuple[tuple[str, str, Mapping[str, str]], ...]
    labels: Mapping[str, str]  # What people call a field; of one in a list by `LIST.FIELD`.
    forms: Mapping[str, Text]  # What may be written in a field, where the table reads it in a form of its own.
    constant: Mapping[str, Any]  # What is said by the type of record alone.
    checks: Checks | None  # What the ministry's specification says of it.


class CannotReadError(Exception):
    """A field that cannot be read: unknown (known ones are given), or with a value that is not of its type."""

    def __init__(
        self, name: str, wanted: Text | None = None, *, inside: str = "", known: Iterable[str] = (), long: bool = False
    ) -> None:
        super().__init__(name)
        self.name = name
        self.long = long  # Whether it could be read, but has more letters than may be written.
        self.inside = inside  # The list it stands in, with its place there: `DIEM_MONS[2]`.
        self.wanted = wanted
        self.known = known


class NoKeyError(Exception):
    """A row without some of what its key is made of: our names of these, and the key as far as it can be made."""

    def __init__(self, missing: list[str], *, key: str = "") -> None:
        super().__init__(*missing)
        self.missing = missing
        self.key = key


def read(spec: ObjectTable, raw: Raw) -> Fields:  # noqa: C901, PLR0912 (the hot path: a call a field would double it)
    """Make the fields of a row, plain texts first; raises `CannotReadError`, `NoKeyError`."""
    record: Fields = dict(spec.constant)
    row: Fields = {}
    further: dict[str, str] = {}
    later: list[tuple[str, Slot, Any]] = []
    slots = spec.slots
    for name, value in raw.items():
        slot = slots.get(name)
        if slot is None:
            raise CannotReadError(name, known=slots)
        if value is None or value == "":
            continue
        how, target, reader, _, _ = slot
        try:
            if how == TEXT:
                record[target] = value.strip() if value.__class__ is str else text(value)
            elif how == FURTHER:
                further[name] = value if value.__class__ is str else _plain(value)
            elif how == VALUE:
                record[target] = reader(value)
            elif how == ROW:
                row[target] = reader(value)
            elif how == ITEMS:
                record[target] = _items(name, slot, value)
            elif how == LATER:
                later.append((name, slot, value))
        except Unreadable as cause:
            raise CannotReadError(name, cause.wanted) from None
    for name, slot, value in later:
        _read_later(name, slot, value, row if slot.target == "school" else record, further)
    _complete(spec, record)
    if spec.checks is not None:
        _check(spec.checks, record, raw)
    parts = [record.get(target) for target in spec.key]
    record.pop("id", None)
    if not all(parts):
        begun = map(str, takewhile(bool, parts)) if record.get("school_year") else ()
        missing = [target for target, part in zip(spec.key, parts, strict=True) if not part]
        raise NoKeyError(missing, key=".".join(begun))
    row["key"] = ".".join(map(str, parts))
    if "previous_key" in row:
        row["previous_key"] = ".".join(map(str, (row["previous_key"], *parts[1:])))
    if further:
        record["further"] = further
    row[spec.record] = record
    return row


def _check(checks: Checks, record: Fields, raw: Raw) -> None:
    """Hold the row against the specification, by the one level it is of; whether it is gone does not matter."""
    level = record.get("level") or record.get("levels") or ""
    try:
        checks.check(raw, level if level.__class__ is str else level[0] if len(level) == 1 else "")
    except Unfit as unfit:
        raise CannotReadError(
            unfit.name, unfit.wanted, inside=unfit.inside, known=unfit.known, long=unfit.long
        ) from None


def _complete(spec: ObjectTable, record: Fields) -> None:
    """Add what follows from other fields: the year in keys of the same year, the level from the grade."""
    year = record.get("school_year", 0)
    for target in spec.of_year:
        if record.get(target):
            record[target] = f"{record[target]}.{year}"
    for target, inner in spec.items_of_year:
        for item in record.get(target, ()):
            if item.get(inner):
                item[inner] = f"{item[inner]}.{year}"
    for target, source, table in spec.derived:
        if not record.get(target) and record.get(source) in table:
            record[target] = table[record[source]]


def _read_later(name: str, slot: Slot, value: object, into: Fields, further: dict[str, str]) -> None:
    """A field that counts only where its better one is missing; otherwise it is kept as it came."""
    if slot.target in into:
        further[name] = value if isinstance(value, str) else _plain(value)
        return
    try:
        into[slot.target] = slot.reader(value)
    except Unreadable as cause:
        raise CannotReadError(name, cause.wanted) from None


def _items(name: str, slot: Slot, value: object) -> list[Fields]:
    if not isinstance(value, list):
        raise Unreadable(_LIST)
    made: list[Fields] = []
    slots = slot.items
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise Unreadable(_OBJECTS)
        fields: Fields = {}
        for inner, inner_value in item.items():
            one = slots.get(inner)
            if one is None:
                raise CannotReadError(inner, inside=f"{name}[{index}]", known=slots)
            if inner_value is None or inner_value == "":
                continue
            how, target, reader, _, _ = one
            try:
                plain = how == TEXT and inner_value.__class__ is str
                fields[target] = inner_value.strip() if plain else reader(inner_value)
            except Unreadable as cause:
                said = None if isinstance(inner_value, list | dict) else text(inner_value)
                if one.otherwise and said is not None:
                    fields[one.otherwise] = said
                    continue
                raise CannotReadError(inner, cause.wanted, inside=f"{name}[{index}]") from None
        made.append(fields)
    return made


def _plain(value: object) -> str:
    """A value of `further` that is no text: numbers as usual, lists and objects as compact JSON."""
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text(value)
