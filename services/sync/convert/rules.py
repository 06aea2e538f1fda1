"""The rules that ship with the service as data: `rules/*.json`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from typing import Any, Final, NamedTuple

from services.sync.domain.births import Births, births, read_rules
from services.sync.domain.calendar import Bounds, YearRule, bounds, read_years
from services.sync.domain.codes import Unlisted, allowed, read_lists, unlisted
from services.sync.domain.coverage_rules import CoverageRules, read_coverage
from services.sync.domain.suspicions import SuspicionRule
from services.sync.domain.suspicions import read_rules as read_suspicions

LISTED: Final = ("pupil.status", "pupil.ethnic_group")


class Listed(NamedTuple):
    """The codes that a good pupil holds in a school year, a look-up each: there are far more pupils than all else."""

    status: frozenset[str]
    ethnic_group: frozenset[str]


@dataclass(frozen=True, slots=True)
class DayRules:
    """What rows are checked by on one day, besides the rules of the protos."""

    births: Births
    unlisted: Unlisted
    listed: Mapping[int, Listed]  # By school year; what is not found here is asked of `unlisted`.
    bounds: Bounds
    today: str


@dataclass(frozen=True, slots=True)
class Rules:
    """What rows are checked by, besides the rules of the protos."""

    births: Births
    unlisted: Unlisted
    listed: Mapping[int, Listed]
    years: tuple[YearRule, ...]
    suspicions: tuple[SuspicionRule, ...]  # From where on something is no everyday change.

    def on(self, today: date) -> DayRules:
        """As they are seen from a day."""
        return DayRules(self.births, self.unlisted, self.listed, bounds(self.years, today), today.isoformat())


def load_rules() -> Rules:
    """Read every rule of the package."""
    lists = read_lists(_table("codes"))
    return Rules(
        births(read_rules(_table("birth_dates"))),
        unlisted(lists),
        {year: Listed(*(allowed(lists, field, year) for field in LISTED)) for year in range(1990, 2101)},
        read_years(_table("school_years")),
        tuple(read_suspicions(_table("suspicions"))),
    )


def load_coverage() -> CoverageRules:
    """By what the coverage of schools is judged."""
    return read_coverage(_table("coverage"))


def load_weekdays() -> frozenset[int]:
    """On which days of the week there are lessons: 1 Monday to 7 Sunday."""
    return frozenset(_table("school_days")["weekdays"])


def _table(name: str) -> Any:
    return json.loads((files("services.sync") / "rules" / f"{name}.json").read_text(encoding="utf-8"))
