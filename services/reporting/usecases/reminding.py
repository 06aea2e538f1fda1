"""Reminds people of deadlines, on the days the rules name; each reminder once, however many replicas look."""

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.clock import Clock
from services.reporting.domain.reports import Campaign, Report
from services.reporting.store import reminders
from services.reporting.usecases.campaigns import get_campaign
from services.reporting.usecases.telling import Teller

REPORTS_AT_ONCE = 500


async def remind(connection: AsyncConnection, teller: Teller, clock: Clock) -> int:
    """Tell of reports whose next reminder is due; says of how many."""
    found = await reminders.take_due(
        connection, days=teller.rules.reminder_days, today=clock.today(), now=clock.now(), limit=REPORTS_AT_ONCE
    )
    campaigns: dict[int, Campaign] = {}
    due: list[tuple[Campaign, Report]] = []
    for report in found:
        if report.campaign_id not in campaigns:
            below = frozenset({report.campaign_unit_id})
            campaigns[report.campaign_id] = await get_campaign(connection, report.campaign_id, below=below)
        due.append((campaigns[report.campaign_id], report))
    await teller.reminded(connection, due, now=clock.now())
    return len(found)
