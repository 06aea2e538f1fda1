"""Stocks as they stood at the end of a past day, as known today: the present ones less what became known since.

Registers are about days of their own, and are summed up to the day. Refuses a day after today or outside the school
year, and indicators of whose past days nothing is known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from chassis.errors import Fault, FieldViolation, Kind
from chassis.years import Years
from services.reporting.domain.catalogue import DAY_MEASURES, SENSITIVE, Catalogue, Indicator
from services.reporting.domain.cube import Column
from services.reporting.store import movements
from services.reporting.store.mirror import Mirror, Stocks


def check_day(day: date, *, school_year: int, years: Years, today: date, field: str) -> None:
    """Refuse a day of the future, and one that the school year does not have."""
    if day > today or years.of(day) != school_year:
        vi = f"Ngày {day.isoformat()} ở sau hôm nay hoặc ngoài năm học {school_year}–{school_year + 1}."
        en = f"The day {day.isoformat()} is after today or outside the school year {school_year}-{school_year + 1}."
        violation = FieldViolation(field, "DAY_OUTSIDE_YEAR", vi, en)
        raise Fault(Kind.INVALID, "DAY_OUTSIDE_YEAR", vi=vi, en=en, violations=[violation])


def check_dated(indicators: Sequence[Indicator], dimensions: Sequence[str], catalogue: Catalogue) -> None:
    """Refuse what is not known of a past day."""
    dated = ", ".join(one.code for one in catalogue.indicators if one.is_dated)
    for indicator in indicators:
        of_days = bool(indicator.measures & DAY_MEASURES)
        if not indicator.is_dated or SENSITIVE in dimensions or (of_days and dimensions):
            dimension_vi = " theo các chiều này" if dimensions and indicator.is_dated else ""
            dimension_en = " by these dimensions" if dimensions and indicator.is_dated else ""
            raise Fault(
                Kind.INVALID,
                "NOT_DATED",
                vi=f"Không biết “{indicator.code}” của một ngày đã qua{dimension_vi}. Hỏi được theo ngày: {dated}."
                " Chỉ số điểm danh theo ngày không chia theo chiều; dân tộc không hỏi theo ngày.",
                en=f"“{indicator.code}” is not known of a past day{dimension_en}. These are: {dated}. Attendance of a"
                " day has no dimensions, and ethnic groups have no past days.",
                metadata={"indicator": indicator.code, "dated": dated.replace(", ", ",")[:2000]},
            )


async def stocks_on(
    mirror: Mirror, school_year: int, day: date, indicators: Sequence[Indicator]
) -> tuple[Stocks, date | None]:
    """The stocks of a school year at the end of a day, and the first day of which anything is known."""
    measures = {measure for one in indicators for measure in one.measures}
    # First the present, then what stood: whatever moves in between has moved since the day, and is in the latter.
    present = await mirror.stocks(school_year)
    async with mirror.database.connection() as connection:
        first = await movements.known_from(connection, school_year=school_year)
        stood = await movements.stood_on(
            connection, school_year=school_year, day=day, measures=sorted(measures - DAY_MEASURES)
        )
        registers = await movements.register_sums(
            connection, school_year=school_year, until=day, measures=sorted(measures & DAY_MEASURES)
        )
    columns = {measure: dict(schools) for measure, schools in present.columns.items() if measure in measures}
    for one in stood:
        columns.setdefault(one.measure, {}).pop(one.school_id, None)
        if one.combinations:
            column = mirror.combinations(one.measure).column(one.combinations, one.values_)
            columns[one.measure][one.school_id] = column
    columns |= _of_registers(registers, mirror)
    there = {school for schools in columns.values() for school in schools}
    return replace(present, columns=columns, reporting=present.reporting & there, school_year=None), first


def _of_registers(registers: Mapping[str, Mapping[int, int]], mirror: Mirror) -> dict[str, dict[int, Column]]:
    found: dict[str, dict[int, Column]] = {}
    for measure, schools in registers.items():
        combinations = mirror.combinations(measure)
        found[measure] = {school: combinations.column([""], [value]) for school, value in schools.items() if value}
    return found
