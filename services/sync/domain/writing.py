"""Records back into a sender's names, as `reading.py` reads them: for templates, and for what a file leaves unsaid.

Gives none for a record that these names cannot say, such as one whose key was not made from them.
"""

from collections.abc import Mapping
from typing import Any

from services.sync.domain.profiles import Fields
from services.sync.domain.reading import FURTHER, ITEMS, ROW, SKIP, ObjectTable


def write(spec: ObjectTable, key: str, record: Mapping[str, Any]) -> Fields | None:
    """The fields of a record by the sender's names; empty ones are left out. None: these names cannot say it."""
    suffix = f".{record.get('school_year', 0)}"
    further = record.get("further", {})
    plain = _without_year(spec, key, record, suffix=suffix)
    if plain is None or any(name not in spec.slots for name in further):
        return None
    written: Fields = {}
    for name, slot in spec.slots.items():
        if slot.how == FURTHER and further.get(name):
            written[name] = further[name]
        if slot.how in (SKIP, ROW, FURTHER) or name != spec.names[slot.target][0]:
            continue
        value = plain.get(slot.target)
        if value is None or value in ("", []):
            continue
        if slot.how == ITEMS:
            value = [_item(spec, slot, item, suffix=suffix) for item in value]
            if None in value:
                return None
        if isinstance(value, bool):
            value = "1" if value else "0"
        written[name] = ",".join(value) if slot.target == "levels" else value
    return written


def _without_year(spec: ObjectTable, key: str, record: Mapping[str, Any], *, suffix: str) -> Fields | None:
    """A record with its own and other records' keys as the sender knows them; None: one was not made from such."""
    plain = dict(record) | ({"id": key} if "id" in spec.key else {})
    for target in ("id", *spec.of_year):
        if value := plain.get(target):
            if not value.endswith(suffix):
                return None
            plain[target] = value.removesuffix(suffix)
    return plain


def _item(spec: ObjectTable, slot: Any, item: Mapping[str, Any], *, suffix: str) -> Fields | None:
    made: Fields = {}
    for name, inner in slot.items.items():
        value = item.get(inner.target)
        if value in (None, "", []):
            continue
        if (slot.target, inner.target) in spec.items_of_year:
            if not value.endswith(suffix):
                return None
            value = value.removesuffix(suffix)
        made[name] = value
    return made


def overlay(
    spec: ObjectTable, held: Fields, given: Fields, *, codes: Mapping[str, tuple[str, frozenset[tuple[str, str]]]]
) -> Fields:
    """What is held with what a file says over it: its columns, empty ones too, and nothing else.

    `codes` names for each list that stands as columns the field with the element's code and the (code, field) columns.
    """
    merged = held | given
    for target, source, _ in spec.derived:
        to, of = spec.names[target][0], spec.names[source][0]
        if of in given and to not in given and given[of] != held.get(of):
            merged.pop(to, None)  # It follows from the new value.
    for name, (code, columns) in codes.items():
        elements = {one[code]: dict(one) for one in held.get(name, ())}
        said = {one[code]: one for one in given.get(name, ())}
        for one, inner in columns:
            element = elements.setdefault(one, {code: one})
            element.pop(inner, None)
            if inner in said.get(one, {}):
                element[inner] = said[one][inner]
        merged[name] = [element for element in elements.values() if len(element) > 1]
    return merged
