"""The life of a report: filled, entered, confirmed, reviewed, approved, sent back; by whom, and when it is refused."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from iocedu.notify.v1 import notice_requested_pb2
from iocedu.reporting.v1 import campaigns_pb2, report_pb2, report_sums_pb2, reports_pb2
from sqlalchemy.exc import DBAPIError

from chassis.bus import Bus
from chassis.database import Database
from chassis.errors import Fault, Kind
from chassis.testing import FixedClock
from services.reporting.store import campaigns
from services.reporting.usecases import reminding
from tests.integration.reporting import scenes
from tests.integration.reporting.report_scenes import (
    COMMUNE_DIRECTOR,
    DIRECTOR,
    HEAD,
    HOUSE_OFFICER,
    OFFICER,
    OTHER_HEAD,
    Desk,
    campaign_request,
    form,
    values,
    waits_for_another,
)
from tests.integration.reporting.scenes import NEW_COMMUNE, PRIMARY, PROVINCE, SECONDARY
from tests.support.waiting import poll_until

DRAFT, CONFIRMED, REVIEWED, APPROVED, RETURNED = 1, 2, 3, 4, 5
ROOMS: dict[str, Any] = {"rooms__rooms__number": (2, ""), "rooms__area__number": (80.5, "")}


def refusal(refused: Any) -> str:
    """The reason."""
    return str(refused.value.reason)


async def told(bus: Bus, count: int) -> dict[str, notice_requested_pb2.NoticeRequest]:
    """The first `count` requests to tell people, by key."""
    found: dict[str, notice_requested_pb2.NoticeRequest] = {}
    subscription = await bus.jetstream.subscribe("iocedu.reporting.v1.notice-requested", ordered_consumer=True)
    try:
        while len(found) < count:
            message = await subscription.next_msg(timeout=60)
            for request in notice_requested_pb2.NoticesRequested.FromString(message.data).requests:
                found[request.key] = request
    finally:
        await subscription.unsubscribe()
    return found


async def test_a_campaign_gives_each_school_of_the_level_a_report_and_tells_it(desk: Desk, bus: Bus):
    """Not the kindergarten; each school's people hear of their own report."""
    campaign = await desk.begin()
    assert (campaign.report_count, campaign.form_version, campaign.unit_name) == (2, 1, "Quảng Nam")
    request = reports_pb2.ListReportsRequest(unit="gso:49", campaign_id=campaign.campaign_id)
    listed = (await desk.reports().ListReports(request)).reports
    assert {(one.school_id, one.state) for one in listed} == {(PRIMARY, DRAFT), (SECONDARY, DRAFT)}
    requests = await told(bus, 2)
    assert {tuple(one.unit_ids) for one in requests.values()} == {(PRIMARY,), (SECONDARY,)}
    (first,) = [one for one in requests.values() if PRIMARY in one.unit_ids]
    assert list(first.audience_roles) == ["head_teacher", "clerk"]
    assert "TH Ái Nghĩa" in first.body_vi
    assert "2026-2027" in first.body_vi
    assert first.link == f"/reports.html#unit={PRIMARY}&report={listed[0].report_id}"
    assert first.due_time == campaign.confirm_due_time


async def test_a_campaign_asked_for_twice_with_one_id_is_one(desk: Desk):
    """And the id for another is refused."""
    await desk.begin(request_id="dot-1")
    again = await desk.campaigns().CreateCampaign(campaign_request(request_id="dot-1"))
    assert again.campaign.campaign_id == desk.campaign.campaign_id
    with pytest.raises(Fault) as refused:
        await desk.campaigns().CreateCampaign(campaign_request(request_id="dot-1", school_year=2025))
    assert refusal(refused) == "REQUEST_ID_REUSED"
    listed = await desk.campaigns(HEAD).ListCampaigns(campaigns_pb2.ListCampaignsRequest(unit=str(PRIMARY)))
    assert [one.campaign_id for one in listed.campaigns] == [desk.campaign.campaign_id]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"days": (-1, 20, 30)}, "DEADLINES_INVALID"),
        ({"days": (10, 5, 30)}, "DEADLINES_INVALID"),
        ({"form": "khong_co"}, "UNKNOWN_FORM"),
        ({"form": "upper_secondary_start_of_year"}, "NO_SCHOOLS"),
        ({"school_year": 1999}, "UNKNOWN_SCHOOL_YEAR"),
        ({"school_year": 2028}, "UNKNOWN_SCHOOL_YEAR"),
    ],
)
async def test_a_campaign_that_cannot_be_is_refused(desk: Desk, fields: dict[str, Any], reason: str):
    """Before anybody is told."""
    given = {"form": "primary_start_of_year"} | fields
    with pytest.raises(Fault) as refused:
        await desk.campaigns().CreateCampaign(campaign_request(**given))
    assert refusal(refused) == reason
    listed = await desk.campaigns().ListCampaigns(campaigns_pb2.ListCampaignsRequest(unit="gso:49"))
    assert len(listed.campaigns) == 0


async def test_counted_cells_follow_the_records_until_the_school_confirms(desk: Desk, bus: Bus):
    """Counted, summed, entered; then they stand, and the difference to now can be seen."""
    await desk.begin()
    draft = await desk.report()
    assert values(draft) == {
        "pupils.total.all": 4,
        "pupils.total.girls": 1,
        "pupils.g03.all": 3,
        "pupils.g03.girls": 1,
        "pupils.g04.all": 1,
        "pupils.g04.girls": 0,
        "pupils.both.all": 4,
        "pupils.both.girls": 1,
        "rooms.rooms.number": None,
        "rooms.area.number": None,
    }
    assert [(one.check, one.severity) for one in draft.findings] == [("missing", "error")]
    await desk.enter(**ROOMS)
    confirmed = await desk.step("Confirm", HEAD)
    assert (confirmed.state, confirmed.version) == (CONFIRMED, 1)
    await scenes.Records(bus, 100).publish(scenes.pupil("NEW", grade="04"))

    async def drifted() -> bool:
        request = report_sums_pb2.CompareVersionsRequest(unit=str(PRIMARY), report_id=confirmed.report_id)
        found = (await desk.reports().CompareVersions(request)).differences
        return {(one.row, one.column, one.from_value, one.to_value) for one in found} == {
            ("total", "all", 4, 5),
            ("g04", "all", 1, 2),
            ("both", "all", 4, 5),
        }

    await poll_until(drifted)
    stands = await desk.report()
    assert values(stands)["pupils.total.all"] == 4
    assert (stands.version, stands.versions[0].confirmed_by) == (1, HEAD)


async def test_a_school_that_has_sent_nothing_has_no_values(desk: Desk):
    """Missing data is not zero, and keeps the report from being confirmed until the school says otherwise."""
    await desk.begin()
    report = await desk.report(SECONDARY)
    assert set(values(report).values()) == {None}
    with pytest.raises(Fault) as refused:
        await desk.step("Confirm", OTHER_HEAD, SECONDARY)
    assert (refused.value.kind, refusal(refused)) == (Kind.PRECONDITION, "REPORT_UNSOUND")
    assert refused.value.violations[0].reason == "MISSING"


async def test_an_error_keeps_a_report_from_being_confirmed_and_a_warning_does_not(desk: Desk):
    """An override with a reason can break a check; the finding names its cells, the form's words say what is wrong."""
    await desk.begin()
    await desk.enter(**(ROOMS | {"rooms__rooms__number": (0, ""), "pupils__g04__all": (7, "Sĩ số thực tế")}))
    report = await desk.report()
    assert [(one.check, one.severity) for one in report.findings] == [("total", "error"), ("rooms", "warning")]
    assert list(report.findings[0].cells) == ["pupils.total.all", "pupils.both.all"]
    (cell,) = [one for one in report.cells if (one.row, one.column) == ("g04", "all")]
    assert (cell.value, cell.counted_value, cell.reason, cell.by) == (7, 1, "Sĩ số thực tế", HEAD)
    assert cell.source == report_pb2.CELL_SOURCE_OVERRIDDEN
    with pytest.raises(Fault) as refused:
        await desk.step("Confirm", HEAD)
    assert refused.value.violations[0].en == "The total must be the sum of the grades."
    await desk.enter(pupils__g04__all=(None, ""))
    assert (await desk.step("Confirm", HEAD)).state == CONFIRMED


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ({}, "entries"),
        ({"pupils__g04__all": (7, " ")}, "entries[0].reason"),
        ({"pupils__both__all": (7, "x")}, "entries[0].row"),
        ({"rooms__rooms__number": (1.5, "")}, "entries[0].value"),
        ({"rooms__rooms__number": (-1, "")}, "entries[0].value"),
        ({"rooms__rooms__number": (float("nan"), "")}, "entries[0].value"),
        ({"rooms__area__number": (1.5, ""), "rooms__hall__number": (1, "")}, "entries[1].row"),
    ],
)
async def test_a_cell_that_cannot_be_entered_is_named_and_nothing_is_kept(desk: Desk, cells: Any, field: str):
    """All or none."""
    await desk.begin()
    with pytest.raises(Fault) as refused:
        await desk.enter(**cells)
    assert refusal(refused) == "CELL_INVALID"
    assert [one.field for one in refused.value.violations] == [field]
    assert values(await desk.report())["rooms.area.number"] is None


async def test_each_step_is_for_whose_it_is(desk: Desk):
    """The school confirms, who stands above it reviews, who asked approves; nobody else."""
    await desk.begin()
    await desk.enter(**ROOMS)

    async def refused_with(name: str, subject: str, expected: str, **fields: Any) -> None:
        with pytest.raises(Fault) as refused:
            await desk.step(name, subject, **fields)
        assert refusal(refused) == expected, (name, subject)

    await refused_with("Confirm", OFFICER, "NO_GRANT")
    await refused_with("Confirm", OTHER_HEAD, "NO_GRANT")
    await refused_with("Review", OFFICER, "REPORT_STATE")
    await desk.step("Confirm", HEAD)
    await refused_with("Confirm", HEAD, "REPORT_STATE")
    await refused_with("Review", HEAD, "NO_GRANT")
    await refused_with("Review", HOUSE_OFFICER, "NOT_ABOVE")
    await refused_with("Approve", DIRECTOR, "REPORT_STATE")
    assert (await desk.step("Review", OFFICER)).state == REVIEWED
    await refused_with("Approve", OFFICER, "NO_GRANT")
    await refused_with("Approve", COMMUNE_DIRECTOR, "NOT_ABOVE")
    approved = await desk.step("Approve", DIRECTOR)
    assert (approved.state, approved.lock_state) == (APPROVED, report_pb2.REPORT_LOCK_STATE_LOCKING)
    await refused_with("Return", OFFICER, "REPORT_STATE", reason="x")
    await refused_with("Reopen", COMMUNE_DIRECTOR, "NOT_ABOVE", reason="x")
    with pytest.raises(Fault) as refused:
        await desk.enter(**ROOMS)
    assert refusal(refused) == "REPORT_STATE"


async def test_a_report_sent_back_is_confirmed_anew_and_every_step_stays(desk: Desk, bus: Bus):
    """With the reason, which the school is told; the second confirmation is the second version."""
    await desk.begin()
    await desk.enter(**ROOMS)
    await desk.step("Confirm", HEAD)
    returned = await desk.step("Return", OFFICER, reason="Thiếu phòng học bộ môn")
    assert (returned.state, returned.return_reason) == (RETURNED, "Thiếu phòng học bộ môn")
    await desk.enter(rooms__rooms__number=(3, ""))
    assert (await desk.report()).report.return_reason == "Thiếu phòng học bộ môn", "entering does not forget why"
    second = await desk.step("Confirm", HEAD)
    assert (second.version, second.return_reason) == (2, "")
    report = await desk.report()
    assert [one.action for one in report.steps] == [1, 2, 5, 1, 2]
    assert report.steps[2].note == "Thiếu phòng học bộ môn"
    request = report_sums_pb2.CompareVersionsRequest(
        unit=str(PRIMARY), report_id=second.report_id, from_version=1, to_version=2
    )
    compared = await desk.reports(OFFICER).CompareVersions(request)
    assert [(one.row, one.from_value, one.to_value) for one in compared.differences] == [("rooms", 2, 3)]
    assert compared.unchanged_count == 9
    requests = await told(bus, 4)
    key = f"report/{second.report_id}"
    assert "Thiếu phòng học bộ môn" in requests[f"{key}/returned"].body_vi
    assert list(requests[f"{key}/confirmed"].unit_ids) == [NEW_COMMUNE], "who reviews is told of a confirmation"


async def test_who_decides_on_an_old_state_is_refused(desk: Desk):
    """Two people at once: one step counts; a step repeated with its request id answers the same."""
    await desk.begin()
    await desk.enter(**ROOMS)
    await desk.step("Confirm", HEAD)
    report = (await desk.report()).report
    requests = [
        reports_pb2.ReviewReportRequest(unit=str(PRIMARY), report_id=report.report_id, etag=report.etag, request_id=one)
        for one in ("a", "b", "a")
    ]
    done = await asyncio.gather(
        *(desk.reports(OFFICER).ReviewReport(request) for request in requests), return_exceptions=True
    )
    states = [one.report.state for one in done if isinstance(one, reports_pb2.ReviewReportResponse)]
    refused = [one.reason for one in done if isinstance(one, Fault)]
    assert set(states) == {REVIEWED}
    assert set(refused) == {"REPORT_CHANGED"}
    assert [one.action for one in (await desk.report()).steps] == [1, 2, 3], "only one review was written down"


async def test_an_approved_version_cannot_be_changed_even_in_the_database(desk: Desk, report_database: Database):
    """What was published stays what was published."""
    await desk.begin(form(locked_collections=[]))
    approved = await desk.approve()
    assert approved.lock_state == report_pb2.REPORT_LOCK_STATE_UNSPECIFIED
    report = await desk.report()
    assert report.versions[0].approved_by == DIRECTOR
    for change in ("cells = '{}'", "approved_by = 'x'"):
        with pytest.raises(DBAPIError, match="stands as it is"):
            async with report_database.transaction() as connection:
                await connection.execute(sa.text(f"UPDATE report_version SET {change}"))


async def test_a_reopened_report_keeps_its_approved_version(desk: Desk):
    """The reason is asked for; the next approval is another version, and the two compare."""
    await desk.begin(form(locked_collections=[]))
    await desk.approve()
    reopened = await desk.step("Reopen", DIRECTOR, reason="Sai số phòng")
    assert (reopened.state, reopened.return_reason) == (RETURNED, "Sai số phòng")
    await desk.enter(rooms__rooms__number=(5, ""))
    await desk.step("Confirm", HEAD)
    await desk.step("Review", OFFICER)
    await desk.step("Approve", DIRECTOR)
    report = await desk.report()
    assert [one.version for one in report.versions if one.approved_by] == [1, 2]
    old = await desk.reports().GetReport(
        reports_pb2.GetReportRequest(unit=str(PRIMARY), report_id=reopened.report_id, version=1)
    )
    assert (values(old)["rooms.rooms.number"], values(report)["rooms.rooms.number"]) == (2, 5)
    with pytest.raises(Fault) as refused:
        await desk.reports().GetReport(
            reports_pb2.GetReportRequest(unit=str(PRIMARY), report_id=reopened.report_id, version=3)
        )
    assert refusal(refused) == "UNKNOWN_VERSION"


async def test_progress_says_who_has_not_and_who_is_late(desk: Desk, report_clock: FixedClock):
    """By unit; late is whose next step is past its deadline."""
    await desk.begin()
    await desk.enter(**ROOMS)
    await desk.step("Confirm", HEAD)
    report_clock.advance(timedelta(days=11))
    request = campaigns_pb2.GetProgressRequest(
        unit="gso:49", campaign_id=desk.campaign.campaign_id, breakdown="commune"
    )
    (unit,) = (await desk.campaigns().GetProgress(request)).units
    assert (unit.unit_name, unit.report_count, unit.late_count) == ("Mới", 2, 1)
    assert [(one.state, one.count) for one in unit.counts] == [(DRAFT, 1), (CONFIRMED, 1)]
    request.breakdown = "hamlet"
    with pytest.raises(Fault) as refused:
        await desk.campaigns().GetProgress(request)
    assert refusal(refused) == "UNKNOWN_BREAKDOWN"
    listing = reports_pb2.ListReportsRequest(unit="gso:49", campaign_id=desk.campaign.campaign_id, late=True)
    (late,) = (await desk.reports().ListReports(listing)).reports
    assert (late.school_id, late.late) == (SECONDARY, True)
    own = campaigns_pb2.GetProgressRequest(unit=str(PRIMARY), campaign_id=desk.campaign.campaign_id)
    assert (await desk.campaigns(HEAD).GetProgress(own)).units[0].report_count == 1, "a school sees itself alone"


async def test_a_sum_adds_what_is_confirmed_and_says_what_is_missing(desk: Desk):
    """Cell by cell, with how many schools are in it; as an officer of the commune sees it."""
    await desk.begin()
    await desk.enter(**ROOMS)
    await desk.step("Confirm", HEAD)
    request = report_sums_pb2.AggregateReportsRequest(unit=str(NEW_COMMUNE), campaign_id=desk.campaign.campaign_id)
    summed = await desk.reports(OFFICER).AggregateReports(request)
    found = {f"{one.sheet}.{one.row}.{one.column}": (one.value, one.school_count) for one in summed.cells}
    assert (found["pupils.total.all"], found["rooms.area.number"]) == ((4, 1), (80.5, 1))
    assert (summed.school_count, summed.expected_school_count) == (1, 2)
    assert [(one.school_name, one.state) for one in summed.missing] == [("THCS Nguyễn Du", DRAFT)]
    request.least_state = report_pb2.REPORT_STATE_APPROVED
    assert (await desk.reports(OFFICER).AggregateReports(request)).school_count == 0


async def test_a_report_of_elsewhere_is_not_there(desk: Desk):
    """A school's people find their own report only, whatever its number."""
    await desk.begin()
    other = (await desk.report(SECONDARY)).report
    with pytest.raises(Fault) as refused:
        await desk.reports(HEAD).GetReport(reports_pb2.GetReportRequest(unit=str(PRIMARY), report_id=other.report_id))
    assert refusal(refused) == "UNKNOWN_REPORT"


async def test_people_are_reminded_on_the_days_of_the_rules_and_once(desk: Desk, bus: Bus, report_clock: FixedClock):
    """Seven days before, and when it is late; who has confirmed is left alone, who reviews hears of many at once."""
    await desk.begin()
    await desk.enter(**ROOMS)
    await desk.step("Confirm", HEAD)
    silent = (await desk.report(SECONDARY)).report.report_id
    report_clock.advance(timedelta(days=4))
    requests = await told(bus, 4)
    due = requests[f"report/{silent}/due"]
    assert (due.severity, "Sắp đến hạn" in due.title_vi) == (1, True)
    report_clock.advance(timedelta(days=10))

    async def late() -> bool:
        found = (await told(bus, 5)).get(f"report/{silent}/due")
        return found is not None and found.severity == 2 and found.revision > due.revision

    await poll_until(late)
    (above,) = [one for key, one in (await told(bus, 5)).items() if key.startswith("campaign/")]
    assert (list(above.unit_ids), list(above.audience_roles)) == ([NEW_COMMUNE], ["officer", "director"])
    assert above.body_vi.startswith("1 báo cáo")


async def test_who_reviews_is_told_once_of_all_reports_that_wait(
    desk: Desk, bus: Bus, report_clock: FixedClock, report_database: Database, monkeypatch: pytest.MonkeyPatch
):
    """However many are taken at a time: one notice a day, with the number of all."""
    monkeypatch.setattr(reminding, "REPORTS_AT_ONCE", 1)
    await desk.begin()
    async with report_database.transaction() as connection:
        await connection.execute(sa.text("UPDATE report SET state = 2"))
    report_clock.advance(timedelta(days=14))
    requests: list[notice_requested_pb2.NoticeRequest] = []
    subscription = await bus.jetstream.subscribe("iocedu.reporting.v1.notice-requested", ordered_consumer=True)
    while len(requests) < 2:
        message = await subscription.next_msg(timeout=60)
        found = notice_requested_pb2.NoticesRequested.FromString(message.data).requests
        requests += [one for one in found if one.key.startswith("campaign/")]
    assert [one.body_vi.partition(" báo cáo")[0] for one in requests] == ["2", "2"]
    assert len({(one.key, one.revision) for one in requests}) == 1


async def test_the_same_campaign_is_not_started_twice(desk: Desk):
    """A second press of the button answers which one there is; another deadline is another round."""
    first = await desk.begin()
    with pytest.raises(Fault) as refused:
        await desk.campaigns().CreateCampaign(campaign_request())
    assert refused.value.reason == "CAMPAIGN_EXISTS"
    assert refused.value.metadata["campaign_id"] == str(first.campaign_id)
    again = await desk.campaigns().CreateCampaign(campaign_request(days=(40, 50, 60)))
    assert again.campaign.campaign_id > first.campaign_id


async def test_a_campaign_is_of_a_school_year_that_is_known(desk: Desk, scopes_tree):
    """The refusal says which there are; the next year may be planned, and one that a calendar tells of."""
    with pytest.raises(Fault) as refused:
        await desk.begin(school_year=2035)
    assert refused.value.metadata["known"] == "2026,2027"
    assert (refused.value.violations[0].field, "2026-2027, 2027-2028" in refused.value.vi) == ("school_year", True)
    assert (await desk.begin(school_year=2027)).school_year == 2027


async def test_a_withdrawn_campaign_asks_nothing_more_and_its_schools_are_told(
    desk: Desk, report_database: Database, report_clock: FixedClock, bus: Bus
):
    """Nothing is late and nobody reminded; what was approved stays until it is opened again; it may be started anew."""
    told = await bus.jetstream.subscribe("iocedu.reporting.v1.notice-requested", ordered_consumer=True)
    campaign = await desk.begin()
    await desk.approve()

    async def withdraw(
        subject: str = DIRECTOR, unit: int = PROVINCE, reason: str = "Trùng đợt"
    ) -> campaigns_pb2.Campaign:
        asked = campaigns_pb2.WithdrawCampaignRequest(unit=str(unit), campaign_id=campaign.campaign_id, reason=reason)
        withdrawn: campaigns_pb2.Campaign = (await desk.campaigns(subject).WithdrawCampaign(asked)).campaign
        return withdrawn

    with pytest.raises(Fault) as refused:
        await withdraw(COMMUNE_DIRECTOR, NEW_COMMUNE)
    assert refusal(refused) == "UNKNOWN_CAMPAIGN", "withdrawing is for the unit that asked"
    for reason in ("Trùng đợt", "Lý do khác"):
        withdrawn = await withdraw(reason=reason)
        assert (withdrawn.withdrawn_by, withdrawn.withdraw_reason) == (DIRECTOR, "Trùng đợt"), "the first stands"
    for step in (desk.enter(SECONDARY, OTHER_HEAD, **ROOMS), desk.step("Confirm", OTHER_HEAD, SECONDARY)):
        with pytest.raises(Fault) as refused:
            await step
        assert refusal(refused) == "CAMPAIGN_WITHDRAWN"
    heard: list[notice_requested_pb2.NoticeRequest] = []
    while len(heard) < 2:
        event = notice_requested_pb2.NoticesRequested.FromString((await told.next_msg(timeout=10)).data)
        heard += [one for one in event.requests if one.key.endswith("/withdrawn")]
    assert sorted(one.unit_ids[0] for one in heard) == [PRIMARY, SECONDARY]
    for notice in heard:
        assert "đã rút đợt “Khảo sát”, năm học 2026-2027. " in notice.body_vi
        assert notice.body_vi.endswith("báo cáo đã duyệt giữ nguyên. Lý do: Trùng đợt")
        assert notice.body_en.endswith("what was approved stays. The reason: Trùng đợt")
    report_clock.advance(timedelta(days=60))
    asked = campaigns_pb2.GetProgressRequest(unit="gso:49", campaign_id=campaign.campaign_id)
    [whole] = (await desk.campaigns().GetProgress(asked)).units
    assert (whole.report_count, whole.late_count) == (2, 0)
    async with report_database.connection() as connection:
        assert await connection.scalar(sa.text("SELECT max(reminded) FROM report")) == 0
    report_clock.advance(timedelta(days=-60))
    assert (await desk.report()).report.state == APPROVED
    assert (await desk.step("Reopen", DIRECTOR, reason="Sai số phòng")).state == RETURNED
    again = await desk.begin()
    assert again.campaign_id > campaign.campaign_id


@pytest.mark.parametrize("taken", ["enter", "Confirm", "Review", "Approve", "Return"])
async def test_a_step_taken_while_its_campaign_is_being_withdrawn_waits_and_is_refused(
    desk: Desk, report_database: Database, taken: str
):
    """Each step that a campaign asks for; the report stays as it was."""
    campaign = await desk.begin()
    await desk.enter(**ROOMS)
    if taken in {"Review", "Return", "Approve"}:
        await desk.step("Confirm", HEAD)
    if taken == "Approve":
        await desk.step("Review", OFFICER)
    before = (await desk.report()).report
    steps = {
        "enter": lambda: desk.enter(rooms__rooms__number=(3, "")),
        "Confirm": lambda: desk.step("Confirm", HEAD),
        "Review": lambda: desk.step("Review", OFFICER),
        "Approve": lambda: desk.step("Approve", DIRECTOR),
        "Return": lambda: desk.step("Return", OFFICER, reason="Sai"),
    }
    async with report_database.transaction() as connection:
        await campaigns.withdraw(connection, campaign.campaign_id, by=DIRECTOR, now=scenes.NOW, reason="Trùng đợt")
        step = asyncio.create_task(steps[taken]())

        async def waits_or_is_done() -> bool:
            return step.done() or await waits_for_another(report_database)

        await poll_until(waits_or_is_done)
    with pytest.raises(Fault) as refused:
        await step
    assert refusal(refused) == "CAMPAIGN_WITHDRAWN"
    assert (await desk.report()).report.etag == before.etag
