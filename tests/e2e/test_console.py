"""The console in a real browser, on the real platform: what a director sees, as it happens."""

import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.e2e.browsing import UNANSWERED, WAIT, Visit, picture
from tests.e2e.world import (
    COMMUNE,
    DIRECTOR,
    HEAD,
    PRIMARY_LIMIT,
    PROVINCE,
    SCHOOL,
    STRANGER,
    VENDOR,
    YEAR,
    World,
    give,
    pupil,
    school_class,
    written,
)
from tests.support.waiting import poll_until

pytestmark = pytest.mark.e2e


def _tile(page: Page, code: str) -> Any:
    return page.locator(f"[data-tile={code}] .value")


async def test_the_overview_shows_the_figures_the_interface_gives(world: World, visit: Visit) -> None:
    """Pupils, classes and connected schools are those of the API; the token is gone from the address."""
    await world.push([school_class(SCHOOL, "C1"), pupil(SCHOOL, "C1-P1", "C1"), pupil(SCHOOL, "C1-P2", "C1", sex="1")])
    await world.settle()
    page = await visit(world, DIRECTOR)
    await expect(page.locator("h1")).to_have_text("Thành phố Đà Nẵng", timeout=WAIT)
    await expect(page.locator(".connection")).to_have_attribute("data-state", "live", timeout=WAIT)
    for code in ("pupils", "classes"):
        await expect(_tile(page, code)).to_have_text(written(await world.figure(code) or 0), timeout=WAIT)
    connected = await world.figure("schools_connected")
    await expect(_tile(page, "schools_connected")).to_contain_text(f"{connected:.0f}")
    await expect(page.locator("table")).to_contain_text("Xã Đại Lộc")
    await expect(page.locator(".title")).to_contain_text(f"Năm học {YEAR}-{YEAR + 1}")
    # Not all schools that must be are connected: no good news, and those that never sent say so.
    await expect(page.locator("[data-tile=schools_connected]")).to_have_class(re.compile("short"))
    await expect(page.locator("tbody tr", has_text="Xã Bến Giằng")).to_contain_text("chưa gửi")
    await expect(page.locator(".map svg")).to_be_visible()
    assert "token" not in page.url
    await picture(page, "overview")


async def test_the_menu_leads_nobody_where_he_may_not_go(world: World, visit: Visit) -> None:
    """The provincial IOC has pages of figures, alerts, units and coverage, and no others; none shows it a refusal."""
    page = await visit(world, "ioc-tinh")
    links = page.locator("nav.pages a")
    await expect(links).to_have_text(
        ["Điều hành", "Chỉ số", "Bản tin sáng", "Cảnh báo", "Văn bản", "Tra cứu", "Kết nối"], timeout=WAIT
    )
    for address in await links.evaluate_all("all => all.map(one => one.href)"):
        await page.goto(address)
        await expect(page.locator("h1")).to_be_visible(timeout=WAIT)
        if "indicators" in address:  # What the page shows last: whatever it asks is answered, and nothing refused.
            await expect(page.locator("section.scroll table").first).to_be_visible(timeout=WAIT)
            await expect(page.get_by_role("heading", name="Bảng đã lưu")).to_have_count(0)
        await expect(page.locator(".notice.warn:visible")).to_have_count(0)


async def test_a_push_changes_the_page_and_ends_in_the_inbox(world: World, visit: Visit) -> None:
    """Without a reload: figures move, the alert appears, the notice comes, is read and confirmed."""
    page = await visit(world, DIRECTOR)
    await expect(page.locator(".connection")).to_have_attribute("data-state", "live", timeout=WAIT)
    before = int((await _tile(page, "pupils").inner_text()).replace(".", "").replace("–", "0"))
    crowd = [pupil(SCHOOL, f"CX-P{number}", "CX") for number in range(PRIMARY_LIMIT + 4)]
    await world.push([school_class(SCHOOL, "CX"), *crowd])
    await expect(_tile(page, "pupils")).to_have_text(written(before + len(crowd)), timeout=WAIT)
    alert = page.locator(".alerts .entry", has_text="Lớp CX")
    await expect(alert).to_contain_text("39", timeout=WAIT)
    notice = page.locator(".inbox .entry", has_text="CX").first
    await expect(notice).to_have_class(re.compile("unread"), timeout=WAIT)
    await picture(page, "alert")
    await notice.locator(".head").click()
    await expect(notice).not_to_have_class(re.compile("unread"), timeout=WAIT)
    await expect(notice.locator(".letter")).to_be_visible()
    await notice.get_by_role("button", name="Xác nhận").click()
    await expect(notice).to_contain_text("Đã xác nhận", timeout=WAIT)
    await alert.get_by_role("button", name="Tiếp nhận").click()
    await expect(alert).to_contain_text("Đã tiếp nhận", timeout=WAIT)


async def test_tile_list_and_table_count_the_same_open_alerts(world: World, visit: Visit) -> None:
    """Open is what holds, taken in hand or not; how many are in hand is said beside it."""
    for key in ("CY", "CZ"):
        crowd = [pupil(SCHOOL, f"{key}-P{number}", key) for number in range(PRIMARY_LIMIT + 5)]
        await world.push([school_class(SCHOOL, key), *crowd])
    page = await visit(world, DIRECTOR)
    await page.locator(".alerts .entry", has_text="Lớp CY").get_by_role("button", name="Tiếp nhận").click(timeout=WAIT)
    await expect(page.locator(".alerts .entry", has_text="Lớp CZ")).to_be_visible(timeout=WAIT)
    open_now = await world.alerts(PROVINCE)
    taken = [alert for alert in open_now if alert.acknowledged_by]
    await expect(_tile(page, "openAlerts")).to_have_text(str(len(open_now)), timeout=WAIT)
    tile = page.locator("[data-tile=openAlerts]")
    await expect(tile).to_contain_text(f"trong đó {len(taken)} đã tiếp nhận", timeout=WAIT)
    await expect(page.locator(".alerts .badge")).to_have_text(f"{len(open_now)} đang mở", timeout=WAIT)
    commune = page.locator("tbody tr", has_text="Xã Đại Lộc").locator("td").last
    await expect(commune).to_have_text(str(len(open_now)), timeout=WAIT)
    await page.get_by_label("Chỉ tiêu").select_option("open_alerts")
    await expect(page.locator(".map svg")).to_contain_text(str(len(open_now)), timeout=WAIT)


async def test_the_keyboard_keeps_its_place(world: World, visit: Visit) -> None:
    """An alert unfolded by Enter stays focused; the skip link leads to the content and changes no unit."""
    page = await visit(world, DIRECTOR, f"/#unit={COMMUNE}")
    head = page.locator(".alerts .head").first
    await head.focus(timeout=WAIT)
    await page.keyboard.press("Enter")
    await expect(page.locator(".alerts .letter")).to_be_visible(timeout=WAIT)
    await expect(head).to_be_focused()
    await page.locator("#skip").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#content")).to_be_focused()
    await expect(page.locator("h1")).to_have_text("Xã Đại Lộc")


async def test_a_unit_without_schools_is_no_fault(world: World, visit: Visit) -> None:
    """It says that there is nothing yet, and asks nobody to try again."""
    empty = {
        "kind": "commune",
        "names": [{"name": "Đặc khu Hoàng Sa"}],
        "codes": [{"system": "gso", "code": "20333"}],
        "parents": [{"parent": PROVINCE, "type": "administrative"}],
    }
    await world.post("/v1/units:import", "admin", {"units": [empty]})
    page = await visit(world, DIRECTOR, "/#unit=gso:20333", forgiven=f"{UNANSWERED}.*4")
    panel = page.locator(".units")
    await poll_until(lambda: _reloaded(page, "Đặc khu Hoàng Sa"))
    await expect(panel).to_contain_text("chưa có trường nào", timeout=WAIT)
    await expect(page.locator(".notice")).to_have_count(0)


async def _reloaded(page: Page, name: str) -> bool:
    """Whether the page shows the unit by now, which the services learn of a moment after it was made."""
    await page.reload()
    await page.locator("h1, .notice").first.wait_for(timeout=WAIT)
    return name in await page.locator("main").inner_text()


async def test_a_cut_line_is_shown_and_nothing_is_missed(world: World, visit: Visit) -> None:
    """What happened while the line was cut is there once it is back; meanwhile the page says when its figures came."""
    page = await visit(world, DIRECTOR, forgiven=UNANSWERED)
    light, notice = page.locator(".connection"), page.locator(".stale")
    await expect(light).to_have_attribute("data-state", "live", timeout=WAIT)
    await expect(notice).to_be_hidden()
    await page.context.set_offline(True)
    await expect(light).to_have_attribute("data-state", "cut", timeout=WAIT)
    await expect(light).to_have_text("Mất kết nối, đang nối lại…")
    await expect(notice).to_have_text(re.compile(r"Mất kết nối\. .* lúc \d\d:\d\d:\d\d"), timeout=WAIT)
    data_time = re.search(r"\d\d:\d\d:\d\d", await page.locator(".asof").inner_text())
    received = re.search(r"\d\d:\d\d:\d\d", await notice.inner_text())
    assert data_time is not None
    assert received is not None
    assert data_time[0] <= received[0]  # What is shown cannot be newer than when it came.
    await world.push([pupil(SCHOOL, "CUT-P1", "C1")])
    await world.settle()
    await page.context.set_offline(False)
    await expect(light).to_have_attribute("data-state", "live", timeout=30_000)
    await expect(notice).to_be_hidden()
    await expect(_tile(page, "pupils")).to_have_text(f"{await world.figure('pupils'):.0f}", timeout=WAIT)


@pytest.mark.parametrize(("part", "state"), [("postgres", "cut"), ("sync", "partial")])
async def test_a_dead_part_is_shown_at_once_and_the_page_recovers_by_itself(
    world: World, visit: Visit, part: str, state: str
) -> None:
    """Without its database no stream is live; without a service that no stream comes from, what feeds them is not."""
    page = await visit(world, DIRECTOR, forgiven=UNANSWERED)
    light, notice = page.locator(".connection"), page.locator(".stale")
    await expect(light).to_have_attribute("data-state", "live", timeout=WAIT)
    await world.fleet.kill(part)
    try:
        await expect(light).to_have_attribute("data-state", state, timeout=WAIT)
        await expect(notice).to_be_visible(timeout=WAIT)
        await expect(notice).to_have_text(re.compile(r" lúc \d\d:\d\d:\d\d"))
        await picture(page, f"without-{part}")
    finally:
        await world.fleet.restart(part)
    await expect(light).to_have_attribute("data-state", "live", timeout=60_000)
    await expect(notice).to_be_hidden()
    await expect(page.locator(".notice")).to_have_count(0, timeout=WAIT)


async def test_a_page_opened_while_the_database_is_away_comes_by_itself(world: World, visit: Visit) -> None:
    """It says so, and needs nobody to press anything."""
    await world.fleet.kill("postgres")
    try:
        page = await visit(world, DIRECTOR, forgiven=UNANSWERED)
        await expect(page.get_by_role("alert").first).to_be_visible(timeout=WAIT)
        await world.fleet.restart("postgres")
        await expect(page.locator("h1")).to_have_text("Thành phố Đà Nẵng", timeout=60_000)
        await expect(page.locator(".connection")).to_have_attribute("data-state", "live", timeout=60_000)
    finally:
        await world.fleet.restart("postgres")


async def test_a_panel_folded_away_draws_nothing_and_draws_again(world: World, visit: Visit) -> None:
    """A chart without room is left alone: drawn into a window of no width, the chart library fails in its own work."""
    page = await visit(world, DIRECTOR)
    await expect(page.locator(".map svg")).to_be_visible(timeout=WAIT)
    for display in ("none", ""):
        await page.evaluate("display => { document.querySelector('main').style.display = display }", display)
        await page.get_by_role("button", name="Đổi giao diện").click()
    await page.set_viewport_size({"width": 700, "height": 600})
    await expect(page.locator(".map svg")).to_have_attribute("width", re.compile("^6"), timeout=WAIT)


async def test_twenty_quick_clicks_leave_no_stream_behind(world: World, visit: Visit) -> None:
    """A unit left before it was loaded must not open its streams: a browser has six lines for all."""
    page = await visit(world, DIRECTOR, forgiven="ERR_ABORTED")
    await expect(page.locator("table")).to_contain_text("Xã Đại Lộc", timeout=WAIT)
    units = [COMMUNE, PROVINCE]
    await page.evaluate(
        """async units => {
            for (let click = 0; click < 20; click++) {
                history.pushState(null, "", `#unit=${units[click % 2]}`);
                window.dispatchEvent(new PopStateEvent("popstate"));
                await new Promise(done => setTimeout(done, 30 + 15 * click));
            }
        }""",
        units,
    )
    await expect(page.locator("h1")).to_have_text("Thành phố Đà Nẵng", timeout=WAIT)
    await expect(page.locator(".connection")).to_have_attribute("data-state", "live", timeout=WAIT)
    await expect(page.locator("table")).to_contain_text("Xã Đại Lộc", timeout=WAIT)


async def test_a_tab_nobody_sees_gives_its_lines_back(world: World, visit: Visit) -> None:
    """Hidden it lets go of its streams, so that other tabs get lines; seen again it is live at once."""
    page = await visit(world, DIRECTOR)
    light = page.locator(".connection")
    await expect(light).to_have_attribute("data-state", "live", timeout=WAIT)
    hide = """value => {
        Object.defineProperty(document, 'hidden', {value, configurable: true});
        document.dispatchEvent(new Event('visibilitychange'));
    }"""
    await page.evaluate(hide, True)
    await expect(light).to_have_attribute("data-state", "cut", timeout=WAIT)
    await page.evaluate(hide, False)
    await expect(light).to_have_attribute("data-state", "live", timeout=WAIT)


async def test_a_unit_below_is_opened_and_left_again(world: World, visit: Visit) -> None:
    """From the province into a commune and back, by the table and the browser's own way back."""
    page = await visit(world, DIRECTOR)
    await page.locator("table").get_by_role("link", name="Xã Đại Lộc").click(timeout=WAIT)
    await expect(page.locator("h1")).to_have_text("Xã Đại Lộc", timeout=WAIT)
    await expect(page.locator("table")).to_contain_text("Trường Tiểu học Ái Nghĩa", timeout=WAIT)
    await page.go_back()
    await expect(page.locator("h1")).to_have_text("Thành phố Đà Nẵng", timeout=WAIT)


@pytest.mark.parametrize("token", ["none", "expired", "nonsense"])
async def test_whoever_is_not_signed_in_is_asked_to(world: World, visit: Visit, token: str) -> None:
    """A missing, spent or wrong token leads to the sign-in form with a sentence, not to an empty page."""
    given = {"none": None, "expired": world.token(DIRECTOR, exp=1_700_000_000), "nonsense": "nonsense"}[token]
    page = await visit(world, "", token=given, forgiven="401")
    await expect(page.get_by_role("heading", name="Đăng nhập")).to_be_visible(timeout=WAIT)
    if token != "none":
        await expect(page.get_by_role("alert")).to_contain_text("đăng nhập lại")
    await page.get_by_label("Mã truy cập").fill(world.token(DIRECTOR))
    await page.get_by_role("button", name="Đăng nhập").click()
    await expect(page.locator("h1")).to_have_text("Thành phố Đà Nẵng", timeout=WAIT)


async def test_a_unit_of_others_is_refused_in_words(world: World, visit: Visit) -> None:
    """A head teacher who asks for the commune reads why not, and can see the own school."""
    page = await visit(world, HEAD, f"/#unit={COMMUNE}", forgiven="403")
    await expect(page.get_by_role("alert")).to_be_visible(timeout=WAIT)
    await page.locator(".brand").first.click() if await page.locator("a.brand").count() else await page.goto(
        f"http://{world.fleet.gateway}/"
    )
    await expect(page.locator("h1")).to_have_text("Trường Tiểu học Ái Nghĩa", timeout=WAIT)


@pytest.mark.parametrize("unit", ["99999", "moet:00000000", "khong-phai-ma"])
async def test_an_address_of_no_unit_leads_back_to_the_own(world: World, visit: Visit, unit: str) -> None:
    """A mistyped or old link says so and is no dead end."""
    page = await visit(world, DIRECTOR, f"/#unit={unit}", forgiven="40[034]")
    await expect(page.get_by_role("alert")).to_contain_text("Không có đơn vị nào theo địa chỉ này", timeout=WAIT)
    await page.get_by_role("button", name="Về đơn vị của tôi").click()
    await expect(page.locator("h1")).to_have_text("Thành phố Đà Nẵng", timeout=WAIT)


@pytest.mark.parametrize(
    ("subject", "role", "said"),
    [(VENDOR, "integrator", "phần mềm gửi dữ liệu"), ("van-hanh", "operator", "vận hành kỹ thuật"), (STRANGER, "", "")],
)
async def test_whoever_sees_no_figures_reads_which_role_is_needed(
    world: World, visit: Visit, subject: str, role: str, said: str
) -> None:
    """Roles that open no dashboard, or none at all: a sentence, whom to ask and the way out, no number of a unit."""
    if role:
        await give(world, [(subject, role, PROVINCE)])
    page = await visit(world, subject, "/#unit=412")
    card = page.get_by_role("alert")
    await expect(card).to_contain_text("quản trị viên hệ thống", timeout=WAIT)
    if role:
        await expect(card).to_contain_text(f"Vai trò hiện có: {said}.")
        await expect(card).to_contain_text("lãnh đạo, hiệu trưởng, chuyên viên")
    await expect(card).not_to_contain_text("412")
    await expect(page.get_by_role("button", name="Thử lại")).to_have_count(0)
    await card.get_by_role("button", name="Đăng xuất").click()
    await expect(page.get_by_role("heading", name="Đăng nhập")).to_be_visible()


async def test_english_and_a_dark_room(world: World, visit: Visit) -> None:
    """The reader's language and shade are kept."""
    page = await visit(world, DIRECTOR, color_scheme="dark")
    await expect(page.locator("html")).to_have_attribute("data-shade", "dark")
    await page.get_by_role("button", name="English").click(timeout=WAIT)
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    await expect(page.get_by_role("heading", name="Alerts", exact=True)).to_be_visible(timeout=WAIT)
    await page.reload()
    await expect(page.get_by_role("heading", name="My inbox")).to_be_visible(timeout=WAIT)
    await expect(page.locator(".connection")).to_have_text("Live", timeout=WAIT)
    await picture(page, "english-dark")


async def test_on_a_phone_nothing_sticks_out(world: World, visit: Visit) -> None:
    """At 390 points wide the page scrolls one way only."""
    page = await visit(world, DIRECTOR, viewport={"width": 390, "height": 844})
    await expect(page.locator("table")).to_contain_text("Xã Đại Lộc", timeout=WAIT)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    # In one step: the table may be drawn anew between two.
    last = "document.querySelector('.units thead th:last-child').getBoundingClientRect().right"
    assert 0 < await page.evaluate(last) <= 390
    await picture(page, "phone")


async def test_the_interface_has_a_page_to_read(world: World, visit: Visit) -> None:
    """/docs lists every operation of /openapi.json with a line to try it."""
    described = (await world.http.get("/openapi.json")).json()
    page = await visit(world, "", "/docs")
    await expect(page.locator(".operation").first).to_be_visible(timeout=WAIT)
    count = sum(len(verbs) for verbs in described["paths"].values())
    await expect(page.locator(".operation")).to_have_count(count)
    await expect(page.locator("#ReportingService_QueryIndicators pre").first).to_contain_text(
        "/v1/units/gso:48/indicators"
    )
    pushed = page.locator("#SyncService_PushDocument pre").first
    await expect(pushed).to_contain_text("/v1/units/moet:49506001/push?batch.source=vnedu")
    await expect(pushed).to_contain_text('"rows"')
    await picture(page, "docs")
