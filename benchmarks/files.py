"""Files: rows a second from the upload to the last outcome, and what memory a very large one takes."""

import asyncio
import csv
import io
import os
import random
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import psutil
import xlsxwriter
from python_calamine import CalamineWorkbook

from benchmarks.province import VENDOR, YEAR, Province, rows
from benchmarks.push import copy_floor
from benchmarks.report import Figure
from services.sync.convert.sheets.reading import read
from services.sync.convert.sheets.specification import load_sheets

HEADINGS = (
    "Mã học sinh",
    "Họ và tên",
    "Ngày sinh",
    "Giới tính",
    "Dân tộc",
    "Lớp",
    "Khối",
    "Trạng thái",
    "Mã định danh",
)
ENDED = {"IMPORT_STATE_SUCCEEDED", "IMPORT_STATE_FAILED", "IMPORT_STATE_CANCELLED"}
SCHOOLS_IN_FILE = 60  # Of 300 pupils each.
LARGE_MEGABYTES = int(os.environ.get("BENCH_FILE_MEGABYTES", "500"))
LINE_BYTES = 8_000
PART = 1 << 20


async def measure(province: Province) -> list[Figure]:
    """A workbook of 18,000 pupils, the same once more, as many others by CSV, and a CSV of 500 MB."""
    lines, others = list(_lines("f")), list(_lines("g"))
    with tempfile.TemporaryDirectory(prefix="iocedu-files-") as folder:
        path = Path(folder) / "pupils.xlsx"
        await asyncio.to_thread(_write, path, lines)
        first = await _imported(province, path, "first")
        again = await _imported(province, path, "again")
        plain = Path(folder) / "pupils.csv"
        await asyncio.to_thread(_write_csv, plain, others)
        by_csv = await _imported(province, plain, "csv")
        ours, bare = await asyncio.to_thread(_reading, path)
        floor = await copy_floor(province.fleet.databases["records"], 5_000)
        large = Path(folder) / "large.csv"
        count = await asyncio.to_thread(_write_large, large)
        idle, peak, seconds = await _watched(province, large)
    size = LARGE_MEGABYTES
    return [
        Figure("file import, XLSX: all rows stored", len(lines) / first, "rows/s", "5,000", floor, "COPY + merge"),
        Figure("file import, CSV: all rows stored", len(others) / by_csv, "rows/s", "5,000", floor, "COPY + merge"),
        Figure("the same file again, unchanged", len(lines) / again, "rows/s", "", len(lines) / first, "first import"),
        Figure("reading the workbook alone", ours, "rows/s", "", bare, "calamine, whole sheet"),
        Figure(f"memory of sync, CSV of {size} MB imported", peak, "MB", "flat", idle, "MB before"),
        Figure(f"CSV of {size} MB, {count} long rows", count / seconds, "rows/s", ""),
    ]


def _lines(prefix: str) -> Iterator[list[str]]:
    for row in rows([f"moet:49999{number:03d}" for number in range(SCHOOLS_IN_FILE)], prefix=prefix):
        pupil = row.pupil
        year, month, day = pupil.birth_date.split("-")
        born = f"{day}/{month}/{year}"
        code = pupil.ministry_code
        yield [row.key, pupil.full_name, born, pupil.sex, pupil.ethnic_group, pupil.class_key, pupil.grade, "01", code]


def _write(path: Path, lines: list[list[str]]) -> None:
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        sheet = book.add_worksheet("Học sinh")
        for number, line in enumerate([list(HEADINGS), *lines]):
            sheet.write_row(number, 0, line)


def _write_csv(path: Path, lines: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([list(HEADINGS), *lines])


def _write_large(path: Path) -> int:
    """Long rows, most of each in columns that no record has: no field takes as much."""
    rng, count, letters = random.Random("large"), 0, "abcdeghiklmnopqrstuvxy "
    words = ["".join(rng.choices(letters, k=200)) * 13 for _ in range(100)]
    with path.open("w", encoding="utf-8") as out:
        out.write("Mã học sinh;Họ và tên;Ngày sinh;Khối;Trạng thái;Ghi thêm 1;Ghi thêm 2;Ghi thêm 3\n")
        while out.tell() < LARGE_MEGABYTES * 1_000_000:
            long = rng.choice(words)
            out.write(f"L{count};Nguyễn Văn {count};09/03/2015;06;01;{long};{long};{long}\n")
            count += 1
    return count


def _reading(path: Path) -> tuple[float, float]:
    sheets = load_sheets()
    spec = sheets.kinds["HOC_SINH"]
    began = time.perf_counter()
    out = io.BytesIO()
    read(path, {"kinds": [spec], "labels": sheets.labels, "left_out": sheets.left_out}, out)
    count, ours = out.getvalue().count(b"\nR "), time.perf_counter() - began
    began = time.perf_counter()
    CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
    return count / ours, count / (time.perf_counter() - began)


async def _imported(province: Province, path: Path, name: str) -> float:
    """Seconds from the first byte sent to the last row's outcome."""
    school = province.schools[0]
    headers = {"authorization": f"Bearer {province.token(VENDOR)}", "content-type": "application/octet-stream"}
    query: dict[str, str | int] = {
        "school_year": YEAR,
        "file_name": path.name,
        "request_id": name,
        "collection": "pupils",
    }
    began = time.perf_counter()
    async with httpx.AsyncClient(base_url=f"http://{province.fleet.gateway}", headers=headers, timeout=120) as http:
        sent = await http.post(f"/v1/units/{school}/imports", params=query, content=_parts(path))
        sent.raise_for_status()
        place = f"/v1/units/{school}/imports/{sent.json()['import']['import_id']}"
        while True:
            one = (await http.get(place)).raise_for_status().json()["import"]
            if one["state"] == "IMPORT_STATE_AWAITING_CONFIRMATION":
                (await http.post(f"{place}:confirm", json={})).raise_for_status()
            if one["state"] in ENDED:
                assert one["state"] == "IMPORT_STATE_SUCCEEDED", one
                assert one["rejected_count"] == 0, one
                return time.perf_counter() - began
            await asyncio.sleep(0.05)


async def _parts(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as content:
        while part := await asyncio.to_thread(content.read, PART):
            yield part


async def _watched(province: Province, path: Path) -> tuple[float, float, float]:
    """Memory of sync, with the process that reads, before and at its highest, and how long the import took."""
    idle = peak = _memory()
    work = asyncio.create_task(_imported(province, path, "large"))
    while not work.done():
        peak = max(peak, _memory())
        await asyncio.sleep(0.1)
    return idle, peak, await work


def _memory() -> float:
    """Of sync and what it started, in MB."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        try:
            if any("services.sync" in part for part in process.cmdline()):
                total += process.memory_info().rss
        except psutil.Error:
            continue
    return total / 1_000_000
