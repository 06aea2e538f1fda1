"""What is sent of a record: the fields of a profile read in the other direction, and their digest.

Everything is a text or a list of objects with texts. What is empty is left out, so that "not said" stays unsaid.
Refuses characters that XML cannot hold, naming the field.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Content = dict[str, Any]  # Field: text, or a list of objects with texts.
Write = Callable[[Any], str]
_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


class CompositionError(Exception):
    """A record that cannot be sent."""

    def __init__(self, reason: str, field: str, *, vi: str, en: str) -> None:
        super().__init__(reason, field)
        self.reason, self.field, self.vi, self.en = reason, field, vi, en


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the destination's and where its value comes from."""

    name: str
    source: str
    write: Write
    of_year: bool = False
    presence: bool = False  # Whether ours knows "not said" beside its zero.
    items: "tuple[Field, ...]" = ()


@dataclass(frozen=True, slots=True)
class Composer:
    """How one type of record is written."""

    object: str
    record: str
    fields: tuple[Field, ...]
    further: frozenset[str]
    record_types: Mapping[str, int]  # By what `typed_by` holds; "" where the type is always the same.
    typed_by: str
    parent_record: str
    parent_field: str
    counted_parent: bool

    def compose(self, record: Any, *, key: str) -> Content:
        """The content of a record; raises `CompositionError`."""
        suffix = f".{record.school_year}"
        content = _written(self.fields, record, key=key.removesuffix(suffix), suffix=suffix)
        for name, value in record.further.items():
            if name in self.further and value and name not in content:
                content[name] = _clean(name, value)
        return content

    def record_type(self, record: Any) -> int:
        """The number of the destination's type for a record; 0: it has none."""
        said = getattr(record, self.typed_by) if self.typed_by else ""
        return self.record_types.get(said, 0)


def compile_composer(
    record: str, table: Mapping[str, Any], entry: Mapping[str, Any], *, omit: frozenset[str], presence: frozenset[str]
) -> Composer:
    """Turn an object's table of a profile around. `presence` names fields, as `result.promoted`, that can be unsaid."""
    parent: Mapping[str, Any] = entry.get("parent", {})
    types = entry["record_type"]
    return Composer(
        object=entry["object"],
        record=record,
        fields=_fields(table["fields"], record, omit=omit, presence=presence),
        further=frozenset(table["further"]) - omit,
        record_types={"": types} if isinstance(types, int) else types,
        typed_by=entry.get("typed_by", ""),
        parent_record=parent.get("record", ""),
        parent_field=parent.get("field", ""),
        counted_parent=bool(parent.get("counted")),
    )


def _fields(
    table: Mapping[str, Any], inside: str, *, omit: frozenset[str], presence: frozenset[str]
) -> tuple[Field, ...]:
    found: list[Field] = []
    for name, one in table.items():
        if name in omit or one.get("fallback") or one["to"] == "previous_key":
            continue
        path = f"{inside}.{one['to']}"
        items = _fields(one["items"], path, omit=omit, presence=presence) if "items" in one else ()
        write = _WRITERS.get(one.get("as", "text"), str)
        found.append(Field(name, one["to"], write, bool(one.get("of_year")), path in presence, items))
    return tuple(found)


def _written(fields: Sequence[Field], record: Any, *, key: str, suffix: str) -> Content:
    content: Content = {}
    for field in fields:
        if field.source == "id":
            content[field.name] = _clean(field.name, key)
            continue
        if field.presence and not record.HasField(field.source):
            continue
        value = getattr(record, field.source)
        if field.items:
            if value:
                content[field.name] = [_written(field.items, one, key="", suffix=suffix) for one in value]
            continue
        said = field.write(value)
        if field.of_year:
            said = said.removesuffix(suffix)
        if said:
            content[field.name] = said if said.isascii() and said.isprintable() else _clean(field.name, said)
    return content


def _clean(name: str, said: str) -> str:
    if _UNWRITABLE.search(said):
        raise CompositionError(
            "UNWRITABLE_CHARACTER",
            name,
            vi=f"{name} có ký tự điều khiển không gửi đi được. Hãy sửa giá trị này ở nguồn rồi gửi lại.",
            en=f"{name} holds a control character that cannot be sent. Correct the value at its source.",
        )
    return said.replace("\r\n", "\n").replace("\r", "\n")


def _day(value: str) -> str:
    return f"{value[8:]}/{value[5:7]}/{value[:4]}" if value else ""


def _number(value: float) -> str:
    return f"{value:g}"


_WRITERS: Final[Mapping[str, Write]] = {
    "date": _day,
    "flag": lambda value: "1" if value else "0",
    "integer": str,
    "decimal": _number,
    "decimals": lambda values: "; ".join(map(_number, values)),
    "school_year": lambda year: f"{year}-{year + 1}",
    "texts": ",".join,
}


def digest_of(content: Content) -> int:
    """The digest of a content: 63 bits of the SHA-256 of its fields as sorted JSON without blanks."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
