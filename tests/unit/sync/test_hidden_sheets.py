"""Sheets that whoever looks at a file does not see: not read, and never passed over without a word."""

import io
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from services.sync.convert.sheets.reading import read
from services.sync.convert.sheets.refused import FileRefusedError
from services.sync.convert.sheets.specification import load_sheets

SHEETS = load_sheets()
SPEC: dict[str, Any] = json.loads(SHEETS.specification(SHEETS.kinds))
PUPILS = (("Mã học sinh", "Họ và tên", "Ngày sinh"), ("HS01", "Nguyễn Thị Hòa", "01/02/2015"))
Lines = Sequence[Sequence[str]]
Given = Mapping[str, tuple[str, Lines]]  # By name of the sheet its state and lines.
STATES = ("visible", "hidden", "veryHidden")


def xlsx(given: Given) -> bytes:
    """A workbook of today."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, (state, lines) in given.items():
        sheet = book.create_sheet(name)
        sheet.sheet_state = state
        for line in lines:
            sheet.append(list(line))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def xls(given: Given) -> bytes:
    """The same as the binary workbook of old: records of BIFF8 as the one stream of a compound file."""

    def record(kind: int, content: bytes = b"") -> bytes:
        return struct.pack("<HH", kind, len(content)) + content

    def text(said: str, length: str) -> bytes:
        return struct.pack(length, len(said), 1) + said.encode("utf-16-le")

    def substream(kind: int, content: bytes) -> bytes:
        return record(0x0809, struct.pack("<HHHHII", 0x0600, kind, 0x0DBB, 1996, 0, 0x0600)) + content + record(0x000A)

    def label(row: int, column: int, said: str) -> bytes:
        return record(0x0204, struct.pack("<HHH", row, column, 0) + text(said, "<HB"))

    made = [
        substream(
            0x0010, b"".join(label(row, at, said) for row, line in enumerate(lines) for at, said in enumerate(line))
        )
        for _, lines in given.values()
    ]

    def workbook(starts: Sequence[int]) -> bytes:
        bound = [
            record(0x0085, struct.pack("<IBB", start, STATES.index(state), 0) + text(name, "<BB"))
            for start, (name, (state, _)) in zip(starts, given.items(), strict=True)
        ]
        return substream(0x0005, b"".join(bound))

    before = len(workbook([0] * len(made)))
    stream = workbook([before + sum(map(len, made[:at])) for at in range(len(made))]) + b"".join(made)
    stream = stream.ljust(max(4096, -(-len(stream) // 512) * 512), b"\0")

    def entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
        title = name.encode("utf-16-le")
        none = 0xFFFFFFFF
        head = title.ljust(64, b"\0") + struct.pack("<HBBIII", len(title) + 2, kind, 1, none, none, child)
        return head + bytes(36) + struct.pack("<IQ", start, size)

    end, free = 0xFFFFFFFE, 0xFFFFFFFF
    sectors = len(stream) // 512
    chain = [0xFFFFFFFD, end, *range(3, sectors + 2), end]
    table = struct.pack("<128I", *chain, *[free] * (128 - len(chain)))
    folder = entry("Root Entry", 5, 1, end, 0) + entry("Workbook", 2, free, 2, len(stream)) + bytes(256)
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    head += struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4096, end, 0, end, 0) + struct.pack("<109I", 0, *[free] * 108)
    return head + table + folder + stream


def told_of(path: Path, given: Given, make: Callable[[Given], bytes]) -> tuple[int, list[dict[str, Any]]]:
    """How many records were read, and what is told of the sheets."""
    path.write_bytes(make(given))
    out = io.BytesIO()
    read(path, SPEC, out)
    lines = out.getvalue().splitlines()
    return sum(line.startswith(b"R ") for line in lines), json.loads(lines[-1].removeprefix(b"E "))


@pytest.mark.parametrize("make", [xlsx, xls])
@pytest.mark.parametrize("state", STATES[1:])
def test_a_hidden_sheet_is_named_and_not_read(tmp_path: Path, make: Callable[[Given], bytes], state: str) -> None:
    """With something on it it may hold records, one without does not; codes hold none."""
    given = {
        "6A": ("visible", PUPILS),
        "6B": (state, PUPILS),
        "Trang3": (state, ()),
        "DM": (state, (("01", "Đang học"),)),
    }
    count, told = told_of(tmp_path / "book", given, make)
    assert count == 1
    assert [(one["name"], one.get("left_out"), one.get("unread", False)) for one in told] == [
        ("6A", None, False),
        ("6B", "HIDDEN_SHEET", True),
        ("Trang3", "HIDDEN_SHEET", False),
        ("DM", "HIDDEN_SHEET", False),
    ]


def test_the_codes_of_a_template_are_no_sheet_that_is_missed(tmp_path: Path) -> None:
    """Every template comes back with them."""
    given = {"Học sinh": ("visible", PUPILS), "DanhMuc": ("hidden", (("MA_KHOI",), ("06 - Lớp 6",)))}
    count, told = told_of(tmp_path / "book", given, xlsx)
    assert (count, [one["name"] for one in told]) == (1, ["Học sinh"])


def test_a_file_with_nothing_but_hidden_sheets_is_refused_by_their_names(tmp_path: Path) -> None:
    """Who sends it is told where the data may be."""
    with pytest.raises(FileRefusedError) as refused:
        told_of(tmp_path / "book", {"Bìa": ("visible", (("Trường",),)), "6B": ("hidden", PUPILS)}, xlsx)
    assert refused.value.reason == "NO_TABLE"
    assert "Trang đang ẩn không được đọc: “6B”" in refused.value.text.vi
