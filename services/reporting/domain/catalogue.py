"""Indicators as values: what is counted, over what, by which dimensions, and how a value follows from its terms.

Refuses to break anything but a plain count down by a sensitive dimension, and to count some of its groups under a
name of their own: either would point at persons without being asked by group.
"""

from collections.abc import Sequence
from dataclasses import dataclass

DIMENSIONS = ("level", "grade", "sex", "ethnic_group")
SENSITIVE = "ethnic_group"  # The dimension that can point at persons.
UNKNOWN_VALUES = frozenset({"", "0"})  # Of any dimension: nobody has said.

# Measures that are not stocks of the cube: they follow from the tree of units and from the connections.
SCHOOLS = "schools"
SCHOOLS_CONNECTED = "schools_connected"
UNIT_MEASURES = frozenset({SCHOOLS, SCHOOLS_CONNECTED})

# Pupils of the classes that schools report, each under the level and grade of the class.
PLACED_PUPILS = "placed_pupils"


@dataclass(frozen=True, slots=True)
class Term:
    """A sum of one measure's cells: of all, or of those with the given values, and a known one of each of `known`."""

    measure: str
    where: tuple[tuple[str, str], ...] = ()
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Indicator:
    """One entry of the catalogue. A count has no denominator; a ratio's value is numerator / denominator * scale."""

    code: str
    name_vi: str
    name_en: str
    counting_rule_vi: str
    counting_rule_en: str
    unit_of_count: str
    dimensions: tuple[str, ...]
    source_document: str
    numerator: Term
    denominator: Term | None = None
    scale: float = 1.0

    def __post_init__(self) -> None:
        if SENSITIVE in self.dimensions and (self.denominator or self.numerator.where or self.numerator.known):
            raise ValueError(f"{self.code}: only a plain count can be broken down by a sensitive dimension")
        for term in filter(None, (self.numerator, self.denominator)):
            if SENSITIVE in (*(name for name, _ in term.where), *term.known):
                raise ValueError(f"{self.code}: a term cannot choose by a sensitive dimension, nothing would guard it")

    @property
    def is_ratio(self) -> bool:
        """Whether it has a denominator."""
        return self.denominator is not None

    def value(self, numerator: int, denominator: int) -> float | None:
        """The value from its terms; None for a ratio over nothing."""
        if self.denominator is None:
            return float(numerator)
        return numerator / denominator * self.scale if denominator else None


@dataclass(frozen=True)
class Catalogue:
    """All indicators in the order of the catalogue."""

    indicators: tuple[Indicator, ...]

    @property
    def codes(self) -> tuple[str, ...]:
        """Every code."""
        return tuple(indicator.code for indicator in self.indicators)

    def find(self, code: str) -> Indicator | None:
        """The indicator of that code."""
        return next((indicator for indicator in self.indicators if indicator.code == code), None)

    def with_dimensions(self, dimensions: Sequence[str]) -> tuple[Indicator, ...]:
        """Those that can be broken down by all of the dimensions."""
        return tuple(indicator for indicator in self.indicators if set(dimensions) <= set(indicator.dimensions))
