"""Why a whole file is refused: one function a reason, in both languages."""

from collections.abc import Mapping

from services.sync.domain.words import Text, shortened


class FileRefusedError(Exception):
    """A file that is not read, and why."""

    def __init__(self, reason: str, text: Text, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(reason, text.en)
        self.reason = reason
        self.text = text
        self.metadata = dict(metadata or {})


def unreadable(why: Text) -> FileRefusedError:
    """A file that is no workbook, or a broken one."""
    return FileRefusedError(
        "UNREADABLE_FILE",
        Text(
            f"Không đọc được tệp: {why.vi}. Hãy mở tệp bằng Excel, lưu lại dạng .xlsx, không đặt mật khẩu, rồi gửi "
            "lại.",
            f"The file cannot be read: {why.en}. Open it in Excel, save it as .xlsx without a password and send it "
            "again.",
        ),
    )


def macros() -> FileRefusedError:
    """A workbook with programs in it."""
    return FileRefusedError(
        "UNSAFE_FILE",
        Text(
            "Tệp có chứa macro nên không được mở. Hãy lưu tệp dạng .xlsx (Excel Workbook) rồi gửi lại.",
            "The file holds macros and is not opened. Save it as .xlsx (Excel Workbook) and send it again.",
        ),
        {"cause": "macros"},
    )


def bomb() -> FileRefusedError:
    """A file that unpacks to far more than it is."""
    return FileRefusedError(
        "UNSAFE_FILE",
        Text(
            "Tệp giải nén ra quá lớn so với cỡ của nó nên không được mở. Hãy xóa các dòng, cột và trang trống, lưu lại "
            "dạng .xlsx hoặc .csv, hoặc chia thành nhiều tệp.",
            "The file unpacks to far more than it is and is not opened. Delete empty rows, columns and sheets, save it "
            "as .xlsx or .csv, or split it.",
        ),
        {"cause": "unpacked_size"},
    )


def doctype() -> FileRefusedError:
    """A workbook whose inside says what no program that saves workbooks writes."""
    return FileRefusedError(
        "UNSAFE_FILE",
        Text(
            "Tệp có khai báo DOCTYPE không an toàn nên không được mở. Hãy lưu lại tệp bằng Excel rồi gửi lại.",
            "The file declares a DOCTYPE and is not opened. Save it in Excel and send it again.",
        ),
        {"cause": "doctype"},
    )


def no_table(nearest: str) -> FileRefusedError:
    """A file without a table that is known."""
    near = Text(f" Gần nhất: {nearest}.", f" Nearest: {nearest}.") if nearest else Text("", "")
    return FileRefusedError(
        "NO_TABLE",
        Text(
            f"Không trang nào có dòng tiêu đề nhận ra được.{near.vi} Hãy dùng mẫu tải về, hoặc đặt tiêu đề cột như "
            "“Mã học sinh”, “Họ và tên”, “Ngày sinh”.",
            f"No sheet has headings that are known.{near.en} Use the template, or name the columns as it does.",
        ),
        {"nearest": nearest},
    )


def missing_column(sheet: str, missing: list[str]) -> FileRefusedError:
    """A table whose records could have no key."""
    told = ", ".join(missing)
    return FileRefusedError(
        "MISSING_COLUMN",
        Text(
            f"Trang “{shortened(sheet)}” thiếu cột bắt buộc: {told}. Hãy thêm cột này (tải mẫu có sẵn mã) rồi gửi lại.",
            f"The sheet “{shortened(sheet)}” lacks the column {told}. Add it (the template has the codes) and send it "
            "again.",
        ),
        {"sheet": shortened(sheet), "missing": told},
    )


def duplicate_column(sheet: str, columns: list[str], heading: str) -> FileRefusedError:
    """A table in which two columns say the same."""
    told = ", ".join(columns)
    return FileRefusedError(
        "DUPLICATE_COLUMN",
        Text(
            f"Trang “{shortened(sheet)}” có nhiều cột cùng nghĩa “{heading}”: {told}. Hãy xóa hoặc đổi tiêu đề cột "
            "thừa.",
            f"The sheet “{shortened(sheet)}” says “{heading}” in several columns: {told}. Delete or rename all but "
            "one.",
        ),
        {"sheet": shortened(sheet), "columns": told},
    )
