"""Calendars put in place of those before; and the working days that clocks run on."""

from collections.abc import Callable, Sequence
from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import outbox
from chassis.database import Database
from services.records.convert.calendars import calendars_changed
from services.records.domain.calendars import Calendar, holding, school_year_of, works
from services.records.store import calendars
from services.records.usecases.apply import request_id_reused
from services.records.usecases.locks import Asked


async def import_calendar(database: Database, calendar: Calendar, *, asked: Asked) -> Calendar:
    """Keep a unit's calendar and tell of it; raises REQUEST_ID_REUSED. A repeat answers the same."""
    async with database.transaction() as connection:
        kept, digest, new = await calendars.add_calendar(
            connection, calendar, request_id=asked.request_id, digest=asked.digest
        )
        if new:
            await outbox.append(connection, [calendars_changed(kept)])
    if digest != asked.digest:
        raise request_id_reused(asked.request_id)
    return kept


async def calendar_on(connection: AsyncConnection, above: Sequence[int], school_year: int) -> Calendar | None:
    """The calendar of a school year that holds for a unit; `above` is the unit and all above it, the nearest first."""
    return holding(await calendars.calendars_of(connection, above, [school_year]), above)


async def working_days(connection: AsyncConnection, above: Sequence[int], day: date) -> Callable[[date], bool]:
    """Whether offices above a unit work on a day, for days of this school year and the next."""
    year = school_year_of(day)
    years = [year, year + 1]
    found = await calendars.calendars_of(connection, above, years)
    held = [holding([one for one in found if one.school_year == each], above) for each in years]
    return works(one for one in held if one is not None)
