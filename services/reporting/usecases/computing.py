"""Computes figures from stocks: sums by place, applies the formulas, leaves out what is not disclosed.

Refuses an answer of too many cells.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from chassis.errors import Fault, Kind
from services.reporting.domain.catalogue import (
    HUNDREDTHS,
    SCHOOLS,
    SCHOOLS_CONNECTED,
    SENSITIVE,
    UNIT_MEASURES,
    Indicator,
    Term,
)
from services.reporting.domain.cube import Combinations, Values, sum_columns
from services.reporting.domain.disclosure import SMALL
from services.reporting.domain.figures import Completeness, Figure
from services.reporting.store.mirror import Stocks
from services.reporting.usecases.disclosing import WITHHELD, Disclosure
from services.reporting.usecases.places import Places, Proof, members

Sums = Mapping[int, Mapping[Values, int]]
SLICE = 5_000  # Stocks looked at before the loop runs other work.


async def prepare(indicators: Sequence[Indicator], dimensions: Sequence[str], stocks: Stocks) -> None:
    """Look at every stock once, if it is the first time that it is grouped so, leaving the loop to others meanwhile."""
    done = 0
    terms = {term.asked_by(dimensions) for one in indicators for term in one.terms}
    wanted = {(measure, term) for term in terms for measure in term.measures}
    wanted |= {(term.beyond, Term(term.beyond)) for term in terms if term.beyond}
    for measure, term in wanted:
        combinations = stocks.combinations.get(measure)
        if combinations is None:
            continue
        grouping = combinations.grouping(term, dimensions)
        for column in stocks.columns.get(measure, {}).values():
            done += column.prepare(grouping)
            if done >= SLICE:
                done = 0
                await asyncio.sleep(0)


def figures_of(
    indicators: Sequence[Indicator],
    dimensions: Sequence[str],
    stocks: Stocks,
    places: Places,
    *,
    disclosed: Mapping[str, Disclosure],
    most: int,
    outside: Mapping[Term, Sums] | None = None,
) -> Iterator[Figure]:
    """Every cell of an answer, as it is asked for; raises TOO_MANY_CELLS before the first.

    `disclosed` holds, by measure, what may be shown where the question crosses a sensitive dimension; else nothing.
    `outside` holds the sums of terms that do not follow from the stocks; a unit that lacks there is not known.
    """
    given = outside or {}
    sums = sums_of(indicators, dimensions, stocks, places, outside=given)
    asked = {one.code: [term.asked_by(dimensions) for term in one.terms] for one in indicators}
    if sum(len(cells) for one in indicators for cells in sums[asked[one.code][0]].values()) > most:
        raise _too_many_cells(most)
    proofs = {one.evidence: _proof(one.evidence, stocks, places) for one in indicators}
    parts = members(places.targets) if disclosed else {}
    for indicator in indicators:
        terms = asked[indicator.code]
        numerators = sums[terms[0]]
        denominators = sums[terms[1]] if indicator.denominator else {}
        disclosure = disclosed.get(indicator.numerator.measure)
        has_data, completeness = proofs[indicator.evidence]
        for unit in places.expected:
            above, below = numerators.get(unit, {}), denominators.get(unit, {})
            if unit == places.rest and not (above or below):
                continue
            known = unit in has_data or indicator.numerator.measure in UNIT_MEASURES
            known = known and all(unit in given[term] for term in terms if term in given)
            cells: set[Values] = {*above, *below} if dimensions else {()}
            withheld = [cell for cell in cells if disclosure and not disclosure.shows(parts[unit], dimensions, cell)]
            for values in sorted(cells.difference(withheld)) if dimensions else cells:
                numerator, denominator = above.get(values, 0), below.get(values, 0)
                if indicator.sensitive and numerator < SMALL:
                    yield Figure(indicator.code, unit, values, None, None, None, completeness[unit], suppressed=True)
                    continue
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


def _proof(evidence: str, stocks: Stocks, places: Places) -> Proof:
    """The units of which anything is known, and of how many schools: by what they sent, or a measure that shows it."""
    sent = stocks.reporting & stocks.columns.get(evidence, {}).keys() if evidence else stocks.reporting
    known = places.proofs.get(evidence)
    if known is not None and known[0] == sent:
        return known[1]
    proof = _proven(sent, places)
    places.proofs[evidence] = sent, proof
    return proof


def _proven(sent: frozenset[int], places: Places) -> Proof:
    has_data = {places.targets[school] for school in sent if school in places.targets}
    return has_data, {
        unit: Completeness(len(expected & sent), len(expected)) for unit, expected in places.expected.items()
    }


def _unnamed(dimensions: Sequence[str], values: Values) -> Values:
    # Which groups are withheld would tell which have nobody.
    return tuple(
        WITHHELD if dimension == SENSITIVE else value for dimension, value in zip(dimensions, values, strict=True)
    )


def sums_of(
    indicators: Sequence[Indicator],
    dimensions: Sequence[str],
    stocks: Stocks,
    places: Places,
    *,
    outside: Mapping[Term, Sums],
) -> dict[Term, Sums]:
    """The sums of all terms of the indicators, by place and cell."""
    terms = (term.asked_by(dimensions) for one in indicators for term in one.terms)
    return {
        term: outside[term] if term in outside else _sum(term, dimensions, stocks, places)
        for term in dict.fromkeys(terms)
    }


def _sum(term: Term, dimensions: Sequence[str], stocks: Stocks, places: Places) -> Sums:
    if term.measure == SCHOOLS:
        return {unit: {(): len(expected)} for unit, expected in places.expected.items() if expected}
    if term.measure == SCHOOLS_CONNECTED:
        return {unit: {(): len(schools & stocks.connected)} for unit, schools in places.expected.items() if schools}
    if term.beyond:
        return _beyond(term, stocks, places)
    first = _measure(term.measure, term, dimensions, stocks, places)
    if len(term.signed) == 1:
        return first
    total = {unit: dict(cells) for unit, cells in first.items()}
    for measure, sign in term.signed[1:]:
        for unit, cells in _measure(measure, term, dimensions, stocks, places).items():
            into = total.setdefault(unit, {})
            for values, amount in cells.items():
                into[values] = into.get(values, 0) + sign * amount
    return total


def _measure(measure: str, term: Term, dimensions: Sequence[str], stocks: Stocks, places: Places) -> Sums:
    """Sums of one measure; those of the present are kept up with the places they were asked for."""
    columns, combinations = stocks.columns.get(measure, {}), stocks.combinations.get(measure)
    if combinations is None:
        return {}
    if stocks.school_year is None:
        return sum_columns(columns, combinations, term=term, dimensions=dimensions, targets=places.targets)
    return places.rolls.sums(
        (places.mark, stocks.school_year, measure, term, frozenset(dimensions)),
        columns,
        grouping=combinations.grouping(term, dimensions),
        targets=places.targets,
        dimensions=dimensions,
    )


def _of_schools(measure: str, term: Term, stocks: Stocks, alone: Mapping[int, int]) -> Sums:
    combinations = stocks.combinations.get(measure) or Combinations()
    return sum_columns(stocks.columns.get(measure, {}), combinations, term=term, dimensions=(), targets=alone)


def _beyond(term: Term, stocks: Stocks, places: Places) -> dict[int, dict[Values, int]]:
    """What each school has beyond another measure, in hundredths and rounded: never netted across schools."""
    alone = {school: school for school in stocks.columns.get(term.measure, {}) if school in places.targets}
    due = _of_schools(term.measure, term, stocks, alone)
    there = _of_schools(term.beyond, Term(term.beyond), stocks, alone)
    sums: defaultdict[int, int] = defaultdict(int)
    for school, cells in due.items():
        short = sum(cells.values()) - sum(there.get(school, {}).values())
        if short > 0:
            whole = -(-short // HUNDREDTHS) * HUNDREDTHS
            sums[places.targets[school]] += whole if term.rounding == "up" else short
    return {unit: {(): amount} for unit, amount in sums.items()}


def _too_many_cells(most: int) -> Fault:
    return Fault(
        Kind.INVALID,
        "TOO_MANY_CELLS",
        vi=f"Câu hỏi cho nhiều hơn {most:,} ô. Hãy bớt chiều phân tích, chỉ số, hoặc hỏi một đơn vị nhỏ hơn.",
        en=f"The question gives more than {most:,} cells. Ask for fewer dimensions or a smaller unit.",
        metadata={"limit": str(most)},
    )
