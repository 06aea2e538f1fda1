"""Codes that stand in a catalogue: a code nobody knows would be stored, and then be missing from every figure.

The catalogues are data, lists with validity and source (`rules/codes.json`). An empty code is not said, and no matter
of theirs.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from services.sync.domain.problems import Called, Problem
from services.sync.domain.words import Text, as_code


@dataclass(frozen=True, slots=True)
class CodeList:
    """The codes that some fields may hold, with their names."""

    fields: frozenset[str]  # Our paths, for example `pupil.status`.
    codes: Mapping[str, str]
    valid_from: str  # The first day of a school year it applies to, ISO 8601,
    valid_to: str  # and the first day it no longer does; empty: open.
    source: str

    def applies(self, field: str, day: str) -> bool:
        """Whether it is the list for such a field on the day a school year begins."""
        return field in self.fields and self.valid_from <= day and (not self.valid_to or day < self.valid_to)


Unlisted = Callable[[str, str, int], "Mapping[str, str] | None"]


def read_lists(table: Mapping[str, Any]) -> list[CodeList]:
    """The lists of a table such as `rules/codes.json`."""
    return [
        CodeList(
            frozenset(entry["fields"]),
            entry["codes"],
            entry["valid_from"],
            entry["valid_to"],
            table["sources"][entry["source"]],
        )
        for entry in table["lists"]
    ]


def allowed(lists: Iterable[CodeList], field: str, school_year: int) -> frozenset[str]:
    """The codes that a field may hold in a school year, the empty one among them; none at all: no list says."""
    known = next((one.codes for one in lists if one.applies(field, f"{school_year}-09-01")), None)
    return frozenset(known or ()) | ({""} if known else set())


def unlisted(lists: Iterable[CodeList]) -> Unlisted:
    """A function of our path, code and school year that gives the codes that can be where this one cannot.

    The same codes come again and again: what was found is remembered.
    """
    every = tuple(lists)

    @lru_cache(maxsize=65536)
    def find(field: str, code: str, school_year: int) -> Mapping[str, str] | None:
        begins = f"{school_year}-09-01"
        known = [one.codes for one in every if one.applies(field, begins)]
        return known[0] if code and known and code not in known[0] else None

    return find


def unknown_code(called: Called, code: str, *, known: Mapping[str, str]) -> Problem:
    """Name a code that is in no catalogue, and those that are; a personal one is handed in empty."""
    listed = ", ".join(f"{one} {name}" for one, name in known.items())
    shown = f" “{as_code(called.written or code)}”" if code else ""
    label = called.label
    return Problem(
        called.reason,
        called.field,
        Text(
            f"{label.vi}{shown} không có trong danh mục. Hãy ghi một trong: {listed}.",
            f"{label.en}{shown} is not in the catalogue. Write one of: {listed}.",
        ),
    )
