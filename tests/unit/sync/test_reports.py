"""Workbooks given back with what is wrong: harmful ones are not opened by a reader that follows every part."""

import io
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from services.sync.convert.sheets import report
from services.sync.convert.sheets.xlsx import harmless

LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b"]><x>&j;</x>"
)
ZEROS = b"<?xml version='1.0'?><x>" + b" " * 60_000_000 + b"</x>"


def book() -> bytes:
    """A small workbook of a school, with a coloured heading."""
    made = openpyxl.Workbook()
    sheet = made.active
    assert sheet is not None
    sheet.title = "6A"
    sheet.append(["Mã học sinh", "Họ và tên"])
    sheet.append(["HS1", "Nguyễn An"])
    sheet["A1"].font = openpyxl.styles.Font(bold=True, italic=True)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def with_part(name: str, content: bytes) -> bytes:
    """The same with one more part, which nobody reads who reads rows."""
    out = io.BytesIO(book())
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


def told(**fields: Any) -> dict[str, Any]:
    """What a report is told of a sheet with one bad cell."""
    problem = {"sheet": "6A", "row": 2, "column": "B", "message": "Họ tên sai."}
    return {"masked": None, "problems": [problem], "headings": {"6A": 1}, "summary": [("Tệp", "a.xlsx")]} | fields


@pytest.mark.parametrize(
    ("name", "content"),
    [("xl/comments9.xml", LAUGHS), ("docProps/other.xml", LAUGHS.decode().encode("utf-16"))],
)
def test_a_workbook_with_a_harmful_part_comes_back_by_its_values(tmp_path: Path, name: str, content: bytes) -> None:
    """Whoever follows every part would expand its entities; its rows are read all the same."""
    path, target = tmp_path / "a.xlsx", tmp_path / "out.xlsx"
    path.write_bytes(with_part(name, content))
    assert not harmless(path)
    report.write(path, target, told())
    sheet = openpyxl.load_workbook(target)["6A"]
    assert (sheet["B2"].value, sheet["C2"].value, sheet["A1"].font.italic) == ("Nguyễn An", "Họ tên sai.", False)


def test_a_sound_workbook_keeps_its_looks(tmp_path: Path) -> None:
    """Its fonts are there, the reason stands beside."""
    path, target = tmp_path / "a.xlsx", tmp_path / "out.xlsx"
    path.write_bytes(book())
    report.write(path, target, told())
    sheet = openpyxl.load_workbook(target)["6A"]
    assert (sheet["C2"].value, sheet["A1"].font.italic) == ("Họ tên sai.", True)


@pytest.mark.parametrize(
    "content", [with_part("xl/vbaProject.bin", b"x"), with_part("xl/z.xml", ZEROS * 4), b"PK\x03\x04"]
)
def test_a_refused_file_is_not_opened_again(tmp_path: Path, content: bytes) -> None:
    """Why it was refused is told in a workbook of its own."""
    path, target = tmp_path / "a.xlsx", tmp_path / "out.xlsx"
    path.write_bytes(content)
    reason = ("Lý do dừng", "Tệp có chứa macro.")
    report.write(path, target, told(headings={}, problems=[], summary=[reason]))
    made = openpyxl.load_workbook(target)
    assert made.sheetnames[0] == "Tổng hợp"
    assert [cell.value for cell in made["Tổng hợp"][1]] == list(reason)
