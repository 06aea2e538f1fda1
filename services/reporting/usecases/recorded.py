"""Opens a figure down to the records it counts, and has records show them to whoever asks.

Refuses what `explaining` refuses, and figures that do not count records one by one. Who is behind a cell is found here,
what is told of them is decided by records, which also writes the look down.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from typing import Any

from chassis.errors import Fault, Kind
from chassis.scopes import ScopeTree
from services.reporting.clients import ShownRecords
from services.reporting.domain.catalogue import Indicator, Term
from services.reporting.domain.cube import Values
from services.reporting.domain.recorded import Recorded, recorded
from services.reporting.store.recorded import facts_page
from services.reporting.usecases.explaining import Explanations
from services.reporting.usecases.querying import Question


@dataclass(frozen=True, slots=True)
class Opened:
    """A page of the records behind a cell; `records` are messages of records."""

    collection: str
    count: int
    records: Sequence[tuple[Any, str]]
    after: tuple[int, str] | None


@dataclass(frozen=True)
class FigureRecords:
    """Opens what `Explanations` explain."""

    explanations: Explanations
    records: ShownRecords | None

    async def page(
        self,
        question: Question,
        values: Values,
        *,
        denominator: bool,
        purpose: str,
        after: tuple[int, str],
        limit: int,
        tree: ScopeTree,
        today: date,
    ) -> Opened:
        """The records after a school and key; raises a fault that says why there are none to show."""
        explained = await self.explanations.explain(question, values, tree=tree, today=today)
        wanted = _wanted(explained.indicator, question, values, denominator=denominator)
        if self.records is None:
            raise _unreachable()
        counts = {
            one.school: one.denominator if denominator else one.numerator
            for one in sorted(explained.contributions, key=lambda one: one.school)
        }
        schools = [school for school, count in counts.items() if count and school >= after[0]]
        looked = enough_of(schools, counts, limit=limit)
        async with self.explanations.questions.mirror.database.connection() as connection:
            found = await facts_page(
                connection,
                wanted,
                school_year=explained.school_year,
                schools=schools[:looked],
                after=after,
                limit=limit + 1,
            )
        page = found[:limit]
        shown = await self.records.show(
            wanted.collection, [(school, key) for school, _, key in page], unit=question.unit, purpose=purpose
        )
        return Opened(
            collection=wanted.collection,
            count=sum(counts.values()),
            records=[(record, _name(tree, record.school_id)) for record in shown],
            after=page[-1][:2] if len(found) > limit else next(((one, "") for one in schools[looked:]), None),
        )


def enough_of(schools: Sequence[int], counts: Mapping[int, int], *, limit: int) -> int:
    """How many schools, in order, hold more than a page; the rest need not be looked through. Of the first, which may
    have been read in part, nothing is expected.
    """
    sums = enumerate(accumulate(counts[one] for one in schools[1:]), 2)
    return next((place for place, sum_ in sums if sum_ > limit), len(schools))


def _wanted(indicator: Indicator, question: Question, values: Values, *, denominator: bool) -> Recorded:
    term: Term | None = indicator.denominator if denominator else indicator.numerator
    found = recorded(term, question.dimensions, values) if term is not None else None
    if found is None:
        measure = term.measure if term is not None else ""
        raise Fault(
            Kind.INVALID,
            "NOT_OF_RECORDS",
            vi=f"Số này của chỉ số “{indicator.code}” không đếm từng hồ sơ: nó là số trường, số buổi, điểm hoặc dân số."
            " Hãy xem phần giải thích đến từng trường.",
            en=f"This number of the indicator “{indicator.code}” does not count records one by one: it is of schools,"
            " sessions, marks or residents. Its explanation goes down to schools.",
            metadata={"indicator": indicator.code, "measure": measure},
        )
    return found


def _name(tree: ScopeTree, school: int) -> str:
    unit = tree.unit(school)
    return unit.name if unit else f"#{school}"


def _unreachable() -> Fault:
    return Fault(
        Kind.UNAVAILABLE,
        "RECORDS_UNREACHABLE",
        vi="Hệ thống này chưa được cấu hình địa chỉ của dịch vụ hồ sơ, nên không mở được hồ sơ đằng sau con số.",
        en="This installation does not say where records is, so that the records behind a figure cannot be shown.",
    )
