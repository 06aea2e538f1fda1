"""Who is connected, on the real platform: a push changes state, stream and page; the silent school says why."""

import json

import httpx
import pytest
from playwright.async_api import expect

from tests.e2e.browsing import WAIT, Visit
from tests.e2e.world import DIRECTOR, FAR, FAR_NAME, PROVINCE, SILENT, SILENT_NAME, World, school_class
from tests.support.waiting import poll_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

SILENT_STATE, CONNECTED = "COVERAGE_STATE_SILENT", "COVERAGE_STATE_CONNECTED"


async def told(world: World, school: str) -> dict[str, object]:
    """A school as the director sees it."""
    answer: dict[str, object] = (await world.get(f"/v1/schools/{school}/coverage", DIRECTOR))["school"]
    return answer


async def state(world: World, school: str, wanted: str) -> bool:
    """Whether a school is in a state."""
    return (await told(world, school)).get("state") == wanted


async def test_a_push_connects_a_school_and_the_silent_one_says_why(world: World) -> None:
    """By REST; the summary counts as the indicator does, the file and the stream say the same."""
    await poll_until(lambda: state(world, SILENT, SILENT_STATE))
    never = await told(world, SILENT)
    reason = never["reasons"][0]  # type: ignore[index]  # JSON
    assert (reason["reason"], never.get("source", "")) == ("NEVER_SENT", "")
    assert "Chưa từng có dữ liệu nào của trường được tiếp nhận" in reason["message"]
    await world.push([school_class(FAR, "COV1")])
    await poll_until(lambda: state(world, FAR, CONNECTED))

    async def counted() -> bool:
        total = (await world.get(f"/v1/units/{PROVINCE}/coverage:summarize", DIRECTOR))["total"]
        same = await world.figure("schools_connected") == total["ever_connected_count"]
        return bool(same and await world.figure("schools") == total["must_connect_count"])

    await poll_until(counted)
    answer = await world.http.get(
        f"/v1/units/{PROVINCE}/coverage:export", params={"format": "csv"}, headers=world.bearer(DIRECTOR)
    )
    assert answer.status_code == httpx.codes.OK
    (line,) = [one for one in answer.content.decode("utf-8-sig").splitlines() if SILENT_NAME in one]
    assert "NEVER_SENT" in line
    async with world.http.stream(
        "GET", f"/v1/units/{PROVINCE}/coverage:watch", headers=world.bearer(DIRECTOR), timeout=20
    ) as stream:
        async for text in stream.aiter_lines():
            message = json.loads(text) if text.strip() else {}
            if "item" in message:
                names = {one["school_name"]: one["state"] for one in message["item"]["schools"]}
                break
    assert (names[SILENT_NAME], names[FAR_NAME]) == (SILENT_STATE, CONNECTED)


async def test_the_page_shows_who_is_silent_and_why_and_what_changes(world: World, visit: Visit) -> None:
    """One figure, states to choose, a school's card, and a change that comes by itself, in Vietnamese."""
    await world.push([school_class(FAR, "COV2")])
    await poll_until(lambda: state(world, FAR, CONNECTED))
    page = await visit(world, DIRECTOR, "/coverage.html")
    await expect(page.locator(".ever b")).to_contain_text("/", timeout=WAIT)
    silent = page.locator(".school", has_text=SILENT_NAME)
    await expect(silent).to_contain_text("Chưa từng có dữ liệu nào", timeout=WAIT)
    await page.locator(".states button", has_text="Đang kết nối").click()
    await expect(silent).to_have_count(0, timeout=WAIT)
    await expect(page.locator(".school", has_text=FAR_NAME)).to_be_visible(timeout=WAIT)
    await page.locator(".states button", has_text="Tất cả").click()
    await silent.get_by_role("button").click()
    card = page.locator("dialog")
    await expect(card).to_contain_text("Nhà trường liên hệ nhà cung cấp phần mềm", timeout=WAIT)
    await expect(card.locator("tbody tr", has_text="Học sinh")).to_contain_text("Chưa có")
    await expect(card.locator(".windows li")).to_have_count(3)
    await expect(card.locator(".windows li", has=page.locator("b"))).to_contain_text("đang mở, đến hết")
    await card.get_by_role("button", name="Đóng").click()
    await expect(card).to_have_count(0)
