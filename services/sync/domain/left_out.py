"""Why rows, sheets and files are left out that are no records: by reason, in words for who sent them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.sync.domain.sheets import MOST_SKIPPED_NAMED
from services.sync.domain.words import Text

NO_RECORD: Final = "NO_RECORD"
NO_TABLE: Final = "NO_TABLE"
OTHER_ROLE: Final = "OTHER_ROLE"
NO_ROLE: Final = "NO_ROLE"
SUBJECT_CLASS: Final = "SUBJECT_CLASS"
OTHER_YEAR: Final = "OTHER_YEAR"
GONE_ANYWAY: Final = "GONE_ANYWAY"
UNKNOWN_FILE: Final = "UNKNOWN_FILE"
TOO_MANY_SHEETS: Final = "TOO_MANY_SHEETS"
HIDDEN_SHEET: Final = "HIDDEN_SHEET"


def skipped_as_kept(rows: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Rows left out by reason, as an import's sheet keeps them; beside these all of them, which old code reads."""
    every = sorted({row for some in rows.values() for row in some})
    return {
        "skipped": every[:MOST_SKIPPED_NAMED],
        "skipped_for": {reason: some for reason, some in rows.items() if some},
    }


ROWS: Final[Mapping[str, Text]] = {
    NO_RECORD: Text("tiêu đề lặp, dòng tổng, ký tên", "repeated headings, totals, signatures"),
    OTHER_ROLE: Text("vai trò không phải học sinh hay cán bộ của trường", "roles of neither pupils nor staff"),
    NO_ROLE: Text("người không có dòng nào trong roles hay enrollments", "users without a row of roles or enrollments"),
    SUBJECT_CLASS: Text(
        "lớp môn học (scheduled), trung tâm chỉ giữ lớp chủ nhiệm", "classes of one subject; only homerooms are held"
    ),
    OTHER_YEAR: Text("lớp của năm học khác", "classes of another school year"),
    GONE_ANYWAY: Text(
        "ghi tobedeleted trong tệp bulk: được coi là không có trong tệp",
        "tobedeleted in a bulk file: taken as not being in it",
    ),
}
SHEETS: Final[Mapping[str, Text]] = {
    NO_TABLE: Text("không có bảng dữ liệu nào nhận ra được", "no table that is known"),
    HIDDEN_SHEET: Text(
        "trang đang ẩn nên không được đọc. Nếu trang có dữ liệu, hãy bỏ ẩn (Unhide) rồi gửi lại tệp",
        "the sheet is hidden and is not read. If it holds data, unhide it and send the file again",
    ),
    TOO_MANY_SHEETS: Text(
        "không đọc trang này và các trang sau nó vì tệp có quá nhiều trang. Hãy gộp bớt trang",
        "this sheet and those after it are not read, since there are too many. Make fewer sheets of them",
    ),
    "MARKS_NOT_TAKEN": Text(
        "không nhận điểm từ OneRoster, vì tệp không nói điểm là thường xuyên, giữa kỳ hay cuối kỳ và của giai đoạn nào "
        "(GK1, CK1, GK2, CK2, CN). Hãy gửi kết quả học tập bằng tên trường của Bộ (KET_QUA)",
        "marks are not taken from OneRoster: it does not say whether one is regular, mid-term or final and of which "
        "stage (GK1, CK1, GK2, CK2, CN). Send results in the ministry's names (KET_QUA)",
    ),
    "NOT_KEPT_HERE": Text("trung tâm không giữ loại dữ liệu này", "the centre keeps no such records"),
    UNKNOWN_FILE: Text("không phải tệp mà chuẩn OneRoster nêu", "no file that OneRoster names"),
}
