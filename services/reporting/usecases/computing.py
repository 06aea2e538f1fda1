"""Computes figures from stocks: sums by place, applies the formulas, leaves out what is not disclosed.

Refuses an answer of too many cells.
"""

from collections.abc import Iterator, Mapping, Sequence

from chassis.errors import Fault, Kind
from services.reporting.domain.catalogue import (
    SCHOOLS,
    SCHOOLS_CONNECTED,
    SENSITIVE,
    UNIT_MEASURES,
    Indicator,
    Term,
)
from services.reporting.domain.cube import Combinations, Values, sum_columns
from services.reporting.domain.figures import Completeness, Figure
from services.reporting.store.mirror import Stocks
from services.reporting.usecases.disclosing import WITHHELD, Disclosure
from services.reporting.usecases.places import Places, members

Sums = Mapping[int, Mapping[Values, int]]


def figures_of(
    indicators: Sequence[Indicator],
    dimensions: Sequence[str],
    stocks: Stocks,
    places: Places,
    *,
    disclosed: Mapping[str, Disclosure],
    most: int,
) -> Iterator[Figure]:
    """Every cell of an answer, as it is asked for; raises TOO_MANY_CELLS before the first.

    `disclosed` holds, by measure, what may be shown where the question crosses a sensitive dimension; else nothing.
    """
    sums = _sums(indicators, dimensions, stocks, places)
    if sum(len(cells) for one in indicators for cells in sums[one.numerator].values()) > most:
        raise _too_many_cells(most)
    completeness = {
        unit: Completeness(len(expected & stocks.reporting), len(expected))
        for unit, expected in places.expected.items()
    }
    has_data = {places.targets[school] for school in stocks.reporting if school in places.targets}
    parts = members(places.targets) if disclosed else {}
    for indicator in indicators:
        numerators = sums[indicator.numerator]
        denominators = sums[indicator.denominator] if indicator.denominator else {}
        disclosure = disclosed.get(indicator.numerator.measure)
        for unit in places.expected:
            above, below = numerators.get(unit, {}), denominators.get(unit, {})
            if unit == places.rest and not (above or below):
                continue
            known = unit in has_data or indicator.numerator.measure in UNIT_MEASURES
            cells = above.keys() | below.keys() if dimensions else {()}
            withheld = (
                {cell for cell in cells if not disclosure.shows(parts[unit], dimensions, cell)} if disclosure else set()
            )
            for values in sorted(cells - withheld):
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
            for values in sorted({_unnamed(dimensions, cell) for cell in withheld}):
                yield Figure(indicator.code, unit, values, None, None, None, completeness[unit], suppressed=True)


def _unnamed(dimensions: Sequence[str], values: Values) -> Values:
    # Which groups are withheld would tell which have nobody.
    return tuple(
        WITHHELD if dimension == SENSITIVE else value for dimension, value in zip(dimensions, values, strict=True)
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


def _too_many_cells(most: int) -> Fault:
    return Fault(
        Kind.INVALID,
        "TOO_MANY_CELLS",
        vi=f"Câu hỏi cho nhiều hơn {most:,} ô. Hãy bớt chiều phân tích, chỉ số, hoặc hỏi một đơn vị nhỏ hơn.",
        en=f"The question gives more than {most:,} cells. Ask for fewer dimensions or a smaller unit.",
        metadata={"limit": str(most)},
    )
