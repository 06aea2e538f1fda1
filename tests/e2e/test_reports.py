"""Statistical reports on the real platform: from a campaign to a locked school, with kills in between; their page."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.e2e.browsing import UNANSWERED, WAIT, Visit, picture
from tests.e2e.world import (
    COMMUNE,
    DIRECTOR,
    HEAD,
    OFFICER,
    PROVINCE,
    SCHOOL,
    SILENT_NAME,
    YEAR,
    World,
    pupil,
    school_class,
    written,
)
from tests.support.waiting import poll_until

pytestmark = pytest.mark.e2e

HELD = 5


def form(code: str) -> dict[str, Any]:
    """A form of one counted and one entered cell, whose approval locks the pupils."""

    def line(name: str, **said: Any) -> dict[str, Any]:
        return {"code": name, "title_vi": name, "title_en": name, **said}

    sheet = {
        "code": "school",
        "title_vi": "Trường",
        "title_en": "School",
        "rows": [line("pupils", indicator="pupils"), line("rooms", entered=True)],
        "columns": [line("number")],
    }
    names = {"name_vi": "Khảo sát phòng học", "name_en": "Survey of rooms", "stage": "start"}
    return {"code": code, **names, "levels": ["02"], "locked_collections": ["pupils"], "sheets": [sheet]}


async def begin(world: World, code: str, unit: str = PROVINCE) -> str:
    """Save the form and start a campaign of it at a unit; its id."""
    await world.post(f"/v1/units/{PROVINCE}/forms:save", DIRECTOR, {"form": form(code)})
    now = datetime.now(UTC)
    due = {
        name: (now + timedelta(days=days)).isoformat().replace("+00:00", "Z")
        for name, days in (("confirm_due_time", 10), ("review_due_time", 20), ("approve_due_time", 30))
    }
    body = {"form": code, "school_year": YEAR, **due}
    answer = await world.post(f"/v1/units/{unit}/campaigns", DIRECTOR, body)
    return str(answer["campaign"]["campaign_id"])


async def report_of(world: World, campaign: str, school: str = SCHOOL) -> dict[str, Any]:
    """A school's report."""
    listed = await world.get(f"/v1/units/{school}/reports", DIRECTOR, campaign_id=campaign)
    found: dict[str, Any] = listed["reports"][0]
    return found


async def step(world: World, name: str, subject: str, campaign: str, **body: Any) -> dict[str, Any]:
    """Take a step on the school's report as it is now."""
    report = await report_of(world, campaign)
    path = f"/v1/units/{SCHOOL}/reports/{report['report_id']}:{name}"
    answer: dict[str, Any] = (await world.post(path, subject, {"etag": report["etag"], **body}))["report"]
    return answer


async def locks(world: World) -> list[dict[str, Any]]:
    """What is locked of the school's pupils."""
    answer = await world.get(f"/v1/units/{SCHOOL}/locks", DIRECTOR, school_year=YEAR, collections="pupils")
    found: list[dict[str, Any]] = answer.get("locks", [])
    return found


async def reviewed(world: World, campaign: str) -> None:
    """Lead the school's report until it waits for approval."""
    rooms = {"sheet": "school", "row": "rooms", "column": "number", "value": 12}
    await step(world, "enter", HEAD, campaign, entries=[rooms])
    await step(world, "confirm", HEAD, campaign)
    await step(world, "review", OFFICER, campaign)


async def test_an_approved_report_is_locked_and_reopening_lifts_the_lock_whoever_dies(world: World) -> None:
    """Records is away when the director approves, reporting dies before it is back: the lock comes all the same."""
    await world.push([school_class(SCHOOL, "BC1"), *(pupil(SCHOOL, f"BC-{n}", "BC1") for n in range(3))])
    await world.settle()
    campaign = await begin(world, "khao_sat_khoa")
    await reviewed(world, campaign)
    await world.fleet.kill("records")
    approved = await step(world, "approve", DIRECTOR, campaign)
    assert approved["lock_state"] == "REPORT_LOCK_STATE_LOCKING"
    await world.fleet.kill("reporting")
    await world.fleet.restart("records")
    await world.fleet.restart("reporting")
    try:
        await poll_until(lambda: _is(world, campaign, "REPORT_LOCK_STATE_LOCKED"))
        (lock,) = await locks(world)
        assert (lock["locked_by"], lock["lock_service"]) == (DIRECTOR, "reporting")
        assert "Khảo sát phòng học" in lock["reason"]
        outcome = await world.push([pupil(SCHOOL, "BC-9", "BC1")])
        assert list(outcome.states) == [HELD]
    finally:
        await step(world, "reopen", DIRECTOR, campaign, reason="Thiếu một lớp")
        await poll_until(lambda: _is(world, campaign, "REPORT_LOCK_STATE_UNSPECIFIED"))
    assert await locks(world) == []
    report = await report_of(world, campaign)
    assert (report["state"], report["return_reason"]) == ("REPORT_STATE_RETURNED", "Thiếu một lớp")


async def _is(world: World, campaign: str, lock_state: str) -> bool:
    try:
        report = await report_of(world, campaign)
    except (AssertionError, httpx.HTTPError):
        return False  # The service that was killed is not back yet.
    return bool(report.get("lock_state", "REPORT_LOCK_STATE_UNSPECIFIED") == lock_state)


async def test_a_report_is_downloaded_by_rest_as_a_file(world: World) -> None:
    """The gateway gives the bytes themselves, with their type."""
    campaign = await begin(world, "khao_sat_tep")
    report = await report_of(world, campaign)
    path = f"/v1/units/{SCHOOL}/reports/{report['report_id']}:download"
    answer = await world.http.get(path, params={"format": "csv"}, headers=world.bearer(HEAD))
    assert answer.status_code == httpx.codes.OK
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith(b"\xef\xbb\xbfform,form_version")
    book = await world.http.get(path, headers=world.bearer(HEAD))
    assert book.content[:2] == b"PK"


async def test_the_page_leads_a_report_from_the_school_to_the_director(world: World, visit: Visit) -> None:  # noqa: PLR0915 (one story)
    """The director starts it, the school confirms, the officer returns and reviews it, and it is approved."""
    await world.push([school_class(SCHOOL, "BW1"), *(pupil(SCHOOL, f"BW-{n}", "BW1") for n in range(2))])
    await world.settle()
    await world.post(f"/v1/units/{PROVINCE}/forms:save", DIRECTOR, {"form": form("khao_sat_trang")})

    async def listed(subject: str, unit: str) -> Page:
        return await visit(world, subject, f"/reports.html#unit={unit}", forgiven=UNANSWERED)

    async def opened(subject: str, unit: str) -> Page:
        page = await listed(subject, unit)
        await page.get_by_role("button", name="Khảo sát phòng học").first.click(timeout=WAIT)
        await page.get_by_role("button", name="Trường Tiểu học Ái Nghĩa").click(timeout=WAIT)
        await expect(page.locator("#report")).to_be_visible(timeout=WAIT)
        return page

    director = await listed(DIRECTOR, PROVINCE)
    await director.get_by_role("button", name="Mở đợt báo cáo").click(timeout=WAIT)
    await director.locator("select[name=form]").select_option("khao_sat_trang")
    await director.locator("input[name=school_year]").fill(str(YEAR))
    await director.get_by_role("button", name="Mở đợt", exact=True).click()
    await expect(director.locator("#progress tbody tr").first).to_contain_text("Xã", timeout=WAIT)
    await picture(director, "reports-progress")

    school = await opened(HEAD, SCHOOL)
    await expect(school.locator(".findings")).to_contain_text("chưa có giá trị", timeout=WAIT)
    await school.locator("[data-step=confirm]").click()
    await expect(school.locator("main [role=alert]")).to_contain_text("Chưa xác nhận được", timeout=WAIT)
    await school.locator("input[data-cell='school.rooms.number']").fill("9")
    await school.locator("[data-step=confirm]").click()
    await expect(school.locator("#report .state")).to_have_text("trường đã xác nhận", timeout=WAIT)
    await picture(school, "reports-report")

    officer = await opened(OFFICER, COMMUNE)
    await officer.locator("[data-step=return]").click()
    await officer.get_by_role("textbox", name="Lý do").fill("Thiếu một phòng")
    over = world.fleet.issuer.mint(OFFICER, lifetime=timedelta(minutes=-30))
    await officer.evaluate("token => sessionStorage.setItem('iocedu.token', token)", over)
    await officer.locator("dialog button.primary").click()
    await officer.locator("#token").fill(world.token(OFFICER), timeout=WAIT)
    await officer.get_by_role("button", name="Đăng nhập").click()  # The dialog is there again with what was typed.
    await officer.locator("dialog button.primary").click(timeout=WAIT)
    await expect(officer.locator("#report .state")).to_have_text("bị trả lại", timeout=WAIT)
    await school.reload()
    await expect(school.locator("#report")).to_contain_text("Lý do trả lại: Thiếu một phòng", timeout=WAIT)
    await school.locator("input[data-cell='school.rooms.number']").fill("10")
    await school.locator("[data-step=confirm]").click()
    await expect(school.locator("#report .state")).to_have_text("trường đã xác nhận", timeout=WAIT)
    await officer.reload()
    await officer.locator("[data-step=review]").click(timeout=WAIT)
    await expect(officer.locator("#report .state")).to_have_text("đã rà soát", timeout=WAIT)

    deciding = await listed(DIRECTOR, COMMUNE)
    await deciding.get_by_role("button", name="Khảo sát phòng học").first.click(timeout=WAIT)
    await deciding.locator("[data-all=approve]").click(timeout=WAIT)
    await expect(deciding.locator("dialog")).to_contain_text("1 báo cáo")
    await deciding.locator("dialog button.primary").click()
    await expect(deciding.locator("#listing tbody")).to_contain_text("đã duyệt", timeout=WAIT)
    await deciding.get_by_role("button", name="Trường Tiểu học Ái Nghĩa").click()
    await expect(deciding.locator("#report .state")).to_have_text("đã duyệt", timeout=WAIT)
    await expect(deciding.locator(".steps")).to_contain_text("Thiếu một phòng")
    async with deciding.expect_download() as started:
        await deciding.get_by_role("button", name="Tải Excel").click()
    assert (await started.value).suggested_filename.endswith(".xlsx")
    await deciding.locator("[data-step=reopen]").click()
    await deciding.get_by_role("textbox", name="Lý do").fill("Kiểm tra lại")
    await deciding.locator("dialog button.primary").click()
    await expect(deciding.locator("#report .state")).to_have_text("bị trả lại", timeout=WAIT)
    await poll_until(lambda: _unlocked(world))


async def test_the_morning_brief_is_one_page_of_paper(world: World, visit: Visit) -> None:
    """Key figures, alerts and silent schools are there, and a browser prints all of it on one sheet of A4."""
    page = await visit(world, DIRECTOR, f"/brief.html#unit={PROVINCE}")
    pupils = written(await world.figure("pupils") or 0)
    await expect(page.locator("[data-key=pupils] .value")).to_have_text(pupils, timeout=WAIT)
    await expect(page.locator("#silent")).to_contain_text(SILENT_NAME)
    await expect(page.locator("#alerts h2")).to_contain_text("Cảnh báo đang mở")
    await picture(page, "brief")
    printed = await page.pdf(prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1


async def test_the_morning_brief_says_which_unit_asked_for_a_campaign(world: World, visit: Visit) -> None:
    """Where it is another one; the province's own stand without."""
    await begin(world, "e2e_brief_own")
    await begin(world, "e2e_brief_commune", COMMUNE)
    page = await visit(world, DIRECTOR, f"/brief.html#unit={PROVINCE}")
    lines = page.locator("#reports li")
    asked = lines.filter(has_text="yêu cầu")
    await expect(asked).to_have_count(1, timeout=WAIT)
    await expect(asked).to_contain_text(re.compile(r"Khảo sát phòng học · 2026.* · .+ yêu cầu"))
    assert await lines.count() > 1
    await page.goto(f"http://{world.fleet.gateway}/brief.html#unit={COMMUNE}")
    await expect(page.locator("#reports li").first).to_be_visible(timeout=WAIT)


async def test_campaigns_and_their_progress_fit_a_phone(world: World, visit: Visit) -> None:
    """No column lies beyond the edge, and each number stands beside its name."""
    campaign = await begin(world, "e2e_phone")
    where = f"/reports.html#unit={PROVINCE}&campaign={campaign}"
    page = await visit(world, DIRECTOR, where, viewport={"width": 375, "height": 812})
    drafts = page.locator("#progress tbody td[data-heading='Đang lập']").first
    await expect(drafts).to_be_visible(timeout=WAIT)
    await picture(page, "reports-375")
    beyond = await page.evaluate(
        "[...document.querySelectorAll('#campaigns .scroll, #progress .scroll')]"
        ".map((one) => one.scrollWidth - one.clientWidth)"
    )
    assert beyond == [0, 0]
    assert "Đang lập: " in await drafts.evaluate("one => getComputedStyle(one, '::before').content")


async def _unlocked(world: World) -> bool:
    return not await locks(world)
