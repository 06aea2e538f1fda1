"""Answers questions for figures: checks them, finds what they are computed from, and has them computed.

Refuses unknown units, indicators, dimensions and breakdowns with what would be valid, and questions of too many cells.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import islice

from chassis.clock import Clock
from chassis.errors import Fault, FieldViolation, Kind
from chassis.scopes import ScopeTree
from services.reporting.domain.catalogue import (
    DIMENSIONS,
    SENSITIVE,
    Catalogue,
    Indicator,
)
from services.reporting.domain.figures import Figure
from services.reporting.store.mirror import Mirror, Stocks
from services.reporting.usecases.computing import figures_of, prepare
from services.reporting.usecases.disclosing import Disclosure, Disclosures, check_covered
from services.reporting.usecases.lattice import is_top
from services.reporting.usecases.outside import Moment, outside_sums
from services.reporting.usecases.places import Divider

MOST_CELLS = 20_000
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2100, 12, 31)  # What a day asked about can be, as years can.
SLICE = 500  # Figures computed before the loop runs other work.


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
    disclosures: Disclosures = field(default_factory=Disclosures)
    clock: Clock = field(default_factory=Clock)

    async def ask(self, question: Question, *, tree: ScopeTree, today: date) -> Answer:
        """The figures asked for; raises a fault that says what would be valid."""
        day = parsed_day(question.hierarchy_as_of, field="hierarchy_as_of") or today
        unit = resolved(tree, question.unit, today=today, day=day)
        whole = not question.breakdown and day == today and is_top(tree, unit, today)
        indicators = chosen(self.catalogue, question, whole=whole)
        places = self.divider.divide(tree, unit, breakdown=question.breakdown, day=day)
        school_year = question.school_year or tree.years(unit, today).of(today)
        sensitive = SENSITIVE in question.dimensions
        if sensitive:
            check_covered(question.dimensions, unit=unit, breakdown=question.breakdown, day=day, tree=tree, today=today)
        stocks = await self.mirror.stocks(school_year)
        disclosed: Mapping[str, Disclosure] = {}
        if sensitive and indicators:
            measures = {indicator.numerator.measure for indicator in indicators}
            stocks, disclosed = await self.decided(measures, school_year, tree=tree, today=today)
        moment = Moment(tree, day, self.clock.now(), today, school_year)
        outside = await outside_sums(indicators, places, moment, mirror=self.mirror)
        await prepare(indicators, question.dimensions, stocks)
        computed = figures_of(
            indicators,
            question.dimensions,
            stocks,
            places,
            disclosed=disclosed,
            most=MOST_CELLS,
            outside=outside,
        )
        return Answer(
            figures=await in_slices(computed),
            names={one: found.name if (found := tree.unit(one)) else "" for one in places.expected},
            hierarchy_as_of=day,
            school_year=school_year,
            position=stocks.head.position,
            data_time=stocks.head.data_time,
        )

    async def decided(
        self, measures: Iterable[str], year: int, *, tree: ScopeTree, today: date
    ) -> tuple[Stocks, Mapping[str, Disclosure]]:
        """What is disclosed of measures, and of each the stocks it was decided on; together as old as the oldest."""
        decided = {
            measure: await self.disclosures.of(
                measure, await self.mirror.stocks(year), year=year, tree=tree, today=today
            )
            for measure in sorted(measures)
        }
        oldest = min((one.stocks for one in decided.values()), key=lambda stocks: stocks.head.position)
        columns = {measure: one.stocks.columns.get(measure, {}) for measure, one in decided.items()}
        stocks = replace(oldest, columns=columns, school_year=None)
        return stocks, {measure: one.disclosure for measure, one in decided.items()}


async def in_slices(computed: Iterator[Figure]) -> list[Figure]:
    """Compute figures, leaving the loop to others now and then."""
    figures: list[Figure] = []
    while part := list(islice(computed, SLICE)):
        figures.extend(part)
        await asyncio.sleep(0)
    return figures


def chosen(catalogue: Catalogue, question: Question, *, whole: bool) -> tuple[Indicator, ...]:
    """The indicators asked for, each able to be broken down as asked; by default all that are able.

    `whole` says that a topmost unit is asked about as a whole by today's hierarchy; elsewhere nothing is sensitive.
    """
    for dimension in question.dimensions:
        if dimension not in DIMENSIONS or question.dimensions.count(dimension) > 1:
            raise _unknown_dimension(dimension, known=DIMENSIONS)
    if not question.indicators:
        able = catalogue.with_dimensions(question.dimensions)
        return tuple(indicator for indicator in able if not indicator.sensitive)
    found = []
    for code in dict.fromkeys(question.indicators):
        indicator = catalogue.find(code)
        if indicator is None:
            raise unknown_indicator(code, catalogue)
        for dimension in question.dimensions:
            if dimension not in indicator.dimensions:
                raise _unknown_dimension(dimension, known=indicator.dimensions, indicator=code)
        if indicator.sensitive and not whole:
            raise _sensitive(indicator)
        found.append(indicator)
    return tuple(found)


def check_watchable(catalogue: Catalogue, codes: Sequence[str]) -> None:
    """Refuse to stream what is sensitive: each change of it would be seen with the record that made it."""
    for code in codes:
        indicator = catalogue.find(code)
        if indicator is not None and indicator.sensitive:
            raise _sensitive(indicator)


def resolved(tree: ScopeTree, ref: str, *, today: date, day: date) -> int:
    """The id behind a name of today or of the day asked about; raises UNKNOWN_UNIT."""
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


def parsed_day(text: str, *, field: str) -> date | None:
    """The day a field of the request names; None where it is empty; raises INVALID_DATE."""
    try:
        day = date.fromisoformat(text) if text else None
    except ValueError:
        vi = f"“{text}” không phải là một ngày có trong lịch; viết theo dạng năm-tháng-ngày, ví dụ 2025-06-30."
        en = f"“{text}” is not a day of the calendar; write year-month-day, for example 2025-06-30."
        raise _invalid_date(field, vi, en) from None
    if day is not None and not FIRST_DAY <= day <= LAST_DAY:
        raise _invalid_date(
            field,
            f"“{text}” ngoài khoảng {FIRST_DAY.isoformat()} đến {LAST_DAY.isoformat()}.",
            f"“{text}” is outside {FIRST_DAY.isoformat()} to {LAST_DAY.isoformat()}.",
        )
    return day


def _invalid_date(field: str, vi: str, en: str) -> Fault:
    return Fault(Kind.INVALID, "INVALID_DATE", vi=vi, en=en, violations=[FieldViolation(field, "INVALID_DATE", vi, en)])


def _sensitive(indicator: Indicator) -> Fault:
    return Fault(
        Kind.INVALID,
        "SENSITIVE_COMBINATION",
        vi=f"Chỉ số “{indicator.code}” là dữ liệu nhạy cảm: chỉ được hỏi cho toàn bộ đơn vị cao nhất theo cây đơn vị"
        " hôm nay. Chia nhỏ, hoặc theo dõi theo thời gian, có thể làm lộ từng người.",
        en=f"The indicator “{indicator.code}” is sensitive: it is given for a topmost unit as a whole by today's"
        " hierarchy only. Parts of it, or its course in time, could point at persons.",
        metadata={"indicator": indicator.code, "crossed": ""},
    )


def unknown_indicator(code: str, catalogue: Catalogue) -> Fault:
    """There is none of that code, or the data held cannot tell it."""
    for one in catalogue.unavailable:
        if one.code == code:
            return Fault(
                Kind.PRECONDITION,
                "INDICATOR_UNAVAILABLE",
                vi=f"Chỉ số “{one.name_vi}” không tính được: {one.reason_vi}",
                en=f"The indicator “{one.name_en}” is not available: {one.reason_en}",
                metadata={"indicator": code},
            )
    known = catalogue.codes
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
