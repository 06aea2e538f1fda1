"""A row that a lock or a hand-over keeps out, told to its sender: whose word it is, since when, why, and what to do."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from services.sync.domain.words import Text, same, shortened

FACTS: Final = ("collection", "school_year", "period", "locked_by", "lock_time", "reason")
MOST_REASON: Final = 200  # Letters, as many as records takes.
_VIETNAM: Final = ZoneInfo("Asia/Ho_Chi_Minh")
_COLLECTIONS: Final = MappingProxyType(
    {
        "profiles": Text("Hồ sơ trường", "School profiles"),
        "staff": Text("Nhân sự", "Staff"),
        "classes": Text("Lớp học", "Classes"),
        "pupils": Text("Học sinh", "Pupils"),
        "attendance": Text("Điểm danh", "Attendance"),
        "results": Text("Kết quả học tập", "Results"),
        "facilities": Text("Cơ sở vật chất", "Facilities"),
        "assignments": Text("Phân công", "Assignments"),
        "conduct-entries": Text("Khen thưởng, kỷ luật", "Rewards and discipline"),
        "health-checks": Text("Khám sức khỏe", "Health checks"),
        "retests": Text("Thi lại", "Re-tests"),
        "graduations": Text("Xét tốt nghiệp", "Graduations"),
        "exam-candidates": Text("Thí sinh tự do", "Exam candidates"),
        "quality-reports": Text("Báo cáo EQMS", "Reports on quality"),
    }
)


def locked(facts: Mapping[str, str], *, key: str) -> Text:
    """The sentences for a held row with this key; raises ValueError where a fact is not of its form."""
    what = _what(facts)
    return Text(
        f"{what.vi} Bản ghi “{key}” chưa được ghi nhận, đang được giữ lại. Hãy đề nghị đơn vị đã khóa mở khóa: khi đó "
        "bản ghi tự được ghi nhận.",
        f"{what.en} The record “{key}” is not stored, it is kept aside. Ask the unit that set the lock to lift it: "
        "then it is stored by itself.",
    )


def correction_locked(facts: Mapping[str, str]) -> Text:
    """The sentences for a correction by hand, which is not kept aside; raises ValueError as `locked` does."""
    what = _what(facts)
    return Text(
        f"{what.vi} Bản ghi giữ nguyên. Hãy đề nghị đơn vị đã khóa mở khóa rồi sửa lại.",
        f"{what.en} The record stays as it is. Ask the unit that set the lock to lift it, then correct it again.",
    )


def handed_over(facts: Mapping[str, str]) -> Text:
    """The sentences for a row of a source that a collection was taken from; raises ValueError as `locked` does."""
    what, source = collection(facts["collection"]), shortened(facts["source"])
    since = datetime.fromisoformat(facts["since"]).astimezone(_VIETNAM)
    return Text(
        f"{what.vi} của trường đã được bàn giao cho nguồn “{source}” từ {since:%H:%M} ngày {since:%d/%m/%Y}. Hãy ngừng "
        "gửi từ phần mềm này, hoặc đề nghị hiệu trưởng hay Sở bàn giao lại.",
        f"{what.en} of this school were handed over to the source “{source}” on {since:%d/%m/%Y} at {since:%H:%M} "
        "(Viet Nam). Stop sending them from this software, or ask the head teacher or the department to hand "
        "them back.",
    )


def collection(name: str) -> Text:
    """What people call a collection."""
    return _COLLECTIONS.get(name) or same(name)


def _what(facts: Mapping[str, str]) -> Text:
    """What is locked, by whom, since when and why."""
    what = collection(facts["collection"])
    first = int(facts["school_year"])
    year, part = f"{first}-{first + 1}", _part(facts["period"])
    since = datetime.fromisoformat(facts["lock_time"]).astimezone(_VIETNAM)
    who, why = shortened(facts["locked_by"]), shortened(facts["reason"], most=MOST_REASON)
    service = facts.get("lock_service", "")
    through = Text(f" (qua {service})", f" (through {service})") if service else same("")
    return Text(
        f"{what.vi} năm học {year}{part.vi} đã bị khóa từ {since:%H:%M} ngày {since:%d/%m/%Y} bởi "
        f"“{who}”{through.vi}, lý do: “{why}”.",
        f"{what.en} of {year}{part.en} were locked on {since:%d/%m/%Y} at {since:%H:%M} (Viet Nam) "
        f"by “{who}”{through.en}, because: “{why}”.",
    )


def _part(period: str) -> Text:
    year, _, month = period.partition("-")
    if month:
        return Text(f", tháng {month}/{year}", f", month {month}/{year}")
    return Text(f", giai đoạn {period}", f", stage {period}") if period else same("")
