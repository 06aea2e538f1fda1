"""What the fields of records and their codes are called, for the console: the ministry's names, from the files of sync.

Read as data when the edge is set up, so that no name is written down twice.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from unicodedata import normalize

_SYNC = Path(__file__).resolve().parent.parent / "services" / "sync"
_FURTHER = "further."  # As the history of a record writes a field that only the profile names.
_MARK = (
    "Mã "  # The ministry calls a field that holds a code `Mã giới tính`; where its code is told, that says too much.
)


def names() -> dict[str, Any]:
    """`labels` by record and field, and `codes` by record and field, of those whose catalogue is there."""
    profile, catalogues, lists = (
        json.loads((_SYNC / path).read_text("utf-8"))
        for path in ("profiles/moet.json", "catalogues/codes.json", "rules/codes.json")
    )
    ours = {field: one["codes"] for one in lists["lists"] for field in one["fields"]}
    coded = {
        field: codes
        for one in catalogues["catalogues"]
        if (codes := one.get("codes") or ours.get(one.get("as", "")))
        for field in one["fields"]
    }
    labels: dict[str, dict[str, str]] = {}
    told: dict[str, dict[str, Mapping[str, str]]] = {}
    for thing in profile["objects"].values():
        record = str(thing["record"])
        for name, target, label in _fields(thing):
            if target in labels.setdefault(record, {}):
                continue
            labels[record][target] = _without_mark(label) if name in coded else label
            if name in coded:
                told.setdefault(record, {})[target] = coded[name]
    return {"labels": labels, "codes": told}


def _fields(thing: Mapping[str, Any]) -> Iterable[tuple[str, str, str]]:
    """The ministry's name, ours and the label of each field of an object; the better of two names comes first."""
    named = sorted(thing["fields"].items(), key=lambda item: bool(item[1].get("fallback")))
    yield from ((name, one["to"], normalize("NFC", one["label"])) for name, one in named if "to" in one)
    yield from ((name, _FURTHER + name, normalize("NFC", label)) for name, label in thing["further"].items())


def _without_mark(label: str) -> str:
    bare = label.removeprefix(_MARK)
    return bare[:1].upper() + bare[1:]
