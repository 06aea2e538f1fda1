"""Stores residents by age and targets, all or nothing, each with its source and who stored it.

Refuses units that do not lie below the one the caller holds a role on, unknown indicators, and what is given twice.
"""

from collections.abc import Iterable, Sequence
from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.errors import Fault, FieldViolation, Kind
from chassis.scopes import ScopeTree
from services.reporting.domain.catalogue import Catalogue
from services.reporting.store import outside
from services.reporting.store.outside import PopulationRow, TargetRow
from services.reporting.usecases.querying import resolved, unknown_indicator


async def import_population(
    connection: AsyncConnection, given: Sequence[tuple[int, int, dict[int, int], str]], *, subject: str
) -> int:
    """Store residents: (unit, year, residents by age, source) each; says how many units and years."""
    _check_once([(unit, year) for unit, year, _, _ in given], field="populations")
    rows = [
        PopulationRow(unit, year, age, residents, source)
        for unit, year, by_age, source in given
        for age, residents in by_age.items()
    ]
    await outside.store_population(connection, rows, subject=subject)
    return len(given)


async def set_targets(
    connection: AsyncConnection, given: Sequence[TargetRow], *, catalogue: Catalogue, subject: str
) -> int:
    """Set targets; says how many."""
    _check_once([(one.unit_id, one.school_year, one.indicator) for one in given], field="targets")
    for one in given:
        if catalogue.find(one.indicator) is None:
            raise unknown_indicator(one.indicator, catalogue)
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


def _check_once(keys: Iterable[tuple[object, ...]], *, field: str) -> None:
    seen: set[tuple[object, ...]] = set()
    for place, key in enumerate(keys):
        if key in seen:
            vi = f"Dòng {place} trùng một dòng trước: {', '.join(map(str, key))}. Mỗi đơn vị và năm chỉ gửi một lần."
            en = f"Row {place} repeats one before: {', '.join(map(str, key))}. Give each unit and year once."
            violation = FieldViolation(f"{field}[{place}]", "GIVEN_TWICE", vi, en)
            raise Fault(Kind.INVALID, "GIVEN_TWICE", vi=vi, en=en, violations=[violation])
        seen.add(key)
