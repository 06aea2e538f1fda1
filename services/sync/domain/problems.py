"""What can be wrong with one row: a stable reason, the field, and a Vietnamese sentence that says what to do.

Each function is one problem, so that its text stands in one place. No text repeats personal data: the problem is kept
and shown to more people than the row is.
"""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

INVALID_FIELD: Final = "INVALID_FIELD"
INVALID_JSON: Final = "INVALID_JSON"
_INDEX: Final = re.compile(r"\[[^\]]*\]")
MOST_SHOWN: Final = 60  # Letters of a foreign text that a sentence repeats.


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row was not stored."""

    reason: str
    field: str
    message: str
    stored_version: int = 0


class RowRefusedError(Exception):
    """A row that cannot be read: what is wrong with it, and its key and school as far as they can be made out."""

    def __init__(self, problem: Problem, *, key: str = "", school: str = "") -> None:
        super().__init__(problem.reason)
        self.problem = problem
        self.key = key
        self.school = school


def not_json(line: int, *, why: str) -> Problem:
    """Name a line that is no JSON."""
    return Problem(
        INVALID_JSON,
        "",
        f"Dòng {line} không phải JSON hợp lệ ({why}). Hãy kiểm tra dấu ngoặc, dấu phẩy và bảng mã UTF-8 của dòng này.",
    )


def not_an_object(line: int) -> Problem:
    """Name a line that holds something else than a record."""
    return Problem(
        INVALID_JSON, "", f'Dòng {line} không phải một đối tượng JSON. Mỗi dòng phải có dạng {{"trường": "giá trị"}}.'
    )


def line_too_long(line: int, most: int) -> Problem:
    """Name a line that no record needs."""
    return Problem(
        "TOO_LARGE",
        "",
        f"Dòng {line} dài hơn {most // 1000} kB. Mỗi dòng chỉ chứa một bản ghi; hãy kiểm tra dấu xuống dòng của tệp.",
    )


def unknown_field(name: str, known: Iterable[str], *, inside: str = "") -> Problem:
    """Name a field that the profile does not know, and the nearest one it knows."""
    shown = shortened(name)
    near = nearest(name, known)
    remedy = f"Có phải là “{near}”?" if near else "Hãy bỏ trường này hoặc chọn đúng bộ tên trường (profile)."
    path = f"{inside}{shown}"
    return Problem("UNKNOWN_FIELD", path, f"Không có trường “{path}” trong bộ tên trường. {remedy}")


def unknown_object(name: str, value: object, known: Iterable[str]) -> Problem:
    """Name a type of record that the profile does not know."""
    kinds = list(known)
    near = nearest(str(value), kinds)
    said = f"ghi “{shortened(str(value))}”, không phải loại bản ghi đã biết" if value else "còn thiếu"
    remedy = f"Có phải là “{near}”?" if near else f"Hãy ghi một trong: {', '.join(kinds)}."
    return Problem(INVALID_FIELD, name, f"{name} {said}. {remedy}")


def unreadable(field: str, *, label: str, wanted: str, reason: str = INVALID_FIELD) -> Problem:
    """Name a value that is not of its type."""
    return Problem(reason, field, f"{label} không đọc được. Hãy ghi {wanted}.")


def missing_key(names: Iterable[str]) -> Problem:
    """Name a record whose key cannot be made."""
    return Problem(
        INVALID_FIELD, "key", f"Thiếu {' hoặc '.join(names)}: không lập được khóa của bản ghi. Hãy điền đủ rồi gửi lại."
    )


def no_record(known: Iterable[str]) -> Problem:
    """Name a row without a record."""
    return Problem(
        INVALID_FIELD,
        "record",
        f"Dòng không chứa bản ghi nào. Hãy điền đúng một trong: {', '.join(known)}, kể cả khi báo xóa.",
    )


def invalid_date(field: str, *, label: str) -> Problem:
    """Name a date that the calendar does not have."""
    return Problem(
        "INVALID_DATE",
        field,
        f"{label} không phải là ngày có thật trong lịch. Hãy ghi năm-tháng-ngày (YYYY-MM-DD), ví dụ 2015-09-30.",
    )


def unknown_school(school: str) -> Problem:
    """Name a school that no unit is known by today."""
    return Problem(
        "UNKNOWN_SCHOOL",
        "school",
        f"Không có trường nào mang mã “{shortened(school)}”. Hãy kiểm tra mã trường, hoặc đề nghị Sở khai báo trường.",
    )


def school_outside_unit(school: str, unit: str) -> Problem:
    """Name a school that the batch was not for."""
    return Problem(
        "SCHOOL_OUTSIDE_UNIT",
        "school",
        f"Trường “{shortened(school)}” không thuộc đơn vị “{shortened(unit)}” của lô. Hãy gửi theo đúng đơn vị.",
    )


def forbidden_character(field: str) -> Problem:
    """Name a text with a sign that no store keeps."""
    return Problem(
        INVALID_FIELD, field, "Văn bản chứa ký tự NUL (\\u0000). Hãy xóa ký tự này ở phần mềm nguồn rồi gửi lại."
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that looks most like this one; empty when none does."""
    by_folded = {one.casefold(): one for one in known}
    found = difflib.get_close_matches(name.casefold()[:MOST_SHOWN], list(by_folded), n=1, cutoff=0.6)
    return by_folded[found[0]] if found else ""


def bare(path: str) -> str:
    """A path without its indexes: `result.subject_marks.mark` of `result.subject_marks[2].mark`."""
    return _INDEX.sub("", path)


def shortened(text: str) -> str:
    """A foreign text, printable and short."""
    plain = "".join(letter if letter.isprintable() else "·" for letter in text[: MOST_SHOWN + 1])
    return plain if len(plain) <= MOST_SHOWN else f"{plain[:MOST_SHOWN]}…"
