"""An announcement from the page where it is written to the picture of who has answered, and mails in a mailbox."""

import re
from typing import Any

import httpx
from playwright.async_api import Locator, expect

from tests.e2e.browsing import UNANSWERED, WAIT, Visit, picture
from tests.e2e.world import DIRECTOR, HEAD, SCHOOL, World
from tests.support.waiting import poll_until

TITLE = "Báo cáo thiệt hại do bão số 12"


async def _mails(world: World, to: str) -> list[dict[str, Any]]:
    async with httpx.AsyncClient(trust_env=False) as client:
        mails: list[dict[str, Any]] = (await client.get(f"http://{world.fleet.pages['mailbox']}/mails.json")).json()
    return [mail for mail in mails if mail["to"] == to]


async def _telling(world: World) -> list[dict[str, Any]]:
    return [mail for mail in await _mails(world, "hieutruong@truong.example.vn") if TITLE in mail["subject"]]


async def _give_address(world: World, visit: Visit) -> None:
    """The head teacher saves an address, and confirms it by the code that came."""
    page = await visit(world, HEAD, "/notices.html#preferences")
    await page.fill("[name=email]", "hieutruong@truong.example.vn")
    await page.click("[data-deed=keep]")
    await expect(page.locator("main [role=status]").first).to_have_text("Đã lưu.", timeout=WAIT)
    [mail] = await poll_until(lambda: _mails(world, "hieutruong@truong.example.vn"))
    await page.fill("[name=code_CHANNEL_EMAIL]", mail["subject"][-6:])
    await page.click("[data-deed=confirm-address]")
    await expect(page.locator("main [role=status]").first).to_have_text("Đã xác nhận.", timeout=WAIT)


async def _send(row: Locator) -> None:
    """Asked how many it goes to, somebody says no, and then yes."""
    await row.locator("[data-deed=send]").click(timeout=WAIT)
    question = row.get_by_role("alert")
    await expect(question).to_contain_text("Gửi ngay tới 1 người tại 1 đơn vị?", timeout=WAIT)
    await expect(question).to_contain_text("3 đơn vị không có người nhận")
    await row.locator("[data-deed=sendNo]").click()
    await expect(row.locator(".state")).to_have_text("Đã duyệt")
    await row.locator("[data-deed=send]").click()
    await row.locator("[data-deed=sendYes]").click(timeout=WAIT)


async def test_an_announcement_is_written_sent_read_answered_and_seen_as_answered(world: World, visit: Visit) -> None:
    """By the pages alone, and a mail leads the reader to it."""
    await _give_address(world, visit)
    page = await visit(world, DIRECTOR, "/notices.html")
    await page.click("[data-part=write]")
    await page.fill("[name=title]", TITLE)
    await page.fill("[name=body]", "Các trường báo cáo số phòng học hư hỏng trước hạn.")
    await page.click("[data-deed=preview]")
    reached = page.locator(".notice[role=status]")
    await expect(reached).to_contain_text("1 người", timeout=WAIT)
    await expect(reached).to_contain_text(HEAD)
    await expect(reached).to_contain_text("3 đơn vị chưa có ai")
    await expect(reached).to_contain_text(re.compile(f"Thư: .*{TITLE}"))
    await expect(reached).to_contain_text(re.compile("Tin nhắn SMS, tính 1 tin.*Bao cao thiet hai do bao so 12"))
    await page.click("[data-deed=ask]")
    await page.fill(".asked input", "Số phòng hư hỏng")
    await page.select_option(".asked select", "NUMBER")
    await page.set_input_files(
        "[name=files]", {"name": "mau.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 x"}
    )
    await picture(page, "announcement-writing")
    await page.click("[data-deed=save]")
    row = page.locator("tr", has_text=TITLE)
    await row.locator("[data-deed=edit]").click(timeout=WAIT)
    await expect(page.locator("[name=title]")).to_have_value(TITLE)
    await expect(page.locator(".asked input").first).to_have_value("Số phòng hư hỏng")
    await page.fill("[name=body]", "Các trường báo cáo số phòng học hư hỏng trước 17 giờ.")
    await page.click("[data-deed=save]")
    await row.locator("[data-deed=approve]").click(timeout=WAIT)
    await _send(row)
    await expect(row.locator(".state")).to_have_text("Đã gửi", timeout=WAIT)
    [notice] = [one for one in await world.notices(HEAD) if one.title_vi == TITLE]
    page = await visit(world, HEAD, f"/#unit={SCHOOL}")
    entry = page.locator(f"#inbox [data-notice='{notice.notice_id}']")
    await entry.locator(".head").click(timeout=WAIT)
    await entry.locator("a.deal").click()
    await page.wait_for_url("**/notices.html#read=*")
    await expect(page.locator("article h1")).to_have_text(TITLE, timeout=WAIT)
    await expect(page.locator("article")).to_contain_text("trước 17 giờ")
    await expect(page.locator("article")).to_contain_text("mau.pdf")
    await page.fill("[name=f1]", "3")
    await picture(page, "announcement-reading")
    await page.click("[data-deed=answer]")
    await expect(page.locator("article")).to_contain_text("Đã trả lời lúc", timeout=WAIT)
    page = await visit(world, DIRECTOR, "/notices.html")
    await page.locator("tr", has_text=TITLE).locator("[data-deed=picture]").click(timeout=WAIT)
    total = page.locator("table.counts tbody tr").first
    await expect(total.locator("td")).to_have_text(["1", "1", "1", "1", "1", " 1"], timeout=WAIT)
    await expect(page.locator(".picture")).to_contain_text("3 đơn vị không có người nhận")
    await picture(page, "announcement-picture")
    mails = await poll_until(lambda: _telling(world))
    assert "/notices.html#read=" in mails[0]["text"]


async def test_an_audience_of_nobody_is_refused_where_it_is_written(world: World, visit: Visit) -> None:
    """The sentence stands beside the button, and says what to check."""
    page = await visit(world, DIRECTOR, "/notices.html", forgiven=f"{UNANSWERED}.*400")
    await page.click("[data-part=write]", timeout=WAIT)
    await page.uncheck("[name=kinds][value=school]")
    await page.check("[name=kinds][value=district]")
    await page.click("[data-deed=preview]")
    await expect(page.locator(".notice.warn")).to_contain_text("Không có ai thuộc nhóm nhận này", timeout=WAIT)


async def test_hours_of_reminders_that_are_none_are_refused_by_name(world: World, visit: Visit) -> None:
    """What is typed is kept; nothing is saved without the reminder that was meant."""
    page = await visit(world, DIRECTOR, "/notices.html")
    await page.click("[data-part=write]", timeout=WAIT)
    await page.fill("[name=title]", "Nhắc hạn")
    await page.fill("[name=body]", "Nội dung")
    await page.fill("[name=remind]", "24, hai")
    await page.click("[data-deed=save]")
    await expect(page.locator("form .warn").last).to_contain_text("“hai” không phải số giờ", timeout=WAIT)
    await expect(page.locator("[name=remind]")).to_have_value("24, hai")
    await page.click("[data-part=list]")
    await expect(page.locator(".announcements thead th").first).to_have_text("Văn bản", timeout=WAIT)
    assert await page.locator("tr", has_text="Nhắc hạn").count() == 0


async def test_what_is_saved_again_after_a_refused_file_is_one_draft(world: World, visit: Visit) -> None:
    """The text was kept before the file was refused: saving again goes on with that draft."""
    page = await visit(world, DIRECTOR, "/notices.html", forgiven=f"{UNANSWERED}.*400")
    await page.click("[data-part=write]", timeout=WAIT)
    await page.fill("[name=title]", "Tệp không nhận")
    await page.fill("[name=body]", "Nội dung")
    await page.set_input_files(
        "[name=files]", {"name": "bao-cao.pdf", "mimeType": "application/pdf", "buffer": b"MZ: no PDF"}
    )
    for _ in range(2):
        await page.click("[data-deed=save]")
        await expect(page.locator("form .warn").last).to_contain_text("được giữ ở bản nháp số", timeout=WAIT)
    await page.set_input_files("[name=files]", [])
    await page.fill("[name=body]", "Nội dung, không kèm tệp")
    await page.click("[data-deed=save]")
    await expect(page.locator(".announcements tr", has_text="Tệp không nhận")).to_have_count(1, timeout=WAIT)


async def test_a_telephone_without_a_provider_is_said_to_get_nothing(world: World, visit: Visit) -> None:
    """The fleet has no SMS provider: no code is asked for, and none is said to be sent."""
    page = await visit(world, DIRECTOR, "/notices.html#preferences")
    await page.fill("[name=phone]", "+84912345678", timeout=WAIT)
    await page.click("[data-deed=keep]")
    line = page.locator("[data-address=CHANNEL_SMS]")
    await expect(line).to_contain_text("chưa thiết lập nhà cung cấp tin nhắn SMS", timeout=WAIT)
    assert await page.locator("[name=code_CHANNEL_SMS]").count() == 0
    await page.fill("[name=phone]", "")
    await page.click("[data-deed=keep]")
    await expect(line).to_have_count(0, timeout=WAIT)
