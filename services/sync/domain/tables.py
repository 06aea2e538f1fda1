"""Profiles from tables: how a sender's field names and values become ours is data; a new vendor is a new table.

Rows are flat objects that name their type of record. The tables are `profiles/*.json`, described in their README.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from services.sync.domain import naming, problems, reading
from services.sync.domain.problems import Called, Problem, RowRefusedError
from services.sync.domain.profiles import Fields, Fits, Raw, Shown
from services.sync.domain.reading import CannotReadError, NoKeyError, ObjectTable, Slot
from services.sync.domain.specification import Specification
from services.sync.domain.values import (
    DAY_FORM,
    FLAG_FORM,
    READERS,
    YEAR_FORM,
    Reader,
    Unreadable,
    is_written_day,
    text,
)
from services.sync.domain.words import Text, is_code, nearest, same, shortened

_FORMS = {"date": DAY_FORM, "flag": FLAG_FORM, "school_year": YEAR_FORM}
_OF_YEAR = Text("mã từ 1 đến 59 ký tự", "a code of 1 to 59 characters")


class TableProfile:
    """A profile read from a table such as `profiles/moet.json`."""

    def __init__(
        self, table: Mapping[str, Any], *, classed: frozenset[str], specification: Specification | None = None
    ) -> None:
        """Compile the table; `classed` are the paths of personal fields, for example `pupil.birth_date`."""
        self.name: str = table["profile"]
        self._object: str = table["object"]
        self._envelope = {self._object: Slot(reading.SKIP)}
        for name, entry in table["row"].items():
            how = reading.LATER if entry.get("fallback") else reading.ROW
            self._envelope[name] = Slot(how, entry["to"], _reader(entry))
        self._objects = {
            kind: _compile(kind, entry, envelope=self._envelope, row=table["row"], specification=specification)
            for kind, entry in table["objects"].items()
        }
        self._classed = classed
        self.shown: Shown = {
            **{name: _fits(slot) for name, slot in self._envelope.items()},
            self._object: self._objects.__contains__,
        } | {
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
            return reading.read(spec, raw)
        except (CannotReadError, NoKeyError) as error:
            raise _refused(spec, error, raw, school=self._school_hint(raw)) from None

    def table(self, kind: str) -> ObjectTable:
        """How one type of record is read."""
        return self._objects[kind]

    def shows(self, kind: str, field: str, inside: str = "") -> bool:
        """Whether a field of a type of record is not personal; a list as a whole is if none of its parts is."""
        spec = self._objects[kind]
        slot = spec.slots.get(field)
        if slot is None:
            return False
        shown = _shown(slot, spec.record, self._classed)
        if shown is None or callable(shown):
            return shown is not None
        return inside in shown if inside else len(shown) == len(slot.items)

    def unverified(self, raw: Raw) -> list[str]:
        """The fields of a row with codes of catalogues that are not loaded, each with its type of record."""
        kind = raw.get(self._object)
        spec = self._objects.get(kind) if isinstance(kind, str) else None
        if spec is None or spec.checks is None:
            return []
        return [f"{kind}.{name}" for name in spec.checks.unverified(raw)]

    def called(self, path: str, raw: Raw) -> Called:
        """What the sender of this row calls the field at our path."""
        spec = self._objects.get(raw.get(self._object, ""))
        if spec is None:
            names = [name for name, slot in self._envelope.items() if slot.target == path]
            return replace(problems.own(path), field=next(iter(names), path))
        return naming.name_field(spec, path, raw, of_object=self._object)

    def _school_hint(self, raw: Raw) -> str:
        """The school of a row that cannot be read, so that it is kept where that school sees it."""
        for name, slot in self._envelope.items():
            if slot.target == "school" and raw.get(name):
                with suppress(Unreadable):
                    return str(slot.reader(raw[name]))
        return ""


def _compile(
    kind: str,
    entry: Mapping[str, Any],
    *,
    envelope: Mapping[str, Slot],
    row: Mapping[str, Any],
    specification: Specification | None,
) -> ObjectTable:
    every = {**row, **entry["fields"]}
    slots = dict(envelope)
    slots |= {name: _slot(item) for name, item in entry["fields"].items()}
    slots |= dict.fromkeys(entry["further"], Slot(reading.FURTHER))
    inside = {f"{name}.{inner}": one for name, item in every.items() for inner, one in item.get("items", {}).items()}
    named = every | inside
    checks = specification.checks(kind, core=entry["fields"], read=_read_here(slots)) if specification else None
    forms = {name: form for name, item in named.items() if (form := _form(item))}
    if checks is not None:
        names = [name for name, item in entry["fields"].items() if item.get("as") == "name"]
        forms |= {name: _letters(most) for name in names if (most := checks.most(name))}
    return ObjectTable(
        record=entry["record"],
        key=tuple(entry["key"]),
        slots=slots,
        names=_names(slots),
        of_year=tuple(dict.fromkeys(item["to"] for item in every.values() if item.get("of_year"))),
        items_of_year=tuple(
            (item["to"], one["to"])
            for item in every.values()
            for one in item.get("items", {}).values()
            if one.get("of_year")
        ),
        derived=tuple((to, one["from"], one["values"]) for to, one in entry.get("derived", {}).items()),
        labels={name: item["label"] for name, item in named.items()} | entry["further"],
        forms=forms,
        constant=entry.get("constant", {}),
        checks=checks,
    )


def _names(slots: Mapping[str, Slot]) -> Mapping[str, tuple[str, ...]]:
    """By our field the names that can say it; a row may be written back for every one that is read."""
    names: dict[str, list[str]] = {}
    for name, slot in slots.items():
        names.setdefault(slot.target, []).append(name)
    return {to: tuple(sorted(of, key=lambda name: slots[name].how == reading.LATER)) for to, of in names.items()}


def _read_here(slots: Mapping[str, Slot]) -> list[str]:
    """The fields whose values are judged where they are read: all that are not texts or names as they come."""
    return [
        name
        for name, slot in slots.items()
        if slot.how == reading.ITEMS or (slot.how == reading.VALUE and slot.reader is not READERS["name"])
    ]


def _refused(spec: ObjectTable, error: CannotReadError | NoKeyError, raw: Raw, *, school: str) -> RowRefusedError:
    problem, key = _problem(spec, error, raw), _key_hint(spec, raw)
    if isinstance(error, NoKeyError):
        return RowRefusedError(problem, key=shortened(error.key) or key, school=school)
    outer = error.inside.partition("[")[0] or error.name
    meant = "" if error.wanted or error.inside else nearest(error.name, error.known)
    return RowRefusedError(problem, key=key, school=school, path=(outer,), meant=meant)


def _problem(spec: ObjectTable, error: CannotReadError | NoKeyError, raw: Raw) -> Problem:
    if isinstance(error, NoKeyError):
        names = [(next(iter(spec.names.get(target, ()))), target) for target in error.missing]
        return problems.missing_key([naming.name_slot(spec, name, f"{spec.record}.{to}") for name, to in names])
    inside = f"{error.inside}." if error.inside else ""
    if error.wanted is None:
        return problems.unknown_field(error.name, error.known, inside=inside)
    outer = spec.slots[error.inside.partition("[")[0]] if inside else None
    written = "" if inside else naming.written(raw.get(error.name))
    if (outer or spec.slots[error.name]).how == reading.FURTHER:
        name = error.inside.partition("[")[0] or error.name
        path = f'{spec.record}.further["{name}"]'
        called = naming.name_slot(spec, error.name, path, inside=error.inside, written=written)
        return problems.unreadable(called, wanted=error.wanted, long=error.long)
    path = f"{outer.target}.{outer.items[error.name].target}" if outer else spec.slots[error.name].target
    path = path if outer else f"{spec.record}.{path}"
    called = naming.name_slot(spec, error.name, path, inside=error.inside, written=written)
    return problems.unreadable(called, wanted=error.wanted, long=error.long)


def _letters(most: int) -> Text:
    """What may be written in a name, of which the specification allows fewer letters than our own field."""
    return Text(f"từ 1 đến {most} ký tự", f"1 to {most} characters")


def _form(entry: Mapping[str, Any]) -> Text | None:
    """What may be written in a field, where that is not what our own field wants."""
    kind = entry.get("as", "")
    if kind == "alias":
        system = entry["system"]
        return Text(
            f"mã trường không kèm tiền tố {system}:, ví dụ 49502001; mã của hệ khác ghi kèm tiền tố, ví dụ gso:20335",
            f"the school's code without {system}:, e.g. 49502001; a code of another system with its prefix, gso:20335",
        )
    if entry.get("fallback") and "values" in entry:
        return same(" / ".join(entry["values"]))
    return _OF_YEAR if entry.get("of_year") else _FORMS.get(kind)


def _key_hint(spec: ObjectTable, raw: Raw) -> str:
    """As much of the key as can be made out, for the problem."""
    name = next((name for name, slot in spec.slots.items() if slot.target == spec.key[0]), "")
    first = raw.get(name)
    return shortened(str(first)) if isinstance(first, str | int) else ""


def _slot(entry: Mapping[str, Any]) -> Slot:
    if entry["to"] == "previous_key":
        return Slot(reading.ROW, entry["to"], _reader(entry))
    if "items" in entry:
        return Slot(reading.ITEMS, entry["to"], items={name: _slot(one) for name, one in entry["items"].items()})
    plain = "as" not in entry and "values" not in entry
    how = reading.LATER if entry.get("fallback") else reading.TEXT if plain else reading.VALUE
    return Slot(how, entry["to"], _reader(entry), entry.get("otherwise", ""))


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


def _shown(slot: Slot, record: str, classed: frozenset[str]) -> Shown | Fits | None:
    path = f"{record}.{slot.target}"
    if slot.how == reading.ITEMS:
        return {name: _fits(one) for name, one in slot.items.items() if f"{path}.{one.target}" not in classed}
    return None if slot.how in (reading.FURTHER, reading.SKIP) or path in classed else _fits(slot)


def _fits(slot: Slot) -> Fits:
    return is_written_day if slot.reader is READERS["date"] else is_code
