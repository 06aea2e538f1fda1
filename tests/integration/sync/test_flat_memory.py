"""The process that reads files holds a row at a time, however large a file is."""

import os
import subprocess
import sys
from pathlib import Path

from services.sync.convert.sheets.specification import load_sheets


def peak(path: Path, rows: int) -> int:
    """Most memory in bytes of the process that reads a CSV of so many long rows, each other than the rest."""
    with path.open("w", encoding="utf-8") as out:
        out.write("Mã học sinh;Họ và tên;Ngày sinh;Khối;Trạng thái;Địa chỉ;Tên cha;Tên mẹ\n")
        for number in range(rows):
            long = f"thôn {number} " * 250
            out.write(f"L{number};Nguyễn Văn {number};09/03/2015;06;01;{long};{long}b;{long}c\n")
    command = [sys.executable, "-m", "services.sync.convert.sheets", "read", str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(load_sheets().specification(["HOC_SINH"]))
        process.stdin.close()
        read = sum(line.startswith(b"R ") for line in process.stdout)
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0
    assert read == rows
    return used.ru_maxrss * 1024


def test_ten_times_the_file_needs_no_more_memory(tmp_path: Path) -> None:
    """What is read of long cells is not remembered."""
    few, many = peak(tmp_path / "few.csv", 500), peak(tmp_path / "many.csv", 5_000)
    assert many - few < 10_000_000
