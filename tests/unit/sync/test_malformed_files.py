"""Files broken in hundreds of ways: each is read, or refused as a whole with a reason; nothing else happens."""

import io
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from services.sync.convert.sheets.reading import MOST_SHEETS, read
from services.sync.convert.sheets.refused import FileRefusedError
from services.sync.convert.sheets.specification import load_sheets

SHEETS = load_sheets()
SPEC: dict[str, Any] = json.loads(SHEETS.specification(SHEETS.kinds))
REASONS = {"UNREADABLE_FILE", "UNSAFE_FILE", "NO_TABLE", "MISSING_COLUMN", "DUPLICATE_COLUMN"}
LINES: list[list[Any]] = [
    ["TRƯỜNG THCS NGUYỄN DU"],
    ["STT", "Mã học sinh", "Họ và tên", "Ngày sinh", "Giới tính", "Khối", "Toán"],
    *([n, f"HS{n:02d}", "Nguyễn Thị Hòa", 42000 + n, "Nữ", "06", "8,5"] for n in range(30)),
    ["", "Người lập biểu"],
]


def book() -> bytes:
    """A sound workbook with merged cells and a sheet of codes."""
    made = openpyxl.Workbook()
    sheet = made.active
    assert sheet is not None
    for line in LINES:
        sheet.append(line)
    sheet.merge_cells("A1:G1")
    sheet.merge_cells("F3:F10")
    made.create_sheet("DM").append(["Mã", "Tên"])
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


BOOK = book()
TEXT = "\n".join(";".join(map(str, line)) for line in LINES).encode()


def bytes_changed(content: bytes, chance: random.Random) -> bytes:
    """Some bytes are others."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 30)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def cut(content: bytes, chance: random.Random) -> bytes:
    """The end is missing, or a piece."""
    start, end = sorted(chance.sample(range(len(content)), 2))
    return content[:start] if chance.random() < 0.5 else content[:start] + content[end:]


def part_changed(content: bytes, chance: random.Random) -> bytes:
    """Inside the workbook a part is other than it should be: cut, doubled, gone, another's, with other numbers."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as given:
        names = given.namelist()
        parts = {name: given.read(name) for name in names}
    name = chance.choice(names)
    part = parts[name]
    what = chance.randrange(7)
    if what == 0:
        del parts[name]
    elif what == 1:
        parts[name] = cut(part, chance)
    elif what == 2:
        parts[name] = parts[chance.choice(names)]
    elif what == 3:
        parts[name] = bytes_changed(part, chance)
    elif what == 4:
        number = str(chance.choice([-1, 0, 10**7, 10**30])).encode()
        for found in (b'r="2"', b"<v>2</v>", b'numFmtId="0"', b's="1"', b"<v>42005</v>"):
            parts[name] = parts[name].replace(
                found, found.translate(None, b"0123456789").replace(b'""', b'"%s"' % number)
            )
    elif what == 5:
        parts[name] = part.replace(b"A", chance.choice([b"ZZZZZ", b"", b"\xff\xfe", b"&amp;"]))
    else:
        parts[name] = part.replace(b"<v>", b"<f>A1</f><v>").replace(b't="s"', b't="e"', chance.randrange(5))
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for one, inner in parts.items():
            made.writestr(one, inner)
    return out.getvalue()


def lines_changed(content: bytes, chance: random.Random) -> bytes:
    """A text in which lines are torn, quotes stand open, signs are of another encoding."""
    lines = content.split(b"\n")
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(lines))
        torn = chance.choice(
            [b'"', b";" * 500, b"\0", b"\xc3\x28", b"\r", b"=1+1", b"-" * 3000, b"\xef\xbb\xbf", b"\x1a"]
        )
        lines[at] = lines[at][: chance.randrange(len(lines[at]) + 1)] + torn
    return b"\n".join(lines)


MUTATIONS: list[tuple[bytes, Callable[[bytes, random.Random], bytes]]] = [
    (BOOK, bytes_changed),
    (BOOK, cut),
    (BOOK, part_changed),
    (TEXT, bytes_changed),
    (TEXT, cut),
    (TEXT, lines_changed),
]


def outcome_of(path: Path) -> tuple[bytes, FileRefusedError | None]:
    """What is written of a file, or why it is refused."""
    out = io.BytesIO()
    try:
        read(path, SPEC, out)
    except FileRefusedError as refused:
        return b"", refused
    return out.getvalue(), None


@pytest.mark.parametrize(("content", "mutate"), MUTATIONS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_broken_file_is_read_or_refused_with_a_reason(
    content: bytes, mutate: Callable[[bytes, random.Random], bytes], tmp_path: Path
) -> None:
    """A hundred of each kind; what is read ends with its sheets, what is refused names what to do in both languages."""
    path = tmp_path / "file"
    for seed in range(120):
        path.write_bytes(mutate(content, random.Random(seed)))
        written, refused = outcome_of(path)
        if refused is not None:
            assert refused.reason in REASONS, seed
            assert "ãy" in refused.text.vi, seed
            assert refused.text.en, seed
            continue
        kinds = [line[:1] for line in written.splitlines()]
        assert kinds[-1] == b"E", seed
        assert set(kinds) <= {b"S", b"R", b"F", b"E"}, seed


def test_a_sound_file_is_read_whole(tmp_path: Path) -> None:
    """What the mutations begin with holds thirty records, in either form."""
    for content in (BOOK, TEXT):
        path = tmp_path / "file"
        path.write_bytes(content)
        out = io.BytesIO()
        read(path, SPEC, out)
        assert sum(line.startswith(b"R ") for line in out.getvalue().splitlines()) == 30


def test_sheets_that_cannot_be_read_and_those_beyond_what_is_read_are_told(tmp_path: Path) -> None:
    """With something on them they may hold records; an empty sheet and a sheet of codes hold none."""
    made = openpyxl.load_workbook(io.BytesIO(BOOK))
    made.create_sheet("6B").append(["HS99", "Nguyễn Thị Hòa"])
    for number in range(MOST_SHEETS):
        made.create_sheet(f"Trang{number}")
    made.save(tmp_path / "book.xlsx")
    out = io.BytesIO()
    read(tmp_path / "book.xlsx", SPEC, out)
    told = json.loads(out.getvalue().splitlines()[-1].removeprefix(b"E "))

    assert len(told) == MOST_SHEETS + 1
    assert [(one["name"], one["left_out"]) for one in told if one.get("unread")] == [
        ("6B", "NO_TABLE"),
        (f"Trang{MOST_SHEETS - 3}", "TOO_MANY_SHEETS"),
    ]
