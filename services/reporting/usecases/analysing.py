"""Answers analyses: several indicators, parts and periods at once, each figure beside what it is compared with.

Refuses, before any work, what would give too many cells, and says which dimension or period to leave out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from chassis.errors import Fault, Kind
from chassis.scopes import ScopeTree
from chassis.years import Years
from services.reporting.domain.catalogue import DAY_MEASURES, SENSITIVE, Indicator
from services.reporting.domain.figures import Figure, TargetRow
from services.reporting.domain.successions import Succession
from services.reporting.store import outside, successions
from services.reporting.store.mirror import Stocks
from services.reporting.usecases import past
from services.reporting.usecases.comparing import Cell, Standing, Sum, additions, cell_of, ranked, standings
from services.reporting.usecases.computing import figures_of, prepare
from services.reporting.usecases.disclosing import Disclosure, check_covered
from services.reporting.usecases.lattice import is_top
from services.reporting.usecases.outside import OUTSIDE, Moment, outside_sums
from services.reporting.usecases.places import Places
from services.reporting.usecases.querying import (
    MOST_CELLS,
    Question,
    Questions,
    chosen,
    in_slices,
    parsed_day,
    resolved,
)
from services.reporting.usecases.remapping import Remapped, remap

LAST_YEAR, SAME_DAY, TARGET, PEERS = "last_year", "same_day_last_year", "target", "peers"
MOST_RANKED = 10


@dataclass(frozen=True, slots=True)
class PeriodAsked:
    """A school year (0: the day's, or the current one), and a day in it (empty: the present)."""

    school_year: int = 0
    as_of: str = ""


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is asked."""

    question: Question
    periods: tuple[PeriodAsked, ...] = ()
    compare_with: frozenset[str] = frozenset()
    follow_successions: bool = False
    allow_estimates: bool = False
    ranking: str = ""  # `top`, `bottom` or empty.
    limit: int = MOST_RANKED


@dataclass(frozen=True, slots=True)
class PeriodFigures:
    """The figures of one period, and what stands beside each."""

    school_year: int
    as_of: date | None
    data_time: datetime | None
    known_from: date | None
    figures: Sequence[Figure]
    last_year: Mapping[Cell, float]
    same_day: Mapping[Cell, float]
    targets: Mapping[tuple[int, int, str], TargetRow]
    standings: Mapping[Cell, Standing]
    sums: Sequence[Sum]
    oldest_report: Mapping[int, datetime]


@dataclass(frozen=True, slots=True)
class Analysed:
    """An answer, and by what hierarchy it is."""

    day: date
    version: int
    remapped: Remapped
    followed: bool
    names: Mapping[int, str]
    indicators: Mapping[str, Indicator]
    periods: Sequence[PeriodFigures] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Asked:
    """An analysis with its names resolved."""

    analysis: Analysis
    indicators: tuple[Indicator, ...]
    unit: int
    places: Places
    day: date
    today: date
    tree: ScopeTree


@dataclass(frozen=True)
class Analyses:
    """Answers from the same memory as questions do."""

    questions: Questions

    async def ask(self, analysis: Analysis, *, tree: ScopeTree, today: date) -> Analysed:
        """The figures of every period; raises a fault that says what would be valid."""
        asked = self._resolved(analysis, tree, today)
        years = tree.years(asked.unit, today)
        periods = [_period(one, years=years, today=today) for one in analysis.periods or (PeriodAsked(),)]
        self._check(asked, periods)
        followed = None
        if analysis.follow_successions:
            async with self.questions.mirror.database.connection() as connection:
                followed = await successions.load(connection)
        remapped, answers = Remapped(asked.places), []
        for year, as_of in periods:
            answer, found = await self._figures(asked, year, as_of, followed)
            remapped = _together(remapped, found)
            answers.append(answer)
        if remapped.estimated and not analysis.allow_estimates:
            raise _partial(len(remapped.estimated))
        return Analysed(
            day=asked.day,
            version=tree.version,
            remapped=remapped,
            followed=analysis.follow_successions,
            names={one: known.name if (known := tree.unit(one)) else "" for one in asked.places.expected},
            indicators={one.code: one for one in asked.indicators},
            periods=answers,
        )

    def _resolved(self, analysis: Analysis, tree: ScopeTree, today: date) -> _Asked:
        question = analysis.question
        day = parsed_day(question.hierarchy_as_of, field="hierarchy_as_of") or today
        unit = resolved(tree, question.unit, today=today, day=day)
        present = all(not one.as_of for one in analysis.periods) and not (analysis.compare_with & {LAST_YEAR, SAME_DAY})
        whole = present and not question.breakdown and day == today and is_top(tree, unit, today)
        indicators = chosen(self.questions.catalogue, question, whole=whole)
        if SENSITIVE in question.dimensions:
            check_covered(question.dimensions, unit=unit, breakdown=question.breakdown, day=day, tree=tree, today=today)
        if analysis.ranking and (not question.breakdown or question.dimensions):
            raise _ranking_without_parts()
        places = self.questions.divider.divide(tree, unit, breakdown=question.breakdown, day=day)
        return _Asked(analysis, indicators, unit, places, day, today, tree)

    def _check(self, asked: _Asked, periods: Iterable[tuple[int, date | None]]) -> None:
        """Refuse before work starts what is not known of a day, and what would give too many cells."""
        compared, dimensions = asked.analysis.compare_with, asked.analysis.question.dimensions
        days = [as_of for _, as_of in periods]
        if any(days) or SAME_DAY in compared:
            past.check_dated(asked.indicators, dimensions, self.questions.catalogue)
        if SENSITIVE in dimensions and compared & {LAST_YEAR, SAME_DAY}:
            past.check_dated(asked.indicators, (SENSITIVE,), self.questions.catalogue)
        versions = len(days) * (1 + len(compared & {LAST_YEAR, SAME_DAY}))
        cells = sum(self._most_cells(one, dimensions) for one in asked.indicators)
        cells *= len(asked.places.expected) * versions
        if cells > MOST_CELLS * versions:
            raise self._too_many(asked, cells, versions)

    def _most_cells(self, indicator: Indicator, dimensions: Sequence[str]) -> int:
        term = indicator.numerator.asked_by(dimensions)
        labels = (
            self.questions.mirror.combinations(measure).grouping(term, dimensions).labels(dimensions)
            for measure in term.measures
        )
        return max(1, sum(map(len, labels)))

    def _too_many(self, asked: _Asked, cells: int, versions: int) -> Fault:
        limit = MOST_CELLS * versions
        dimensions = asked.analysis.question.dimensions
        fewer = [
            left
            for left in dimensions
            if sum(self._most_cells(one, [name for name in dimensions if name != left]) for one in asked.indicators)
            * len(asked.places.expected)
            <= MOST_CELLS
        ]
        without = ", ".join(fewer)
        return Fault(
            Kind.INVALID,
            "TOO_MANY_CELLS",
            vi=f"Câu hỏi có thể cho {cells:,} ô, tối đa {limit:,}. "
            + (f"Bỏ một chiều sau là vừa: {without}." if fewer else "Hãy hỏi ít chỉ số hơn hoặc đơn vị nhỏ hơn."),
            en=f"The question could give {cells:,} cells, at most {limit:,} are given. "
            + (f"Leave out one of: {without}." if fewer else "Ask for fewer indicators or a smaller unit."),
            metadata={"cells": str(cells), "limit": str(limit), "leave_out": ",".join(fewer)},
        )

    async def _figures(
        self,
        asked: _Asked,
        year: int,
        as_of: date | None,
        followed: Sequence[Succession] | None,
    ) -> tuple[PeriodFigures, Remapped]:
        compared = asked.analysis.compare_with
        figures, stocks, known_from, remapped = await self._computed(asked, year, as_of, followed)
        last_year: dict[Cell, float] = {}
        same_day: dict[Cell, float] = {}
        if LAST_YEAR in compared:
            before, *_ = await self._computed(asked, year - 1, None, followed)
            last_year = _values(before)
        if SAME_DAY in compared:
            day = _year_before(as_of or asked.today)
            before, _, first, _ = await self._computed(asked, year - 1, day, followed)
            same_day = _values(before) if first is not None and first <= day else {}
        async with self.questions.mirror.database.connection() as connection:
            accepts = await outside.last_accepts(connection)
            kept = await outside.targets(connection, [year]) if TARGET in compared else {}
        placed = standings(figures, {one.code: one for one in asked.indicators}, leave_out=asked.places.rest)
        parts = bool(asked.analysis.question.breakdown or asked.analysis.question.dimensions)
        shown: Sequence[Figure] = figures
        if asked.analysis.ranking:
            shown = ranked(
                figures,
                top=asked.analysis.ranking == "top",
                limit=asked.analysis.limit or MOST_RANKED,
                leave_out=asked.places.rest,
            )
        return PeriodFigures(
            school_year=year,
            as_of=as_of,
            data_time=stocks.head.data_time,
            known_from=known_from,
            figures=shown,
            last_year=last_year,
            same_day=same_day,
            targets={key: one for key, one in kept.items() if key[0] != asked.places.rest},
            standings=placed if PEERS in compared else {},
            sums=additions(asked.indicators, figures) if parts and not asked.analysis.ranking else (),
            oldest_report={
                unit: min(instants)
                for unit, schools in asked.places.expected.items()
                if (instants := [accepts[school] for school in schools & stocks.reporting if school in accepts])
            },
        ), remapped

    async def _computed(
        self,
        asked: _Asked,
        year: int,
        as_of: date | None,
        followed: Sequence[Succession] | None,
    ) -> tuple[list[Figure], Stocks, date | None, Remapped]:
        question = asked.analysis.question
        known_from: date | None = None
        disclosed: Mapping[str, Disclosure] = {}
        if as_of is not None and as_of < asked.today:
            stocks, known_from = await past.stocks_on(self.questions.mirror, year, as_of, asked.indicators)
            known_from = known_from or asked.today
            if as_of < known_from:
                stocks = _registers_alone(stocks)
        elif SENSITIVE in question.dimensions:
            measures = {one.numerator.measure for one in asked.indicators}
            stocks, disclosed = await self.questions.decided(measures, year, tree=asked.tree, today=asked.today)
        else:
            stocks = await self.questions.mirror.stocks(year)
        remapped = remap(
            asked.places, stocks.reporting, unit=asked.unit, tree=asked.tree, day=asked.day, successions=followed
        )
        # A sensitive dimension is decided upon for the units of today, without those that are gone.
        places = asked.places if disclosed else remapped.places
        outer = {}
        if any(term.measure in OUTSIDE for one in asked.indicators for term in one.terms):
            moment = Moment(asked.tree, asked.day, self.questions.clock.now(), as_of or asked.today, year)
            outer = await outside_sums(asked.indicators, places, moment, mirror=self.questions.mirror)
        await prepare(asked.indicators, question.dimensions, stocks)
        computed = figures_of(
            asked.indicators,
            question.dimensions,
            stocks,
            places,
            disclosed=disclosed,
            most=MOST_CELLS,
            outside=outer,
        )
        return await in_slices(computed), stocks, known_from, remapped


def _period(asked: PeriodAsked, *, years: Years, today: date) -> tuple[int, date | None]:
    day = parsed_day(asked.as_of, field="periods.as_of")
    year = asked.school_year or years.of(day or today)
    if day is not None:
        past.check_day(day, school_year=year, years=years, today=today, field="periods.as_of")
    return year, day


def _year_before(day: date) -> date:
    try:
        return day.replace(year=day.year - 1)
    except ValueError:  # 29 February.
        return day.replace(year=day.year - 1, day=28)


def _values(figures: Iterable[Figure]) -> dict[Cell, float]:
    return {cell_of(one): one.value for one in figures if one.value is not None}


def _registers_alone(stocks: Stocks) -> Stocks:
    """What is known of a day before anything became known: registers, which are about days of their own."""
    columns = {measure: schools for measure, schools in stocks.columns.items() if measure in DAY_MEASURES}
    there = frozenset(school for schools in columns.values() for school in schools)
    return replace(stocks, columns=columns, reporting=stocks.reporting & there, school_year=None)


def _together(first: Remapped, second: Remapped) -> Remapped:
    return Remapped(
        first.places,
        first.mapped | second.mapped,
        first.estimated | second.estimated,
        first.unplaced | second.unplaced,
    )


def _ranking_without_parts() -> Fault:
    return Fault(
        Kind.INVALID,
        "RANKING_WITHOUT_PARTS",
        vi="Xếp hạng cao nhất, thấp nhất cần chia theo loại đơn vị (breakdown) và không chia theo chiều nào.",
        en="A ranking needs a kind of unit to break down to, and no dimensions.",
    )


def _partial(schools: int) -> Fault:
    return Fault(
        Kind.INVALID,
        "PARTIAL_SUCCESSION",
        vi=f"{schools} trường chỉ biết có một phần chuyển sang đơn vị kế thừa, nên chỉ ước tính được. Đặt"
        " allow_estimates để tính trọn các trường đó ở đơn vị kế thừa và nhận câu trả lời là ước tính.",
        en=f"Of {schools} schools only a part is known to have gone on in a unit, so that they can only be estimated."
        " Set allow_estimates to count them there altogether, and take the answer for an estimate.",
        metadata={"schools": str(schools)},
    )
