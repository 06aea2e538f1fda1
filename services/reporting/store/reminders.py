# ruff: noqa: S608 (statements are put together from constants of these modules; nothing comes from outside)
"""Which reports' people are to be reminded now; taking them notes that they were."""

from collections.abc import Collection, Sequence
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting.domain.reports import Report, State
from services.reporting.store.campaigns import DUE
from services.reporting.store.reports import SELECTED, report_of


async def take_due(
    connection: AsyncConnection, *, days: Sequence[int], today: date, now: datetime, limit: int
) -> list[Report]:
    """Reports whose next reminder's day has come, of which only the newest counts; others may take others meanwhile."""
    given = {"days": list(days), "today": today, "now": now, "limit": limit}
    return [report_of(row) for row in await connection.execute(_TAKE, given)]


async def standing(
    connection: AsyncConnection, campaigns: Collection[int], states: Collection[State]
) -> list[tuple[int, int, State, datetime]]:
    """The reports of campaigns that are in one of the states: (campaign, school, state, due)."""
    given = {"campaigns": list(campaigns), "states": [int(one) for one in states]}
    rows = await connection.execute(_STANDING, given)
    return [(campaign_id, school_id, State(state), due) for campaign_id, school_id, state, due in rows]


_STANDING = sa.text(
    f"SELECT campaign_id, report.school_id, report.state, {DUE} FROM report JOIN campaign USING (campaign_id)"
    " WHERE campaign_id = ANY(CAST(:campaigns AS bigint[])) AND report.state = ANY(CAST(:states AS smallint[]))"
)
_REMINDERS = (
    "(SELECT count(*) FROM unnest(CAST(:days AS integer[])) AS day"
    f" WHERE CAST(:today AS date) - CAST({DUE} AT TIME ZONE 'Asia/Ho_Chi_Minh' AS date) >= day)"
)
_TAKE = sa.text(
    f"WITH due AS (SELECT report.report_id, {_REMINDERS} AS reminders FROM report JOIN campaign USING (campaign_id)"
    f" WHERE report.state <> 4 AND {_REMINDERS} > report.reminded"
    " ORDER BY report.report_id LIMIT :limit FOR UPDATE OF report SKIP LOCKED),"
    " taken AS (UPDATE report SET reminded = due.reminders FROM due WHERE report.report_id = due.report_id"
    f" RETURNING report.report_id) {SELECTED} JOIN taken USING (report_id)"
)
