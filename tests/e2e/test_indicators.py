"""Indicators on the real platform: from a push to a figure compared, followed and explained, and on the page."""

import re

import httpx
import pytest
from playwright.async_api import expect

from tests.e2e.browsing import WAIT, Visit, picture
from tests.e2e.world import DIRECTOR, HEAD, PROVINCE, SCHOOL, World, pupil, school_class, written
from tests.support.waiting import poll_until

pytestmark = pytest.mark.e2e


async def _pushed(world: World) -> None:
    """Four pupils, one of whom has left."""
    rows = [pupil(SCHOOL, f"IND-{number}", "IND") for number in range(3)]
    await world.push([school_class(SCHOOL, "IND"), *rows, pupil(SCHOOL, "IND-9", "IND", status="05")])

    async def counted() -> bool:
        answer = await world.get(f"/v1/units/{SCHOOL}/indicators", DIRECTOR, indicators="dropouts")
        return bool(answer["figures"][0].get("value"))

    await poll_until(counted)


async def test_a_pushed_record_is_analysed_and_explained_by_rest(world: World) -> None:
    """The paths, the words and the numbers are what a program sees."""
    await _pushed(world)
    asked = {"indicators": ["dropout_rate"], "breakdown": "school", "compare_with": ["COMPARISON_PEERS"]}
    answer = await world.post(f"/v1/units/{PROVINCE}/indicators:analyse", DIRECTOR, asked)
    figures = {one["figure"]["unit_name"]: one for one in answer["periods"][0]["figures"]}
    own = figures["Trường Tiểu học Ái Nghĩa"]
    assert own["figure"]["numerator"] >= 1
    assert own["rank"] == own["ranked_count"], "the only school with a dropout is the last"
    explained = await world.get(f"/v1/units/{PROVINCE}/indicators/dropout_rate:explain", DIRECTOR)
    figure = explained["figure"]
    assert f"{written(figure['numerator'])} / {written(figure['denominator'])}" in explained["formula"]
    assert sum(one["numerator"] for one in explained["contributions"]) == figure["numerator"]
    series = await world.get(f"/v1/units/{PROVINCE}/indicators/pupils/series", DIRECTOR, interval="SERIES_INTERVAL_DAY")
    now = await world.get(f"/v1/units/{PROVINCE}/indicators", DIRECTOR, indicators="pupils")
    assert series["points"][-1]["value"] == now["figures"][0]["value"]


async def test_the_records_behind_a_figure_are_shown_for_a_purpose_and_written_down(world: World) -> None:
    """To whom the role allows it; how many they are is what the figure says."""
    await _pushed(world)
    path = f"/v1/units/{SCHOOL}/indicators/dropouts:records"
    answer = await world.get(path, HEAD, purpose="Vận động học sinh trở lại lớp")
    shown = [one["record"]["row"]["key"] for one in answer["records"]]
    figure = (await world.get(f"/v1/units/{SCHOOL}/indicators", HEAD, indicators="dropouts"))["figures"][0]
    assert answer["collection"] == "pupils"
    assert "IND-9" in shown
    assert "IND-1" not in shown
    assert len(shown) == figure["value"] == int(answer["record_count"])
    looks = (await world.get(f"/v1/units/{SCHOOL}/accesses", HEAD))["accesses"]
    look = next(one for one in looks if one["method"] == "ListFigureRecords")
    assert (look["subject"], look["purpose"], look["record_count"]) == (
        HEAD,
        "Vận động học sinh trở lại lớp",
        len(shown),
    )


@pytest.mark.parametrize(
    ("indicator", "asked", "reason"),
    [
        ("pupils", {"dimensions": "ethnic_group", "dimension_values": "01"}, "SENSITIVE_COMBINATION"),
        ("pupils_with_disability", {}, "SENSITIVE_COMBINATION"),
        ("attendance_rate", {}, "NOT_OF_RECORDS"),
        ("pupils", {"purpose": ""}, "INVALID_FIELD"),
    ],
)
async def test_what_would_point_at_persons_or_counts_no_records_does_not_open(
    world: World, indicator: str, asked: dict[str, str], reason: str
) -> None:
    """Nor does anything without a purpose; nothing of it depends on what is counted."""
    answer = await world.http.get(
        f"/v1/units/{PROVINCE}/indicators/{indicator}:records",
        params={"purpose": "Kiểm tra"} | asked,
        headers=world.bearer(DIRECTOR),
    )
    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert reason in answer.text


async def test_the_page_shows_an_indicator_by_school_and_explains_it(world: World, visit: Visit) -> None:
    """Choose, read the rule, open the schools behind a number."""
    await _pushed(world)
    page = await visit(world, DIRECTOR, "/indicators.html")
    await page.get_by_text("Chỉ số chưa tính được, và vì sao").click(timeout=WAIT)
    reason = page.locator("[data-unavailable=stunted_share]")
    await expect(reason).to_contain_text("Tỷ lệ trẻ thấp còi: Kết quả khám sức khỏe là dữ liệu nhạy cảm")
    await expect(page.locator("option[value=stunted_share]")).to_have_count(0)
    await picture(page, "indicators-unavailable")
    await page.get_by_label(re.compile("^Chỉ số")).select_option("dropout_rate", timeout=WAIT)
    await expect(page.locator(".counting")).to_contain_text("Số học sinh thôi học chia cho")
    await page.get_by_label("Chia theo").select_option("school")
    row = page.locator("tbody tr", has_text="Trường Tiểu học Ái Nghĩa").first
    await row.get_by_role("button").click(timeout=WAIT)
    await expect(page.locator(".formula")).to_contain_text("× 100", timeout=WAIT)
    await expect(page.locator(".series svg")).to_be_visible(timeout=WAIT)
    await page.get_by_role("button", name="Xem hồ sơ", exact=True).click()
    await page.get_by_label("Mục đích").fill("Vận động học sinh trở lại lớp")
    await page.get_by_role("button", name="Xem", exact=True).click()
    first = page.locator(".records tbody tr").first
    await expect(first).to_contain_text("Trường Tiểu học Ái Nghĩa", timeout=WAIT)
    await expect(first.get_by_role("cell").first).to_have_text(re.compile(r"^\d\d/\d\d/\d{4}$"))
    await expect(first.get_by_role("link")).to_have_attribute("href", re.compile(r"/lookup\.html#unit=.+&pupil="))
    await page.get_by_role("button", name="Lưu câu hỏi này").click()
    await page.get_by_label("Tên").fill("Thôi học theo trường")
    await page.get_by_role("button", name="Lưu", exact=True).click()
    kept = page.locator(".pivots li", has_text="Thôi học theo trường")
    await expect(kept.locator(".actions button").first).to_be_visible(timeout=WAIT)
    tall = await kept.locator(".actions button").evaluate_all("all => all.map((one) => one.offsetHeight)")
    assert len(set(tall)) == 1, tall
    await picture(page, "pivots")
    await expect(kept).to_be_visible(timeout=WAIT)
    await page.get_by_label(re.compile("^Chỉ số")).select_option("pupils")
    await kept.get_by_role("button", name="Thôi học theo trường").click()
    await expect(page.get_by_label("Chia theo")).to_have_value("school")


async def test_a_pivot_of_several_indicators_and_dimensions_is_made_shared_sent_and_opened_again(
    world: World, visit: Visit
) -> None:
    """One line a school, grade and sex; whoever is below opens what is shared, and finds the same columns."""
    await _pushed(world)
    page = await visit(world, DIRECTOR, "/indicators.html")
    builder = page.locator("details.panel")
    await builder.locator("summary").click(timeout=WAIT)
    for code in ("pupils", "girls_share", "dropouts"):
        await builder.get_by_label("Thêm chỉ số").select_option(code)
    await builder.get_by_label("Thêm chiều").select_option("grade")
    await builder.get_by_label(re.compile("^Bỏ: Tỷ lệ")).click()
    await builder.get_by_label("Thêm chiều").select_option("sex")
    await builder.get_by_label("Theo đơn vị").select_option("school")
    await builder.get_by_role("button", name="Lập bảng").click()
    of_school = builder.locator("tbody tr", has_text="Trường Tiểu học Ái Nghĩa")
    row = of_school.filter(has=page.get_by_title("01", exact=True)).filter(has_text="Nữ")
    await expect(row.get_by_role("rowheader")).to_have_text([re.compile("Ái Nghĩa"), "Lớp 1", "Nữ"], timeout=WAIT)
    await expect(row.get_by_role("cell")).to_have_count(2)
    await expect(row.get_by_title("01", exact=True)).to_have_text("Lớp 1")
    await picture(page, "pivot")
    await page.get_by_role("button", name="Lưu câu hỏi này").click()
    await page.get_by_label("Tên").fill("Quy mô và thôi học")
    await page.get_by_label("Chia sẻ cho các đơn vị bên dưới").check()
    await page.get_by_label("Gửi cho tôi").select_option("WEEKLY")
    await page.get_by_role("button", name="Lưu", exact=True).click()
    kept = page.locator(".pivots li", has_text="Quy mô và thôi học")
    await expect(kept).to_contain_text("chia sẻ · gửi lúc", timeout=WAIT)
    await page.goto("about:blank")
    await page.goto(f"http://{world.fleet.gateway}/indicators.html#token={world.token(HEAD)}&unit={SCHOOL}")
    await kept.get_by_role("button", name="Quy mô và thôi học").click(timeout=WAIT)
    await expect(builder.locator("thead th")).to_have_count(4, timeout=WAIT)
    await expect(builder.locator("tbody tr").first.get_by_role("rowheader")).to_have_count(2)
