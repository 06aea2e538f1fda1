"""Profiles: how a sender's field names and values become ours. Data, read from a table; a new vendor is a new table.

A profile reads one row, a JSON object, into the fields of `iocedu.records.v1.Row`. What the specification names for an
object and our typed core has no place for goes to `further` as it came. Refuses what the table does not name.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

from services.sync.domain import problems
from services.sync.domain.problems import RowRefusedError
from services.sync.domain.values import READERS, Reader, Unreadable, text

Raw = Mapping[str, Any]
Fields = dict[str, Any]
Shown = Mapping[str, "Shown | bool"]  # Which fields of a row are not personal; nested ones inside.

_TEXT, _FURTHER, _VALUE, _ROW, _ITEMS, _LATER, _SKIP = range(7)


class Profile(Protocol):
    """A set of field names that rows can be sent in."""

    @property
    def name(self) -> str:
        """What senders choose it by."""

    @property
    def shown(self) -> Shown:
        """Which fields may be shown to people who must not see personal data."""

    def read(self, raw: Raw) -> Fields:
        """Make the fields of a row; raises `RowRefusedError`."""

    def label(self, path: str) -> str:
        """What a sender calls the field at our path, for example `NGAY_SINH (Ngày sinh)`; empty: nothing of its own."""


class _Slot(NamedTuple):
    """What is done with one field of a sender; a tuple, because the hot path takes it apart."""

    how: int
    target: str = ""
    reader: Reader = text
    otherwise: str = ""  # Where a value goes, as text, that the reader cannot read.
    items: "Mapping[str, _Slot]" = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Object:
    """How one type of record is read."""

    record: str
    key: tuple[str, ...]
    slots: Mapping[str, _Slot]
    of_year: tuple[str, ...]  # Fields that name a record of the same school year.
    items_of_year: tuple[tuple[str, str], ...]
    derived: tuple[tuple[str, str, Mapping[str, str]], ...]


class TableProfile:
    """A profile read from a table such as `profiles/moet.json`; rows are flat and name their type of record."""

    def __init__(self, table: Mapping[str, Any], *, classed: frozenset[str]) -> None:
        """Compile the table; `classed` are the paths of personal fields, for example `pupil.birth_date`."""
        self.name: str = table["profile"]
        self._object: str = table["object"]
        self._labels: dict[str, str] = {}
        envelope = {self._object: _Slot(_SKIP)}
        for name, entry in table["row"].items():
            envelope[name] = _Slot(_LATER if entry.get("fallback") else _ROW, entry["to"], _reader(entry))
            self._labels.setdefault(entry["to"], f"{name} ({entry['label']})")
        self._envelope = envelope
        self._objects = {
            kind: self._compile(entry, envelope=envelope, row=table["row"]) for kind, entry in table["objects"].items()
        }
        self.shown: Shown = dict.fromkeys(envelope, True) | {
            name: inside
            for kind in self._objects.values()
            for name, slot in kind.slots.items()
            if (inside := _shown(slot, kind.record, classed))
        }

    def read(self, raw: Raw) -> Fields:
        """Make the fields of a row; raises `RowRefusedError`."""
        kind = raw.get(self._object)
        spec = self._objects.get(kind) if kind.__class__ is str else None
        if spec is None:
            raise RowRefusedError(
                problems.unknown_object(self._object, kind, self._objects), school=self._school_hint(raw)
            )
        try:
            return _read(spec, raw)
        except _CannotReadError as error:
            problem = self._problem(spec, error)
            raise RowRefusedError(problem, key=_key_hint(spec, raw), school=self._school_hint(raw)) from None

    def label(self, path: str) -> str:
        """What a sender calls the field at our path; indexes in the path do not matter."""
        return self._labels.get(path, "")

    def _school_hint(self, raw: Raw) -> str:
        """The school of a row that cannot be read, so that it is kept where that school sees it."""
        for name, slot in self._envelope.items():
            if slot.target == "school" and raw.get(name):
                with suppress(Unreadable):
                    return str(slot.reader(raw[name]))
        return ""

    def _compile(self, entry: Mapping[str, Any], *, envelope: Mapping[str, _Slot], row: Mapping[str, Any]) -> _Object:
        record, slots = entry["record"], dict(envelope)
        for name, item in entry["fields"].items():
            slots[name] = _slot(item)
            self._labels.setdefault(f"{record}.{item['to']}", f"{name} ({item['label']})")
            for inner, one in item.get("items", {}).items():
                self._labels.setdefault(f"{record}.{item['to']}.{one['to']}", f"{name}[].{inner} ({one['label']})")
        slots |= dict.fromkeys(entry["further"], _Slot(_FURTHER))
        every = {**row, **entry["fields"]}
        return _Object(
            record=record,
            key=tuple(entry["key"]),
            slots=slots,
            of_year=tuple(item["to"] for item in every.values() if item.get("of_year")),
            items_of_year=tuple(
                (item["to"], one["to"])
                for item in every.values()
                for one in item.get("items", {}).values()
                if one.get("of_year")
            ),
            derived=tuple((to, one["from"], one["values"]) for to, one in entry.get("derived", {}).items()),
        )

    def _problem(self, spec: _Object, error: "_CannotReadError") -> problems.Problem:
        cause = error.cause
        if cause is None:
            inside = f"{error.inside}." if error.inside else ""
            return problems.unknown_field(error.name, error.known, inside=inside)
        if error.name == "":
            return problems.missing_key(
                name for name, slot in spec.slots.items() if slot.target in spec.key and slot.how != _LATER
            )
        slot = spec.slots[error.name]
        row_level = slot.how == _ROW or (slot.how == _LATER and slot.target == "school")
        path = error.inside or (slot.target if row_level else f"{spec.record}.{slot.target}")
        label = self._labels.get(problems.bare(path)) or error.name
        return problems.unreadable(path, label=label, wanted=cause.wanted, reason=cause.reason)


class _CannotReadError(Exception):
    """A field that cannot be read: unknown (no cause), or with a value that is not of its type."""

    def __init__(
        self, name: str, cause: Unreadable | None = None, *, inside: str = "", known: Iterable[str] = ()
    ) -> None:
        super().__init__(name)
        self.name = name
        self.cause = cause
        self.inside = inside
        self.known = known


def _read(spec: _Object, raw: Raw) -> Fields:  # noqa: C901, PLR0912 (the hot path: a call a field would double it)
    """One look-up a field, plain texts first."""
    record: Fields = {}
    row: Fields = {}
    further: dict[str, str] = {}
    later: list[tuple[str, _Slot, Any]] = []
    slots = spec.slots
    for name, value in raw.items():
        slot = slots.get(name)
        if slot is None:
            raise _CannotReadError(name, known=slots)
        if value is None or value == "":
            continue
        how, target, reader, _, _ = slot
        try:
            if how == _TEXT:
                record[target] = value.strip() if value.__class__ is str else text(value)
            elif how == _FURTHER:
                further[name] = value if value.__class__ is str else _plain(value)
            elif how == _VALUE:
                record[target] = reader(value)
            elif how == _ROW:
                row[target] = reader(value)
            elif how == _ITEMS:
                record[target] = _items(name, slot, value, path=f"{spec.record}.{target}")
            elif how == _LATER:
                later.append((name, slot, value))
        except Unreadable as cause:
            raise _CannotReadError(name, cause) from None
    for name, slot, value in later:
        _read_later(name, slot, value, row if slot.target == "school" else record, further)
    _complete(spec, record)
    parts = [record.get(target) for target in spec.key]
    record.pop("id", None)
    if not all(parts):
        raise _CannotReadError("", _NO_KEY)
    row["key"] = ".".join(map(str, parts))
    if further:
        record["further"] = further
    row[spec.record] = record
    return row


def _complete(spec: _Object, record: Fields) -> None:
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


_NO_KEY: Final = Unreadable("")


def _read_later(name: str, slot: _Slot, value: object, into: Fields, further: dict[str, str]) -> None:
    """A field that counts only where its better one is missing; otherwise it is kept as it came."""
    if slot.target in into:
        further[name] = value if isinstance(value, str) else _plain(value)
        return
    try:
        into[slot.target] = slot.reader(value)
    except Unreadable as cause:
        raise _CannotReadError(name, cause) from None


def _items(name: str, slot: _Slot, value: object, *, path: str) -> list[Fields]:
    if not isinstance(value, list):
        raise Unreadable("một danh sách [...]")
    made: list[Fields] = []
    slots = slot.items
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise Unreadable("một danh sách các đối tượng {...}")
        fields: Fields = {}
        for inner, inner_value in item.items():
            one = slots.get(inner)
            if one is None:
                raise _CannotReadError(inner, inside=f"{name}[{index}]", known=slots)
            if inner_value is None or inner_value == "":
                continue
            how, target, reader, _, _ = one
            try:
                plain = how == _TEXT and inner_value.__class__ is str
                fields[target] = inner_value.strip() if plain else reader(inner_value)
            except Unreadable as cause:
                said = None if isinstance(inner_value, list | dict) else text(inner_value)
                if one.otherwise and said is not None:
                    fields[one.otherwise] = said
                    continue
                raise _CannotReadError(name, cause, inside=f"{path}[{index}].{one.target}") from None
        made.append(fields)
    return made


def _plain(value: object) -> str:
    """A value of `further` that is no text: numbers as usual, lists and objects as compact JSON."""
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text(value)


def _key_hint(spec: _Object, raw: Raw) -> str:
    """As much of the key as can be made out, for the problem."""
    name = next((name for name, slot in spec.slots.items() if slot.target == spec.key[0]), "")
    first = raw.get(name)
    return problems.shortened(str(first)) if isinstance(first, str | int) else ""


def _slot(entry: Mapping[str, Any]) -> _Slot:
    if "items" in entry:
        return _Slot(_ITEMS, entry["to"], items={name: _slot(one) for name, one in entry["items"].items()})
    plain = "as" not in entry and "values" not in entry
    how = _LATER if entry.get("fallback") else _TEXT if plain else _VALUE
    return _Slot(how, entry["to"], _reader(entry), entry.get("otherwise", ""))


def _reader(entry: Mapping[str, Any]) -> Reader:
    if entry.get("as") == "alias":
        return _alias(entry["system"])
    reader = READERS[entry.get("as", "text")]
    values = entry.get("values")
    return _translated(reader, values) if values else reader


def _alias(system: str) -> Callable[[object], str]:
    prefix = f"{system}:"

    def read(value: object) -> str:
        said = text(value)
        return said if ":" in said else prefix + said

    return read


def _translated(reader: Reader, values: Mapping[str, str]) -> Reader:
    def read(value: object) -> object:
        said = reader(value)
        return values.get(said, said) if isinstance(said, str) else said

    return read


def _shown(slot: _Slot, record: str, classed: frozenset[str]) -> Shown | bool:
    path = f"{record}.{slot.target}"
    if slot.how == _ITEMS:
        return {name: True for name, one in slot.items.items() if f"{path}.{one.target}" not in classed}
    return slot.how not in (_FURTHER, _SKIP) and path not in classed
