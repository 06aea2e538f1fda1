"""What the sender of a row by a table calls a field of ours, and what stands there. For problems only: not fast."""

import re
from collections.abc import Iterable
from typing import Any, Final

from services.sync.domain.fields import described, reason_of
from services.sync.domain.problems import Called
from services.sync.domain.profiles import Raw
from services.sync.domain.reading import ITEMS, ObjectTable
from services.sync.domain.values import text
from services.sync.domain.words import Text, same, shortened

_PATH: Final = re.compile(
    r"""(?P<outer>\w+) (?:\.(?P<field>\w+))? (?:\[(?:"(?P<further>.*)"|(?P<index>\d+))\])?
    (?:\.(?P<inner>\w+))? (?:\[\d+\])?""",
    re.DOTALL | re.VERBOSE,
)
_KEY: Final = Text(
    "các mã ngắn hơn, khóa ghép từ chúng không quá 64 ký tự",
    "shorter codes: the key that is joined from them has at most 64 characters",
)


def name_field(table: ObjectTable, path: str, raw: Raw, *, of_object: str) -> Called:
    """What the sender calls the field at our path; of several names that can say it, the one that is used.

    `of_object` is the name of the field that tells the type of record.
    """
    if path == "key":
        return _key(table)
    found = _PATH.fullmatch(path)
    if found is None:
        return Called("", same(path), described(path).wanted)
    target = found["field"] or found["outer"]
    if target == "further" and found["further"] is not None:
        name = found["further"]
        return name_slot(table, name, path, written=written(raw.get(name)))
    names = table.names.get(target, ())
    name = _used(names, raw)
    source = next((source for to, source, _ in table.derived if to == target), "")
    if not _given(raw.get(name)) and source:
        return name_field(table, f"{table.record}.{source}", raw, of_object=of_object)
    if not name:
        return Called(of_object, same(of_object), described("record").wanted)
    if table.slots[name].how == ITEMS and found["index"] is not None:
        return _item(table, name, path, raw, place=int(found["index"]), inner=found["inner"] or "")
    return name_slot(table, name, path, written=written(raw.get(name)))


def name_slot(table: ObjectTable, name: str, path: str, *, inside: str = "", written: str = "") -> Called:
    """A field by its own name, which says what is at our path; `inside` is the list it stands in, with its place."""
    words = described(path)
    listed = f"{inside.partition('[')[0]}.{name}" if inside else name
    full = f"{inside}.{name}" if inside else name
    label = table.labels.get(listed)
    return Called(
        full,
        Text(f"{full} ({label})" if label else full, full if path.endswith('"]') else f"{full} ({words.called.en})"),
        table.forms.get(listed, words.wanted),
        reason_of(path),
        written,
    )


def _item(table: ObjectTable, name: str, path: str, raw: Raw, *, place: int, inner: str) -> Called:
    items = table.slots[name].items
    whole = raw.get(name)
    item: Any = whole[place] if isinstance(whole, list) and place < len(whole) else {}
    fitting = [one for one, slot in items.items() if slot.target == inner]
    fitting += [one for one, slot in items.items() if slot.otherwise == inner]
    used = _used(fitting, item)
    if not used:
        return name_slot(table, name, path)
    return name_slot(table, used, path, inside=f"{name}[{place}]", written=written(item.get(used)))


def _key(table: ObjectTable) -> Called:
    names = [table.names[target][0] for target in table.key if target not in table.constant]
    return Called(names[0], same(" + ".join(names)), _KEY)


def _used(names: Iterable[str], raw: Raw) -> str:
    """Of several names the one that stands in the row, else the first; empty: there are none."""
    every = list(names)
    return next((name for name in every if _given(raw.get(name))), every[0] if every else "")


def _given(value: object) -> bool:
    return value is not None and value != ""


def written(value: object) -> str:
    """A single value as it came; empty for what is none."""
    return "" if value is None or isinstance(value, list | dict) else shortened(text(value))
