"""Stores residents by age and targets, all or nothing, each with its source and who stored it.

Refuses units that do not lie below the one the caller holds a role on, indicators that are unknown or never shown of a
unit, and what is given twice.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.errors import Fault, FieldViolation, Kind
from chassis.scopes import ScopeTree
from services.reporting.domain.catalogue import Catalogue, Indicator
from services.reporting.domain.figures import TargetRow
from services.reporting.store import outside
from services.reporting.store.outside import PopulationRow
from services.reporting.usecases.lattice import is_top
from services.reporting.usecases.querying import resolved, unknown_indicator
from services.reporting.usecases.school_years import check_year

PLANNED_YEARS: Final = 10  # Plans of a province have targets for a year such as 2030.


async def import_population(
    connection: AsyncConnection, given: Sequence[tuple[int, int, dict[int, int], str]], *, subject: str
) -> int:
    """Store residents: (unit, year, residents by age, source) each; says how many units and years."""
    _check_once(
        [(unit, year) for unit, year, _, _ in given], field="populations", beside=("đơn vị và năm", "unit and year")
    )
    rows = [
        PopulationRow(unit, year, age, residents, source)
        for unit, year, by_age, source in given
        for age, residents in by_age.items()
    ]
    await outside.store_population(connection, rows, subject=subject)
    return len(given)


async def set_targets(
    connection: AsyncConnection,
    given: Sequence[TargetRow],
    *,
    catalogue: Catalogue,
    tree: ScopeTree,
    today: date,
    subject: str,
) -> int:
    """Set targets; says how many.

    Raises INVALID_FIELD for what the indicator can never be, SENSITIVE_COMBINATION where it is never shown.
    """
    _check_once(
        [(one.unit_id, one.school_year, one.indicator) for one in given],
        field="targets",
        beside=("đơn vị, năm học và chỉ số", "unit, school year and indicator"),
    )
    first_of_year = {one.school_year: place for place, one in reversed([*enumerate(given)])}
    for year, place in first_of_year.items():
        field = f"targets[{place}].school_year"
        await check_year(
            connection, year, given[place].unit_id, tree=tree, today=today, ahead=PLANNED_YEARS, field=field
        )
    for place, one in enumerate(given):
        indicator = catalogue.find(one.indicator)
        if indicator is None:
            raise unknown_indicator(one.indicator, catalogue)
        if not 0 <= one.value <= indicator.largest:
            raise _out_of_range(place, one, indicator)
        if indicator.sensitive and not is_top(tree, one.unit_id, today):
            raise _never_shown(place, indicator)
    await outside.store_targets(connection, given, subject=subject)
    return len(given)


def below(tree: ScopeTree, unit: int, ref: str, *, today: date, field: str) -> int:
    """The unit a row names; raises UNIT_NOT_BELOW unless it is the unit of the request or lies below it."""
    found = resolved(tree, ref, today=today, day=today)
    if not tree.contains(unit, found, today):
        vi = f"Đơn vị “{ref}” không thuộc đơn vị của yêu cầu. Hãy gửi riêng cho đơn vị cấp trên của nó."
        en = f"The unit “{ref}” does not lie below the unit of the request. Send it for a unit above it."
        violation = FieldViolation(field, "UNIT_NOT_BELOW", vi, en)
        raise Fault(Kind.INVALID, "UNIT_NOT_BELOW", vi=vi, en=en, violations=[violation], metadata={"unit": ref})
    return found


def _check_once(keys: Iterable[tuple[object, ...]], *, field: str, beside: tuple[str, str]) -> None:
    """Raise GIVEN_TWICE where a key comes again; `beside` says what a key is made of, in Vietnamese and English."""
    seen: dict[tuple[object, ...], int] = {}
    for place, key in enumerate(keys):
        if key in seen:
            first = seen[key] + 1
            vi = f"Dòng {place + 1} trùng dòng {first}: cùng {beside[0]}. Hãy bỏ một trong hai dòng."
            en = f"Row {place + 1} repeats row {first}: the same {beside[1]}. Leave one of them out."
            raise _refused(f"{field}[{place}]", "GIVEN_TWICE", vi, en)
        seen[key] = place


def _out_of_range(place: int, target: TargetRow, indicator: Indicator) -> Fault:
    bounded = indicator.largest < float("inf")
    to_vi, to_en = (
        (f" đến {indicator.largest:g}", f" to {indicator.largest:g}") if bounded else (" trở lên", " upwards")
    )
    vi = f"Dòng {place + 1}: “{indicator.name_vi}” không thể là {target.value:g}. Hãy đặt chỉ tiêu từ 0{to_vi}."
    en = f"Row {place + 1}: “{indicator.name_en}” cannot be {target.value:g}. Set a target from 0{to_en}."
    return _refused(f"targets[{place}].value", "INVALID_FIELD", vi, en)


def _never_shown(place: int, indicator: Indicator) -> Fault:
    vi = (
        f"Dòng {place + 1}: “{indicator.name_vi}” là dữ liệu nhạy cảm, chỉ được xem cho toàn bộ đơn vị cao nhất."
        " Hãy bỏ chỉ tiêu này, hoặc đặt cho đơn vị cao nhất."
    )
    en = (
        f"Row {place + 1}: “{indicator.name_en}” is sensitive and shown for a topmost unit as a whole only."
        " Leave this target out, or set it for a topmost unit."
    )
    return _refused(f"targets[{place}].indicator", "SENSITIVE_COMBINATION", vi, en)


def _refused(field: str, reason: str, vi: str, en: str) -> Fault:
    return Fault(Kind.INVALID, reason, vi=vi, en=en, violations=[FieldViolation(field, reason, vi, en)])
