"""The process that reads files holds a row at a time, however large a file is."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from services.sync.convert.sheets.specification import load_sheets


def peak(path: Path, rows: int) -> int:
    """Most memory in bytes of the process that reads a CSV of so many long rows, each other than the rest."""
    with path.open("w", encoding="utf-8") as out:
        out.write("Mã học sinh;Họ và tên;Ngày sinh;Khối;Trạng thái;Địa chỉ;Tên cha;Tên mẹ\n")
        for number in range(rows):
            long = f"thôn {number} " * 250
            out.write(f"L{number};Nguyễn Văn {number};09/03/2015;06;01;{long};{long}b;{long}c\n")
    return read_by(path, rows, line=b"R ")


def peak_of_roster(path: Path, rows: int) -> int:
    """The same of OneRoster's files with so many pupils in two files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("manifest.csv", "propertyName,value\noneroster.version,1.2\nfile.users,bulk\nfile.roles,bulk\n")
        with out.open("users.csv", "w") as users:
            users.write(b"sourcedId,givenName,familyName,identifier\n")
            for number in range(rows):
                users.write(f"hs-{number},An {number} {'Văn ' * 50},Nguyễn,{number:010d}\n".encode())
        with out.open("roles.csv", "w") as roles:
            roles.write(b"sourcedId,userSourcedId,role,orgSourcedId\n")
            for number in range(rows):
                roles.write(f"r-{number},hs-{number},student,org-a\n".encode())
    return read_by(path, rows, line=b"J ")


def read_by(path: Path, rows: int, *, line: bytes) -> int:
    """Most memory in bytes of the process that reads a file of so many rows, each told by a line of this kind."""
    command = [sys.executable, "-m", "services.sync.convert.sheets", "read", str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(load_sheets().specification(["HOC_SINH"], school_year=2026, one_school=True))
        process.stdin.close()
        read = sum(one.startswith(line) for one in process.stdout)
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0
    assert read == rows
    return used.ru_maxrss * 1024


def test_ten_times_the_file_needs_no_more_memory(tmp_path: Path) -> None:
    """What is read of long cells is not remembered."""
    few, many = peak(tmp_path / "few.csv", 500), peak(tmp_path / "many.csv", 5_000)
    assert many - few < 10_000_000


def test_files_that_are_joined_are_joined_on_disk(tmp_path: Path) -> None:
    """Of ten times the pupils no more is held than a part of the database: 16 MB."""
    few, many = peak_of_roster(tmp_path / "few.zip", 2_500), peak_of_roster(tmp_path / "many.zip", 25_000)
    assert many - few < 25_000_000
