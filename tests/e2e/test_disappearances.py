"""Who stands for a school decides in the browser on what a source no longer tells of: numbers shown, reason asked."""

import json
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, Route, expect

from tests.e2e.browsing import UNANSWERED, WAIT, Visit
from tests.e2e.test_way_through import as_json
from tests.e2e.world import HEAD, OFFICER, SCHOOL, VENDOR, World, ndjson, pupil

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.browser,
    pytest.mark.timeout(600),
]

YEAR = 2019
KEYS = [f"D{number}" for number in range(12)]
REFUSAL = {
    "code": 3,
    "message": "refused",
    "details": [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "INVALID_FIELD"},
        {"@type": "type.googleapis.com/google.rpc.LocalizedMessage", "message": "Yêu cầu không hợp lệ."},
        {
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "field_violations": [
                {"field": "source", "localized_message": {"message": "Thiếu mã nguồn gửi."}},
                {"field": "unit", "localized_message": {"message": "Đơn vị không tồn tại."}},
            ],
        },
    ],
}


async def sent(world: World, *keys: str, version: int = 0, at: int = 1) -> dict[str, Any]:
    """Push pupils of a year long past, each `at` a version; with a version it is all that its source has."""
    taught: dict[str, Any] = {"school_year": YEAR, "birth_date": "2013-03-08"}
    rows = [as_json(pupil(SCHOOL, key, "D", **taught)) | {"version": str(at)} for key in keys]
    query = {"batch.source": "leaving", "batch.backfill": "true"}
    if version:
        declared = {"school": SCHOOL, "school_year": YEAR, "collection": "pupils", "version": version}
        query |= {f"batch.full_of.{name}": str(value) for name, value in declared.items()}
    headers = world.bearer(VENDOR) | {"content-type": "application/x-ndjson"}
    answer = await world.http.post(f"/v1/units/{SCHOOL}/push", params=query, content=ndjson(rows), headers=headers)
    assert answer.status_code == 200, answer.text
    outcome: dict[str, Any] = answer.json()["outcome"]
    return outcome


async def held(world: World) -> list[str]:
    """Which of the pupils the centre holds."""
    paths = {key: f"/v1/schools/{SCHOOL}/records/pupils/{key}" for key in KEYS}
    answers = {key: await world.http.get(path, headers=world.bearer(HEAD)) for key, path in paths.items()}
    return [key for key, answer in answers.items() if answer.status_code == httpx.codes.OK]


async def test_a_mass_disappearance_is_decided_on_in_the_browser(world: World, visit: Visit) -> None:
    """Rejected by the officer above, later confirmed by its head; never without a reason, never by one click.

    Who decides sees the records, and the numbers as they are by then.
    """
    assert (await sent(world, *KEYS))["accepted_count"] == 12
    assert (await sent(world, *KEYS[:2], version=2))["full"]["state"] == "FULL_STATE_HELD"
    page = await visit(world, OFFICER, "/imports.html")
    question = page.locator(".disappearance")
    await expect(question).to_contain_text("Trường Tiểu học Ái Nghĩa: Học sinh, năm học 2019–2020, do leaving gửi")
    await expect(question).to_contain_text("thiếu 10 trong 12 bản ghi đang lưu. Chưa xóa gì.")
    await expect(question.locator("button.primary")).to_have_text("Không đúng, giữ lại tất cả")
    await question.get_by_role("button", name="Xem các bản ghi sẽ bị xóa").click()
    await page.get_by_role("dialog").get_by_label("Mục đích xem").fill("Đối chiếu với trường")
    await page.get_by_role("dialog").get_by_role("button", name="Xem", exact=True).click()
    await expect(question.get_by_role("row")).to_have_count(11, timeout=WAIT)
    await expect(question.get_by_role("row", name="D2").locator("th")).not_to_have_text("D2")
    await expect(question).to_contain_text("10 trong 10 bản ghi sẽ bị xóa")
    await question.get_by_role("button", name="Không đúng, giữ lại tất cả").click()
    await expect(question.get_by_role("alert")).to_contain_text("Hãy ghi lý do trước.")
    await question.get_by_label("Lý do").fill("Phần mềm gửi thiếu khối")
    await question.get_by_role("button", name="Không đúng, giữ lại tất cả").click()
    await expect(page.locator(".disappearance")).to_contain_text("Không xóa gì.", timeout=WAIT)
    assert await held(world) == KEYS

    assert (await sent(world, *KEYS[:2], version=3))["full"]["state"] == "FULL_STATE_HELD"
    page = await visit(world, HEAD, "/imports.html", forgiven=UNANSWERED)
    question = page.locator(".disappearance")
    await _deleted(world, page, question)
    assert await held(world) == [*KEYS[:2], KEYS[5]]
    decided = (await world.get(f"/v1/units/{SCHOOL}/disappearances", HEAD, decided=True))["disappearances"]
    assert [(one["state"], one["decided_by"], one["decision_reason"]) for one in decided] == [
        ("FULL_STATE_DONE", HEAD, "Các em đã chuyển trường"),
        ("FULL_STATE_REJECTED", OFFICER, "Phần mềm gửi thiếu khối"),
    ]


async def _deleted(world: World, page: Page, question: Any) -> None:
    """Confirm with the number, through a refusal, with the number as it is by then."""
    await question.get_by_label("Lý do").fill("Các em đã chuyển trường")
    await page.route("**/disappearances/*", _refuse)
    asked = page.get_by_role("dialog", name="Xóa 10 bản ghi?")
    await question.get_by_role("button", name="Đúng, xóa 10 bản ghi").click()
    await asked.get_by_label("Ghi số 10 để xác nhận xóa").fill("1")
    await asked.get_by_role("button", name="Đúng, xóa 10 bản ghi").click()
    await expect(asked).to_be_visible()
    await asked.get_by_label("Ghi số 10 để xác nhận xóa").fill("10")
    await sent(world, KEYS[5], at=4)
    await asked.get_by_role("button", name="Đúng, xóa 10 bản ghi").click()
    await expect(question.get_by_role("alert")).to_have_text(
        "Yêu cầu không hợp lệ. Thiếu mã nguồn gửi. Đơn vị không tồn tại."
    )
    await expect(question).to_contain_text("thiếu 9 trong 12 bản ghi đang lưu.", timeout=WAIT)
    await page.unroute("**/disappearances/*")
    await question.get_by_role("button", name="Đúng, xóa 9 bản ghi").click()
    await page.get_by_label("Ghi số 9 để xác nhận xóa").fill("9")
    await page.get_by_role("dialog").get_by_role("button", name="Đúng, xóa 9 bản ghi").click()
    await expect(page.locator(".disappearance")).to_contain_text("Đã xóa 9 bản ghi.", timeout=WAIT)


async def _refuse(route: Route) -> None:
    """Answer as the gateway does to what a field makes wrong."""
    await route.fulfill(status=400, content_type="application/json", body=json.dumps(REFUSAL))
