"""Follows calendars: what hangs on school days is looked at anew once others are told."""

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts import store
from services.alerts.domain.shapes import ATTENDANCE_REPORT
from services.alerts.usecases.moment import Moment


async def follow_calendars(connection: AsyncConnection, moment: Moment) -> None:
    """Look at what hangs on school days anew, and at what rules judge that raise on school days only."""
    rules = await store.rules_in_force(connection, moment.today)
    waiting = {rule.fact_kind for rule in rules if rule.school_days_only}
    await store.look_at_kinds(connection, {ATTENDANCE_REPORT, *waiting}, now=moment.now)
