"""Alerts, announcements and the morning brief as wide as a telephone and as a desk: nothing lies beside the screen."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.e2e.browsing import WAIT, Visit, picture
from tests.e2e.test_alerts_page import _crowded, unfold
from tests.e2e.world import DIRECTOR, PROVINCE, World

TABS = {"rules": "table.rules tr", "silences": ".panel button, .panel p", "statistics": ".panel table, .panel p"}
PARTS = {"list": "table.announcements", "write": "form.sheet", "preferences": "form.sheet"}


async def _fits(page: Page, width: int, what: str, ready: str) -> None:
    await page.locator(ready).first.wait_for(timeout=WAIT)
    await picture(page, f"{what}-{width}")
    found = await page.evaluate(
        "[document.documentElement.scrollWidth, ...[...document.querySelectorAll('main *')].filter((one) =>"
        " one.getBoundingClientRect().right > innerWidth + 1 && !one.closest('.scroll')).slice(0, 3)"
        ".map((one) => one.outerHTML.slice(0, 120))]"
    )
    assert found[0] <= width, (what, found)


@pytest.mark.parametrize("width", [390, 1280])
async def test_every_part_of_both_pages_fits_the_screen(world: World, visit: Visit, width: int) -> None:
    """Worklist with details and a form open, rules and their editor, silences, figures; list, writing, preferences."""
    for key in ("A", "B"):
        await _crowded(world, f"PH{width}{key}")
    page = await visit(world, DIRECTOR, "/alerts.html", viewport={"width": width, "height": 844})
    await unfold(page)
    await page.locator(".worklist > li").first.locator("[data-do=details]").click(timeout=WAIT)
    await page.locator(".worklist > li").nth(1).locator("[data-do=silence]").click(timeout=WAIT)
    await _fits(page, width, "alerts-worklist", ".more-of form")
    for tab, ready in TABS.items():
        await page.locator(f"[data-tab={tab}]").click()
        await _fits(page, width, f"alerts-{tab}", ready)
    await page.locator("[data-tab=rules]").click()
    await page.locator("[data-do=copy]").first.click(timeout=WAIT)
    await _fits(page, width, "alerts-editor", ".fields")
    await page.goto(f"http://{world.fleet.gateway}/notices.html")
    for part, ready in PARTS.items():
        await page.locator(f"[data-part={part}]").click(timeout=WAIT)
        await _fits(page, width, f"notices-{part}", ready)
    await page.goto(f"http://{world.fleet.gateway}/")
    await page.locator("#inbox .entry .head").first.click(timeout=WAIT)
    await _fits(page, width, "inbox", ".letter")


@pytest.mark.parametrize("width", [375, 1280])
async def test_the_morning_brief_leaves_what_its_alerts_are_called_room_to_be_read(
    world: World, visit: Visit, width: int
) -> None:
    """Beside how many there are, or above it; all that are listed are counted in the heading."""
    for key in ("A", "B"):
        await _crowded(world, f"BR{width}{key}")
    page = await visit(world, DIRECTOR, f"/brief.html#unit={PROVINCE}", viewport={"width": width, "height": 844})
    await _fits(page, width, "brief", "#alerts li")
    widths = await page.locator("#alerts .lines > li > :first-child").evaluate_all(
        "all => all.map((one) => one.getBoundingClientRect().width / one.parentElement.getBoundingClientRect().width)"
    )
    assert min(widths) > 0.5, widths
    await expect(page.locator("#alerts h2")).to_have_text(
        re.compile(r"Cảnh báo đang mở: \d+ nghiêm trọng, \d+ cần chú ý, \d+ thông tin")
    )
