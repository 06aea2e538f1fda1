"""The rules that ship with the service as data: `rules/*.json`."""

import json
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from typing import Any

from services.sync.domain.births import Births, births, read_rules
from services.sync.domain.calendar import Bounds, YearRule, bounds, read_years
from services.sync.domain.codes import Unlisted, read_lists, unlisted


@dataclass(frozen=True, slots=True)
class DayRules:
    """What rows are checked by on one day, besides the rules of the protos."""

    births: Births
    unlisted: Unlisted
    bounds: Bounds
    today: str


@dataclass(frozen=True, slots=True)
class Rules:
    """What rows are checked by, besides the rules of the protos."""

    births: Births
    unlisted: Unlisted
    years: tuple[YearRule, ...]

    def on(self, today: date) -> DayRules:
        """As they are seen from a day."""
        return DayRules(self.births, self.unlisted, bounds(self.years, today), today.isoformat())


def load_rules() -> Rules:
    """Read every rule of the package."""
    return Rules(
        births(read_rules(_table("birth_dates"))),
        unlisted(read_lists(_table("codes"))),
        read_years(_table("school_years")),
    )


def _table(name: str) -> Any:
    return json.loads((files("services.sync") / "rules" / f"{name}.json").read_text(encoding="utf-8"))
