"""Every page that the console leads a role to: what it asks by itself is open to that role."""

import pytest
from playwright.async_api import Response, expect

from tests.e2e.browsing import UNANSWERED, WAIT, Visit
from tests.e2e.world import COMMUNE, DIRECTOR, HEAD, OFFICER, PROVINCE, SCHOOL, World, give

pytestmark = pytest.mark.e2e

AUDITOR, CLERK = "thanh-tra", "van-thu"
FORBIDDEN = 403


@pytest.fixture(scope="session")
async def staffed(world: World) -> World:
    """A world with somebody of each role that people have."""
    await give(world, [(AUDITOR, "auditor", PROVINCE), (CLERK, "clerk", SCHOOL)])
    return world


@pytest.mark.parametrize("subject", ["admin", DIRECTOR, OFFICER, AUDITOR, HEAD, CLERK, "ioc-tinh"])
async def test_no_page_asks_what_its_reader_is_refused(staffed: World, visit: Visit, subject: str) -> None:
    """As far as the menu leads; a page draws itself without any refusal."""
    refused: list[str] = []

    def note(answer: Response) -> None:
        if answer.status == FORBIDDEN:
            refused.append(f"{answer.request.method} {answer.url}")

    page = await visit(staffed, subject)
    page.on("response", note)
    links = page.locator("nav.pages a")
    await links.first.wait_for(timeout=WAIT)
    for address in await links.evaluate_all("all => all.map(one => one.href)"):
        await page.goto("about:blank")
        await page.goto(address)
        await page.locator("main h1, main h2").first.wait_for(timeout=WAIT)
        await expect(page.locator("main > .waiting")).to_have_count(0, timeout=WAIT)
    assert refused == []


async def test_a_page_that_is_not_for_her_role_leads_to_one_that_is(staffed: World, visit: Visit) -> None:
    """The morning brief is the department's: a head teacher is led to where she begins, not to try again."""
    page = await visit(staffed, HEAD, "/brief.html", forgiven=f"{UNANSWERED}.*403")
    await expect(page.locator("main h1")).to_have_text("Trang này không dành cho vai trò của anh/chị.", timeout=WAIT)
    await expect(page.get_by_role("button", name="Thử lại")).to_have_count(0)
    await page.get_by_role("button", name="Về đơn vị của tôi").click()
    await expect(page.locator(".tiles")).to_be_visible(timeout=WAIT)


@pytest.mark.parametrize("path", ["/alerts.html", "/indicators.html", "/reports.html", "/lookup.html"])
async def test_a_unit_that_is_not_hers_leads_back_to_her_own(staffed: World, visit: Visit, path: str) -> None:
    """On every page as on the first one: why, the menu, and a way back."""
    page = await visit(staffed, HEAD, f"{path}#unit={PROVINCE}", forgiven=f"{UNANSWERED}.*403")
    await expect(page.locator("main h1")).to_have_text(
        "Tài khoản này không có vai trò tại đơn vị được yêu cầu.", timeout=WAIT
    )
    await expect(page.locator("nav.pages a").first).to_be_visible()
    await page.get_by_role("button", name="Về đơn vị của tôi").click()
    await expect(page.locator("main [role=alert]")).to_have_count(0, timeout=WAIT)
    await expect(page.locator("main h1, main h2").first).to_be_visible(timeout=WAIT)


async def test_what_is_offered_follows_from_the_roles_that_count_on_the_unit_shown(
    staffed: World, visit: Visit
) -> None:
    """A director of one commune who watches the whole province writes rules in the commune alone."""
    await give(staffed, [("kiem-nhiem", "auditor", PROVINCE), ("kiem-nhiem", "director", COMMUNE)])
    for unit, count in ((COMMUNE, 1), (SCHOOL, 1), (PROVINCE, 0)):
        page = await visit(staffed, "kiem-nhiem", f"/alerts.html#unit={unit}")
        await page.locator("[data-tab=rules]").click(timeout=WAIT)
        await expect(page.locator("[data-rule=class_oversize]")).to_be_visible(timeout=WAIT)
        await expect(page.get_by_role("button", name="Quy tắc mới")).to_have_count(count)
