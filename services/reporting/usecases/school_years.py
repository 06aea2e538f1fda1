"""Which school years something may be asked for: those a calendar or data tell of, and the running one."""

from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.errors import Fault, FieldViolation, Kind
from chassis.scopes import ScopeTree
from services.reporting.store.outside import years_with_data


async def check_year(
    connection: AsyncConnection,
    year: int,
    unit_id: int,
    *,
    tree: ScopeTree,
    today: date,
    ahead: int = 0,
    field: str = "school_year",
) -> None:
    """Raise UNKNOWN_SCHOOL_YEAR where nothing is known of a year; `ahead`: how many years to come may be planned."""
    running = tree.years(unit_id, today).of(today)
    known = {one.year for one in tree.calendars} | await years_with_data(connection)
    known.update(range(running, running + ahead + 1))
    if year in known:
        return
    listed = ", ".join(f"{one}-{one + 1}" for one in sorted(known))
    vi = f"Không có năm học {year}-{year + 1}: chưa có lịch năm học, cũng chưa trường nào gửi dữ liệu. Có: {listed}."
    en = f"Nothing is known of the school year {year}-{year + 1}, neither a calendar nor data. There are: {listed}."
    raise Fault(
        Kind.INVALID,
        "UNKNOWN_SCHOOL_YEAR",
        vi=vi,
        en=en,
        violations=[FieldViolation(field, "UNKNOWN_SCHOOL_YEAR", vi, en)],
        metadata={"school_year": str(year), "known": ",".join(map(str, sorted(known)))},
    )
