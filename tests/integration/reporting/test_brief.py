"""The morning brief: key figures beside the end of the day before, and the campaigns that are not over."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from iocedu.reporting.v1 import brief_pb2, brief_pb2_grpc

from chassis.bus import Bus
from chassis.database import Database
from chassis.errors import Fault
from chassis.scopes import Scopes
from chassis.testing import FixedClock
from services.reporting.store import daily_figures
from services.reporting.store.catalogue import load_catalogue
from services.reporting.store.mirror import Mirror
from services.reporting.usecases import briefing
from services.reporting.usecases.briefing import Briefing
from services.reporting.usecases.places import Divider
from services.reporting.usecases.querying import Questions
from tests.integration.reporting import scenes
from tests.integration.reporting.report_scenes import DIRECTOR, HEAD, OFFICER, Desk
from tests.integration.reporting.scenes import NEW_COMMUNE, NOW, PROVINCE, YEAR
from tests.support.waiting import poll_until


async def _brief(desk: Desk, unit: int = PROVINCE, subject: str = DIRECTOR) -> brief_pb2.GetBriefResponse:
    stub: Any = brief_pb2_grpc.BriefServiceStub(desk.channels[subject])
    answer: brief_pb2.GetBriefResponse = await stub.GetBrief(brief_pb2.GetBriefRequest(unit=str(unit)))
    return answer


async def test_a_key_figure_stands_beside_the_newest_day_before(desk: Desk, report_database: Database):
    """Of the last seven days; today's own value and older days are not compared with."""
    today = NOW.date()
    async with report_database.transaction() as connection:
        for days, value in ((0, 9.0), (3, 3.0), (5, 2.0), (9, 1.0)):
            day = today - timedelta(days=days)
            await daily_figures.keep(connection, [(PROVINCE, "pupils", value)], school_year=YEAR, day=day)
        old = today - timedelta(days=9)
        await daily_figures.keep(connection, [(PROVINCE, "classes", 7.0)], school_year=YEAR, day=old)
    brief = await _brief(desk)
    figures = {one.indicator: one for one in brief.figures}
    assert (brief.unit_name, brief.day, brief.school_year) == ("Quảng Nam", "2026-11-02", YEAR)
    pupils = figures["pupils"]
    assert (pupils.value, pupils.previous_value, pupils.previous_day) == (4, 3, "2026-10-30")
    assert not figures["classes"].HasField("previous_value")
    assert (pupils.reporting_school_count, pupils.expected_school_count) == (1, 3)


async def test_what_a_day_ended_with_is_kept_while_it_lasts(
    desk: Desk, report_database: Database, report_clock: FixedClock, bus: Bus
):
    """For every unit above schools, the newest value of the day; the next morning compares with it."""
    scopes = Scopes(bus)
    await scopes.refresh()
    questions = Questions(load_catalogue(), Mirror(report_database), Divider(), clock=report_clock)
    briefing = Briefing(report_database, questions, scopes, report_clock, ("pupils", "gone_from_the_catalogue"))
    today = [(unit, "pupils", 1.0) for unit in (PROVINCE, NEW_COMMUNE)]
    async with report_database.transaction() as connection:
        await daily_figures.keep(connection, today, school_year=YEAR, day=NOW.date())
    await briefing.keep()
    report_clock.advance(timedelta(days=1))
    await scenes.Records(bus, 100).publish(scenes.pupil("NEW"))

    async def changed() -> bool:
        pupils = next(one for one in (await _brief(desk, NEW_COMMUNE, OFFICER)).figures if one.indicator == "pupils")
        return (pupils.value, pupils.previous_value, pupils.previous_day) == (5, 4, "2026-11-02")

    await poll_until(changed)


async def test_a_campaign_that_is_not_over_is_in_it_however_many_newer_ones_are(
    desk: Desk, report_database: Database, monkeypatch: pytest.MonkeyPatch
):
    """The oldest are the latest."""
    monkeypatch.setattr(briefing, "MOST_CAMPAIGNS", 1)
    late = await desk.begin()
    over = await desk.begin(days=(11, 21, 31))
    async with report_database.transaction() as connection:
        done = sa.text("UPDATE report SET state = 4 WHERE campaign_id = :campaign_id")
        await connection.execute(done, {"campaign_id": over.campaign_id})
    assert [one.campaign.campaign_id for one in (await _brief(desk)).campaigns] == [late.campaign_id]


async def test_campaigns_that_are_not_over_are_in_it(desk: Desk):
    """With how far the unit's schools are; a school has no brief."""
    await desk.begin()
    (campaign,) = (await _brief(desk)).campaigns
    assert (campaign.campaign.form, campaign.progress.report_count) == ("khao_sat", 2)
    with pytest.raises(Fault) as refused:
        await _brief(desk, scenes.PRIMARY, HEAD)
    assert refused.value.reason == "NO_GRANT"
