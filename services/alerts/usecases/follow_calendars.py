"""Follows calendars of records: keeps the newest of each unit and school year, and says what holds for a unit now."""

from collections.abc import Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts import store
from services.alerts.domain.calendar import SchoolCalendar, UnitCalendar
from services.alerts.domain.shapes import ATTENDANCE_REPORT
from services.alerts.usecases.moment import Moment


async def take_calendars(connection: AsyncConnection, told: Sequence[UnitCalendar], moment: Moment) -> None:
    """Keep calendars that are newer than what is known; what hangs on school days is then looked at anew."""
    if await store.keep_calendars(connection, told):
        await store.look_at_kind(connection, ATTENDANCE_REPORT, now=moment.now)


async def school_calendars(connection: AsyncConnection, moment: Moment) -> Callable[[int], SchoolCalendar] | None:
    """What holds for a unit, by calendars told and those that came with the service; None: no calendar is known."""
    if moment.calendars is None:
        return None
    known = moment.calendars.overlaid(await store.calendars(connection))
    return lambda unit_id: known.of((unit_id, *moment.above(unit_id)))
