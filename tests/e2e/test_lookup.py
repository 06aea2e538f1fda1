"""Look-up on the real platform: by REST as a program asks, and on its page as staff do."""

from typing import Any

import pytest
from playwright.async_api import expect

from tests.e2e.browsing import WAIT, Visit
from tests.e2e.world import DIRECTOR, PROVINCE, SCHOOL, World, pupil, school_class

pytestmark = pytest.mark.e2e


async def _people(world: World) -> None:
    names = ("Đặng Thị Thuỳ Dương", "Đặng Thùy Dung", "Trần Văn Đặng")
    for version, sex in ((1, "2"), (2, "1")):
        rows = [
            pupil(SCHOOL, f"LU-{number}", "LU", version=version, full_name=name, sex=sex)
            for number, name in enumerate(names)
        ]
        await world.push([school_class(SCHOOL, "LU"), *rows])


async def test_a_person_is_found_by_rest_without_tones_and_masked(world: World) -> None:
    """The path, the rule's name and the masking are what a program sees."""
    await _people(world)
    body: dict[str, Any] = {"collection": "pupils", "query": "duong thuy dang 2020"}
    answer = await world.post(f"/v1/units/{PROVINCE}/people:search", DIRECTOR, body)
    (hit,) = [one for one in answer["hits"] if one["rule"] == "MATCH_RULE_WORDS"]
    assert hit["record"]["row"]["pupil"]["full_name"] == "Đặng Thị Thuỳ Dương"
    assert hit["record"]["row"]["pupil"]["birth_date"] == "2020"
    assert hit["school_name"] == "Trường Tiểu học Ái Nghĩa"
    units = await world.get(f"/v1/units/{PROVINCE}/units:search", DIRECTOR, query="ai nghia")
    assert [one["aliases"] for one in units["hits"]] == [[SCHOOL]]


async def test_the_page_finds_people_and_units_while_one_types(world: World, visit: Visit) -> None:
    """The best match first, why it was found, and nothing that masking hides."""
    await _people(world)
    page = await visit(world, DIRECTOR, "/lookup.html")
    field = page.get_by_role("searchbox")
    await field.fill("dang thuy", timeout=WAIT)
    row = page.locator("tbody tr").first
    await expect(row).to_contain_text("Đặng Thùy Dung", timeout=WAIT)
    await expect(row).to_contain_text("đủ chữ")
    await expect(row).to_contain_text("2020")
    await expect(row).not_to_contain_text("2020-03-08")
    await row.get_by_role("button").click()
    course = page.locator(".course")
    await expect(course.locator("tbody tr")).to_contain_text("Trường Tiểu học Ái Nghĩa", timeout=WAIT)
    await expect(course).not_to_contain_text("08/03/2020")
    await course.get_by_role("button", name="Xem đầy đủ").click()
    await expect(course).to_contain_text("Hãy ghi mục đích")
    await course.get_by_role("textbox").fill("phụ huynh đề nghị xem hồ sơ")
    await course.get_by_role("button", name="Xem đầy đủ").click()
    await expect(course).to_contain_text("Sinh 08/03/2020", timeout=WAIT)
    await course.get_by_role("button", name="Lịch sử thay đổi").click()
    newest = course.locator(".history tbody tr").first
    await expect(newest).to_contain_text("Giới tính: Nữ → Nam", timeout=WAIT)
    await expect(newest).not_to_contain_text("sex")
    await page.get_by_role("button", name="Đơn vị").click()
    await field.fill("ai nghia")
    await expect(page.locator("tbody tr").first).to_contain_text("Trường Tiểu học Ái Nghĩa", timeout=WAIT)
