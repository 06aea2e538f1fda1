"""Broken rules in the words of a school's clerk: which field, what is wrong with its value, what to write instead.

One table by rule, one by field; a test holds the second against the protos, so that a new rule is not left unexplained.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from services.sync.domain.problems import INVALID_FIELD, Problem, bare, shortened

_DAY: Final = "ngày dạng năm-tháng-ngày (YYYY-MM-DD), ví dụ 2015-09-30"
_GRADE: Final = "khối 01–12 (phổ thông), 13–15 (nhà trẻ) hoặc 16–18 (mẫu giáo)"
_LEVEL: Final = "cấp học 01 mầm non, 02 tiểu học, 03 THCS, 04 THPT hoặc 05 GDTX"
_CODE: Final = "mã không quá 20 ký tự, không ghi tên thay cho mã"
_KEY: Final = "khóa từ 1 đến 64 ký tự"

# Last name in the path → (what it is called, what may be written).
FIELDS: Final = MappingProxyType(
    {
        "school": ("mã trường", "mã trường dạng moet:49502001, tối đa 64 ký tự"),
        "key": ("khóa của bản ghi", "khóa từ 1 đến 64 ký tự, không đổi và không dùng lại"),
        "version": ("phiên bản", "số nguyên lớn hơn 0, tăng mỗi lần bản ghi thay đổi"),
        "school_year": ("năm học", "năm đầu của năm học, từ 1990 đến 2100, ví dụ 2026"),
        "name": ("tên", "tên, không bỏ trống, trường tối đa 200 và lớp tối đa 100 ký tự"),
        "levels": ("các cấp học", _LEVEL),
        "ownership": ("loại hình", _CODE),
        "school_type": ("loại trường", _CODE),
        "area": ("khu vực", _CODE),
        "further": ("các trường khác", "tối đa 400 trường, tên đến 80 và giá trị đến 4000 ký tự"),
        "full_name": ("họ tên", "họ và tên đầy đủ, từ 1 đến 100 ký tự"),
        "birth_date": ("ngày sinh", _DAY),
        "sex": ("giới tính", "0 chưa rõ, 1 nam hoặc 2 nữ"),
        "ethnic_group": ("dân tộc", _CODE),
        "staff_group": ("nhóm cán bộ", _CODE),
        "contract": ("hình thức hợp đồng", _CODE),
        "qualification": ("trình độ chuyên môn", _CODE),
        "subject": ("môn học", "mã môn từ 1 đến 20 ký tự"),
        "status": ("trạng thái", "mã trạng thái theo danh mục, ví dụ 01"),
        "personal_id": ("số định danh", "số định danh, tối đa 20 ký tự"),
        "level": ("cấp học hoặc mức", f"{_LEVEL}; mức đánh giá tối đa 10 ký tự"),
        "grade": ("khối", _GRADE),
        "homeroom_key": ("khóa giáo viên chủ nhiệm", _KEY),
        "site_key": ("khóa điểm trường", _KEY),
        "class_key": ("khóa của lớp", _KEY),
        "pupil_key": ("khóa của học sinh", _KEY),
        "leaving_reason": ("lý do thôi học", _CODE),
        "ministry_code": ("mã của Bộ", "mã học sinh do Bộ cấp, tối đa 20 ký tự"),
        "disability": ("loại khuyết tật", _CODE),
        "policy_group": ("diện chính sách", _CODE),
        "day": ("ngày", _DAY),
        "session": ("buổi", "1 sáng hoặc 2 chiều"),
        "scheduled_count": ("sĩ số", "số nguyên từ 0 đến 1000"),
        "exceptions": ("danh sách vắng", "tối đa 1000 học sinh"),
        "kind": ("loại vắng", "P có phép, K không phép hoặc M đi muộn"),
        "reason": ("lý do", "lý do, tối đa 200 ký tự"),
        "stage": ("giai đoạn", "GK1, CK1, GK2, CK2 hoặc CN"),
        "regulation": ("thông tư", "TT27 hoặc TT22"),
        "learning_result": ("kết quả học tập", _CODE),
        "conduct_result": ("kết quả rèn luyện", _CODE),
        "title": ("danh hiệu", _CODE),
        "absent_days": ("số ngày nghỉ", "số nguyên từ 0 đến 400"),
        "subject_marks": ("điểm các môn", "tối đa 40 môn"),
        "mark": ("điểm", "số từ 0 đến 10, ví dụ 8.5"),
    }
)
_SAID: Final = MappingProxyType(
    {
        "required": "còn thiếu",
        "string.min_len": "còn trống",
        "string.max_len": "dài quá mức cho phép",
        "string.pattern": "không đúng dạng",
        "string.in": "không có trong danh mục",
        "repeated.max_items": "có quá nhiều phần tử",
        "repeated.min_items": "có quá ít phần tử",
        "map.max_pairs": "có quá nhiều cặp",
    }
)
_RANGE: Final = re.compile(r"(int32|int64|double)\.(gte?|lte?)")  # Two bounds at once end in `_lte` and the like.
_FIRST: Final = ("school", "key", "version")  # Without these the row cannot be placed at all.


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule."""

    path: str  # For example `result.subject_marks[2].mark`.
    leaf: str  # Name of the field alone, for example `mark`.
    rule: str  # Id of the rule, for example `string.pattern`.
    value: str = ""  # What was written, where that may be repeated.


def explain(violations: Sequence[Violation], *, label: Callable[[str], str]) -> Problem:
    """Make the problem of a row from all rules it breaks: the most important one, the others by name."""
    first, *others = sorted(violations, key=lambda one: one.path not in _FIRST)
    called, wanted = FIELDS.get(first.leaf, ("", "giá trị theo mô tả của trường này"))
    who = label(bare(first.path)) or (f"{first.leaf} ({called})" if called else first.leaf)
    value = f" “{shortened(first.value)}”" if first.value else ""
    message = f"{who}{value} {said(first.rule)}. Hãy ghi {wanted}."
    also = list(dict.fromkeys(one.path for one in others if one.path != first.path))
    if also:
        more = f" và {len(also) - 3} trường khác" if len(also) > 3 else ""
        message += f" Ngoài ra còn sai: {', '.join(also[:3])}{more}."
    return Problem(INVALID_FIELD, first.path, message)


def said(rule: str) -> str:
    """What is wrong by a rule."""
    return _SAID.get(rule) or ("nằm ngoài khoảng cho phép" if _RANGE.match(rule) else "không hợp lệ")
