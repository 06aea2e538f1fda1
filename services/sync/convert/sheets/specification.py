"""What the process that opens files is told: which headings say which fields, put together from data.

Names and labels come from the profile, other spellings from `rules/sheets.json`, codes from `rules/codes.json`,
OneRoster's columns from `rules/oneroster.json`.
"""

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any

from services.sync.domain.rosters import Source, read_table, whole_columns
from services.sync.domain.sheets import Cell, folded, read_kinds, value_of


@dataclass(frozen=True)
class Sheets:
    """How files are read and templates made."""

    kinds: Mapping[str, Mapping[str, Any]]  # By name of the type of record, as `read_kinds` takes them.
    labels: Mapping[str, Mapping[str, str]]
    offered: Mapping[str, Mapping[str, Sequence[str]]]  # Codes to choose from, by type of record and field.
    templates: Mapping[str, Sequence[str]]
    titles: Mapping[str, str]
    subjects: Mapping[str, str]  # What a subject's code is called.
    left_out: str  # Pattern of folded names of sheets that hold codes or advice.
    roster: Mapping[str, Any]  # What OneRoster's files say, as `rules/oneroster.json` has it,
    extensions: Mapping[str, Sequence[str]]  # and what their metadata may: names by type of record.

    def specification(self, kinds: Iterable[str], *, school_year: int = 0, one_school: bool = False) -> bytes:
        """What the process is told that reads a file of these types of record."""
        told: dict[str, Any] = {"kinds": [self.kinds[name] for name in kinds]}
        told |= {"labels": self.labels, "left_out": self.left_out}
        told["roster"] = {"table": self.roster, "extensions": self.extensions}
        told["roster"] |= {"school_year": school_year, "one_school": one_school}
        return json.dumps(told, ensure_ascii=False).encode()

    def as_written(self, kind: object, name: str, value: str) -> tuple[str, Any]:
        """A field and its value as cells of a file say them: under the field's name or a heading, in a cell's form."""
        if not isinstance(kind, str) or kind not in self.kinds:
            return name, value
        (of,) = read_kinds({"kinds": [self.kinds[kind]]})
        if name not in self.labels[kind]:
            columns = self._columns.get(kind, {})
            if name in columns:
                field, source = columns[name]
                return field, source.said([value])
            name = of.headings.get(folded(name), name)
        return name, value_of(of, name, Cell(value))

    @cached_property
    def _columns(self) -> dict[str, dict[str, tuple[str, Source]]]:
        """By type of record the columns of OneRoster that say a whole field, and one only."""
        objects = read_table(self.roster, system="", extensions=self.extensions).objects
        return {kind: whole_columns(one) for kind, one in objects.items()}


def load_sheets() -> Sheets:
    """Read the tables of the package."""
    profile, table, codes = _json("profiles", "moet"), _json("rules", "sheets"), _json("rules", "codes")
    roster = _json("rules", "oneroster")
    catalogues = {field: one["codes"] for one in codes["lists"] for field in one["fields"]}
    named: dict[str, Mapping[str, str]] = dict(table["values"])
    named |= {field: catalogues[path] for field, path in table["catalogues"].items()}
    objects = {name: (entry, profile["objects"][name]) for name, entry in table["objects"].items()}
    labels = {name: _labels(profile, of) for name, (_, of) in objects.items()}
    return Sheets(
        kinds={name: _kind(name, entry, of, profile, table, named) for name, (entry, of) in objects.items()},
        labels=labels,
        offered={name: _offered(of, named) for name, (_, of) in objects.items()},
        templates={name: entry["template"] for name, (entry, _) in objects.items()},
        titles={name: entry["title"] for name, (entry, _) in objects.items()},
        subjects={
            code: spoken[0][:1].upper() + spoken[0][1:]
            for code, spoken in table["objects"]["KET_QUA"]["grid"]["codes"].items()
        },
        left_out=table["left_out"],
        roster=roster,
        extensions={name: _extensions(one, profile["objects"][name]) for name, one in roster["objects"].items()},
    )


def _extensions(entry: Mapping[str, Any], of: Mapping[str, Any]) -> list[str]:
    """What a column `metadata.<name>` may say: all single values that no other column does."""
    said = {entry["id"], "NAM_HOC", *entry["fields"]}
    return [name for name, one in of["fields"].items() if name not in said and "items" not in one] + [*of["further"]]


def _kind(
    name: str,
    entry: Mapping[str, Any],
    of: Mapping[str, Any],
    profile: Mapping[str, Any],
    table: Mapping[str, Any],
    named: Mapping[str, Mapping[str, str]],
) -> Mapping[str, Any]:
    fields = {**profile["row"], **of["fields"]}
    headings: dict[str, str] = {}
    grid = entry.get("grid")
    skipped = {grid["list"]} if grid else set()
    known = [*fields, *of["further"], *entry.get("extra", ())]
    spellings = {field: [field] for field in known if field not in skipped}
    for field, spoken in {**table["common"], **entry["headers"]}.items():
        spellings.setdefault(field, [field]).extend(spoken)
    for said in (lambda field: spellings[field], lambda field: [_label(profile, of, field)]):
        for field in spellings:
            for one in said(field):
                if one and folded(one):
                    headings.setdefault(folded(one), field)
    return {
        "name": name,
        "collection": entry["collection"],
        "headings": headings,
        "needs": entry["needs"],
        "extra": entry.get("extra", []),
        "days": [field for field, one in of["fields"].items() if one.get("as") == "date"],
        "values": {field: _spoken(codes) for field, codes in named.items() if field in fields},
        "digits": {field: length for field, length in table["digits"].items() if field in fields},
        "lists": entry.get("lists", {}),
        "preamble": entry.get("preamble", {}),
        "grid": grid,
    }


def _spoken(codes: Mapping[str, str]) -> dict[str, str]:
    said: dict[str, str] = {}
    for code, name in codes.items():
        for one in (code, name, f"{code} {name}", code.lstrip("0")):
            if folded(one):
                said.setdefault(folded(one), code)
    return said


def _offered(of: Mapping[str, Any], named: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    offered = {field: [f"{code} - {name}" for code, name in named[field].items()] for field in named}
    offered |= {field: ["Có", "Không"] for field, one in of["fields"].items() if one.get("as") == "flag"}
    return {field: codes for field, codes in offered.items() if field in of["fields"]}


def _labels(profile: Mapping[str, Any], of: Mapping[str, Any]) -> dict[str, str]:
    return {field: _label(profile, of, field) for field in (*profile["row"], *of["fields"], *of["further"])}


def _label(profile: Mapping[str, Any], of: Mapping[str, Any], field: str) -> str:
    entry = {**profile["row"], **of["fields"]}.get(field)
    label = str(entry["label"]) if entry else str(of["further"].get(field, ""))
    return unicodedata.normalize("NFC", label)


def _json(folder: str, name: str) -> Any:
    return json.loads((files("services.sync") / folder / f"{name}.json").read_text(encoding="utf-8"))
