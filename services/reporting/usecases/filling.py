"""Fills the counted cells of a school's report from the figures of this moment.

Cells are asked for like any other figures, all indicators that share their dimensions in one question, so that a report
can say nothing else than a dashboard. A school that has sent nothing for the year has no values: missing data is not
zero. Refuses nothing; a form whose indicator is gone from the catalogue has no value there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from chassis.clock import Clock
from chassis.scopes import Scopes
from services.reporting.domain.forms import Cell, Filter, Key, Kind
from services.reporting.usecases.querying import Question, Questions

Counted = dict[tuple[str, Filter], float | None]


@dataclass(frozen=True, slots=True)
class Counts:
    """What the records give for the counted cells, by which hierarchy, and how new the newest change in it is."""

    values: Mapping[Key, float | None]
    hierarchy_as_of: date
    data_time: datetime | None


@dataclass(frozen=True)
class Filler:
    """Counts cells from one replica's figures."""

    questions: Questions
    scopes: Scopes
    clock: Clock

    async def count(self, cells: Mapping[Key, Cell], *, school_id: int, school_year: int) -> Counts:
        """The counted cells of a school in a school year."""
        tree, today = self.scopes.tree, self.clock.today()
        stocks = await self.questions.mirror.stocks(school_year)
        counted = [cell for cell in cells.values() if cell.kind is Kind.COUNTED]
        by_dimensions: dict[tuple[str, ...], dict[str, None]] = {}
        for cell in counted:
            if self.questions.catalogue.find(cell.indicator) is not None:
                by_dimensions.setdefault(tuple(name for name, _ in cell.where), {})[cell.indicator] = None
        found: Counted = {}
        data_time = stocks.head.data_time
        for dimensions, indicators in by_dimensions.items():
            question = Question(
                unit=str(school_id), indicators=tuple(indicators), school_year=school_year, dimensions=dimensions
            )
            answer = await self.questions.ask(question, tree=tree, today=today)
            data_time = answer.data_time
            for figure in answer.figures:
                # Also where there is none: what is withheld or not known is not zero.
                where = tuple(zip(dimensions, figure.dimension_values, strict=True))
                found[figure.indicator, where] = figure.value
        nothing = 0.0 if school_id in stocks.reporting else None
        values = {
            cell.key: found.get((cell.indicator, cell.where), nothing)
            if self.questions.catalogue.find(cell.indicator)
            else None
            for cell in counted
        }
        return Counts(values, hierarchy_as_of=today, data_time=data_time)
