"""Why a whole file is refused: one function a reason, in both languages."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.sync.domain.words import Text, shortened

MOST_FAULTS: Final = 20  # Of a file that are told at once.


class FileRefusedError(Exception):
    """A file that is not read, and why; `faults` are all that were found, where they are several."""

    def __init__(
        self,
        reason: str,
        text: Text,
        metadata: Mapping[str, str] | None = None,
        faults: "Sequence[FileRefusedError]" = (),
    ) -> None:
        super().__init__(reason, text.en)
        self.reason = reason
        self.text = text
        self.metadata = dict(metadata or {})
        self.faults = faults

    def said(self) -> dict[str, Any]:
        """What another process is told of it."""
        told = {"reason": self.reason, "vi": self.text.vi, "en": self.text.en, "metadata": self.metadata}
        return told | {"faults": [one.said() for one in self.faults]}


def refusal(said: Mapping[str, Any]) -> FileRefusedError:
    """A refusal that another process told of."""
    faults = [refusal(one) for one in said["faults"]]
    return FileRefusedError(said["reason"], Text(said["vi"], said["en"]), said["metadata"], faults)


def together(faults: Sequence[FileRefusedError]) -> FileRefusedError:
    """All that is wrong with a file as one refusal: the first one's reason, each with its place and remedy."""
    first, told = faults[0], faults[:MOST_FAULTS]
    if len(faults) == 1:
        return first
    vi = " ".join(f"({number}) {one.text.vi}" for number, one in enumerate(told, 1))
    en = " ".join(f"({number}) {one.text.en}" for number, one in enumerate(told, 1))
    if len(faults) > len(told):
        vi, en = f"{vi} Còn lỗi khác nữa.", f"{en} There are more."
    count = f"{len(told)}{'+' if len(faults) > len(told) else ''}"
    return FileRefusedError(
        first.reason, Text(f"Tệp có {count} lỗi: {vi}", f"The file has {count} faults: {en}"), first.metadata, told
    )


_BY_EXCEL = Text(
    "Hãy mở tệp bằng Excel, lưu lại dạng .xlsx, không đặt mật khẩu, rồi gửi lại.",
    "Open it in Excel, save it as .xlsx without a password and send it again.",
)
ZIP_AGAIN = Text(
    "Hãy tạo lại tệp zip từ các tệp CSV, không đặt mật khẩu, rồi gửi lại.",
    "Make the zip of its CSV files again, without a password, and send it again.",
)
CSV_AGAIN = Text(
    "Hãy lưu tệp CSV này dạng UTF-8, tạo lại tệp zip rồi gửi lại.",
    "Save this CSV file as UTF-8, make the zip again and send it again.",
)

EXCEL_OR_ZIP = Text(
    f"{_BY_EXCEL.vi} Nếu đây là tệp zip OneRoster: {ZIP_AGAIN.vi[0].lower()}{ZIP_AGAIN.vi[1:]}",
    f"{_BY_EXCEL.en} If it is a zip of OneRoster: {ZIP_AGAIN.en[0].lower()}{ZIP_AGAIN.en[1:]}",
)


def unreadable(why: Text, remedy: Text = _BY_EXCEL) -> FileRefusedError:
    """A file that is no workbook, or a broken one."""
    return FileRefusedError(
        "UNREADABLE_FILE",
        Text(
            f"Không đọc được tệp: {why.vi}. {remedy.vi}",
            f"The file cannot be read: {why.en}. {remedy.en}",
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


def no_table(nearest: str, *, hidden: Sequence[str] = ()) -> FileRefusedError:
    """A file without a table that is known."""
    near = Text(f" Gần nhất: {nearest}.", f" Nearest: {nearest}.") if nearest else Text("", "")
    named = "”, “".join(shortened(one) for one in hidden[:MOST_FAULTS])
    unseen = Text(
        f" Trang đang ẩn không được đọc: “{named}”. Nếu dữ liệu ở đó, hãy bỏ ẩn (Unhide) rồi gửi lại.",
        f" Hidden sheets are not read: “{named}”. If the data is there, unhide them and send the file again.",
    )
    unseen = unseen if hidden else Text("", "")
    return FileRefusedError(
        "NO_TABLE",
        Text(
            f"Không trang nào có dòng tiêu đề nhận ra được.{near.vi}{unseen.vi} Hãy dùng mẫu tải về, hoặc đặt tiêu đề "
            "cột như “Mã học sinh”, “Họ và tên”, “Ngày sinh”.",
            f"No sheet has headings that are known.{near.en}{unseen.en} Use the template, or name the columns as "
            "it does.",
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


def not_one_school() -> FileRefusedError:
    """Files of everything that are for a unit above schools: nobody could say what they lack."""
    return FileRefusedError(
        "NOT_ONE_SCHOOL",
        Text(
            "Tệp khai bulk (toàn bộ) chỉ nhận cho từng trường, vì bản ghi không có trong tệp sẽ bị xóa. Hãy gửi mỗi "
            "trường một tệp zip, hoặc gửi delta.",
            "Files declared bulk are taken for one school at a time, since what they lack is deleted. Send a zip for "
            "each school, or send delta.",
        ),
    )


def other_school(code: str, name: str, *, own_code: str, own: str) -> FileRefusedError:
    """Files of everything that are another school's than the one they were sent for."""
    code, named = shortened(code), shortened(name, most=200)
    said = Text(
        f"của “{named}”" if name else "mà trung tâm không biết", f"of “{named}”" if name else "the centre does not know"
    )
    sender = Text("trường ấy", "that school") if name else Text("đúng trường", "the right school")
    return FileRefusedError(
        "OTHER_SCHOOL",
        Text(
            f"orgs.csv ghi mã trường “{code}” {said.vi}, nhưng tệp được gửi cho “{own}” (mã {own_code}). Tệp khai bulk "
            f"nên bị từ chối cả tệp; chưa ghi nhận và chưa xóa gì. Hãy gửi tệp cho {sender.vi}, hoặc sửa identifier "
            f"trong orgs.csv thành {own_code} rồi gửi lại cả tệp zip.",
            f"orgs.csv says the school “{code}” {said.en}, but the files were sent for “{own}” ({own_code}). Being "
            f"declared bulk they are refused as a whole; nothing is stored or deleted. Send them for {sender.en}, or "
            f"correct identifier in orgs.csv to {own_code} and send the zip again.",
        ),
        {"file": "orgs.csv", "column": "identifier", "school": code, "expected": own_code},
    )


def wrong_manifest(row: int, name: str, why: Text) -> FileRefusedError:
    """A manifest that does not say what is in the zip."""
    at = Text(f", dòng {row}", f", row {row}") if row else Text("", "")
    return FileRefusedError(
        "WRONG_MANIFEST",
        Text(
            f"manifest.csv{at.vi}, {shortened(name)}: {why.vi}. Hãy sửa manifest.csv rồi gửi lại cả tệp zip.",
            f"manifest.csv{at.en}, {shortened(name)}: {why.en}. Correct manifest.csv and send the zip again.",
        ),
        {"file": "manifest.csv", "row": str(row), "property": shortened(name)},
    )


def no_manifest() -> FileRefusedError:
    """A zip of CSV files without the one that says what they are."""
    return FileRefusedError(
        "WRONG_MANIFEST",
        Text(
            "Tệp zip không có manifest.csv ở cấp ngoài cùng. Hãy thêm manifest.csv, đặt mọi tệp CSV ở cấp ngoài cùng "
            "(không nằm trong thư mục) rồi gửi lại.",
            "The zip has no manifest.csv at its root. Add it, put all CSV files at the root and not in a folder, and "
            "send the zip again.",
        ),
        {"file": "manifest.csv", "row": "0", "property": ""},
    )


def missing_file(row: int, file: str, mode: str) -> FileRefusedError:
    """A file that the manifest declares and that is not in the zip."""
    why = Text(
        f"khai {mode} nhưng zip không có tệp {shortened(file)}; hãy thêm tệp, hoặc khai absent",
        f"is declared {mode}, but {shortened(file)} is not in the zip; add it, or declare it absent",
    )
    return wrong_manifest(row, f"file.{file.removesuffix('.csv')}", why)


def missing_roster_column(file: str, missing: list[str]) -> FileRefusedError:
    """A file of OneRoster without columns its records cannot do without."""
    told = ", ".join(missing)
    return FileRefusedError(
        "MISSING_COLUMN",
        Text(
            f"Tệp {file} thiếu cột bắt buộc: {told}. Hãy thêm cột này đúng tên (phân biệt hoa thường) ở dòng 1 rồi gửi "
            "lại.",
            f"{file} lacks the column {told}. Add it under this name (case counts) in row 1 and send the zip again.",
        ),
        {"sheet": file, "missing": told},
    )


def wrong_roster(file: str, row: int, column: str, why: Text) -> FileRefusedError:
    """A row that lets nobody trust the rest of its file."""
    at = f", {column}" if column else ""
    return FileRefusedError(
        "WRONG_ROSTER",
        Text(
            f"{file}, dòng {row}{at}: {why.vi}. Hãy sửa dòng này rồi gửi lại cả tệp zip.",
            f"{file}, row {row}{at}: {why.en}. Correct the row and send the zip again.",
        ),
        {"file": file, "row": str(row), "column": column},
    )
