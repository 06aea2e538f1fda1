"""Extracts for research as the page leads them on the real platform: asked for, refused, approved, made anew."""

import re

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.e2e.browsing import WAIT, Visit
from tests.e2e.test_alert_pages_on_phones import _fits
from tests.e2e.world import DIRECTOR, HEAD, PROVINCE, SCHOOL, World, give, pupil, school_class
from tests.support.waiting import poll_until

pytestmark = pytest.mark.e2e

STATISTICIAN = "thong-ke"
PURPOSE = "Luận án về lưu ban, quyết định 12/QĐ-SGDĐT"
WHY = "Chưa có quyết định của Sở"


async def _granted(world: World) -> int:
    """Make somebody an officer of the province; the grant's id once reporting knows it."""
    [grant] = await give(world, [(STATISTICIAN, "officer", PROVINCE)])
    await poll_until(lambda: _may(world, httpx.codes.OK))
    return grant


async def _may(world: World, status: int) -> bool:
    path = f"/v1/units/{PROVINCE}/extracts"
    return (await world.http.get(path, headers=world.bearer(STATISTICIAN))).status_code == status


async def _opened(page: Page) -> None:
    await page.get_by_role("link", name="Nghiên cứu").click(timeout=WAIT)
    await expect(page.locator("#extracts")).to_be_visible(timeout=WAIT)


async def _ask(page: Page, *columns: str, purpose: str) -> str:
    """Ask for an extract by the words of its columns, with a purpose that no other has; its id."""
    form = page.locator("#ask")
    for name in columns:
        await form.get_by_label(name, exact=True).check(timeout=WAIT)
    await form.get_by_label("Tiểu học", exact=True).check()
    await form.get_by_label(re.compile("^Mục đích")).fill(purpose)
    await form.get_by_role("button", name="Gửi yêu cầu").click()
    entry = page.locator(".extracts > li", has_text=purpose)
    await expect(entry).to_have_count(1, timeout=WAIT)
    return str(await entry.get_attribute("data-extract"))


async def test_the_page_leads_an_extract_from_the_request_to_the_file(world: World, visit: Visit) -> None:
    """By words, no codes; who asked may withdraw and not decide; what is approved has a file for those two."""
    await world.push([school_class(SCHOOL, "TX1"), *(pupil(SCHOOL, f"TX-{n}", "TX1") for n in range(6))])
    await _granted(world)
    asking = await visit(world, STATISTICIAN, f"/#unit={PROVINCE}")
    deciding = await visit(world, DIRECTOR, f"/#unit={PROVINCE}")
    await _opened(asking)
    form = asking.locator("#ask")
    await form.get_by_label("Kết quả cả năm").check()
    await expect(form.get_by_label("Xã, phường")).to_be_disabled()
    await form.get_by_label("Kết quả cả năm").uncheck()
    await expect(form.get_by_label("Xã, phường")).to_be_enabled()
    extract = await _ask(asking, "Khối", "Giới tính", purpose=PURPOSE)
    entry = asking.locator(f"[data-extract='{extract}']")
    await expect(entry).to_contain_text("Khối, Giới tính · Tiểu học")
    await expect(entry).to_contain_text("Người khác quyết định yêu cầu này.")
    await expect(entry.get_by_role("button")).to_have_text(["Rút yêu cầu"])

    await _opened(deciding)
    decided = deciding.locator(f"[data-extract='{extract}']")
    await expect(decided).to_contain_text(PURPOSE)
    await decided.get_by_role("button", name="Phê duyệt").click()
    await deciding.locator("dialog button.primary").click()
    await expect(decided.locator(".state")).to_have_text("đã có tệp", timeout=WAIT)
    await asking.reload()
    await expect(entry.locator(".state")).to_have_text("đã có tệp", timeout=WAIT)
    await expect(entry).to_contain_text(f"{DIRECTOR} phê duyệt lúc")
    async with asking.expect_download() as started:
        await entry.get_by_role("button", name="Tải tệp").click()
    assert (await started.value).suggested_filename.endswith(".xlsx")


async def test_a_refusal_says_why_and_the_request_can_be_sent_again(world: World, visit: Visit) -> None:
    """What was asked for stands in the form again, to be mended."""
    await _granted(world)
    asking = await visit(world, STATISTICIAN, f"/#unit={PROVINCE}")
    deciding = await visit(world, DIRECTOR, f"/#unit={PROVINCE}")
    await _opened(asking)
    extract = await _ask(asking, "Cấp học", purpose="Khảo sát nhanh")
    await _opened(deciding)
    decided = deciding.locator(f"[data-extract='{extract}']")
    await decided.get_by_role("button", name="Từ chối").click()
    await deciding.get_by_role("textbox", name="Lý do từ chối").fill(WHY)
    await deciding.locator("dialog button.primary").click()
    await expect(decided.locator(".state")).to_have_text("bị từ chối", timeout=WAIT)
    await asking.reload()
    entry = asking.locator(f"[data-extract='{extract}']")
    await expect(entry).to_contain_text(f"{DIRECTOR} từ chối lúc", timeout=WAIT)
    await expect(entry).to_contain_text(WHY)
    await entry.get_by_role("button", name="Yêu cầu lại").click()
    form = asking.locator("#ask")
    await expect(form.get_by_label("Cấp học", exact=True)).to_be_checked()
    await expect(form.get_by_label(re.compile("^Mục đích"))).to_have_value("Khảo sát nhanh")
    link = f"/extracts.html#unit={await _id_of(world)}&extract={extract}"
    await poll_until(lambda: _hears(world, f"Trích xuất số {extract} bị từ chối", link))


async def _id_of(world: World) -> str:
    return str((await world.get(f"/v1/units/{PROVINCE}", DIRECTOR))["unit"]["unit_id"])


async def _hears(world: World, title: str, link: str) -> bool:
    return any(one.link == link and one.title_vi == title for one in await world.notices(STATISTICIAN))


async def test_a_file_that_failed_is_made_anew_with_one_button(world: World, visit: Visit) -> None:
    """Whoever asked had lost the grant; the reason stands there in words, and once it is mended nobody asks anew."""
    grant = await _granted(world)
    asking = await visit(world, STATISTICIAN, f"/#unit={PROVINCE}")
    await _opened(asking)
    extract = await _ask(asking, "Giới tính", purpose="Chênh lệch giới theo cấp học")
    await world.post(f"/v1/grants/{grant}:revoke", "admin", {})
    await poll_until(lambda: _may(world, httpx.codes.FORBIDDEN))
    deciding = await visit(world, DIRECTOR, f"/#unit={PROVINCE}")
    await _opened(deciding)
    decided = deciding.locator(f"[data-extract='{extract}']")
    await decided.get_by_role("button", name="Phê duyệt").click()
    await deciding.locator("dialog button.primary").click()
    await expect(decided.locator(".state")).to_have_text("không lập được tệp", timeout=WAIT)
    await expect(decided).to_contain_text("không còn quyền tại đơn vị này")
    await _granted(world)
    await decided.get_by_role("button", name="Lập lại tệp").click()
    await expect(decided.locator(".state")).to_have_text("đã có tệp", timeout=WAIT)


@pytest.mark.parametrize("width", [390, 1280])
async def test_the_page_fits_the_screen(world: World, visit: Visit, width: int) -> None:
    """With requests in every state that those before have left, and a dialog open."""
    await _granted(world)
    asking = await visit(world, STATISTICIAN, f"/#unit={PROVINCE}", viewport={"width": width, "height": 844})
    await asking.goto(f"http://{world.fleet.gateway}/extracts.html#unit={PROVINCE}")
    await _ask(asking, "Xã, phường", "Giới tính", purpose=f"Khảo sát theo địa bàn, lần {width}")
    await _fits(asking, width, "extracts-asking", "#ask")
    deciding = await visit(world, DIRECTOR, f"/#unit={PROVINCE}", viewport={"width": width, "height": 844})
    await deciding.goto(f"http://{world.fleet.gateway}/extracts.html#unit={PROVINCE}")
    await deciding.locator("[data-do=refuse]").first.click(timeout=WAIT)
    await _fits(deciding, width, "extracts-deciding", "dialog")


async def test_only_those_whom_it_answers_are_led_to_the_page(world: World, visit: Visit) -> None:
    """A head teacher has no way to it; nobody asks it of a part of the province."""
    page = await visit(world, HEAD, f"/#unit={SCHOOL}")
    await expect(page.get_by_role("link", name="Báo cáo")).to_be_visible(timeout=WAIT)
    await expect(page.get_by_role("link", name="Nghiên cứu")).to_have_count(0)
    page = await visit(world, DIRECTOR)
    await page.goto(f"http://{world.fleet.gateway}/extracts.html#unit={SCHOOL}")
    await expect(page.locator("main")).to_contain_text("Trích xuất chỉ lập cho toàn bộ đơn vị cao nhất", timeout=WAIT)
    await expect(page.locator("#ask")).to_have_count(0)
