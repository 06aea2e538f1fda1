"""Answers questions for figures: checks them, sums the mirror, applies the formulas, withholds small cells.

Refuses unknown units, indicators, dimensions and breakdowns with what would be valid, and questions of too many cells.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice

from chassis.errors import Fault, FieldViolation, Kind
from chassis.scopes import ScopeTree
from services.reporting.domain.catalogue import (
    DIMENSIONS,
    SCHOOLS,
    SCHOOLS_CONNECTED,
    SENSITIVE_DIMENSIONS,
    UNIT_MEASURES,
    Catalogue,
    Indicator,
    Term,
    crosses_sensitive,
)
from services.reporting.domain.cube import Combinations, Values, sum_columns
from services.reporting.domain.figures import Completeness, Figure
from services.reporting.domain.school_year import school_year_of
from services.reporting.domain.suppression import withheld
from services.reporting.store.mirror import Mirror, Stocks
from services.reporting.usecases.places import Divider, Places

MOST_CELLS = 20_000
SLICE = 500  # Figures computed before the loop runs other work.
Sums = Mapping[int, Mapping[Values, int]]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, as it was asked: empty and 0 stand for the defaults."""

    unit: str
    indicators: tuple[str, ...] = ()
    school_year: int = 0
    breakdown: str = ""
    dimensions: tuple[str, ...] = ()
    hierarchy_as_of: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """Figures, and by what hierarchy, year and state of the data they are."""

    figures: Sequence[Figure]
    names: Mapping[int, str]
    hierarchy_as_of: date
    school_year: int
    position: int
    data_time: datetime | None


@dataclass
class Questions:
    """Answers questions from one replica's mirror."""

    catalogue: Catalogue
    mirror: Mirror
    divider: Divider

    async def ask(self, question: Question, *, tree: ScopeTree, today: date) -> Answer:
        """The figures asked for; raises a fault that says what would be valid."""
        indicators = chosen(self.catalogue, question)
        day = _day(question.hierarchy_as_of) or today
        unit = _resolve(tree, question.unit, today=today, day=day)
        places = self.divider.divide(tree, unit, breakdown=question.breakdown, day=day)
        school_year = question.school_year or school_year_of(today)
        stocks = await self.mirror.stocks(school_year)
        figures: list[Figure] = []
        computed = _figures(indicators, question.dimensions, stocks, places)
        while part := list(islice(computed, SLICE)):
            figures.extend(part)
            await asyncio.sleep(0)
        return Answer(
            figures=figures,
            names={one: found.name if (found := tree.unit(one)) else "" for one in places.expected},
            hierarchy_as_of=day,
            school_year=school_year,
            position=stocks.head.position,
            data_time=stocks.head.data_time,
        )


def chosen(catalogue: Catalogue, question: Question) -> tuple[Indicator, ...]:
    """The indicators asked for, each able to be broken down as asked; by default all that are able."""
    for dimension in question.dimensions:
        if dimension not in DIMENSIONS or question.dimensions.count(dimension) > 1:
            raise _unknown_dimension(dimension, known=DIMENSIONS)
    if not question.indicators:
        return catalogue.with_dimensions(question.dimensions)
    found = []
    for code in dict.fromkeys(question.indicators):
        indicator = catalogue.find(code)
        if indicator is None:
            raise _unknown_indicator(code, known=catalogue.codes)
        for dimension in question.dimensions:
            if dimension not in indicator.dimensions:
                raise _unknown_dimension(dimension, known=indicator.dimensions, indicator=code)
        found.append(indicator)
    return tuple(found)


def _figures(
    indicators: Sequence[Indicator], dimensions: Sequence[str], stocks: Stocks, places: Places
) -> Iterator[Figure]:
    sums = _sums(indicators, dimensions, stocks, places)
    if sum(len(cells) for one in indicators for cells in sums[one.numerator].values()) > MOST_CELLS:
        raise _too_many_cells()
    completeness = {
        unit: Completeness(len(expected & stocks.reporting), len(expected))
        for unit, expected in places.expected.items()
    }
    has_data = {places.targets[school] for school in stocks.reporting if school in places.targets}
    for indicator in indicators:
        numerators = sums[indicator.numerator]
        denominators = sums[indicator.denominator] if indicator.denominator else {}
        hidden = _hidden(dimensions, numerators, places)
        for unit in places.expected:
            above, below = numerators.get(unit, {}), denominators.get(unit, {})
            if unit == places.rest and not (above or below):
                continue
            known = unit in has_data or indicator.numerator.measure in UNIT_MEASURES
            cells = above.keys() | below.keys() | hidden.get(unit, frozenset()) if dimensions else {()}
            for values in sorted(cells):
                if values in hidden.get(unit, ()):
                    yield Figure(indicator.code, unit, values, None, None, None, completeness[unit], suppressed=True)
                    continue
                numerator, denominator = above.get(values, 0), below.get(values, 0)
                yield Figure(
                    indicator.code,
                    unit,
                    values,
                    indicator.value(numerator, denominator) if known else None,
                    numerator if indicator.is_ratio and known else None,
                    denominator if indicator.is_ratio and known else None,
                    completeness[unit],
                )


def _sums(
    indicators: Sequence[Indicator], dimensions: Sequence[str], stocks: Stocks, places: Places
) -> dict[Term, Sums]:
    terms = (term for one in indicators for term in (one.numerator, one.denominator) if term is not None)
    return {term: _sum(term, dimensions, stocks, places) for term in dict.fromkeys(terms)}


def _sum(term: Term, dimensions: Sequence[str], stocks: Stocks, places: Places) -> Sums:
    if term.measure == SCHOOLS:
        return {unit: {(): len(expected)} for unit, expected in places.expected.items() if expected}
    if term.measure == SCHOOLS_CONNECTED:
        return {unit: {(): len(schools & stocks.connected)} for unit, schools in places.expected.items() if schools}
    return sum_columns(
        stocks.columns.get(term.measure, {}),
        stocks.combinations.get(term.measure) or Combinations(),
        term=term,
        dimensions=dimensions,
        targets=places.targets,
    )


def _hidden(dimensions: Sequence[str], sums: Sums, places: Places) -> dict[int, set[Values]]:
    """By unit, the cells to withhold."""
    hidden: dict[int, set[Values]] = {}
    if crosses_sensitive(dimensions):
        cells = withheld(
            {(unit, values): value for unit, found in sums.items() for values, value in found.items()},
            sensitive=[dimension in SENSITIVE_DIMENSIONS for dimension in dimensions],
            families=places.families,
        )
        for unit, values in cells:
            hidden.setdefault(unit, set()).add(values)
    return hidden


def _resolve(tree: ScopeTree, ref: str, *, today: date, day: date) -> int:
    # Access was decided by today's codes, so today's come first; a unit that is gone is found by its code of that day.
    unit = tree.resolve(ref, today)
    if unit is None:
        unit = tree.resolve(ref, day)
    if unit is None:
        raise Fault(
            Kind.NOT_FOUND,
            "UNKNOWN_UNIT",
            vi=f"Không tìm thấy đơn vị “{ref}”. Hãy kiểm tra lại mã đơn vị, ví dụ moet:… hoặc gso:….",
            en=f"There is no unit “{ref}”. Check the code, for example moet:… or gso:….",
            metadata={"unit": ref},
        )
    return unit


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        vi = f"“{text}” không phải là một ngày có trong lịch; viết theo dạng năm-tháng-ngày, ví dụ 2025-06-30."
        en = f"“{text}” is not a day of the calendar; write year-month-day, for example 2025-06-30."
        violation = FieldViolation("hierarchy_as_of", "INVALID_DATE", vi, en)
        raise Fault(Kind.INVALID, "INVALID_DATE", vi=vi, en=en, violations=[violation]) from None


def _unknown_indicator(code: str, *, known: Sequence[str]) -> Fault:
    listed = ", ".join(known)
    return Fault(
        Kind.INVALID,
        "UNKNOWN_INDICATOR",
        vi=f"Không có chỉ số “{code}”. Có: {listed}.",
        en=f"There is no indicator “{code}”. There are: {listed}.",
        metadata={"indicator": code, "known": ",".join(known)},
    )


def _unknown_dimension(dimension: str, *, known: Sequence[str], indicator: str = "") -> Fault:
    listed = ", ".join(known) or "–"
    of_vi, of_en = (f" của chỉ số “{indicator}”", f" of the indicator “{indicator}”") if indicator else ("", "")
    return Fault(
        Kind.INVALID,
        "UNKNOWN_DIMENSION",
        vi=f"“{dimension}” không phải chiều phân tích{of_vi}, hoặc được nêu hai lần. Có: {listed}.",
        en=f"“{dimension}” is no dimension{of_en}, or was named twice. There are: {listed}.",
        metadata={"dimension": dimension, "known": ",".join(known)} | ({"indicator": indicator} if indicator else {}),
    )


def _too_many_cells() -> Fault:
    return Fault(
        Kind.INVALID,
        "TOO_MANY_CELLS",
        vi=f"Câu hỏi cho nhiều hơn {MOST_CELLS:,} ô. Hãy bớt chiều phân tích, chỉ số, hoặc hỏi một đơn vị nhỏ hơn.",
        en=f"The question gives more than {MOST_CELLS:,} cells. Ask for fewer dimensions or a smaller unit.",
        metadata={"limit": str(MOST_CELLS)},
    )
