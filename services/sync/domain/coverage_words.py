"""Why a school is not connected, in words: what is the matter, and who can do what."""

from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from services.sync.domain.coverage import CoverageState, Reason
from services.sync.domain.coverage_rules import SchoolKind
from services.sync.domain.locked import collection
from services.sync.domain.words import Text

_VIETNAM: Final = ZoneInfo("Asia/Ho_Chi_Minh")
KINDS: Final = {
    SchoolKind.SCHOOL: Text("Trường phổ thông, GDTX", "Schools"),
    SchoolKind.KINDERGARTEN: Text("Trường mầm non, mẫu giáo", "Kindergartens"),
    SchoolKind.CHILDCARE_GROUP: Text("Nhóm trẻ độc lập", "Childcare groups"),
}
STATES: Final = {
    CoverageState.CONNECTED: Text("Đang kết nối", "Connected"),
    CoverageState.LATE: Text("Chậm", "Late"),
    CoverageState.FAILING: Text("Lỗi", "Failing"),
    CoverageState.SILENT: Text("Im lặng", "Silent"),
}
PARTS: Final = {
    "start": Text("Đầu năm", "Start of the year"),
    "changes": Text("Phát sinh trong năm", "Changes during the year"),
    "end": Text("Cuối năm", "End of the year"),
}
LEVELS: Final = {
    "01": Text("Mầm non", "Preschool"),
    "02": Text("Tiểu học", "Primary"),
    "03": Text("Trung học cơ sở", "Lower secondary"),
    "04": Text("Trung học phổ thông", "Upper secondary"),
    "05": Text("Giáo dục thường xuyên", "Continuing education"),
}
NO_LEVEL: Final = Text("Chưa rõ cấp học", "Level not known")
NO_SOURCE: Final = Text("Chưa có phần mềm nào gửi", "No source has sent")


def words(reason: Reason) -> Text:
    """The sentences for a reason."""
    return _WORDS[reason.code](reason)


def _never_sent(reason: Reason) -> Text:
    vi, en = _moment(reason.since)
    return Text(
        f"Chưa từng có dữ liệu nào của trường được tiếp nhận, ngoài dữ liệu lịch sử; trung tâm chờ từ {vi}. Nhà trường "
        "liên hệ nhà cung cấp phần mềm để bật gửi dữ liệu, hoặc nộp bảng tính ở trang Nạp tệp.",
        f"Nothing of the school was ever taken but history; the centre waits since {en}. The school asks its vendor to "
        "switch sending on, or uploads workbooks on the page of files.",
    )


def _nothing_taken(reason: Reason) -> Text:
    hours = reason.facts["hours"]
    vi, en = _moment(datetime.fromisoformat(reason.facts["last"]))
    return Text(
        f"Không có dữ liệu nào được tiếp nhận từ {vi}, quá {hours} giờ của ngày học (không tính ngày nghỉ). Nhà trường "
        "kiểm tra phần mềm còn chạy và còn gửi không.",
        f"Nothing was taken since {en}, more than {hours} hours of school days (holidays left out). The school looks "
        "whether its software runs and still sends.",
    )


def _only_refused(reason: Reason) -> Text:
    batches, days = reason.facts["batches"], reason.facts["days"]
    last = reason.facts["last"]
    vi, en = _moment(datetime.fromisoformat(last)) if last else ("", "")
    return Text(
        (f"Sau {vi} mọi lần gửi" if last else "Mọi lần gửi từ trước đến nay")
        + f" đều bị từ chối toàn bộ ({batches} lô trong {days} ngày qua). Nhà cung cấp phần mềm xem lý do từng dòng ở "
        "khu cách ly, sửa tại nguồn rồi gửi lại.",
        (f"After {en} everything that was sent" if last else "Everything that was ever sent")
        + f" was refused as a whole ({batches} batches in {days} days). The vendor reads the reason of each row in the "
        "quarantine, corrects at the source and sends again.",
    )


def _many_rejected(reason: Reason) -> Text:
    told = reason.facts
    share, limit = (f"{100 * float(told[name]):.3g}" for name in ("share", "limit"))
    return Text(
        f"{told['rejected']} trong {told['rows']} dòng gửi trong {told['days']} ngày qua bị từ chối "
        f"({share.replace('.', ',')} %, ngưỡng {limit.replace('.', ',')} %). Nhà cung cấp phần mềm xem lý do ở khu "
        "cách ly và sửa tại nguồn.",
        f"{told['rejected']} of {told['rows']} rows sent in {told['days']} days were refused ({share}%, the limit is "
        f"{limit}%). The vendor reads the reasons in the quarantine and corrects at the source.",
    )


def _collection_overdue(reason: Reason) -> Text:
    told, name = reason.facts, collection(reason.facts["collection"])
    due = date.fromisoformat(told["due_day"])
    return Text(
        f"{name.vi} của năm học {told['school_year']} phải có muộn nhất ngày {due:%d/%m/%Y}, đến nay chưa nhận được. "
        "Nhà trường gửi từ phần mềm hoặc nạp tệp.",
        f"{name.en} of the school year {told['school_year']} were due on {due}, nothing arrived so far. The school "
        "sends them from its software or uploads a file.",
    )


def _registers_overdue(reason: Reason) -> Text:
    told = reason.facts
    last = told["last_day"]
    vi = (
        f"Sổ điểm danh mới nhất là của ngày {date.fromisoformat(last):%d/%m/%Y}" if last else "Chưa có sổ điểm danh nào"
    )
    en = f"The newest register is of {last}" if last else "There is no register yet"
    return Text(
        f"{vi}, quá {told['school_days']} ngày học. Nhà trường gửi điểm danh của các ngày còn thiếu.",
        f"{en}, more than {told['school_days']} school days ago. The school sends the registers of the missing days.",
    )


_WORDS: Final = {
    "NEVER_SENT": _never_sent,
    "NOTHING_TAKEN": _nothing_taken,
    "ONLY_REFUSED": _only_refused,
    "MANY_REJECTED": _many_rejected,
    "COLLECTION_OVERDUE": _collection_overdue,
    "REGISTERS_OVERDUE": _registers_overdue,
}


def _moment(instant: datetime) -> tuple[str, str]:
    local = instant.astimezone(_VIETNAM)
    return f"{local:%H:%M ngày %d/%m/%Y}", f"{local:%Y-%m-%d %H:%M}"
