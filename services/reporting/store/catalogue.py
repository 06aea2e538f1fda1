"""Reads the catalogue: indicators from `rules/indicators`, what cannot be told from `rules/unavailable.json`, words of
dimensions from `rules/dimensions.json`.

A term is `{"measure", "where": {dimension: value}, "known": [dimension], "placed": true, "plus": [measure],
"minus": [measure], "default": {dimension: value}, "beyond": measure, "rounding": name, "ages": [first, last]}`, all but
the first optional; `placed` counts pupils by the classes they are in. Old code reads the table `indicator`, which holds
its own entries. Refuses an entry that counts by a dimension nobody knows.
"""

import json
from collections.abc import Mapping
from typing import Any

from services.reporting.domain.catalogue import (
    DIMENSIONS,
    PLACED_PUPILS,
    Catalogue,
    Dimension,
    DimensionValue,
    Indicator,
    Term,
    Threshold,
    Unavailable,
)
from services.reporting.domain.rules import FOLDER


def load_catalogue() -> Catalogue:
    """The whole catalogue, in the order of its files and of the entries in each."""
    files = sorted((FOLDER / "indicators").glob("*.json"))
    unavailable, words = (
        json.loads((FOLDER / name).read_text(encoding="utf-8")) for name in ("unavailable.json", "dimensions.json")
    )
    return Catalogue(
        tuple(_indicator(entry) for file in files for entry in json.loads(file.read_text(encoding="utf-8"))),
        tuple(Unavailable(**entry) for entry in unavailable),
        tuple(
            Dimension(
                one["code"], one["name_vi"], one["name_en"], tuple(DimensionValue(**value) for value in one["values"])
            )
            for one in words["dimensions"]
        ),
    )


def _indicator(entry: Mapping[str, Any]) -> Indicator:
    denominator = entry.get("denominator")
    return Indicator(
        **(
            dict(entry)
            | {
                "dimensions": tuple(entry["dimensions"]),
                "numerator": _term(entry["numerator"]),
                "denominator": _term(denominator) if denominator else None,
                "thresholds": tuple(Threshold(**one) for one in entry["thresholds"]),
            }
        )
    )


def _term(term: Mapping[str, Any]) -> Term:
    where = tuple(sorted(term.get("where", {}).items()))
    default = tuple(sorted(term.get("default", {}).items()))
    known = tuple(term.get("known", ()))
    unknown = [name for name in (*(name for name, _ in (*where, *default)), *known) if name not in DIMENSIONS]
    if unknown:
        raise ValueError(f"the catalogue counts by {unknown}, which is no dimension")
    first, last = term.get("ages", (0, 0))
    return Term(
        PLACED_PUPILS if term.get("placed") else term["measure"],
        where=where,
        known=known,
        plus=tuple(term.get("plus", ())),
        minus=tuple(term.get("minus", ())),
        default=default,
        beyond=term.get("beyond", ""),
        rounding=term.get("rounding", "none"),
        ages=(first, last),
    )
