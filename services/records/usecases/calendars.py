"""Calendars put in place of those before; and the working days that clocks run on."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database
from chassis.years import Years, usual_first_day
from services.records.domain.calendars import Calendar, first_days, holding, works
from services.records.store import calendars, scopes
from services.records.usecases.apply import request_id_reused
from services.records.usecases.locks import Asked


async def import_calendar(database: Database, calendar: Calendar, *, asked: Asked) -> Calendar:
    """Keep a unit's calendar; raises REQUEST_ID_REUSED. A repeat answers the same."""
    async with database.transaction() as connection:
        kept, digest, new = await calendars.add_calendar(
            connection, calendar, request_id=asked.request_id, digest=asked.digest
        )
        if new:
            await scopes.raise_scope_version(connection)  # Calendars are told with the tree of units.
    if digest != asked.digest:
        raise request_id_reused(asked.request_id)
    return kept


async def calendar_on(connection: AsyncConnection, above: Sequence[int], school_year: int) -> Calendar | None:
    """The calendar of a school year that holds for a unit; `above` is the unit and all above it, the nearest first."""
    return held_of(await calendars.calendars_of(connection, above, [school_year]), above)


def held_of(found: Iterable[Calendar], above: Sequence[int]) -> Calendar | None:
    """What holds of the calendars of one school year, with the day on which that begins."""
    calendar = holding(found, above)
    if calendar is None or calendar.first_day:
        return calendar
    return replace(calendar, first_day=usual_first_day(calendar.school_year))


async def years_of(connection: AsyncConnection, above: Sequence[int]) -> Years:
    """The school years of a unit, as its calendars tell their first days; `above` as for `calendar_on`."""
    return Years(first_days(await calendars.calendars_of(connection, above), above))


async def working_days(connection: AsyncConnection, above: Sequence[int], day: date) -> Callable[[date], bool]:
    """Whether offices above a unit work on a day, for days of this school year and the next."""
    found = await calendars.calendars_of(connection, above)
    years = Years(first_days(found, above))
    year = years.of(day)
    held = [holding([one for one in found if one.school_year == each], above) for each in (year, year + 1)]
    return works((one for one in held if one is not None), years.of)
