"""What the simulator asks of a record, read from `rules.json`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class RecordType:
    """One record type of the bit set."""

    number: int
    object: str
    key: tuple[str, ...]
    required: tuple[str, ...]
    references: Mapping[str, str]  # Field and the object it must name.
    stage: str = ""
    needs_school: bool = False  # Whether the school's own record of the year must be there first.


@dataclass(frozen=True)
class Rules:
    """All of them."""

    types: Mapping[int, RecordType]
    delete_offset: int
    studying: frozenset[str]
    states: Mapping[int, str]
    catalogues: Mapping[str, Mapping[str, str]]
    codes: Mapping[tuple[str, str], Mapping[str, str]]  # Object and field: the codes that may stand there.

    def type_named(self, data_set: str, stage: str) -> RecordType | None:
        """The record type of a data set, for results that of a stage, or any where there is none of that stage."""
        found = [one for one in self.types.values() if one.object == data_set]
        return next((one for one in found if one.stage == stage), found[0] if found else None)

    def type_of(self, number: int) -> tuple[RecordType | None, bool]:
        """The record type behind a number, and whether it deletes."""
        deletes = number > self.delete_offset
        return self.types.get(number - self.delete_offset if deletes else number), deletes


def load_rules() -> Rules:
    """Read the rules that ship with the simulator."""
    table: dict[str, Any] = json.loads((files("simulators.ministry") / "rules.json").read_text(encoding="utf-8"))
    types = {
        int(number): RecordType(
            int(number),
            one["object"],
            tuple(one["key"]),
            tuple(one["required"]),
            one["references"],
            one.get("stage", ""),
            one.get("needs_school", False),
        )
        for number, one in table["types"].items()
    }
    codes = {
        (kind, field): one["codes"] for one in table["catalogues"].values() for kind, field in one["fields"].items()
    }
    return Rules(
        types,
        table["delete_offset"],
        frozenset(table["studying"]),
        {int(number): name for number, name in table["states"].items()},
        {name: one["codes"] for name, one in table["catalogues"].items()},
        codes,
    )
