"""What can be wrong with one row: a stable reason, the field as its sender calls it, and what to do, in two languages.

Each function is one problem, so that its text stands in one place. No text repeats personal data: the problem is kept
and shown to more people than the row is. Reasons: UNKNOWN_FIELD, UNKNOWN_SCHOOL and the like where the matter has one
of its own; else INVALID_DATE for whatever is wrong with a date, and INVALID_FIELD for whatever is wrong with any other
field (`fields.reason_of`).
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from services.sync.domain.fields import INVALID_FIELD, described, reason_of
from services.sync.domain.words import TOO_LONG, Text, as_code, nearest, shortened

INVALID_JSON: Final = "INVALID_JSON"
RECORD_ERASED: Final = "RECORD_ERASED"  # As records says it.
RECORD_RESTRICTED: Final = "RECORD_RESTRICTED"  # As records says it.
LOCKED: Final = "LOCKED"  # As records says it.
MASS_DISAPPEARANCE: Final = "MASS_DISAPPEARANCE"
BATCH_REFUSED: Final = "BATCH_REFUSED"
UNKNOWN_SCHOOL: Final = "UNKNOWN_SCHOOL"
SCHOOL_OUTSIDE_UNIT: Final = "SCHOOL_OUTSIDE_UNIT"
MOST_NAME: Final = 200  # Letters of a unit's name with its code.
MOST_OTHERS: Final = 10  # Further fields that a problem names,
MOST_TOLD: Final = 3  # and of how many of them it says why.


@dataclass(frozen=True, slots=True)
class Called:
    """A field as the sender of a row calls it."""

    field: str  # Its path in the sender's names, for example `NGAY_SINH` or `DIEM_MONS[2].DIEM`.
    label: Text  # Name and meaning, for sentences.
    wanted: Text  # What may be written there.
    reason: str = INVALID_FIELD
    written: str = ""  # What stands there, where it is a single value.


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row was not stored."""

    reason: str
    field: str
    text: Text
    stored_version: int = 0
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)  # What it is about, for programs.

    def beside(self, others: Iterable["Problem"], *, place: Callable[[str], Text] | None = None) -> "Problem":
        """The same, its text ending with what else is wrong in the row: the first fields with why, others by name;
        `also` of its metadata names them for programs.

        `place` says where a field stands, where fields of one row stand apart: then each is told with why and where.
        """
        also: dict[str, Text] = {}
        for one in others:
            if one.field and one.field != self.field:
                also.setdefault(one.field, (one.at(place(one.field)) if place else one).text)
        if not also:
            return self
        fields, most = list(also), MOST_OTHERS if place else MOST_TOLD
        told, named = [also[one] for one in fields[:most]], fields[most:MOST_OTHERS]
        vi = f"Ngoài ra còn sai: {' '.join(one.vi for one in told)}"
        en = f"Also wrong: {' '.join(one.en for one in told)}"
        more = len(fields) - MOST_OTHERS
        if place and more > 0:
            vi, en = f"{vi} Và {more} trường dữ liệu khác.", f"{en} And {more} more."
        if named:
            vi += f" Cũng sai: {', '.join(named)}{f' và {more} trường dữ liệu khác' if more > 0 else ''}."
            en += f" Wrong as well: {', '.join(named)}{f' and {more} more' if more > 0 else ''}."
        told_also = {"also": ",".join(fields[:MOST_OTHERS])}
        return replace(
            self,
            text=Text(f"{self.text.vi} {vi}", f"{self.text.en} {en}"),
            metadata={**self.metadata, **told_also},
        )

    def at(self, place: Text) -> "Problem":
        """The same, its text beginning with where the row stands in its document."""
        vi, en = (f"{where[:1].upper()}{where[1:]}: {said}" for where, said in zip(place, self.text, strict=True))
        return replace(self, text=Text(vi, en))


class RowRefusedError(Exception):
    """A row that cannot be read: what is wrong with it, and its key and school as far as they can be made out.

    `path` leads to what cannot be read, by the sender's names; without it the rest of the row may be read. Empty:
    there is no such thing. `meant` is the known field that an unknown one looks like.
    """

    def __init__(
        self, problem: Problem, *, key: str = "", school: str = "", path: tuple[str, ...] = (), meant: str = ""
    ) -> None:
        super().__init__(problem.reason)
        self.problem = problem
        self.key = key
        self.school = school
        self.path = path
        self.meant = meant


def own(path: str) -> Called:
    """The field at a path of ours as this interface calls it."""
    called, wanted = described(path)
    leaf = path.rpartition(".")[2]
    label = Text(f"{leaf} ({called.vi})", leaf if leaf == called.en else f"{leaf} ({called.en})")
    return Called(path, label, wanted, reason_of(path))


def record_restricted(name: str) -> Problem:
    """A row does not go with a restricted record, of which nothing is told; `name` is a field that the row says."""
    vi = f"trường dữ liệu {name}" if name else "các trường dữ liệu của dòng này"
    en = f"the field {name}" if name else "the fields of this row"
    return Problem(
        RECORD_RESTRICTED,
        name,
        Text(
            f"Bản ghi đang bị hạn chế theo yêu cầu của người có dữ liệu, và không ghi được dòng này lên đó; vì sao thì "
            f"không được nêu. Hãy kiểm tra {vi} rồi gửi lại, hoặc đề nghị gỡ hạn chế.",
            f"The record is restricted at its person's request, and this row cannot be stored over it; why may not be "
            f"told. Check {en} and send it again, or have the restriction lifted.",
        ),
    )


def row_at(index: int, _field: str = "") -> Text:
    """Where a row of a message stands, for programmers: they count from 0."""
    return Text(f"hàng có index {index}", f"the row with index {index}")


def line_at(number: int) -> Text:
    """Where a row of an NDJSON document stands: its line, from 1."""
    return Text(f"dòng {number}", f"line {number}")


def element_at(number: int) -> Text:
    """Where a row of a JSON document stands: its place in the list, from 1."""
    return Text(f"bản ghi thứ {number}", f"record {number}")


def batch_refused(first: int, place: Text) -> Problem:
    """Name a row of an atomic batch, where another was refused or held; the first of those stands at a place."""
    return Problem(
        BATCH_REFUSED,
        "",
        Text(
            f"Bản ghi này không sai, nhưng lô chỉ được ghi nhận trọn vẹn và {place.vi} bị từ chối hoặc giữ lại. Hãy xử "
            "lý bản ghi đó rồi gửi lại tất cả trong một lô mới.",
            f"Nothing is wrong with this row, but the batch is stored whole or not at all, and {place.en} was refused "
            "or held. Deal with that one, then send all of it again in a new batch.",
        ),
        metadata={"first_index": str(first)},
    )


def mass_disappearance(declaration_id: str, *, gone: int, held: int) -> Problem:
    """Name a deletion that waits for a person, since so much would be gone with it."""
    shown = shortened(declaration_id)
    return Problem(
        MASS_DISAPPEARANCE,
        "",
        Text(
            f"Lần gửi “{shown}” được khai là đầy đủ nhưng thiếu {gone} trong {held} bản ghi đang lưu, trong đó có bản "
            "ghi này. Chưa xóa gì. Nếu đúng vậy, hãy xác nhận; nếu không, hãy gửi lại đầy đủ với phiên bản cao hơn.",
            f"“{shown}” is said to be everything but lacks {gone} of {held} records held, this one among them. Nothing "
            "is deleted yet. Confirm it if it is so; else send everything again in a higher version.",
        ),
        metadata={"declaration_id": shown, "gone_count": str(gone), "held_count": str(held)},
    )


def not_json(column: int) -> Problem:
    """Name a line that is no JSON; `column` from 1 says where it stops being it, 0: not known."""
    vi, en = (f" (từ cột {column})", f" (from column {column})") if column else ("", "")
    return Problem(
        INVALID_JSON,
        "",
        Text(
            f"không phải JSON hợp lệ{vi}. Hãy kiểm tra dấu ngoặc, dấu phẩy và bảng mã UTF-8 của dòng này.",
            f"not valid JSON{en}. Check the brackets, the commas and the UTF-8 encoding of this line.",
        ),
    )


def not_an_object() -> Problem:
    """Name a row that is something else than a record."""
    return Problem(
        INVALID_JSON,
        "",
        Text(
            'không phải một đối tượng JSON. Mỗi bản ghi phải có dạng {"tên trường dữ liệu": "giá trị"}.',
            'not a JSON object. Each record must have the form {"field": "value"}.',
        ),
    )


def line_too_long(most: int) -> Problem:
    """Name a line that no record needs."""
    return Problem(
        "TOO_LARGE",
        "",
        Text(
            f"dài hơn {most // 1000} kB. Mỗi dòng chỉ chứa một bản ghi; hãy kiểm tra dấu xuống dòng của tệp.",
            f"longer than {most // 1000} kB. A line holds one record; check the line breaks of the file.",
        ),
    )


def unknown_field(name: str, known: Iterable[str], *, inside: str = "") -> Problem:
    """Name a field that the profile does not know, and the nearest one it knows."""
    shown = shortened(name)
    near = nearest(name, known)
    path = f"{inside}{shown}"
    remedy = (
        Text(f"Có phải là “{near}”?", f"Did you mean “{near}”?")
        if near
        else Text(
            "Hãy bỏ trường dữ liệu này hoặc chọn đúng bộ tên (profile).", "Leave it out, or choose the right profile."
        )
    )
    return Problem(
        "UNKNOWN_FIELD",
        path,
        Text(
            f"Không có trường dữ liệu “{path}” trong bộ tên (profile). {remedy.vi}",
            f"The profile has no field “{path}”. {remedy.en}",
        ),
    )


def unknown_object(name: str, value: object, known: Iterable[str]) -> Problem:
    """Name a type of record that the profile does not know."""
    kinds = list(known)
    near = nearest(str(value), kinds)
    shown, listed = shortened(str(value)) if near else as_code(str(value)), ", ".join(kinds)
    said = (
        Text(f"ghi “{shown}”, không phải loại bản ghi đã biết", f"says “{shown}”, which is no known type of record")
        if value
        else Text("còn thiếu", "is missing")
    )
    remedy = (
        Text(f"Có phải là “{near}”?", f"Did you mean “{near}”?")
        if near
        else Text(f"Hãy ghi một trong: {listed}.", f"Write one of: {listed}.")
    )
    return Problem(INVALID_FIELD, name, Text(f"{name} {said.vi}. {remedy.vi}", f"{name} {said.en}. {remedy.en}"))


def unreadable(called: Called, *, wanted: Text, long: bool = False) -> Problem:
    """Name a value that is not of its type. A number can be read: what is wrong with it is what may be written; so can
    a text that is only too `long`.
    """
    label = called.label
    number = called.written.lstrip("+-").isdecimal()
    vi, en = ("không dùng được", "cannot be used") if number else ("không đọc được", "cannot be read")
    if long and not number:
        vi, en = TOO_LONG
    return Problem(
        called.reason,
        called.field,
        Text(f"{label.vi} {vi}. Hãy ghi {wanted.vi}.", f"{label.en} {en}. Write {wanted.en}."),
    )


def missing_key(missing: Sequence[Called]) -> Problem:
    """Name a record whose key cannot be made."""
    vi, en = " và ".join(one.label.vi for one in missing), " and ".join(one.label.en for one in missing)
    return Problem(
        missing[0].reason,
        missing[0].field,
        Text(
            f"Thiếu {vi}: không lập được khóa của bản ghi. Hãy điền đủ rồi gửi lại.",
            f"Without {en} the key of the record cannot be made. Fill it in and send the row again.",
        ),
    )


def no_record(known: Iterable[str]) -> Problem:
    """Name a row without a record, or with several."""
    listed = ", ".join(known)
    return Problem(
        INVALID_FIELD,
        "record",
        Text(
            f"Mỗi hàng phải chứa đúng một bản ghi. Hãy điền đúng một trong: {listed}, kể cả khi báo xóa.",
            f"A row holds exactly one record. Fill in exactly one of: {listed}, also to report a deletion.",
        ),
    )


def invalid_date(called: Called) -> Problem:
    """Name a date that the calendar does not have."""
    label, wanted = called.label, called.wanted
    return Problem(
        called.reason,
        called.field,
        Text(
            f"{label.vi} không phải là ngày có thật trong lịch. Hãy ghi {wanted.vi}.",
            f"{label.en} is no day of the calendar. Write {wanted.en}.",
        ),
    )


def unknown_school(called: Called, school: str) -> Problem:
    """Name a school that no unit is known by today."""
    shown = as_code(school)
    return Problem(
        UNKNOWN_SCHOOL,
        called.field,
        Text(
            f"Không có trường nào mang mã “{shown}”. Hãy kiểm tra {called.label.vi}, hoặc đề nghị Sở khai báo trường.",
            f"No school has the code “{shown}”. Check {called.label.en}, or ask the department to register the school.",
        ),
    )


def school_outside_unit(called: Called, school: str, unit: str) -> Problem:
    """Name a school that the batch was not for; both as people call them."""
    shown, place = shortened(school, most=MOST_NAME), shortened(unit, most=MOST_NAME)
    return Problem(
        SCHOOL_OUTSIDE_UNIT,
        called.field,
        Text(
            f"Trường “{shown}” không thuộc đơn vị “{place}” của lô. Hãy sửa {called.label.vi}, "
            "hoặc gửi lô cho đơn vị có trường này.",
            f"The school “{shown}” does not belong to the batch's unit “{place}”. Correct {called.label.en}, "
            "or send the batch for a unit that has this school.",
        ),
    )


def collection_not_connected(collection: str) -> Problem:
    """Name a collection for which the sender is not connected."""
    return Problem(
        "COLLECTION_NOT_CONNECTED",
        "",
        Text(
            f"Kết nối của đối tác với đơn vị không gồm loại dữ liệu `{collection}`. Hãy nhờ hiệu trưởng hoặc sở "
            "nối thêm loại này.",
            f"The partner's connection with the unit is not for {collection}. Ask the school's head or the department "
            "to connect it.",
        ),
        metadata={"collection": collection},
    )


def forbidden_character(called: Called) -> Problem:
    """Name a text with a sign that no store keeps."""
    return Problem(
        called.reason,
        called.field,
        Text(
            f"{called.label.vi} chứa ký tự NUL (\\u0000). Hãy xóa ký tự này ở phần mềm nguồn rồi gửi lại.",
            f"{called.label.en} contains the character NUL (\\u0000). Remove it at the source and send the row again.",
        ),
    )


def hidden_character(called: Called, sign: str) -> Problem:
    """Name a name with a sign that nobody sees. It is not left out here: what is stored is what the school has."""
    code = f"U+{ord(sign):04X}"
    return Problem(
        called.reason,
        called.field,
        Text(
            f"{called.label.vi} chứa ký tự ẩn {code}, không nhìn thấy khi đọc. Hãy gõ lại tên ở phần mềm nguồn.",
            f"{called.label.en} contains the invisible character {code}. Delete and retype the name at the source.",
        ),
    )


def flawed_cell(called: Called, flaw: str) -> Problem:
    """Name a cell of a workbook that holds a formula, or what a formula failed with, instead of a value."""
    label = called.label
    said = (
        Text("chứa công thức, không phải giá trị", "holds a formula, not a value")
        if flaw == "formula"
        else Text("chứa giá trị lỗi của Excel, như #N/A", "holds an error of Excel, such as #N/A")
    )
    return Problem(
        "FORMULA_CELL",
        called.field,
        Text(
            f"{label.vi} {said.vi}. Hãy chép cột này rồi dán lại bằng “Dán giá trị” (Paste Values).",
            f"{label.en} {said.en}. Copy the column and paste it back as values.",
        ),
    )


def cell_at(sheet: str, number: int) -> Text:
    """Where a row of a workbook stands."""
    name = shortened(sheet)
    return Text(f"trang “{name}”, dòng {number}", f"sheet “{name}”, row {number}")


def missing_row() -> Text:
    """Where a record stands that a complete file lacks."""
    return Text("bản ghi không có trong tệp", "a record that the file lacks")


def other_year(called: Called, *, year: int) -> Problem:
    """Name a row of another school year than the file is loaded into."""
    told = f"{year}-{year + 1}"
    return Problem(
        called.reason,
        called.field,
        Text(
            f"{called.label.vi} khác năm học đang nạp ({told}). Hãy nạp dòng này vào đúng năm học của nó.",
            f"{called.label.en} is not the one the file is loaded into ({told}). Load the row into its own year.",
        ),
    )


def record_with(key: str) -> Text:
    """A row that is taken once more, and has no place any longer."""
    return Text(f"bản ghi “{key}”", f"record “{key}”") if key else Text("bản ghi này", "this record")
