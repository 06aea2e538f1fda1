"""Follows one indicator of a unit through time, by the units of one hierarchy throughout.

Stocks are those of each day as known today; what registers say is of each day or month by itself. Refuses more points
than a chart can hold, and indicators of whose past days nothing is known, save by school year.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, timedelta

from chassis.errors import Fault, Kind
from chassis.scopes import ScopeTree
from chassis.years import Years
from services.reporting.domain.catalogue import DAY_MEASURES, Indicator, Term
from services.reporting.domain.cube import Combinations
from services.reporting.domain.moved import Moved, MovedKept
from services.reporting.store import movements
from services.reporting.store.mirror import Stocks
from services.reporting.store.movements import SchoolMoved
from services.reporting.usecases import past
from services.reporting.usecases.computing import sums_of
from services.reporting.usecases.places import Places
from services.reporting.usecases.querying import Question, Questions, chosen, parsed_day, resolved

DAY, MONTH, SCHOOL_YEAR = "day", "month", "school_year"
MOST_POINTS = 400
YEARS_BACK = 5
DECEMBER = 12


@dataclass(frozen=True, slots=True)
class Point:
    """One point; the value is None where nothing is known of the day."""

    day: date
    school_year: int
    value: float | None
    numerator: int | None
    denominator: int | None


@dataclass(frozen=True, slots=True)
class Series:
    """The points, and by what they are."""

    unit: int
    name: str
    hierarchy: date
    known_from: date | None
    points: Sequence[Point]


@dataclass(frozen=True)
class SeriesQuestions:
    """Answers from the movements, the registers and the memory of questions."""

    questions: Questions
    kept: MovedKept = field(default_factory=MovedKept)

    async def ask(
        self, unit: str, indicator: str, *, interval: str, first: str, last: str, tree: ScopeTree, today: date
    ) -> Series:
        """The series; raises a fault that says what would be valid."""
        found = resolved(tree, unit, today=today, day=today)
        (one,) = chosen(self.questions.catalogue, Question(unit, (indicator,)), whole=False)
        end = min(parsed_day(last, field="last_day") or today, today)
        years = tree.years(found, today)
        this_year = years.of(today)
        start = parsed_day(first, field="first_day") or years.first_day(
            this_year - (YEARS_BACK if interval == SCHOOL_YEAR else 0)
        )
        days = _days(start, end, interval, years=years)
        if interval != SCHOOL_YEAR:
            past.check_dated([one], (), self.questions.catalogue)
        known_from: date | None = None
        if interval == SCHOOL_YEAR:
            points = [await self._of_year(one, unit, day, years.of(day), tree=tree, today=today) for day in days]
        elif one.measures & DAY_MEASURES:
            points = await self._of_registers(one, found, days, interval, start, tree=tree, today=today)
        else:
            points, known_from = await self._of_stocks(one, found, days, tree=tree, today=today)
        named = tree.unit(found)
        return Series(found, named.name if named else "", today, known_from, points)

    async def _of_year(self, one: Indicator, unit: str, day: date, year: int, *, tree: ScopeTree, today: date) -> Point:
        answer = await self.questions.ask(Question(unit, (one.code,), year), tree=tree, today=today)
        figure = answer.figures[0]
        return Point(day, year, figure.value, figure.numerator, figure.denominator)

    async def _of_registers(
        self,
        one: Indicator,
        unit: int,
        days: Sequence[date],
        interval: str,
        start: date,
        *,
        tree: ScopeTree,
        today: date,
    ) -> list[Point]:
        places = self.questions.divider.divide(tree, unit, breakdown="", day=today)
        async with self.questions.mirror.database.connection() as connection:
            rows = await movements.registers_by_day(
                connection, first=start, last=days[-1], measures=sorted(one.measures), schools=sorted(places.targets)
            )
        years = tree.years(unit, today)
        sums: dict[tuple[date, str], int] = {}
        for row in rows:
            key = (_end_of(row.day, interval, days[-1], years=years), row.measure)
            sums[key] = sums.get(key, 0) + row.value

        def of(day: date, term: Term | None) -> int:
            return sum(sign * sums.get((day, measure), 0) for measure, sign in term.signed) if term else 0

        return [
            _point(
                one,
                day,
                years.of(day),
                of(day, one.numerator),
                of(day, one.denominator),
                known=of(day, Term("registers")) > 0,
            )
            for day in days
        ]

    async def _of_stocks(
        self, one: Indicator, unit: int, days: Sequence[date], *, tree: ScopeTree, today: date
    ) -> tuple[list[Point], date | None]:
        places = self.questions.divider.divide(tree, unit, breakdown="", day=today)
        years = tree.years(unit, today)
        points: list[Point] = []
        earliest: date | None = None
        for year in dict.fromkeys(map(years.of, days)):
            own = [day for day in days if years.of(day) == year]
            # What stands at the end of the last day, and from there back what became known on each day before.
            stocks, known_from = await self._stood(one, year, own[-1], today=today)
            sums = sums_of([one], (), stocks, places, outside={})
            terms = [term.asked_by(()) for term in one.terms]
            now = [sum(sums[term].get(unit, {}).values()) for term in terms]
            changes = await self._changes(terms, places, year, after=own[0], position=stocks.head.position)
            for day, values in zip(own, _walked_back(now, changes, own), strict=True):
                known = known_from is not None and day >= known_from
                points.append(_point(one, day, year, values[0], values[1] if len(values) > 1 else 0, known=known))
            if known_from is not None:
                earliest = min(earliest or known_from, known_from)
        return points, earliest

    async def _stood(self, one: Indicator, year: int, day: date, *, today: date) -> tuple[Stocks, date | None]:
        """The stocks at the end of a day; those of today are the present ones, of which sums are kept."""
        mirror = self.questions.mirror
        if day < today:
            return await past.stocks_on(mirror, year, day, [one])
        stocks = await mirror.stocks(year)
        async with mirror.database.connection() as connection:
            return stocks, await movements.known_from(connection, school_year=year)

    async def _changes(
        self, terms: Sequence[Term], places: Places, year: int, *, after: date, position: int
    ) -> dict[date, list[int]]:
        """By how much each term changed on each day after one; of schools that stood still what is known already."""
        key = (places.mark, year, tuple(terms), after)
        moved = self.kept.of(key)
        if moved.position > position:
            moved = Moved()  # Of a database that was restored to an earlier state.
        named = {name for term in terms for name in (*(name for name, _ in term.where), *term.known)}
        async with self.questions.mirror.database.connection() as connection:
            schools: AbstractSet[int] = places.targets.keys()
            if moved.position >= 0:
                schools &= await movements.schools_moved(connection, school_year=year, after=moved.position)
            rows = (
                await movements.moved_by_school(
                    connection,
                    school_year=year,
                    after=after,
                    measures=sorted({measure for term in terms for measure in term.measures}),
                    schools=schools,
                    dimensions=named,
                )
                if schools
                else []
            )
        found = _by_school(terms, rows)
        for school in schools:
            moved.put(school, found.get(school, {}))
        moved.position = position
        self.kept.keep(key, moved)
        return {movements.FIRST_DAY + timedelta(days=day): changes for day, changes in moved.sums.items()}


def _walked_back(now: Sequence[int], changes: Mapping[date, Sequence[int]], days: Sequence[date]) -> list[list[int]]:
    """What stood at the end of each day, from what stands at the end of the last and what changed since."""
    later = iter(sorted((day for day in changes if day <= days[-1]), reverse=True))
    moved, amounts, found = next(later, date.min), list(now), []
    for day in reversed(days):
        while moved > day:
            amounts = [amount - change for amount, change in zip(amounts, changes[moved], strict=True)]
            moved = next(later, date.min)
        found.append(amounts)
    return found[::-1]


def _by_school(terms: Sequence[Term], rows: Sequence[SchoolMoved]) -> dict[int, dict[int, list[int]]]:
    """By school and day, how much each term changed."""
    combinations = Combinations()
    combinations.column({row.combination: None for row in rows}, [])
    groups = [combinations.grouping(term, ()).groups for term in terms]
    signs = [dict(term.signed) for term in terms]
    found: dict[int, dict[int, list[int]]] = {}
    for row in rows:
        number, days = combinations.numbers[row.combination], found.setdefault(row.school_id, {})
        for place, sign in enumerate(signs):
            if row.measure in sign and groups[place][number] >= 0:
                for day, change in zip(row.days, row.changes, strict=True):
                    days.setdefault(day, [0] * len(terms))[place] += sign[row.measure] * change
    return found


def _point(one: Indicator, day: date, year: int, numerator: int, denominator: int, *, known: bool) -> Point:
    value = one.value(numerator, denominator) if known else None
    ratio = one.is_ratio and known
    return Point(day, year, value, numerator if ratio else None, denominator if ratio else None)


def _days(first: date, last: date, interval: str, *, years: Years) -> list[date]:
    """The days of the points; raises DAY_OUTSIDE_YEAR where there is none, TOO_MANY_POINTS where there are too many."""
    if first > last:
        raise _outside(first, last)
    found: list[date] = []
    day = first
    while day <= last:
        end = _end_of(day, interval, last, years=years)
        found.append(end)
        if len(found) > MOST_POINTS:
            raise _too_many_points()
        day = end + timedelta(days=1)
    return found


def _end_of(day: date, interval: str, last: date, *, years: Years) -> date:
    """The last day of the day's month or school year; not after the last of all."""
    if interval == DAY:
        return day
    if interval == SCHOOL_YEAR:
        return min(years.last_day(years.of(day)), last)
    following = date(day.year + day.month // DECEMBER, day.month % DECEMBER + 1, 1)
    return min(following - timedelta(days=1), last)


def _outside(first: date, last: date) -> Fault:
    return Fault(
        Kind.INVALID,
        "DAY_OUTSIDE_YEAR",
        vi=f"Ngày đầu {first.isoformat()} ở sau ngày cuối {last.isoformat()} (muộn nhất là hôm nay).",
        en=f"The first day {first.isoformat()} is after the last {last.isoformat()} (today at the latest).",
    )


def _too_many_points() -> Fault:
    return Fault(
        Kind.INVALID,
        "TOO_MANY_POINTS",
        vi=f"Chuỗi có nhiều hơn {MOST_POINTS} điểm. Hãy chọn khoảng ngắn hơn, hoặc theo tháng hay năm học.",
        en=f"The series has more than {MOST_POINTS} points. Choose a shorter time, or months or school years.",
        metadata={"limit": str(MOST_POINTS)},
    )
