"""Explains a figure: its formula with the numbers, what was chosen, and the schools behind it.

What a school contributes is itself a figure that may be asked for. Refuses ethnic groups and sensitive indicators,
whose parts are guarded elsewhere, and cells that do not exist.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from chassis.errors import Fault, FieldViolation, Kind
from chassis.scopes import ScopeTree
from services.reporting.domain.catalogue import SENSITIVE, Catalogue, Indicator, Term
from services.reporting.domain.cube import Values
from services.reporting.domain.figures import Figure
from services.reporting.store import outside
from services.reporting.store.mirror import Stocks
from services.reporting.usecases.computing import Sums, figures_of, prepare, sums_of
from services.reporting.usecases.outside import Moment, outside_sums
from services.reporting.usecases.places import Places
from services.reporting.usecases.querying import MOST_CELLS, Question, Questions, chosen, parsed_day, resolved


class Contribution(NamedTuple):
    """What one school adds, and what is known of it; a tuple, since a province has a thousand."""

    school: int
    name: str
    numerator: int
    denominator: int
    reporting: bool
    expected: bool
    last_report: datetime | None


@dataclass(frozen=True, slots=True)
class Explained:
    """A figure with everything behind it; texts in Vietnamese and English."""

    indicator: Indicator
    figure: Figure
    name: str
    formula: tuple[str, str]
    filters: Sequence[tuple[str, str]]
    hierarchy: date
    school_year: int
    data_time: datetime | None
    contributions: Sequence[Contribution]


@dataclass(frozen=True)
class Explanations:
    """Explains what `Questions` answer."""

    questions: Questions

    async def explain(self, question: Question, values: Values, *, tree: ScopeTree, today: date) -> Explained:
        """One cell; raises a fault that says what would be valid."""
        day = parsed_day(question.hierarchy_as_of, field="hierarchy_as_of") or today
        unit = resolved(tree, question.unit, today=today, day=day)
        if SENSITIVE in question.dimensions:
            raise _guarded()
        (indicator,) = chosen(self.questions.catalogue, question, whole=False)
        if len(values) != len(question.dimensions):
            raise _unmatched(question.dimensions, values)
        places = self.questions.divider.divide(tree, unit, breakdown="", day=day)
        year = question.school_year or tree.years(unit, today).of(today)
        stocks = await self.questions.mirror.stocks(year)
        moment = Moment(tree, day, self.questions.clock.now(), today, year)
        outer = await outside_sums([indicator], places, moment, mirror=self.questions.mirror)
        await prepare([indicator], question.dimensions, stocks)
        figures = figures_of(
            [indicator], question.dimensions, stocks, places, disclosed={}, most=MOST_CELLS, outside=outer
        )
        figure = next((one for one in figures if one.dimension_values == values), None)
        if figure is None:
            raise _unknown_cell(values)
        alone = _alone(stocks, places)
        outer = await outside_sums([indicator], alone, moment, mirror=self.questions.mirror)
        sums = sums_of([indicator], question.dimensions, stocks, alone, outside=outer)
        terms = [term.asked_by(question.dimensions) for term in indicator.terms]
        async with self.questions.mirror.database.connection() as connection:
            accepts = await outside.last_accepts(connection)
        named = tree.unit(unit)
        return Explained(
            indicator=indicator,
            figure=figure,
            name=named.name if named else "",
            formula=_formula(indicator, figure),
            filters=_filters(self.questions.catalogue, indicator, question, values, year=year, day=day),
            hierarchy=day,
            school_year=year,
            data_time=stocks.head.data_time,
            contributions=_contributions(
                indicator, terms, values, sums, stocks=stocks, alone=alone, tree=tree, accepts=accepts
            ),
        )


def _alone(stocks: Stocks, places: Places) -> Places:
    """Each school by itself: those that should have sent something, and those that have."""
    known = places.apart.get(stocks.reporting)
    if known is None:
        expected = frozenset[int]().union(*places.expected.values())
        schools = expected | (stocks.reporting & places.targets.keys())
        known = Places(
            {school: school for school in schools},
            {school: expected & {school} for school in schools},
            rolls=places.rolls,
        )
        places.apart.clear()
        places.apart[stocks.reporting] = known
    return known


def _contributions(
    indicator: Indicator,
    terms: Sequence[Term],
    values: Values,
    sums: Mapping[Term, Sums],
    *,
    stocks: Stocks,
    alone: Places,
    tree: ScopeTree,
    accepts: Mapping[int, datetime],
) -> list[Contribution]:
    above, below = sums[terms[0]], sums[terms[-1]] if indicator.is_ratio else {}
    nothing: Mapping[Values, int] = {}
    found = []
    for school, those in alone.expected.items():
        unit = tree.unit(school)
        found.append(
            Contribution(
                school,
                unit.name if unit else "",
                above.get(school, nothing).get(values, 0),
                below.get(school, nothing).get(values, 0),
                school in stocks.reporting,
                bool(those),
                accepts.get(school),
            )
        )
    found.sort(key=lambda one: (one.reporting or not one.expected, -abs(one.numerator), -one.denominator, one.school))
    return found


def _formula(indicator: Indicator, figure: Figure) -> tuple[str, str]:
    if figure.value is None:
        return "Chưa có dữ liệu để tính.", "There are no data to compute it from."
    told = f"{figure.value:,.3f}".rstrip("0").rstrip(".")
    if figure.denominator is not None:
        scale = f" × {indicator.scale:g}" if indicator.scale != 1 else ""
        told = f"{figure.numerator:,} / {figure.denominator:,}{scale} = {told}"
    percent = " %" if indicator.unit_of_count == "percent" else ""
    return told.translate(_VIETNAMESE) + percent, f"{told} ({indicator.unit_of_count})"


_VIETNAMESE = str.maketrans(",.", ".,")  # How numbers are written.


def _filters(
    catalogue: Catalogue, indicator: Indicator, question: Question, values: Values, *, year: int, day: date
) -> list[tuple[str, str]]:
    found = [
        (f"Năm học {year}–{year + 1}", f"School year {year}-{year + 1}"),
        (f"Cây đơn vị ngày {day.isoformat()}", f"Hierarchy of {day.isoformat()}"),
    ]
    for dimension, value in zip(question.dimensions, values, strict=True):
        found.append(catalogue.called(dimension, value))
    for dimension, value in indicator.numerator.default:
        if dimension not in question.dimensions:
            vi, en = catalogue.called(dimension, value)
            found.append((f"{vi}, mặc định", f"{en}, by default"))
    for dimension, value in indicator.numerator.where:
        vi, en = catalogue.called(dimension, value)
        found.append((f"Tử số: {vi}", f"Numerator: {en}"))
    return found


def _guarded() -> Fault:
    return Fault(
        Kind.INVALID,
        "SENSITIVE_COMBINATION",
        vi="Số liệu theo dân tộc không giải thích được đến từng trường: phần của mỗi trường được che riêng.",
        en="Figures by ethnic group are not explained down to schools: what each school adds is guarded by itself.",
        metadata={"dimension": SENSITIVE, "crossed": ""},
    )


def _unmatched(dimensions: Sequence[str], values: Values) -> Fault:
    """Dimensions without a value, or values without a dimension."""
    missing, beyond = ", ".join(dimensions[len(values) :]), ", ".join(values[len(dimensions) :])
    vi = f"Thiếu giá trị cho chiều {missing}." if missing else f"Giá trị {beyond} không có chiều tương ứng."
    en = f"There is no value for the dimension {missing}." if missing else f"There is no dimension for {beyond}."
    return Fault(
        Kind.INVALID,
        "UNKNOWN_CELL",
        vi=f"{vi} Mỗi chiều cần đúng một giá trị, theo cùng thứ tự.",
        en=f"{en} Each dimension needs one value, in the same order.",
        violations=[FieldViolation("dimension_values", "UNKNOWN_CELL", vi, en)],
        metadata={"values": ",".join(values)},
    )


def _unknown_cell(values: Values) -> Fault:
    told = ", ".join(values) or "–"
    return Fault(
        Kind.INVALID,
        "UNKNOWN_CELL",
        vi=f"Không có ô nào với các giá trị ({told}). Mỗi chiều cần một giá trị, như trong câu trả lời của truy vấn.",
        en=f"There is no cell of the values ({told}). Each dimension needs one value, as in the answer of a query.",
        metadata={"values": ",".join(values)},
    )
