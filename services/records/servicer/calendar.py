"""CalendarService: school years, terms and holidays of a unit."""

from collections.abc import Callable
from datetime import date
from hashlib import blake2b
from itertools import groupby
from typing import Any

from iocedu.records.v1 import calendar_pb2, calendar_pb2_grpc

from chassis.clock import Clock
from chassis.database import Database
from chassis.identity import caller
from chassis.paging import page_cursor, page_size, page_token
from chassis.scope_tree import EVERY_UNIT, ScopeTree
from chassis.scopes import Scopes
from services.records.convert.calendars import calendar_message, calendar_of, day_message, unknown_calendar
from services.records.convert.days import day_of
from services.records.domain.calendars import day_of as what_day
from services.records.servicer.places import resolve_unit
from services.records.store.calendars import calendars_of
from services.records.usecases.calendars import calendar_on, held_of, import_calendar, years_of
from services.records.usecases.locks import Asked


class CalendarServicer(calendar_pb2_grpc.CalendarServiceServicer):
    """Answers CalendarService."""

    def __init__(self, database: Database, scopes: Scopes, clock: Clock, *, changed: Callable[[], None]) -> None:
        self._database = database
        self._scopes = scopes
        self._clock = clock
        self._changed = changed

    async def GetCalendar(
        self, request: calendar_pb2.GetCalendarRequest, _context: Any
    ) -> calendar_pb2.GetCalendarResponse:
        """Give the calendar that holds in a school year."""
        above = self._above(request.unit)
        async with self._database.connection() as connection:
            calendar = await calendar_on(connection, above, request.school_year)
        if calendar is None:
            raise unknown_calendar(request.unit, request.school_year)
        return calendar_pb2.GetCalendarResponse(calendar=calendar_message(calendar))

    async def ListCalendars(
        self, request: calendar_pb2.ListCalendarsRequest, _context: Any
    ) -> calendar_pb2.ListCalendarsResponse:
        """Give a page of the calendars that hold."""
        above = self._above(request.unit)
        most = page_size(request.page_size, default=20, maximum=100)
        cursor = page_cursor(request)
        async with self._database.connection() as connection:
            every = await calendars_of(connection, above)
        every.sort(key=lambda one: -one.school_year)
        by_year = [held_of(some, above) for _, some in groupby(every, key=lambda one: one.school_year)]
        found = [one for one in by_year if one and (not cursor or one.school_year < cursor[0])]
        response = calendar_pb2.ListCalendarsResponse(calendars=map(calendar_message, found[:most]))
        if len(found) > most:
            response.next_page_token = page_token(request, [found[most - 1].school_year])
        return response

    async def GetCalendarDay(
        self, request: calendar_pb2.GetCalendarDayRequest, _context: Any
    ) -> calendar_pb2.GetCalendarDayResponse:
        """Say what a day is."""
        above, day = self._above(request.unit), day_of(request.day, field="day") or date.min
        async with self._database.connection() as connection:
            year = (await years_of(connection, above)).of(day)
            calendar = await calendar_on(connection, above, year)
        if calendar is None:
            raise unknown_calendar(request.unit, year)
        return day_message(what_day(calendar, day))

    async def ImportCalendar(
        self, request: calendar_pb2.ImportCalendarRequest, _context: Any
    ) -> calendar_pb2.ImportCalendarResponse:
        """Put a calendar in place of the one before."""
        unit_id = resolve_unit(self._scopes.tree, request.unit, self._clock.today())
        calendar = calendar_of(request.calendar, unit_id=unit_id, now=self._clock.now(), by=caller().subject)
        digest = blake2b(request.SerializeToString(deterministic=True), digest_size=16).digest()
        kept = await import_calendar(self._database, calendar, asked=Asked(request.request_id, digest))
        self._changed()
        return calendar_pb2.ImportCalendarResponse(calendar=calendar_message(kept))

    def _above(self, unit: str) -> list[int]:
        tree, today = self._scopes.tree, self._clock.today()
        return unit_and_above(tree, resolve_unit(tree, unit, today), today)


def unit_and_above(tree: ScopeTree, unit_id: int, day: date) -> list[int]:
    """A unit and all above it, the nearest first; every unit last."""
    return [*dict.fromkeys((unit_id, *tree.above(unit_id, day), EVERY_UNIT))]
