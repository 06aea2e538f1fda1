"""By what the coverage of schools is judged: thresholds, parts of the school year, and what is expected in which.

All of it is data, rows with validity and source (`rules/coverage.json`). What follows from a day is asked of `on(day)`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from types import MappingProxyType
from typing import Any, Final, TypeVar

LEVEL: Final = "level:"
NOTHING_DUE: Final[Mapping[str, date]] = MappingProxyType({})


class SchoolKind(IntEnum):
    """Kind of a school, as the interface numbers it."""

    SCHOOL = 1
    KINDERGARTEN = 2
    CHILDCARE_GROUP = 3


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From when on a school is late, silent or failing. Hours are those of school days, 24 a day."""

    late_hours: int
    silent_hours: int
    refused_hours: int
    rejected_share: float
    share_days: int
    fewest_rows: int
    grace_days: int
    valid_from: str
    valid_to: str
    source: str


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the school year, from one month and day to another."""

    part: str
    first_day: str
    last_day: str
    valid_from: str
    valid_to: str
    source: str

    def begins(self, year_begins: date) -> date:
        """Its first day in the school year that begins on a day; it may lie before that day."""
        ends = self.ends(year_begins)
        month, day = map(int, self.first_day.split("-"))
        return date(ends.year - ((month, day) > (ends.month, ends.day)), month, day)

    def ends(self, year_begins: date) -> date:
        """Its last day in that school year."""
        return day_in(year_begins, self.last_day)

    def holds(self, day: date, year_begins: date) -> bool:
        """Whether a day of that school year lies in it."""
        return self.begins(year_begins) <= day <= self.ends(year_begins)


@dataclass(frozen=True, slots=True)
class Expectation:
    """A collection that is expected of schools of these kinds and levels, by a day or again and again."""

    collection: str
    kinds: frozenset[str]
    levels: frozenset[str]  # Empty: any.
    part: str
    due: str  # Month and day; empty: it is expected while its part lasts,
    within_school_days: int  # newer each time than so many school days.
    valid_from: str
    valid_to: str
    source: str

    def concerns(self, kind: SchoolKind, levels: Iterable[str]) -> bool:
        """Whether it is expected of such a school."""
        return kind.name.lower() in self.kinds and (not self.levels or not self.levels.isdisjoint(levels))


Row = TypeVar("Row", Thresholds, Part, Expectation)


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a school year by its days: in it the collections are sent."""

    part: str
    first_day: date
    last_day: date
    until: date  # It is open until then: a collection may be due later than its last day.
    open: bool
    collections: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class DayCoverage:
    """What holds on a day."""

    day: date
    year_begins: date  # First day of the school year it lies in.
    thresholds: Thresholds
    parts: tuple[Part, ...]
    expectations: tuple[Expectation, ...]

    @property
    def school_year(self) -> int:
        """The school year of the day, by its first calendar year."""
        return self.year_begins.year

    @property
    def part(self) -> str:
        """The part of the school year the day lies in; empty: none."""
        return next((one.part for one in self.parts if one.holds(self.day, self.year_begins)), "")

    def expected(self, kind: SchoolKind, levels: Iterable[str]) -> list[Expectation]:
        """What is expected of such a school in this school year; of each collection the first row counts."""
        levels, found = tuple(levels), dict[str, Expectation]()
        for one in self.expectations:
            if one.concerns(kind, levels):
                found.setdefault(one.collection, one)
        return list(found.values())

    def windows(self, expected: Iterable[Expectation], due: Mapping[str, date] = NOTHING_DUE) -> list[Window]:
        """The parts of the school year in their order, with what is expected in each.

        `due` is by part the last day on which something is due: of a school that has just joined that is later.
        """
        expected, begins = tuple(expected), self.year_begins
        until = {one.part: max(one.ends(begins), due.get(one.part, date.min)) for one in self.parts}
        return [
            Window(
                part=part.part,
                first_day=part.begins(begins),
                last_day=part.ends(begins),
                until=until[part.part],
                open=part.begins(begins) <= self.day <= until[part.part],
                collections=tuple(dict.fromkeys(one.collection for one in expected if one.part == part.part)),
                source=part.source,
            )
            for part in sorted(self.parts, key=lambda part: part.begins(begins))
        ]


@dataclass(frozen=True)
class CoverageRules:
    """All rows of the table."""

    thresholds: tuple[Thresholds, ...]
    parts: tuple[Part, ...]
    expectations: tuple[Expectation, ...]
    kindergarten_levels: frozenset[str]

    def on(self, day: date, year_begins: date) -> DayCoverage:
        """Those in force on a day of the school year that begins then; raises LookupError where no thresholds are."""
        valid = _valid(self.thresholds, day)
        if not valid:
            raise LookupError(f"rules/coverage.json has no thresholds for {day}")
        parts: dict[str, Part] = {}
        for part in _valid(self.parts, day):
            parts.setdefault(part.part, part)
        return DayCoverage(day, year_begins, valid[0], tuple(parts.values()), _valid(self.expectations, day))

    def kind_of(self, unit_kind: str, levels: Iterable[str]) -> SchoolKind:
        """The kind of a school; one of kindergarten levels alone is a kindergarten."""
        if unit_kind == "childcare_group":
            return SchoolKind.CHILDCARE_GROUP
        known = frozenset(levels)
        return SchoolKind.KINDERGARTEN if known and known <= self.kindergarten_levels else SchoolKind.SCHOOL


def levels_of(labels: Iterable[str]) -> tuple[str, ...]:
    """The levels a unit's labels name."""
    return tuple(sorted(label.removeprefix(LEVEL) for label in labels if label.startswith(LEVEL)))


def day_in(year_begins: date, month_day: str) -> date:
    """The day of a school year that has this month and day; raises ValueError where there is none."""
    month, day = map(int, month_day.split("-"))
    return date(year_begins.year + (month < year_begins.month), month, day)


def read_coverage(table: Mapping[str, Any]) -> CoverageRules:
    """The rules of a table such as `rules/coverage.json`."""
    sources = table["sources"]

    def rows(name: str) -> list[dict[str, Any]]:
        return [entry | {"source": sources[entry["source"]]} for entry in table[name]]

    return CoverageRules(
        tuple(Thresholds(**entry) for entry in rows("thresholds")),
        tuple(Part(**entry) for entry in rows("parts")),
        tuple(
            Expectation(**entry | {"kinds": frozenset(entry["kinds"]), "levels": frozenset(entry["levels"])})
            for entry in rows("expectations")
        ),
        frozenset(table["kindergarten_levels"]),
    )


def _valid(rows: Iterable[Row], day: date) -> tuple[Row, ...]:
    told = day.isoformat()
    return tuple(row for row in rows if row.valid_from <= told and (not row.valid_to or told < row.valid_to))
