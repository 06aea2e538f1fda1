"""Indicators as values: what is counted, over what, by which dimensions, and how a value follows from its terms.

Refuses to break anything but a plain count down by a sensitive dimension, and to count some of its groups under a
name of their own: either would point at persons without being asked by group.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

# In the order of a combination's values; only the last may hold a bar.
DIMENSIONS = ("level", "grade", "sex", "stage", "subject", "outcome", "ethnic_group")
SENSITIVE = "ethnic_group"  # The dimension that can point at persons.
UNKNOWN_VALUES = frozenset({"", "0"})  # Of any dimension: nobody has said.

# Measures that are not stocks of the cube: they follow from the tree of units, the connections, the registers of one
# day, and what was imported about residents.
SCHOOLS = "schools"
SCHOOLS_CONNECTED = "schools_connected"
SCHOOLS_FRESH_AMBER = "schools_fresh_amber"
SCHOOLS_FRESH_RED = "schools_fresh_red"
SCHOOLS_WITHOUT_REGISTERS = "schools_without_registers"
SCHOOLS_ABSENCE_SPIKE = "schools_absence_spike"
POPULATION = "population"
UNIT_MEASURES = frozenset(
    {
        SCHOOLS,
        SCHOOLS_CONNECTED,
        SCHOOLS_FRESH_AMBER,
        SCHOOLS_FRESH_RED,
        SCHOOLS_WITHOUT_REGISTERS,
        SCHOOLS_ABSENCE_SPIKE,
        POPULATION,
    }
)

# Pupils of the classes that schools report, each under the level and grade of the class.
PLACED_PUPILS = "placed_pupils"
# Those who sit in these classes: also who is there by a second enrolment, and counts at another school.
SEATED_PUPILS = "seated_pupils"
# Follow from facts of two kinds at the moment a school is read, so that no past day of theirs is known.
UNDATED_MEASURES = frozenset(
    {
        PLACED_PUPILS,
        SEATED_PUPILS,
        "pupils_absent_amber",
        "pupils_absent_red",
        "pupils_absent_over",
        "pupils_absent_chronic",
        "pupils_absent_severe",
        "pupils_scheduled",
        *UNIT_MEASURES,
    }
)
# Of registers, which are about a day of their own.
DAY_MEASURES = frozenset(
    {
        "registers",
        "sessions_scheduled",
        "sessions_present",
        "sessions_absent",
        "sessions_absent_not_permitted",
        "sessions_late",
    }
)
ROUNDINGS = ("none", "up")  # Of what a school has beyond another measure, in hundredths.
HUNDREDTHS = 100


@dataclass(frozen=True, slots=True)
class Term:
    """A sum of measures' cells: of all, or of those with the given values, and a known one of each of `known`.

    What is true of most is counted by the few of whom it is not: such measures are taken off by `minus`.

    `default` holds values that are chosen where a question does not break down by the dimension. With `beyond` each
    school adds what it has more than of that measure, never less than nothing, rounded as `rounding` says. `ages` are
    the first and last age of residents.
    """

    measure: str
    where: tuple[tuple[str, str], ...] = ()
    known: tuple[str, ...] = ()
    plus: tuple[str, ...] = ()
    minus: tuple[str, ...] = ()
    default: tuple[tuple[str, str], ...] = ()
    beyond: str = ""
    rounding: str = "none"
    ages: tuple[int, int] = (0, 0)

    @property
    def measures(self) -> tuple[str, ...]:
        """All measures it is made of."""
        return tuple(measure for measure, _ in self.signed)

    @property
    def signed(self) -> tuple[tuple[str, int], ...]:
        """All measures it is made of, with the sign by which each counts."""
        return ((self.measure, 1), *((one, 1) for one in self.plus), *((one, -1) for one in self.minus))

    def asked_by(self, dimensions: Sequence[str]) -> "Term":
        """The term with its defaults in place of what a question by these dimensions leaves open."""
        chosen = tuple(one for one in self.default if one[0] not in dimensions)
        return replace(self, where=tuple(sorted({*self.where, *chosen})), default=())


@dataclass(frozen=True, slots=True)
class Threshold:
    """From where on a value asks for attention, in the school years of its validity; above or below by direction."""

    level: str
    value: float
    valid_from: str
    valid_to: str
    source: str


_LARGEST = {"percent": 100.0, "mark": 10.0}  # By unit of count.


@dataclass(frozen=True, slots=True)
class Indicator:
    """One entry of the catalogue. A value is numerator / denominator * scale; of a count, numerator * scale."""

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
    direction: str = "none"  # Whether `up` or `down` is better.
    thresholds: tuple[Threshold, ...] = ()
    accountable_role: str = ""
    evidence: str = ""  # A measure without which nothing is known: no register, no absence.
    sensitive: bool = False  # Given for a topmost unit as a whole only, and withheld where it is small.

    def __post_init__(self) -> None:
        if SENSITIVE in self.dimensions and (self.denominator or self.numerator != Term(self.numerator.measure)):
            raise ValueError(f"{self.code}: only a plain count can be broken down by a sensitive dimension")
        if self.sensitive and (self.dimensions or self.denominator):
            raise ValueError(f"{self.code}: a sensitive indicator is a count without dimensions")
        for term in self.terms:
            if SENSITIVE in (*(name for name, _ in (*term.where, *term.default)), *term.known):
                raise ValueError(f"{self.code}: a term cannot choose by a sensitive dimension, nothing would guard it")
            if term.rounding not in ROUNDINGS or (term.beyond and self.dimensions):
                raise ValueError(f"{self.code}: beyond a norm is rounded by name, and not broken down")

    @property
    def terms(self) -> tuple[Term, ...]:
        """Numerator and, of a ratio, denominator."""
        return (self.numerator,) if self.denominator is None else (self.numerator, self.denominator)

    @property
    def measures(self) -> frozenset[str]:
        """All measures it is computed from."""
        found = {measure for term in self.terms for measure in (*term.measures, term.beyond)} | {self.evidence}
        return frozenset(found - {""})

    @property
    def largest(self) -> float:
        """The largest value it can have; more pupils than residents of an age there may be."""
        if self.denominator is None or self.denominator.measure == POPULATION:
            return float("inf")
        return _LARGEST.get(self.unit_of_count, float("inf"))

    @property
    def is_dated(self) -> bool:
        """Whether its past days are known: by when changes became known, or by the days of registers."""
        return not self.sensitive and not (self.measures & UNDATED_MEASURES) and not self.numerator.beyond

    @property
    def is_ratio(self) -> bool:
        """Whether it has a denominator."""
        return self.denominator is not None

    @property
    def is_additive(self) -> bool:
        """Whether the values of parts add up to the value of the whole."""
        return self.denominator is None

    def thresholds_of(self, school_year: int) -> tuple[Threshold, ...]:
        """The thresholds in force on the first day of a school year."""
        begins = f"{school_year:04}-08-01"
        return tuple(
            one for one in self.thresholds if one.valid_from <= begins and (not one.valid_to or begins < one.valid_to)
        )

    def passed(self, value: float, school_year: int) -> str:
        """The gravest threshold that a value passes: red, amber or empty."""
        over = {
            one.level
            for one in self.thresholds_of(school_year)
            if (value < one.value if self.direction == "up" else value > one.value)
        }
        return "red" if "red" in over else "amber" if "amber" in over else ""

    def value(self, numerator: int, denominator: int) -> float | None:
        """The value from its terms; None for a ratio over nothing."""
        if self.denominator is None:
            return round(numerator * self.scale, 9)
        return numerator / denominator * self.scale if denominator else None


@dataclass(frozen=True, slots=True)
class Unavailable:
    """What departments ask for and the data held cannot tell, and why."""

    code: str
    name_vi: str
    name_en: str
    reason_vi: str
    reason_en: str


@dataclass(frozen=True, slots=True)
class DimensionValue:
    """What a value of a dimension is called."""

    code: str
    name_vi: str
    name_en: str


@dataclass(frozen=True, slots=True)
class Dimension:
    """What a dimension, or a column of an extract, is called, and its values as far as they are known."""

    code: str
    name_vi: str
    name_en: str
    values: tuple[DimensionValue, ...]


@dataclass(frozen=True)
class Catalogue:
    """All indicators in the order of the catalogue, what is asked for in vain, and the words of dimensions."""

    indicators: tuple[Indicator, ...]
    unavailable: tuple[Unavailable, ...] = ()
    dimensions: tuple[Dimension, ...] = ()

    @property
    def codes(self) -> tuple[str, ...]:
        """Every code."""
        return tuple(indicator.code for indicator in self.indicators)

    def find(self, code: str) -> Indicator | None:
        """The indicator of that code."""
        return next((indicator for indicator in self.indicators if indicator.code == code), None)

    def named(self, codes: Sequence[str]) -> tuple[Dimension, ...]:
        """The words of these dimensions, in their order."""
        return tuple(one for code in codes for one in self.dimensions if one.code == code)

    def called(self, dimension: str, value: str) -> tuple[str, str]:
        """What a dimension and its value are called, in Vietnamese and English, the code behind the words."""
        [one] = self.named([dimension])
        words = next((found for found in one.values if found.code == value), None)
        if words is None:
            return f"{one.name_vi}: {value}", f"{one.name_en}: {value}"
        code = f" ({value})" if value else ""
        return f"{one.name_vi}: {words.name_vi}{code}", f"{one.name_en}: {words.name_en}{code}"

    def with_dimensions(self, dimensions: Sequence[str]) -> tuple[Indicator, ...]:
        """Those that can be broken down by all of the dimensions."""
        return tuple(indicator for indicator in self.indicators if set(dimensions) <= set(indicator.dimensions))
