"""The page of alerts on the real platform: an officer handles alerts, a director writes and tries a rule."""

import re
from datetime import timedelta
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.e2e.browsing import UNANSWERED, WAIT, Visit, picture
from tests.e2e.world import DIRECTOR, OFFICER, PROVINCE, SCHOOL, YEAR, World, pupil, school_class
from tests.support.waiting import poll_until

pytestmark = pytest.mark.e2e


async def unfold(page: Page) -> None:
    """Open every line of alerts that is there."""
    await expect(page.locator(".groups > *").first).to_be_visible(timeout=WAIT)
    for line in await page.locator(".groups > details:not([open]) > summary").all():
        await line.click()


async def _worklist(world: World, visit: Visit, **more: Any) -> Page:
    """The worklist as an officer sees it, every line of it open."""
    page = await visit(world, OFFICER, "/alerts.html", **more)
    await unfold(page)
    return page


async def _crowded(world: World, key: str, count: int = 37) -> None:
    crowd = [pupil(SCHOOL, f"{key}-P{number}", key) for number in range(count)]
    await world.push([school_class(SCHOOL, key), *crowd])
    await poll_until(lambda: _raised(world, key))


async def _raised(world: World, key: str) -> bool:
    return any(alert.subject == f"{YEAR}/{key}" for alert in await world.alerts(PROVINCE))


def _entry(page: Page, key: str) -> Any:
    return page.locator(".worklist > li", has_text=f"Lớp {key} ")


async def test_an_officer_takes_comments_and_closes_an_alert_and_opens_it_again(world: World, visit: Visit) -> None:
    """Where the alert stands, with a note each time; the steps tell who did what."""
    await _crowded(world, "AP1")
    page = await _worklist(world, visit, forgiven=f"{UNANSWERED}.*400")
    entry = _entry(page, "AP1")
    await expect(entry).to_contain_text("37 học sinh, vượt mức 35", timeout=WAIT)
    await entry.locator("[data-do=take]").click()
    await entry.locator("textarea").fill("Đã gọi hiệu trưởng.")
    await entry.get_by_role("button", name="Thực hiện").click()
    await expect(entry).to_contain_text(f"{OFFICER} đang xử lý", timeout=WAIT)
    await entry.locator("[data-do=comment]").click()
    await entry.locator("textarea").fill("Hẹn tuần sau tách lớp.")
    await entry.get_by_role("button", name="Thực hiện").click()
    await expect(entry.locator("form")).to_have_count(0, timeout=WAIT)
    await entry.locator("[data-do=resolve]").click()
    await entry.get_by_role("button", name="Thực hiện").click()
    await expect(entry.get_by_role("alert")).to_be_visible(timeout=WAIT)  # Why must be said.
    await entry.locator("textarea").fill("Lớp ghép tạm thời.")
    await entry.locator("select").select_option("RESOLUTION_FALSE_ALARM")
    await entry.get_by_role("button", name="Thực hiện").click()
    await expect(entry).to_contain_text("Đã đóng", timeout=WAIT)
    await entry.locator("[data-do=details]").click()
    await expect(entry.locator(".steps")).to_contain_text("Hẹn tuần sau tách lớp.", timeout=WAIT)
    await expect(entry.locator(".steps")).to_contain_text("Lớp ghép tạm thời.")
    await entry.locator("[data-do=reopen]").click()
    await entry.locator("textarea").fill("Chưa xong.")
    await entry.get_by_role("button", name="Thực hiện").click()
    await expect(entry).to_contain_text("Mới mở", timeout=WAIT)


async def test_an_open_alert_shows_the_newest_numbers_beside_those_it_was_raised_with(
    world: World, visit: Visit
) -> None:
    """Another pupil comes: the title says so, the details tell both, and it stands in the list once."""
    await _crowded(world, "AP4")
    await world.push([pupil(SCHOOL, f"AP4-P{number}", "AP4") for number in range(37, 40)])
    page = await _worklist(world, visit)
    entry = _entry(page, "AP4")
    await poll_until(lambda: _says(world, "AP4", "40 học sinh"))
    await page.reload()
    await unfold(page)
    await expect(entry).to_contain_text("40 học sinh, vượt mức 35", timeout=WAIT)
    await entry.locator("[data-do=details]").click()
    since = entry.locator(".since-raised")
    await expect(since).to_contain_text(re.compile("Lúc nêu.*3[67] học sinh.*Nay.*40 học sinh"), timeout=WAIT)
    await expect(entry).to_have_count(1)


async def test_the_page_follows_its_alerts_and_whoever_writes_below_one_goes_on_writing(
    world: World, visit: Visit
) -> None:
    """Numbers, open details and new alerts come by themselves; a note half written keeps its words and the focus."""
    await _crowded(world, "AP5")
    page = await _worklist(world, visit)
    entry = _entry(page, "AP5")
    await expect(entry).to_contain_text("37 học sinh, vượt mức 35", timeout=WAIT)
    await entry.locator("[data-do=details]").click()
    await expect(entry.locator(".steps")).to_be_visible(timeout=WAIT)
    await world.push([pupil(SCHOOL, f"AP5-P{number}", "AP5") for number in range(37, 40)])
    await expect(entry.locator("strong")).to_contain_text("40 học sinh, vượt mức 35", timeout=WAIT)
    await expect(entry.locator(".since-raised")).to_contain_text(re.compile("Nay.*40 học sinh"), timeout=WAIT)
    await entry.locator("[data-do=take]").click()
    await entry.locator("textarea").fill("Đang gọi")
    await world.push([pupil(SCHOOL, f"AP5-P{number}", "AP5") for number in range(40, 42)])
    await expect(entry.locator("strong")).to_contain_text("42 học sinh, vượt mức 35", timeout=WAIT)
    await expect(entry.locator("textarea")).to_be_focused()
    await expect(entry.locator("textarea")).to_have_value("Đang gọi")
    await entry.get_by_role("button", name="Thực hiện").click()
    await expect(entry).to_contain_text(f"{OFFICER} đang xử lý", timeout=WAIT)
    await _crowded(world, "AP6")
    await expect(_entry(page, "AP6")).to_contain_text("37 học sinh, vượt mức 35", timeout=WAIT)
    await expect(entry).to_have_count(1)


async def _says(world: World, key: str, words: str) -> bool:
    return any(a.subject == f"{YEAR}/{key}" and words in a.title_vi for a in await world.alerts(PROVINCE))


async def test_what_is_silenced_leaves_the_list_and_comes_back_when_the_silence_is_ended(
    world: World, visit: Visit
) -> None:
    """Seen under its own state meanwhile; nobody can take away what is not covered."""
    await _crowded(world, "AP2")
    page = await _worklist(world, visit)
    entry = _entry(page, "AP2")
    await entry.locator("[data-do=silence]").click(timeout=WAIT)
    until = await page.evaluate("new Date(Date.now() + 36e5 * 30).toISOString().slice(0, 16)")
    await entry.locator("input[type=datetime-local]").fill(until)
    await entry.locator("textarea").fill("Nhà trường đã có kế hoạch.")
    await entry.get_by_role("button", name="Thực hiện").click()
    await expect(entry).to_contain_text("Tạm ngừng báo", timeout=WAIT)
    await page.locator("select[name=state]").select_option("")
    await page.reload()
    await unfold(page)
    await expect(page.locator(".worklist > li").first).to_be_visible(timeout=WAIT)
    await expect(_entry(page, "AP2")).to_have_count(0)
    await page.locator("[data-tab=silences]").click()
    await page.get_by_role("row", name=re.compile("AP2")).get_by_role("button", name="Kết thúc ngay").click()
    await expect(page.get_by_text("Không có lần tạm ngừng nào")).to_be_visible(timeout=WAIT)
    await poll_until(lambda: _raised(world, "AP2"))


async def test_many_alerts_of_one_rule_are_one_line_that_opens(world: World, visit: Visit) -> None:
    """With how many, since when and where; on the morning brief too. What comes meanwhile is counted in it."""
    keys = [f"AG{number}" for number in range(6)]
    crowds = [pupil(SCHOOL, f"{key}-P{number}", key) for key in keys for number in range(37)]
    await world.push([*(school_class(SCHOOL, key) for key in keys), *crowds])

    async def all_raised() -> bool:
        subjects = {alert.subject for alert in await world.alerts(PROVINCE)}
        return {f"{YEAR}/{key}" for key in keys} <= subjects

    await poll_until(all_raised)
    page = await visit(world, DIRECTOR, "/alerts.html")
    await unfold(page)
    line = page.locator("details[data-group=class_oversize]")
    await expect(_entry(page, "AG5")).to_be_visible(timeout=WAIT)
    await page.reload()
    await expect(line).not_to_have_attribute("open", "", timeout=WAIT)
    await expect(line.locator("summary")).to_contain_text("Lớp vượt sĩ số tối đa")
    await expect(line.locator("summary")).to_contain_text(
        re.compile(r"\d+ cảnh báo · lâu nhất .*Trường Tiểu học Ái Nghĩa")
    )
    await expect(_entry(page, "AG5")).to_have_count(0)
    before = await line.locator("summary").inner_text()
    await _crowded(world, "AG6")
    await expect(line.locator("summary")).not_to_have_text(before, timeout=WAIT)
    await line.locator("summary").click()
    await expect(_entry(page, "AG6")).to_be_visible(timeout=WAIT)
    await page.goto(f"http://{world.fleet.gateway}/brief.html#unit={PROVINCE}")
    brief = page.locator("#alerts [data-rule=class_oversize]")
    await expect(brief).to_contain_text("cảnh báo, lâu nhất", timeout=WAIT)
    await brief.locator("summary").click()
    await expect(brief.get_by_text("Lớp AG6 có 37 học sinh")).to_be_visible(timeout=WAIT)


async def test_a_director_copies_a_rule_tries_it_and_saves_it_and_is_told_what_is_wrong(
    world: World, visit: Visit
) -> None:
    """A fault in the condition names the field that does not exist; trying says how many now and in the past.

    What was cleared in the copy stays so, and its dates outlast the next version.
    """
    await _crowded(world, "AP3")
    page = await visit(world, DIRECTOR, "/alerts.html", forgiven=f"{UNANSWERED}.*400")
    await page.locator("[data-tab=rules]").click(timeout=WAIT)
    row = page.locator("[data-rule=class_oversize]")
    await expect(row).to_contain_text("có sẵn", timeout=WAIT)
    await row.locator("[data-do=copy]").click()
    condition = page.locator("textarea[name=condition]")
    await condition.fill("fact.sise > 36")
    await page.locator("[data-do=dry-run]").click()
    await expect(page.get_by_role("alert")).to_contain_text("không có trường: sise", timeout=WAIT)
    roles, minutes = page.get_by_role("group", name="Vai trò được báo"), page.locator("input[name=for_minutes]")
    await roles.get_by_label("văn thư").check()
    await roles.evaluate("of => of.querySelectorAll(':checked').forEach((one) => one.click())")
    faults = page.locator(".fault")
    for doing in (page.locator("[data-do=dry-run]"), page.get_by_role("button", name="Lưu")):
        await minutes.fill("0")
        await doing.click()
        await expect(faults).to_contain_text(["không có trường: sise", "cần ít nhất một vai trò"], timeout=WAIT)
        await minutes.fill("-1")
        await doing.click()
        await expect(faults).to_contain_text(["“Phải kéo dài (phút)” phải từ 0 đến 43200."], timeout=WAIT)
        await expect(page.get_by_role("alert")).not_to_contain_text("for_minutes")
    await minutes.fill("0")
    for role in ("hiệu trưởng", "chuyên viên"):
        await roles.get_by_label(role).check()
    await condition.fill("fact.size > 36")
    await page.locator("[data-do=dry-run]").click()
    await expect(page.locator(".tried")).to_contain_text("Sẽ có", timeout=WAIT)
    await expect(faults).to_have_count(0)
    await expect(page.locator(".tried")).to_contain_text("Trường Tiểu học Ái Nghĩa")
    await page.locator("[data-do=backtest]").click()
    await expect(page.locator(".tried")).to_contain_text("Trong quá khứ", timeout=WAIT)
    await expect(page.locator(".tried")).to_contain_text("Trường Tiểu học Ái Nghĩa")
    await expect(page.locator("[name=source_document]")).not_to_have_value("")
    await page.locator("[name=source_document]").fill("")
    await page.locator("[name=valid_to]").fill("2099-05-31")
    await page.get_by_role("button", name="Lưu").click()
    await expect(page.locator("[data-rule=class_oversize_rieng]")).to_contain_text("fact.size > 36", timeout=WAIT)
    mine = page.locator("[data-rule=class_oversize_rieng]")
    await mine.get_by_role("button", name="Sửa").click()
    assert await _said(page) == {"source_document": "", "valid_to": "2099-05-31", "condition": "fact.size > 36"}
    await condition.fill("fact.size > 35")
    await page.get_by_role("button", name="Lưu").click()
    await expect(mine).to_contain_text("fact.size > 35", timeout=WAIT)
    await mine.get_by_role("button", name="Sửa").click()
    assert await _said(page) == {"source_document": "", "valid_to": "2099-05-31", "condition": "fact.size > 35"}
    await page.get_by_role("button", name="Thôi").click()
    await mine.get_by_role("button", name="Tắt").click()
    await expect(mine.get_by_role("button", name="Bật")).to_be_visible(timeout=WAIT)
    await page.locator("[data-tab=statistics]").click()
    await expect(page.locator("tbody")).to_contain_text("class_oversize", timeout=WAIT)


async def test_a_rule_over_pupils_that_is_tried_on_the_past_says_how_precise_it_is_at_k(
    world: World, visit: Visit
) -> None:
    """Among the most urgent of each class, beside how many left in the end."""
    page = await visit(world, DIRECTOR, "/alerts.html")
    await page.locator("[data-tab=rules]").click(timeout=WAIT)
    await page.locator("[data-rule=early_warning] [data-do=copy]").click(timeout=WAIT)
    await page.locator("textarea[name=condition]").fill("fact.in_stock")
    await page.locator("[data-do=backtest]").click()
    await expect(page.locator(".tried")).to_contain_text("3 em đáng lo nhất của mỗi lớp", timeout=WAIT)
    await picture(page, "rule-over-pupils-tried")


async def test_what_is_half_typed_outlasts_a_session_that_ends(world: World, visit: Visit) -> None:
    """The same person signs in anew and goes on; another begins with a page of his or her own."""
    page = await visit(world, DIRECTOR, "/alerts.html", forgiven="401")
    await page.locator("[data-tab=rules]").click(timeout=WAIT)
    await page.locator("[data-rule=class_oversize] [data-do=copy]").click(timeout=WAIT)
    condition = page.locator("textarea[name=condition]")
    await condition.fill("fact.size > 41")
    over = world.fleet.issuer.mint(DIRECTOR, lifetime=timedelta(minutes=-30))

    async def sign_in_anew(subject: str) -> None:
        await page.evaluate("token => sessionStorage.setItem('iocedu.token', token)", over)
        await page.locator("[data-do=dry-run]").click()
        await page.locator("#token").fill(world.token(subject), timeout=WAIT)
        await page.get_by_role("button", name="Đăng nhập").click()

    await sign_in_anew(DIRECTOR)
    await expect(condition).to_have_value("fact.size > 41", timeout=WAIT)
    await page.locator("[data-do=dry-run]").click()
    await expect(page.locator(".tried")).to_contain_text("Sẽ có", timeout=WAIT)
    await sign_in_anew(OFFICER)
    await expect(page.locator("[data-tab=worklist][aria-pressed=true]")).to_be_visible(timeout=WAIT)
    await expect(condition).to_have_count(0)


async def test_a_silence_is_made_where_silences_are_listed(world: World, visit: Visit) -> None:
    """Of the unit and a rule chosen by its title; what is missing is said beside its field."""
    page = await visit(world, OFFICER, "/alerts.html", forgiven=f"{UNANSWERED}.*400")
    await page.locator("[data-tab=silences]").click(timeout=WAIT)
    await page.get_by_role("button", name="Tạm ngừng báo mới").click(timeout=WAIT)
    await page.locator("select[name=rule]").select_option("attendance_unreported")
    await page.get_by_role("button", name="Lưu").click()
    await expect(page.locator("label", has=page.locator(".fault"))).to_contain_text(["Đến khi", "Lý do"], timeout=WAIT)
    until = await page.evaluate("new Date(Date.now() + 36e5 * 30).toISOString().slice(0, 16)")
    await page.locator("input[name=end_time]").fill(until)
    await page.locator("textarea[name=reason]").fill("Nghỉ bão.")
    await page.get_by_role("button", name="Lưu").click()
    made = page.get_by_role("row", name=re.compile("Nghỉ bão"))
    await expect(made).to_contain_text("attendance_unreported", timeout=WAIT)
    await made.get_by_role("button", name="Kết thúc ngay").click()
    await expect(made).to_have_count(0, timeout=WAIT)


async def _said(page: Page) -> dict[str, str]:
    """What the form of a rule holds in a few of its fields."""
    return {
        name: await page.locator(f"[name={name}]").input_value()
        for name in ("source_document", "valid_to", "condition")
    }


async def test_the_interface_handles_alerts_by_rest_and_refuses_with_a_reason(world: World) -> None:
    """As a program does it: unknown alerts, wrong rules and silences are refused by name."""
    end = "2026-01-01T00:00:00Z"
    headers = world.bearer(DIRECTOR) | {"accept-language": "en"}
    answer = await world.http.post(
        f"/v1/units/{PROVINCE}/silences", json={"end_time": end, "reason": "x"}, headers=headers
    )
    assert answer.status_code == 400
    assert "It must end after it begins" in answer.text
    answer = await world.http.post(
        f"/v1/units/{PROVINCE}/alerts/999999:resolve",
        json={"resolution": "RESOLUTION_ACCEPTED", "note": "x"},
        headers=headers,
    )
    assert (answer.status_code, "UNKNOWN_ALERT" in answer.text) == (404, True)
    kinds = await world.get("/v1/fact-kinds", DIRECTOR)
    assert {"pupil", "class_size", "absence_day"} <= {kind["code"] for kind in kinds["kinds"]}
