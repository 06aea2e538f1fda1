"""Files on the real platform: by REST as a program sends them, on the page as a school does, with sync killed."""

import asyncio
import io
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pytest
from playwright.async_api import expect

from tests.e2e.browsing import WAIT, Visit
from tests.e2e.test_way_through import as_json
from tests.e2e.world import HEAD, OFFICER, SCHOOL, VENDOR, YEAR, World, ndjson, pupil
from tests.support.waiting import poll_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

HEADINGS = ["STT", "Mã học sinh", "Họ và tên", "Ngày sinh", "Giới tính", "Lớp", "Khối", "Trạng thái"]
ENDED = {"IMPORT_STATE_SUCCEEDED", "IMPORT_STATE_FAILED", "IMPORT_STATE_CANCELLED"}


def workbook(prefix: str, count: int, *, wrong: int = 0, above: str = "", grade: str = "01") -> bytes:
    """A class of pupils, one of them born on a day that is none, with a line above the headings."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("1T")
    if above:
        sheet.append([above])
    sheet.append(HEADINGS)
    for number in range(1, count + 1):
        born = "31/02/2020" if number == wrong else "08/03/2020"
        line = [number, f"{prefix}{number}", f"Nguyễn Thị Hòa {number}", born, "Nữ", "1T", grade, "Đang học"]
        sheet.append(line)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


async def upload(world: World, content: bytes, **query: Any) -> int:
    """Send a file by REST; its import's id."""
    asked: dict[str, Any] = {"school_year": YEAR, "file_name": "hs.xlsx"}
    answer = await world.http.post(
        f"/v1/units/{SCHOOL}/imports",
        params=asked | query,
        content=content,
        headers=world.bearer(HEAD) | {"content-type": "application/octet-stream"},
    )
    assert answer.status_code == httpx.codes.OK, answer.text
    return int(answer.json()["import"]["import_id"])


async def ended(world: World, import_id: int, *, seconds: float = 60.0) -> dict[str, Any]:
    """The import once it has ended."""
    found: list[dict[str, Any]] = []

    async def over() -> bool:
        answer = await world.http.get(f"/v1/units/{SCHOOL}/imports/{import_id}", headers=world.bearer(HEAD))
        if answer.status_code != httpx.codes.OK:
            return False
        found.append(answer.json()["import"])
        return found[-1]["state"] in ENDED

    await poll_until(over, seconds)
    return found[-1]


async def test_a_file_goes_in_by_rest_and_comes_back_with_its_errors(world: World) -> None:
    """A template and the workbook with reasons are files too, by their own content type."""
    one = await ended(world, await upload(world, workbook("FR", 30, wrong=7)))
    assert (one["state"], one["accepted_count"], one["rejected_count"]) == ("IMPORT_STATE_SUCCEEDED", 29, 1), one
    path = f"/v1/units/{SCHOOL}/imports/{one['import_id']}"
    (problem,) = (await world.get(f"{path}/problems", HEAD))["problems"]
    assert (problem["sheet"], problem["row"], problem["column"]) == ("1T", 8, "D")
    report = await world.http.get(f"{path}:report", headers=world.bearer(HEAD))
    assert report.headers["content-type"].endswith("spreadsheetml.sheet"), report.text[:300]
    sheet = openpyxl.load_workbook(io.BytesIO(report.content))["1T"]
    assert "NGAY_SINH" in str(sheet.cell(8, 9).value)
    given = await world.http.get(
        f"/v1/units/{SCHOOL}/templates/pupils",
        params={"school_year": YEAR, "filled": True},
        headers=world.bearer(HEAD),
    )
    assert given.headers["content-disposition"].startswith(f'attachment; filename="mau-pupils-{YEAR}-')
    again = await ended(world, await upload(world, given.content))
    assert (again["accepted_count"], again["rejected_count"]) == (0, 0), again
    assert again["unchanged_count"] == again["row_count"] > 0


async def test_killed_again_and_again_an_import_loses_and_doubles_nothing(world: World) -> None:
    """Sync dies while rows are carried; the import goes on by itself, and its counts are those of the file."""
    import_id = await upload(world, workbook("FK", 12_000, wrong=5_000))

    async def looked_at() -> str:
        state = str((await _progress(world, import_id))["state"])
        return "" if state == "IMPORT_STATE_QUEUED" else state

    # Where other tests have put pupils into the school, none has these codes.
    if await poll_until(looked_at, 60.0) == "IMPORT_STATE_AWAITING_CONFIRMATION":
        await world.post(f"/v1/units/{SCHOOL}/imports/{import_id}:confirm", HEAD, {})
    for _ in range(2):
        done = (await _progress(world, import_id))["done_count"]

        async def further(before: int = done) -> bool:
            one = await _progress(world, import_id)
            return one["done_count"] > before or one["state"] in ENDED

        await poll_until(further, 60.0)
        await world.fleet.kill("sync")
        await world.fleet.restart("sync")
    one = await ended(world, import_id, seconds=120.0)

    assert (one["state"], one["row_count"], one["done_count"]) == ("IMPORT_STATE_SUCCEEDED", 12_000, 12_000), one
    assert one["rejected_count"] == 1
    assert one["accepted_count"] + one["unchanged_count"] == 11_999
    problems = (await world.get(f"/v1/units/{SCHOOL}/imports/{import_id}/problems", HEAD))["problems"]
    assert [problem["row"] for problem in problems] == [5_001]


async def _progress(world: World, import_id: int) -> dict[str, Any]:
    async def asked() -> Any:
        try:
            answer = await world.http.get(f"/v1/units/{SCHOOL}/imports/{import_id}", headers=world.bearer(HEAD))
        except httpx.HTTPError:
            return None
        return answer.json()["import"] if answer.status_code == httpx.codes.OK else None

    found: dict[str, Any] = await poll_until(asked)
    return found


async def test_a_school_sends_a_file_and_corrects_a_row_on_a_phone(world: World, visit: Visit, tmp_path: Path) -> None:
    """Template, upload, errors, one row corrected in place, a doubtful file confirmed: all in Vietnamese."""
    path = tmp_path / "lop 1T.xlsx"
    await asyncio.to_thread(path.write_bytes, workbook("FB", 8, wrong=3))
    page = await visit(world, HEAD, "/imports.html", viewport={"width": 390, "height": 800})
    await page.get_by_label("Năm học").select_option(str(YEAR), timeout=WAIT)
    async with page.expect_download() as downloading:
        await page.get_by_role("button", name="Tải mẫu trống").click()
    assert (await downloading.value).suggested_filename == f"pupils-{YEAR}.xlsx"
    shown = page.locator(".panel.import:not(.disappearances)")
    await page.get_by_label("Chọn tệp").set_input_files(path)
    await page.get_by_label("Chỉ xem thử").check()
    await page.get_by_role("button", name="Gửi tệp").click()
    await expect(shown).to_contain_text("đã xong", timeout=4 * WAIT)
    await expect(shown).to_contain_text("chưa ghi nhận và chưa xóa gì")
    await expect(shown).to_contain_text("7 ghi nhận")
    await page.get_by_label("Chỉ xem thử").uncheck()
    await page.get_by_label("Chọn tệp").set_input_files(path)
    await page.get_by_role("button", name="Gửi tệp").click()
    await expect(shown).not_to_contain_text("chưa ghi nhận và chưa xóa gì", timeout=WAIT)
    await expect(shown).to_contain_text("đã xong", timeout=4 * WAIT)
    await expect(shown).to_contain_text("7 ghi nhận")
    problem = page.locator(".problem")
    await expect(problem).to_contain_text("Trang “1T”, dòng 4", timeout=WAIT)
    await problem.get_by_role("textbox").fill("08/03/2020")
    await problem.get_by_role("button", name="Sửa dòng này").click()
    await expect(problem).to_contain_text("Đã ghi nhận sau khi sửa", timeout=WAIT)
    await page.reload()
    await page.get_by_role("button", name="lop 1T.xlsx").first.click(timeout=WAIT)
    await expect(problem).to_contain_text("Đã được xử lý sau lần nạp", timeout=WAIT)
    await expect(shown).to_contain_text("còn lại: 0 dòng")
    width = await page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390, "nothing lies beside the screen"
    record = await world.get(f"/v1/schools/{SCHOOL}/records/pupils/FB3.{YEAR}", HEAD)
    assert record["record"]["row"]["pupil"]["full_name"]


async def test_a_row_with_two_wrong_fields_is_corrected_at_once(world: World, visit: Visit, tmp_path: Path) -> None:
    """On a phone: whose row it is, a box for each field with what stands there. None taken is no good file."""
    path = tmp_path / "hai loi.xlsx"
    await asyncio.to_thread(path.write_bytes, workbook("FT", 1, wrong=1, grade="99"))
    page = await visit(world, HEAD, "/imports.html", viewport={"width": 360, "height": 800})
    await page.get_by_label("Chọn tệp").set_input_files(path, timeout=WAIT)
    await page.get_by_label("Tệp này đầy đủ").check()
    await page.get_by_role("button", name="Gửi tệp").click()
    await expect(page.get_by_role("alert").first).to_contain_text("hãy chọn “Loại dữ liệu”", timeout=WAIT)
    await page.get_by_label("Tệp này đầy đủ").uncheck()
    await page.get_by_label("Năm học").select_option(str(YEAR))
    await page.get_by_label("Chọn tệp").set_input_files(path)
    await page.get_by_role("button", name="Gửi tệp").click()
    shown = page.locator(".panel.import:not(.disappearances)")
    await expect(shown.locator(".state")).to_have_text("không có dòng nào được ghi nhận", timeout=4 * WAIT)
    line = page.locator(".past tbody tr").first
    await expect(line).to_contain_text("không có dòng nào được ghi nhận", timeout=WAIT)
    faults = await line.locator("td").nth(2).bounding_box()
    assert faults is not None
    assert faults["x"] + faults["width"] <= 360, "how many are wrong is seen without moving the table"
    problem = page.locator(".problem")
    await expect(problem).to_contain_text(f"Nguyễn Thị Hòa 1 · FT1.{YEAR}", timeout=WAIT)
    born, grade = problem.get_by_label("Ngày sinh"), problem.get_by_label("Khối")
    await expect(born).to_have_value("31/02/2020")
    await expect(grade).to_have_value("99")
    await born.fill("08/03/2020")
    await grade.fill("01")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360, "nothing lies beside the screen"
    await problem.get_by_role("button", name="Sửa dòng này").click()
    await expect(problem).to_contain_text("Đã ghi nhận sau khi sửa", timeout=WAIT)
    record = await world.get(f"/v1/schools/{SCHOOL}/records/pupils/FT1.{YEAR}", HEAD)
    assert record["record"]["row"]["pupil"]["grade"] == "01"


async def test_a_file_of_another_school_is_told_as_one(world: World, visit: Visit) -> None:
    """Each of its rows is refused for its school; above them stands what that means for the file."""
    content = b"ma truong;ma hoc sinh;ho ten\nmoet:00000000;FZ1;An\nmoet:00000000;FZ2;Binh\n"
    await ended(world, await upload(world, content, file_name="nham.csv", collection="pupils"))
    page = await visit(world, HEAD, "/imports.html")
    await page.get_by_role("button", name="nham.csv").click(timeout=WAIT)
    shown = page.locator(".panel.import:not(.disappearances)")
    await expect(shown).to_contain_text("Mọi dòng của tệp này ghi mã của trường khác", timeout=WAIT)


async def test_an_officer_rejects_a_file_that_waits_and_the_page_says_why(world: World, visit: Visit) -> None:
    """Not without a reason; then who decided, when and why stands with the import."""
    import_id = await upload(world, workbook("FW", 3, above="DANH SÁCH NĂM HỌC 2010 - 2011"), file_name="cho.xlsx")
    page = await visit(world, OFFICER, "/imports.html")
    await page.get_by_placeholder("Tên hoặc mã trường").fill("Ái Nghĩa", timeout=WAIT)
    await page.get_by_role("button", name="Tìm").click()
    await page.get_by_role("link", name="Trường Tiểu học Ái Nghĩa").click(timeout=WAIT)
    await page.get_by_role("button", name="cho.xlsx").click(timeout=WAIT)
    shown = page.locator(".panel.import:not(.disappearances)")
    await expect(shown).to_contain_text("Tệp ghi năm học 2010-2011", timeout=WAIT)
    await shown.get_by_role("button", name="Hủy tệp này").click()
    await expect(shown.get_by_role("alert").last).to_contain_text("Hãy ghi lý do trước.")
    await shown.get_by_label("Lý do").fill("Tệp của năm học cũ")
    await shown.get_by_role("button", name="Hủy tệp này").click()
    await expect(shown).to_contain_text(f"Người quyết định: {OFFICER}", timeout=WAIT)
    await expect(shown).to_contain_text("Lý do: Tệp của năm học cũ")
    one = await ended(world, import_id)
    assert (one["state"], one["decided_by"], one["decision_reason"]) == (
        "IMPORT_STATE_CANCELLED",
        OFFICER,
        "Tệp của năm học cũ",
    )


async def test_only_what_another_value_mends_is_given_an_input(world: World, visit: Visit) -> None:
    """A row over another source's record is mended at that source; one with a bad date beside it is corrected here."""
    rows = [as_json(pupil(SCHOOL, f"FO1.{YEAR}", "1T"))]
    headers = world.bearer(VENDOR) | {"content-type": "application/x-ndjson"}
    query = {"batch.source": VENDOR}
    sent = await world.http.post(f"/v1/units/{SCHOOL}/push", params=query, content=ndjson(rows), headers=headers)
    assert sent.json()["outcome"]["accepted_count"] == 1, sent.text
    one = await ended(world, await upload(world, workbook("FO", 2, wrong=2), file_name="nguon.xlsx"))
    assert (one["state"], one["rejected_count"]) == ("IMPORT_STATE_SUCCEEDED", 2), one
    page = await visit(world, HEAD, "/imports.html")
    await page.get_by_role("button", name="nguon.xlsx").click(timeout=WAIT)
    owned = page.locator(".problem", has_text="thuộc nguồn")
    await expect(owned).to_have_count(1, timeout=WAIT)
    await expect(owned.get_by_role("textbox")).to_have_count(0)
    await expect(page.locator(".problem", has_text="NGAY_SINH").get_by_role("textbox")).to_have_count(1)
