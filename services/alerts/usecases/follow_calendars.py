"""Follows calendars: what hangs on school days is looked at anew once others are told."""

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts import store
from services.alerts.domain.shapes import ATTENDANCE_REPORT
from services.alerts.usecases.moment import Moment


async def follow_calendars(connection: AsyncConnection, moment: Moment) -> None:
    """Look at what hangs on school days anew."""
    await store.look_at_kind(connection, ATTENDANCE_REPORT, now=moment.now)
